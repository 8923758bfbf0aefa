"""The steps of a registration that has its draft. Each has an address of its own: back, reload and bookmarks work."""

from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any, NamedTuple

import orjson
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import aget_object_or_404, get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from llms import checking, identification, inspection, probing, publishing, refusals, registration, trials
from llms.chat import Message, Role
from llms.engines.base import EngineError
from llms.engines.huggingface.templates import CannotRender, rendered
from llms.models import REMOTE_ENGINE, Capability, LanguageModel, ProbeResult
from llms.page_policy import shows_model_text
from llms.pool import Readiness, pool
from llms.registration_forms import DecodingForm, FactsForm, PublishForm
from llms.sentence_field import words_of
from llms.steps import next_url, steps
from llms.translations import translated
from llms.trial_strings import TRIAL_PROMPTS, trial_strings
from llms.views import for_registrars

EXAMPLE = "What is the capital of France?"
PROMPT_LIMIT = 8000


def _step(request: HttpRequest, key: str, llm: LanguageModel, **context: Any) -> HttpResponse:
    form = context.get("form")
    whole = {"llm": llm, "steps": steps(key, llm), "next_url": next_url(key, llm), **context}
    return render(request, f"llms/register_{key}.html", whole, status=422 if form is not None and form.errors else 200)


def _draft(llm_id: int) -> LanguageModel:
    return get_object_or_404(LanguageModel.objects.select_related("endpoint", "parent"), pk=llm_id)


@for_registrars
def source(request: HttpRequest, llm_id: int) -> HttpResponse:
    """What the model is called, and what its source said of it."""
    llm = _draft(llm_id)
    form = FactsForm(request.POST if request.method == "POST" else None, instance=llm)
    if form.is_valid():
        if identification.DECIDES_THE_WEIGHTS & set(form.changed_data):
            identification.forget(llm)
        form.save()
        refusals.forget(LanguageModel.objects.filter(pk=llm.pk))
        if not llm.weights_identity:
            checking.begin(llm)
        return redirect("llms:check", llm.pk)
    return _step(request, "source", _draft(llm_id), form=form)


@for_registrars
def check(request: HttpRequest, llm_id: int) -> HttpResponse:
    """What is known; POST begins the slow part anew."""
    llm = _draft(llm_id)
    if request.method == "POST":
        checking.begin(llm)
        return redirect("llms:check", llm.pk)
    found = inspection.findings(llm)
    context = {
        "findings": found,
        "is_right": inspection.is_right(found),
        "progress": checking.state(llm),
        "abilities": _abilities(llm),
    }
    if "fragment" in request.GET:
        return render(request, "llms/_check.html", {"llm": llm, "next_url": next_url("check", llm), **context})
    return _step(request, "check", llm, **context)


class Ability(NamedTuple):
    label: str
    verdict: str
    """Empty where it was not asked about."""
    words: str
    evidence: str


def _abilities(llm: LanguageModel) -> list[Ability]:
    """Every capability with what the newest probe found of it; empty before the first one."""
    if llm.engine != REMOTE_ENGINE or llm.endpoint is None:
        return []
    found = probing.findings(llm.endpoint, llm.source)
    if not found:
        return []
    return [_ability(capability, found.get(capability)) for capability in Capability]


def _ability(capability: Capability, result: ProbeResult | None) -> Ability:
    if result is None:
        return Ability(str(capability.label), "", _("not asked"), "")
    return Ability(str(capability.label), result.verdict, result.get_verdict_display(), translated(result.evidence))


@for_registrars
@shows_model_text
def template(request: HttpRequest, llm_id: int) -> HttpResponse:
    llm = _draft(llm_id)
    form = DecodingForm(
        request.POST if request.method == "POST" else None, initial=DecodingForm.values_of(llm), auto_id="id_%s"
    )
    if form.is_valid():
        form.apply_to(llm)
        return redirect("llms:try" if "next" in request.POST else "llms:template", llm.pk)
    own = inspection.template_of(llm)
    shown, problem = _example(llm)
    context = {"form": form, "template": own, "example": shown, "example_problem": problem, "prompt": EXAMPLE}
    return _step(request, "template", llm, **context)


def _example(llm: LanguageModel) -> tuple[str, str]:
    """The raw text of a short conversation, and why there is none: from the loaded model itself where it is loaded."""
    conversation = llm.conversation([Message(Role.USER, EXAMPLE)])
    if pool.readiness(llm) is Readiness.READY:
        try:
            return pool.load(llm).result(1).prompt_text(conversation) or "", ""
        except (EngineError, TimeoutError) as error:
            return "", translated(words_of(error))
    own = inspection.template_of(llm)
    try:
        return (rendered(own, conversation), "") if own else ("", "")
    except CannotRender as error:
        return "", translated(words_of(error))


@for_registrars
@shows_model_text
def try_live(request: HttpRequest, llm_id: int) -> HttpResponse:
    llm = _draft(llm_id)
    context = {"prompts": TRIAL_PROMPTS, "strings": trial_strings(), "prompt_limit": PROMPT_LIMIT}
    return _step(request, "try", llm, able=registration.serving(llm), problems=registration.problems(llm), **context)


@for_registrars
@require_POST
async def answer(request: HttpRequest, llm_id: int) -> HttpResponseBase:
    """One answer as JSON lines, written while the model writes it. Whoever goes away stops the computation."""
    llm = await aget_object_or_404(LanguageModel.objects.select_related("endpoint"), pk=llm_id)
    prompt = request.POST.get("prompt", "").strip()
    if not prompt or len(prompt) > PROMPT_LIMIT:
        return HttpResponse(status=422)
    response = StreamingHttpResponse(_lines(llm, prompt), content_type="application/x-ndjson")
    response["X-Accel-Buffering"] = "no"  # nginx would keep the words back until there are many
    return response


async def _lines(llm: LanguageModel, prompt: str) -> AsyncIterator[bytes]:
    async with aclosing(trials.answer(llm, prompt)) as events:
        async for event in events:
            yield orjson.dumps(event) + b"\n"


@for_registrars
def publish(request: HttpRequest, llm_id: int) -> HttpResponse:
    llm = _draft(llm_id)
    form = PublishForm(request.POST if request.method == "POST" else None, initial=PublishForm.values_of(llm))
    able = registration.serving(llm)
    if form.is_valid() and form.cleaned_data["in_battles"] and (objection := publishing.objection(llm)):
        form.add_error("in_battles", objection)
    elif form.is_valid():
        publishing.publish(llm, **form.cleaned_data)
        messages.success(request, _saved(llm) % {"name": llm.name})
        return redirect("llms:publish", llm.pk)
    context = {
        "form": form,
        "able": able,
        "is_published": llm.status == LanguageModel.Status.ENABLED,
        "n_contenders": LanguageModel.objects.in_battles().count(),
        "readiness": publishing.registered(llm),
    }
    return _step(request, "publish", llm, **context)


def _saved(llm: LanguageModel) -> str:
    if llm.status == LanguageModel.Status.ENABLED:
        return _("%(name)s is in the arena.")
    if llm.status == LanguageModel.Status.DISABLED:
        return _("%(name)s is kept as a draft.")
    return _("%(name)s is saved.")
