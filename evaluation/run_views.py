"""One run: its page, which follows it while it goes on, its configuration and log, and what staff may ask of it.

The page is polled, not pushed: a fragment every two seconds, rendered from the row as any other page is. The row is
the truth for all web processes alike and changes at most twice a second: a socket would need a channel layer, a group
per run and a second rendering in a script, to be a second faster. The fragment of an ended run does not ask again.
"""

from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, render
from django.utils.cache import patch_vary_headers
from django.views.decorators.http import require_safe

from evaluation import run_pages
from evaluation.models import Run
from evaluation.permissions import manages_runs, opens_samples, sees_inside
from evaluation.run_lines import line_of
from llms.translations import translated

LINES_OF_LOG = 200


def visible_run(request: HttpRequest, run_id: int) -> Run:
    """A run of an internal model, or of private rows, does not exist for whoever may not know of it."""
    runs = Run.objects.visible_to(request.user).select_related("llm__endpoint", "requested_by")
    return get_object_or_404(runs, pk=run_id)


def context_of(request: HttpRequest, run: Run, tab: str) -> dict[str, Any]:
    """What all pages of a run share."""
    inside = sees_inside(request.user)
    return {
        "run": run,
        "line": line_of(run),
        "tab": tab,
        "inside": inside,
        "manages": manages_runs(request.user),
        "opens_samples": opens_samples(request.user, run),
        "without_samples": run.status == Run.Status.IMPORTED and not run.samples.exists(),
        "error": translated(run.error) if inside else "",
    }


def rendered(request: HttpRequest, template: str, context: dict[str, Any]) -> HttpResponse:
    response = render(request, template, context)
    patch_vary_headers(response, ["Cookie"])
    return response


@require_safe
def run_page(request: HttpRequest, run_id: int) -> HttpResponse:
    """With `?fragment` only the part that changes by itself."""
    run = visible_run(request, run_id)
    context, sort = context_of(request, run, "summary"), request.GET.get("sort", "subject")
    context |= {
        "headline": run_pages.headline(context["line"]),
        "tables": run_pages.tables(context["line"], metric=request.GET.get("metric", ""), sort=sort),
        "sort": sort,
        "fallback": translated(run_pages.fallback(run)),
        "n_ahead": _n_ahead(run),
    }
    template = "evaluation/_run.html" if "fragment" in request.GET else "evaluation/run.html"
    return rendered(request, template, context)


def _n_ahead(run: Run) -> int:
    """How many wait before it in its queue, or are being scored there."""
    if run.status != Run.Status.QUEUED:
        return 0
    same_queue = Run.objects.in_queue(run.queue)
    before = same_queue.waiting().filter(priority__gt=run.priority) | same_queue.waiting().filter(
        priority=run.priority, pk__lt=run.pk
    )
    return before.count() + same_queue.filter(status=Run.Status.RUNNING).count()


@require_safe
def configuration(request: HttpRequest, run_id: int) -> HttpResponse:
    run = visible_run(request, run_id)
    context = context_of(request, run, "configuration")
    context |= {
        "protocol": run_pages.protocol_facts(context["line"]),
        "environment": run_pages.environment_facts(run, inside=context["inside"]),
        "fallback": translated(run_pages.fallback(run)),
        "log": _log(run) if context["inside"] else [],
    }
    return rendered(request, "evaluation/configuration.html", context)


def _log(run: Run) -> list[dict[str, Any]]:
    """The newest lines, oldest first."""
    newest = list(run.log.order_by("-pk")[:LINES_OF_LOG])
    return [{"at": line.at, "words": translated(line.words)} for line in reversed(newest)]


@require_safe
def configuration_file(request: HttpRequest, run_id: int) -> HttpResponse:
    run = visible_run(request, run_id)
    response = JsonResponse(
        run_pages.configuration(line_of(run), inside=sees_inside(request.user)), json_dumps_params={"indent": 2}
    )
    response["Content-Disposition"] = f'attachment; filename="hakem-run-{run.pk}.json"'
    patch_vary_headers(response, ["Cookie"])
    return response
