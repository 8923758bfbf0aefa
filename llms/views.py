"""The registry for staff, and the first step of a registration: where is the model?"""

import asyncio
from collections.abc import Callable
from typing import Any, TypeVar, cast

from asgiref.sync import sync_to_async
from django.contrib import messages
from django.contrib.auth.decorators import login_required, permission_required
from django.contrib.auth.models import User
from django.core.cache import cache
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from llms import checking, endpoint_pages, endpoints, local_servers, publishing, registration, trials
from llms.endpoints import Address
from llms.engines.huggingface.adapters import BadAdapter, base_named_in
from llms.local_servers import FoundServer
from llms.models import Endpoint, LanguageModel, LanguageModelQuerySet
from llms.registration import Refused
from llms.registration_forms import AdapterForm, FilesForm, ServerForm
from llms.sealing import seal
from llms.steps import steps
from llms.translations import translated

PERMISSIONS = ("llms.add_languagemodel", "llms.change_languagemodel")
FOUND_FOR_SECONDS = 900
"""So long a look around is remembered."""
LONGEST_NUMBER = 18
"""Digits of a row's number."""
PLACES = ("machine", "server", "files", "adapter")

View = TypeVar("View", bound=Callable[..., Any])


def for_registrars(view: View) -> View:
    """Visitors are sent to the door, others who may not are told so."""
    allowed = permission_required(PERMISSIONS, raise_exception=True)(view)
    return never_cache(login_required(allowed))


@for_registrars
@require_safe
def models(request: HttpRequest) -> HttpResponse:
    rows = [publishing.registered(llm) for llm in LanguageModel.objects.select_related("endpoint")]
    context = {
        "drafts": [row for row in rows if row.is_draft],
        "rows": [row for row in rows if not row.is_draft],
        "n_contenders": _contenders().count(),
    }
    return render(request, "llms/models.html", context)


@for_registrars
def register(request: HttpRequest) -> HttpResponse:
    """The first step, before there is a draft: four places where a model may be."""
    place = request.GET.get("from", "server" if "endpoint" in request.GET else "machine")
    if place not in PLACES:
        place = "machine"
    answer: Callable[[HttpRequest], dict[str, Any] | HttpResponse] = _ANSWERS[place]
    found = answer(request)
    if isinstance(found, HttpResponse):
        return found
    form = found.get("form")
    context = {"place": place, "steps": steps("source"), **found}
    return render(request, "llms/register.html", context, status=422 if form is not None and form.errors else 200)


# --- found on this machine ---------------------------------------------------------------------------------------


@for_registrars
@require_POST
def look_around(request: HttpRequest) -> HttpResponse:
    """Asks the usual ports of this machine, because somebody pressed the button."""
    cache.set(_found_key(request.user.pk), local_servers.find(), FOUND_FOR_SECONDS)
    return redirect("llms:register")


@for_registrars
@require_POST
async def use_found(request: HttpRequest) -> HttpResponse:
    """One click: registers what was found, asks it for a few words, and puts it into battles if they come."""
    user = cast(User, await request.auser())
    server = await sync_to_async(_found_server)(user.pk, request.POST)
    if server is None:
        messages.error(request, _("That is not among what was found any more. Look again."))
        return redirect("llms:register")
    use = sync_to_async(registration.use_found)
    llms = await use(server, request.POST["model"], two_settings="two_settings" in request.POST)
    problem = await trials.first_words(llms[0])
    if problem:
        messages.error(request, problem)
        return redirect("llms:check", llms[0].pk)
    await sync_to_async(_put_to_use)(llms)
    words = ngettext("%(names)s is in the arena.", "%(names)s are in the arena.", len(llms))
    messages.success(request, words % {"names": _(" and ").join(llm.name for llm in llms)})
    return redirect("arena:new_battle" if await _contenders().acount() >= 2 else "llms:register")


def _contenders() -> LanguageModelQuerySet:
    return LanguageModel.objects.in_battles()


def _found_key(user_id: int | None) -> str:
    return f"found-servers-{user_id}"


def _found_server(user_id: int, wanted: Any) -> FoundServer | None:
    """Only what was found here may be used: an address of the form's own would be anybody's."""
    found: list[FoundServer] = cache.get(_found_key(user_id)) or []
    return next(
        (
            server
            for server in found
            if server.base_url == wanted.get("base_url") and wanted.get("model") in server.models
        ),
        None,
    )


def _put_to_use(llms: list[LanguageModel]) -> None:
    publishing.put_into_battles(llms)
    checking.begin(llms[0])


def _on_this_machine(request: HttpRequest) -> dict[str, Any]:
    found: list[FoundServer] | None = cache.get(_found_key(request.user.pk))
    n_offered = sum(len(server.models) for server in found or [])
    n_contenders = _contenders().count()
    why_not = local_servers.why_not()
    return {
        "found": found,
        "offers_two_settings": n_offered == 1 and n_contenders == 0,
        "why_not": translated(why_not) if why_not else "",
    }


# --- a server ----------------------------------------------------------------------------------------------------


def _at_a_server(request: HttpRequest) -> dict[str, Any] | HttpResponse:
    chosen = request.GET.get("endpoint", "")
    if not chosen:
        return _new_server(request)
    endpoint = get_object_or_404(Endpoint, pk=_number(chosen))
    if request.method == "POST":
        name = request.POST.get("model", "").strip()
        if endpoint_pages.may_be_probed(name):
            return redirect("llms:source", registration.draft_at(endpoint, name).pk)
        messages.error(request, _("Write the model's name as the server knows it, for example orion-7b."))
    wanted = request.GET.get("model", "")
    health = endpoint_pages.ask(endpoint)
    trouble = "" if health.is_well else translated(health.words)
    known = _registered_at(endpoint)
    shown = sorted(health.models, key=lambda name: name != wanted)[: endpoint_pages.N_SHOWN]
    n_hidden = len(health.models) - len(shown)
    return {
        "endpoint": endpoint,
        "trouble": trouble,
        "shown": shown,
        "n_hidden": n_hidden,
        "wanted": wanted,
        "known": known,
    }


def _number(typed: str) -> int:
    """Raises `Http404` for what no row can have."""
    if not (typed.isascii() and typed.isdecimal() and len(typed) <= LONGEST_NUMBER):
        raise Http404
    return int(typed)


def _registered_at(endpoint: Endpoint) -> set[str]:
    return set(LanguageModel.objects.filter(endpoint=endpoint).values_list("source", flat=True))


def _new_server(request: HttpRequest) -> dict[str, Any] | HttpResponse:
    """A server is added once it has answered: a misspelt address would only be found out by voters."""
    form = ServerForm(request.POST if request.method == "POST" else None)
    if form.is_valid():
        address, key = form.cleaned_data["address"], form.cleaned_data["api_key"]
        health = asyncio.run(endpoints.check(Address(address, seal(key), max_concurrent=1)))
        if health.is_well:
            known = registration.endpoint_at(address, key=key)
            return redirect(f"{request.path}?from=server&endpoint={known.pk}")
        form.add_error("api_key" if health.refuses_key else "address", translated(health.words))
    return {"form": form, "endpoints": Endpoint.objects.all()}


# --- files -------------------------------------------------------------------------------------------------------


def _in_files(request: HttpRequest) -> dict[str, Any] | HttpResponse:
    form = FilesForm(request.POST if request.method == "POST" else None, initial={"source": request.GET.get("source")})
    if form.is_valid():
        try:
            llm = registration.draft_from(form.cleaned_data["source"].strip(), form.cleaned_data["revision"])
            return redirect("llms:source", llm.pk)
        except Refused as refusal:
            for problem in refusal.problems:
                form.add_error("source", problem)
    return {"form": form}


def _as_adapter(request: HttpRequest) -> dict[str, Any] | HttpResponse:
    form = AdapterForm(request.POST if request.method == "POST" else None)
    missing = ""
    if form.is_valid():
        folder, base = form.cleaned_data["folder"].strip(), form.cleaned_data["base"]
        try:
            missing = base_named_in(folder)
            base = base or next(iter(registration.bases_named(missing)), None)
            if base is not None:
                return redirect("llms:source", registration.draft_adapter(folder, base).pk)
            words = _("It was made for %(base)s, which is not registered. Register that first, or choose its base.")
            form.add_error("folder", words % {"base": missing or _("a model that it does not name")})
        except BadAdapter as error:
            form.add_error("folder", translated(error.args[0]))
        except Refused as refusal:
            for problem in refusal.problems:
                form.add_error("folder", problem)
    return {"form": form, "missing_base": missing}


_ANSWERS: dict[str, Callable[[HttpRequest], dict[str, Any] | HttpResponse]] = {
    "machine": _on_this_machine,
    "server": _at_a_server,
    "files": _in_files,
    "adapter": _as_adapter,
}
