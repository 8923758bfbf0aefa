"""What an address that nothing answers says: programs are told in JSON, people on a page."""

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import reverse
from django.views.defaults import page_not_found

from accounts.middleware import API


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    if not request.path.startswith(API):
        return page_not_found(request, exception)
    described = request.build_absolute_uri(reverse("api-1:openapi-json"))
    detail = f"Nothing answers at {request.path}. All that does is described at {described}"
    return JsonResponse({"detail": detail, "documentation": described}, status=404)
