"""Pages about model servers, for those who may change them: which there are, how they are, what they can do."""

from collections.abc import Callable
from typing import Any, TypeVar

from django.contrib import messages
from django.contrib.auth.decorators import login_required, permission_required
from django.db import transaction
from django.db.models import Count
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from llms import endpoint_pages, local_servers, probing
from llms.models import Endpoint
from llms.tasks import probe_model
from llms.translations import translated

View = TypeVar("View", bound=Callable[..., Any])


def for_keepers(view: View) -> View:
    """Visitors are sent to the door, others who may not are told so."""
    allowed = permission_required("llms.change_endpoint", raise_exception=True)(view)
    return never_cache(login_required(allowed))


@for_keepers
@require_safe
def endpoints(request: HttpRequest) -> HttpResponse:
    rows = Endpoint.objects.annotate(n_llms=Count("llms", distinct=True))
    why_not = local_servers.why_not()
    context = {"rows": rows, "why_not": translated(why_not) if why_not else ""}
    return render(request, "llms/endpoints.html", context)


@for_keepers
@require_safe
def endpoint(request: HttpRequest, endpoint_id: int) -> HttpResponse:
    """With `?look` the server is asked for its models first, which may take a while: the page asks for that itself when
    it is there. `?fragment` is what the page replaces."""
    shown = get_object_or_404(Endpoint, pk=endpoint_id)
    listing = endpoint_pages.look(shown) if "look" in request.GET else endpoint_pages.last_look(shown)
    served = endpoint_pages.served(shown, listing.models if listing else ())
    context = {
        "endpoint": shown,
        "listing": listing,
        "trouble": translated(listing.words) if listing and not listing.is_well else "",
        "last_error": translated(shown.last_error) if shown.n_failures or shown.resting_since else "",
        "served": served,
        "is_probing": any(model.n_done is not None for model in served),
        "has_key": bool(shown.sealed_key),
    }
    is_fragment = "fragment" in request.GET
    return render(request, "llms/_endpoint_models.html" if is_fragment else "llms/endpoint.html", context)


@for_keepers
@require_POST
def ask_endpoint(request: HttpRequest, endpoint_id: int) -> HttpResponse:
    asked = get_object_or_404(Endpoint, pk=endpoint_id)
    health = endpoint_pages.ask(asked)
    if health.is_well:
        messages.success(
            request, _("%(endpoint)s is well: %(words)s") % {"endpoint": asked, "words": translated(health.words)}
        )
    else:
        messages.error(request, translated(health.words))
    return redirect("llms:endpoint", endpoint_id)


@for_keepers
@require_POST
def probe_endpoint(request: HttpRequest, endpoint_id: int) -> HttpResponse:
    """The probe itself takes up to minutes, and runs in the background."""
    probed = get_object_or_404(Endpoint, pk=endpoint_id)
    name = request.POST.get("model", "").strip()
    if not endpoint_pages.may_be_probed(name):
        messages.error(request, _("Write the model's name as the server knows it, for example orion-7b."))
        return redirect("llms:endpoint", endpoint_id)
    row = probing.begin(probed, name)
    if row is None:
        messages.info(request, _("%(model)s is being probed already.") % {"model": name})
    else:
        probe_id = row.pk
        transaction.on_commit(lambda: probe_model.delay(probe_id=probe_id))
    return redirect("llms:endpoint", endpoint_id)
