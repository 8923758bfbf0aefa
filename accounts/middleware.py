"""Who is asking, and may they come in at all."""

from collections.abc import Callable
from typing import cast

from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse

from accounts import tokens
from accounts.addresses import is_trusted_proxy
from accounts.models import ApiToken

Handler = Callable[[HttpRequest], HttpResponseBase]

OPEN_TO_ALL = ("/static/", "/accounts/sign-in/", "/preferences/", "/healthz", "/readyz", "/metrics", "/favicon.ico")
API = "/api/"


class TokenRequest(HttpRequest):
    """A request after `api_tokens` has seen it."""

    api_token: ApiToken | None


def untrusted_headers(get_response: Handler) -> Handler:
    """What only a proxy of ours may say is heard from nobody else. First of all, so that nothing reads it before."""

    def middleware(request: HttpRequest) -> HttpResponseBase:
        if not is_trusted_proxy(request.META.get("REMOTE_ADDR", "")):
            request.META.pop("HTTP_X_FORWARDED_PROTO", None)
        return get_response(request)

    return middleware


def security_headers(get_response: Handler) -> Handler:
    def middleware(request: HttpRequest) -> HttpResponseBase:
        response = get_response(request)
        response.setdefault("X-DNS-Prefetch-Control", "off")
        response.setdefault("Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()")
        return response

    return middleware


def api_tokens(get_response: Handler) -> Handler:
    """`Authorization: Bearer hakem_…` signs a request to the API in as the token's owner. Elsewhere tokens mean
    nothing, so that a leaked one opens no page."""

    def middleware(request: HttpRequest) -> HttpResponseBase:
        scheme, _, secret = request.headers.get("Authorization", "").partition(" ")
        cast(TokenRequest, request).api_token = None
        if request.path.startswith(API) and scheme.lower() == "bearer":
            token = tokens.recognise(secret.strip())
            if token is None:
                return _unauthorised("This token is unknown, expired or revoked. Make a new one on your account page.")
            request.user, cast(TokenRequest, request).api_token = token.user, token
        return get_response(request)

    return middleware


def members_only(get_response: Handler) -> Handler:
    """With ACCESS=members a visitor sees nothing but the door."""

    def middleware(request: HttpRequest) -> HttpResponseBase:
        if may_enter(request.user) or request.path.startswith(OPEN_TO_ALL):
            return get_response(request)
        if request.path.startswith(API):
            return _unauthorised("This site is for members. Send a token: Authorization: Bearer hakem_…")
        return redirect_to_login(request.get_full_path())

    return middleware


def may_enter(user: object) -> bool:
    """Also asked by sockets, which pass no middleware."""
    return settings.ACCESS == "public" or not isinstance(user, AnonymousUser)


def _unauthorised(detail: str) -> HttpResponse:
    return JsonResponse({"detail": detail}, status=401, headers={"WWW-Authenticate": "Bearer"})
