"""Runs for programs: read by whoever may see them, requested and stopped with a token of the scope `run`."""

from collections.abc import Callable
from typing import Any

from django.contrib.auth.models import User
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.utils.cache import get_conditional_response, patch_vary_headers
from ninja import Query, Router
from ninja.errors import HttpError

from accounts.api import scope_guard
from accounts.roles import Scope
from evaluation import plans, runs, tasks
from evaluation.api_forms import RunPage, RunQuery, RunRow, RunWish, SamplePage, SampleQuery, row_of, sample_of
from evaluation.errors import EvaluationError
from evaluation.models import Run, SampleResult
from evaluation.permissions import manages_runs, opens_samples, sees_inside
from llms.models import LanguageModel

router = Router(tags=["runs"])
_may_run = scope_guard(Scope.RUN)


def for_managers(request: HttpRequest) -> bool:
    """An `auth`: what changes something needs a token, which no page of another site can make a browser send."""
    if getattr(request, "api_token", None) is None:
        raise HttpError(
            401, "Send a token with the scope “run”: Authorization: Bearer hakem_… (see your account page)."
        )
    if not manages_runs(request.user):
        raise HttpError(403, "Only administrators request, pause and cancel runs.")
    return bool(_may_run(request))


@router.get("/runs", response=RunPage, url_name="runs")
def list_runs(request: HttpRequest, query: Query[RunQuery]) -> dict[str, Any]:
    """Runs that you may see, the newest first. `next` is the address of those that follow; null at the end."""
    found = Run.objects.visible_to(request.user).select_related("llm").order_by("-pk")
    wanted = {"llm__slug": query.model, "benchmark": query.benchmark, "status": query.status}
    found = found.filter(**{name: value for name, value in wanted.items() if value})
    found = found.filter(pk__lt=query.before) if query.before else found
    rows = list(found.prefetch_related("metrics")[: query.limit + 1])
    shown, inside = rows[: query.limit], sees_inside(request.user)
    following = _address(request, before=shown[-1].pk) if len(rows) > query.limit else None
    return {"runs": [row_of(run, inside=inside) for run in shown], "next": following}


@router.get("/runs/{int:run_id}", response=RunRow, url_name="run")
def get_run(request: HttpRequest, run_id: int) -> dict[str, Any]:
    """One run: its protocol, how far it is, and every metric that it has given."""
    return row_of(_visible(request, run_id), inside=sees_inside(request.user))


@router.get("/runs/{int:run_id}/samples", response=SamplePage, url_name="run_samples")
def list_samples(request: HttpRequest, run_id: int, query: Query[SampleQuery], response: HttpResponse) -> Any:
    """The samples of a run in their order: prompts, choices, answers, verdicts. Those of a run that has ended carry an
    ETag: ask again with If-None-Match, and get 304 while nothing has changed. Private rows are for those who may read
    them; to others they do not exist."""
    run = _visible(request, run_id)
    if not opens_samples(request.user, run):
        raise HttpError(404, "The rows of this run are private.")
    if run.has_ended:
        etag = f'"{run.pk}-{run.epoch}-{run.n_done}-{query.after}-{query.limit}-{query.verdict or "all"}"'
        unchanged = get_conditional_response(request, etag=etag)
        if unchanged is not None:
            patch_vary_headers(unchanged, ["Cookie", "Authorization"])
            return unchanged
        response["ETag"], response["Cache-Control"] = etag, "private, no-cache"
        patch_vary_headers(response, ["Cookie", "Authorization"])
    found = SampleResult.objects.filter(run=run, index__gt=query.after).select_related("prompt").order_by("index")
    found = found.filter(is_right=query.verdict == "right") if query.verdict else found
    rows = list(found[: query.limit + 1])
    shown = rows[: query.limit]
    following = _address(request, after=shown[-1].index) if len(rows) > query.limit else None
    return {"samples": [sample_of(row) for row in shown], "next": following}


@router.post("/runs", response=list[RunRow], auth=for_managers, url_name="request_runs")
def request_runs(request: HttpRequest, wish: RunWish) -> list[dict[str, Any]]:
    """Request every benchmark of every model. All of them are checked before the first is in the queue: where one is
    refused, none is requested."""
    slugs, names = dict.fromkeys(wish.models), dict.fromkeys(wish.benchmarks)
    if len(slugs) * len(names) > runs.MOST_RUNS:
        words = f"That would be {len(slugs) * len(names)} runs, and {runs.MOST_RUNS} may be requested at once."
        raise HttpError(422, words)
    llms = [_llm(slug) for slug in slugs]
    try:
        planned = plans.plans_of(llms, wish.wishes())
    except EvaluationError as error:
        raise HttpError(422, str(error.user_message)) from None
    user = request.user if isinstance(request.user, User) else None
    with transaction.atomic():
        made = [runs.request_planned(llm, plan, requested_by=user) for llm, plan in planned]
    for run in made:
        tasks.announce(run)
    return [row_of(run, inside=True) for run in made]


@router.post("/runs/{int:run_id}/pause", response=RunRow, auth=for_managers, url_name="pause_run")
def pause_run(request: HttpRequest, run_id: int) -> dict[str, Any]:
    """At once where it waits; where it is scored, after the batch at work."""
    return _asked(request, run_id, runs.pause, "It neither waits nor runs: there is nothing to pause.")


@router.post("/runs/{int:run_id}/resume", response=RunRow, auth=for_managers, url_name="resume_run")
def resume_run(request: HttpRequest, run_id: int) -> dict[str, Any]:
    """Back into the queue, from where it stopped; also one that failed or was cancelled."""
    row = _asked(request, run_id, runs.resume, "Only a paused, failed or cancelled run can be resumed.")
    tasks.announce(_visible(request, run_id))
    return row


@router.post("/runs/{int:run_id}/cancel", response=RunRow, auth=for_managers, url_name="cancel_run")
def cancel_run(request: HttpRequest, run_id: int) -> dict[str, Any]:
    """What is scored stays, and the run can be resumed."""
    return _asked(request, run_id, runs.cancel, "It has ended already: there is nothing to cancel.")


def _asked(request: HttpRequest, run_id: int, verb: Callable[[Run], bool], refusal: str) -> dict[str, Any]:
    if not verb(_visible(request, run_id)):
        raise HttpError(409, refusal)
    return row_of(_visible(request, run_id), inside=True)


def _visible(request: HttpRequest, run_id: int) -> Run:
    """A run of an internal model, or of private rows, does not exist for whoever may not know of it."""
    return get_object_or_404(Run.objects.visible_to(request.user).select_related("llm__endpoint"), pk=run_id)


def _llm(slug: str) -> LanguageModel:
    found = LanguageModel.objects.filter(slug=slug).first()
    if found is None:
        raise HttpError(422, f"No model is called “{slug}”: GET /api/v1/models lists them.")
    return found


def _address(request: HttpRequest, **changes: int) -> str:
    parameters = request.GET.copy()
    for name, value in changes.items():
        parameters[name] = str(value)
    return f"{request.path}?{parameters.urlencode()}"
