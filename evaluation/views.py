"""The list of runs."""

from django.core.paginator import Paginator
from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.cache import patch_vary_headers
from django.views.decorators.http import require_safe

from evaluation.benchmarks.registry import benchmark_choices
from evaluation.models import Run, RunQuerySet
from evaluation.permissions import manages_runs, sees_inside
from evaluation.run_lines import RunLine, lines_of
from llms.models import LanguageModel

RUNS_A_PAGE = 50
LONGEST_SEARCH = 200
MOST_WORDS = 8
"""Each is looked for in four columns."""


@require_safe
def run_list(request: HttpRequest) -> HttpResponse:
    """The page; with `?live=5,6` only what changes of these runs."""
    if "live" in request.GET:
        return _moved(request)
    found = _filtered(Run.objects.visible_to(request.user), request)
    page = Paginator(found.select_related("llm__endpoint", "requested_by"), RUNS_A_PAGE).get_page(
        request.GET.get("page")
    )
    lines = lines_of(page.object_list)
    context = {
        "page": page,
        "lines": lines,
        "live": _live(lines),
        "inside": sees_inside(request.user),
        "statuses": Run.Status.choices,
        "benchmarks": benchmark_choices(),
        "llms": _llms_with_runs(request),
        "chosen": {name: request.GET.get(name, "") for name in ("model", "benchmark", "status", "q")},
        "manages": manages_runs(request.user),
    }
    response = render(request, "evaluation/runs.html", context)
    patch_vary_headers(response, ["Cookie"])
    return response


def _moved(request: HttpRequest) -> HttpResponse:
    """What has become of some runs that a page shows: their cells, and which of them to ask for again."""
    numbers = [int(given) for given in request.GET["live"].split(",") if given.isdecimal() and len(given) < 16]
    shown = Run.objects.visible_to(request.user).filter(pk__in=numbers[:RUNS_A_PAGE]).select_related("llm")
    lines = lines_of(shown)
    response = render(request, "evaluation/_live.html", {"live": _live(lines), "moved": lines})
    patch_vary_headers(response, ["Cookie"])
    return response


def _live(lines: list[RunLine]) -> str:
    return ",".join(str(line.run.pk) for line in lines if line.is_live)


def _filtered(runs: RunQuerySet, request: HttpRequest) -> RunQuerySet:
    """Filters that name nothing known find nothing, and say so: a misspelt address must not look like an answer."""
    wanted = {name: request.GET.get(name, "").replace("\0", "") for name in ("model", "benchmark", "status", "q")}
    if wanted["model"]:
        runs = runs.filter(llm__slug=wanted["model"])
    if wanted["benchmark"]:
        runs = runs.filter(benchmark=wanted["benchmark"])
    if wanted["status"]:
        runs = runs.filter(status=wanted["status"])
    for word in wanted["q"][:LONGEST_SEARCH].split()[:MOST_WORDS]:
        runs = runs.filter(_holding(word))
    return runs


def _holding(word: str) -> Q:
    titles = [name for name, title in benchmark_choices() if word.lower() in title.lower()]
    names = Q(llm__name__icontains=word) | Q(llm__slug__icontains=word) | Q(benchmark__icontains=word)
    number = word.lstrip("#")
    same_number = Q(pk=int(number)) if number.isdecimal() and len(number) <= 15 else Q()
    return names | Q(benchmark__in=titles) | Q(fingerprint=word) | same_number


def _llms_with_runs(request: HttpRequest) -> list[LanguageModel]:
    visible = Run.objects.visible_to(request.user).values("llm")
    return list(LanguageModel.objects.filter(pk__in=visible).order_by("name"))
