"""Staff asks for runs, sees first what they will cost, and pauses, resumes or cancels those that there are."""

from functools import partial
from typing import Any, cast

from django.contrib import messages
from django.contrib.auth.models import User
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods, require_POST

from evaluation import offers, runs, tasks
from evaluation.models import Run, RunQuerySet
from evaluation.offers import Offer
from evaluation.permissions import for_managers
from evaluation.run_forms import RunForm
from evaluation.run_lines import lines_of
from evaluation.runs import MOST_RUNS


@for_managers
@require_http_methods(["GET", "HEAD", "POST"])
def new_run(request: HttpRequest) -> HttpResponse:
    """GET shows the form and, once it is filled in, what would be asked and cost; POST starts it. Works as plain pages:
    what is shown before the start is made of the same plans as the runs."""
    given = request.POST if request.method == "POST" else request.GET
    form = RunForm(given if request.method == "POST" or "preview" in given else None, initial=_initial(given))
    found: list[Offer] = []
    if form.is_valid():
        found = _offers(form, may_download="download" in request.POST)
    if request.method == "POST" and "download" not in request.POST and any(offer.plan for offer in found):
        return _start(request, [offer for offer in found if offer.plan])
    context = {
        "form": form,
        "offers": found,
        "total": offers.total(found),
        "given": [(name, value) for name in form.fields for value in given.getlist(name)] if form.is_bound else [],
        "advanced_is_open": any(given.get(name) for name in ("shots", "draw", "seed", "template", "variant")),
    }
    wrong = request.method == "POST" and "download" not in request.POST
    return render(request, "evaluation/new_run.html", context, status=422 if wrong else 200)


def _initial(given: QueryDict) -> dict[str, Any]:
    """A link may bring a model, a benchmark or any other field along; that alone is no wish yet."""
    one_of_each = {name: given[name] for name in given if name in RunForm.base_fields}
    return one_of_each | {"model": given.getlist("model"), "benchmark": given.getlist("benchmark")}


def _offers(form: RunForm, *, may_download: bool) -> list[Offer]:
    llms, wishes = form.cleaned_data["model"], form.wanted()
    if len(llms) * len(wishes) > MOST_RUNS:
        words = _("That would be %(n)s runs, and %(most)s may be started at once: choose fewer models or benchmarks.")
        form.add_error("model", words % {"n": len(llms) * len(wishes), "most": MOST_RUNS})
        return []
    return offers.offers(llms, wishes, may_download=may_download)


def _start(request: HttpRequest, wanted: list[Offer]) -> HttpResponse:
    planned = [(offer.llm, offer.plan) for offer in wanted if offer.plan]
    started = runs.request_once(planned, requested_by=cast(User, request.user))
    for run in started:
        transaction.on_commit(partial(tasks.announce, run))
    words = ngettext("%(n)s run was put into the queue.", "%(n)s runs were put into the queue.", len(started))
    messages.success(request, words % {"n": len(started)})
    return redirect("evaluation:run", started[0].pk) if len(started) == 1 else redirect("evaluation:runs")


# --- those that there are


@for_managers
@require_POST
def act(request: HttpRequest) -> HttpResponse:
    """Pauses, resumes or cancels one run or many. To cancel is asked about first, on a page of its own."""
    action = request.POST.get("action", "")
    numbers = [int(given) for given in request.POST.getlist("run") if given.isdecimal() and len(given) < 16]
    chosen = Run.objects.visible_to(request.user).filter(pk__in=numbers[:MOST_RUNS])
    if action not in ACTIONS or not chosen.exists():
        messages.error(request, _("Choose at least one run first."))
        return _back(request, numbers)
    if action == "cancel" and "confirmed" not in request.POST:
        return _confirm(request, chosen)
    _tell(request, action, [run for run in chosen.select_related("llm") if ACTIONS[action](run)])
    return _back(request, numbers)


ACTIONS = {"pause": runs.pause, "resume": runs.resume, "cancel": runs.cancel}


def _tell(request: HttpRequest, action: str, changed: list[Run]) -> None:
    n = len(changed)
    if not changed:
        messages.warning(request, _("Nothing was changed: these runs are in another state by now."))
        return
    if action == "resume":
        for run in changed:
            transaction.on_commit(partial(tasks.announce, run))
    is_at_work = any(run.status == Run.Status.RUNNING for run in changed)  # as it was when it was asked
    messages.success(request, _done(action, n, is_at_work=is_at_work) % {"n": n})


def _done(action: str, n: int, *, is_at_work: bool) -> str:
    """What was done, which stays true. A run at work has only been asked: it obeys after its batch."""
    match action, is_at_work:
        case "resume", _:
            return ngettext("%(n)s run was resumed.", "%(n)s runs were resumed.", n)
        case "pause", False:
            return ngettext("%(n)s run was paused.", "%(n)s runs were paused.", n)
        case "pause", True:
            return ngettext(
                "%(n)s run was asked to pause, and will after the batch at work.",
                "%(n)s runs were asked to pause; those that are being scored will after the batch at work.",
                n,
            )
        case _, False:
            return ngettext(
                "%(n)s run was cancelled; what is scored is kept.",
                "%(n)s runs were cancelled; what is scored is kept.",
                n,
            )
        case _:
            return ngettext(
                "%(n)s run was asked to stop, and will after the batch at work; what is scored is kept.",
                "%(n)s runs were asked to stop; those that are being scored will after the batch at work."
                " What is scored is kept.",
                n,
            )


def _confirm(request: HttpRequest, chosen: RunQuerySet) -> HttpResponse:
    rows = [line for line in lines_of(chosen.select_related("llm")) if line.can_be_cancelled]
    context = {"lines": rows, "back": request.POST.get("back", "")}
    return render(request, "evaluation/cancel.html", context)


def _back(request: HttpRequest, numbers: list[int]) -> HttpResponseRedirect:
    """To the list as it was filtered, or to the run whose page asked."""
    if "back" not in request.POST and len(numbers) == 1:
        return HttpResponseRedirect(reverse("evaluation:run", args=numbers))
    query = QueryDict(request.POST.get("back", "")).urlencode()
    return HttpResponseRedirect(f"{reverse('evaluation:runs')}{'?' if query else ''}{query}")
