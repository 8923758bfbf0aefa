"""Two runs beside each other, and the same rows as a file."""

import csv
from typing import Final

from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.cache import patch_vary_headers
from django.views.decorators.http import require_safe

from evaluation import comparison_pages
from evaluation.benchmarks.registry import benchmark
from evaluation.comparison_pages import ComparisonPage
from evaluation.comparisons import COMPARABLE, Comparison, NotComparable, Row, compare, metrics_of
from evaluation.errors import UnknownBenchmark
from evaluation.models import Run, RunQuerySet
from evaluation.permissions import opens_samples
from llms.translations import translated

ROWS_A_PAGE: Final = 50
MOST_OPTIONS: Final = 200
FORMULA_STARTS: Final = ("=", "+", "-", "@", "\t", "\r", "\n")
SIDES: Final = ("", "a", "b")


@require_safe
def comparison(request: HttpRequest) -> HttpResponse:
    """`?a=…&b=…`; with one of them, or none, the choice of the others."""
    left, right = _run(request, "a"), _run(request, "b")
    chosen = left or right
    context: dict[str, object] = {
        "left": left,
        "right": right,
        "options": comparison_pages.options(_offered(request, chosen), chosen),
    }
    if left and right:
        try:
            context |= _compared(request, left, right)
        except (NotComparable, UnknownBenchmark) as error:
            context["refusal"] = translated(error.user_message)
            context["reasons"] = [translated(reason) for reason in getattr(error, "reasons", ())]
    response = render(request, "evaluation/comparison.html", context)
    patch_vary_headers(response, ["Cookie"])
    return response


@require_safe
def comparison_file(request: HttpRequest) -> HttpResponse:
    left, right = _run(request, "a"), _run(request, "b")
    if left is None or right is None or not _opens_both(request, left, right):
        raise Http404
    try:
        found = compare(left, right, metric=request.GET.get("metric", ""))
    except (NotComparable, UnknownBenchmark) as error:
        return HttpResponse(translated(error.user_message), status=422, content_type="text/plain; charset=utf-8")
    name = f"hakem-runs-{left.pk}-{right.pk}.csv"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    response = HttpResponse(content_type="text/csv; charset=utf-8", headers=headers)
    writer = csv.writer(response)
    names = [f"run_{left.pk}_{found.metric}", f"run_{right.pk}_{found.metric}"]
    writer.writerow(["sample_id", "subject", *names])
    writer.writerows((_as_cell(row.sample_id), _as_cell(row.subject), row.left, row.right) for row in found.rows)
    patch_vary_headers(response, ["Cookie"])
    return response


def _compared(request: HttpRequest, left: Run, right: Run) -> dict[str, object]:
    found = compare(left, right, metric=request.GET.get("metric", ""))
    opens = _opens_both(request, left, right)
    chosen = _chosen(request)
    context: dict[str, object] = {
        "found": found,
        "page": ComparisonPage(found, left, right),
        "metrics": metrics_of(benchmark(left.benchmark)),
        "opens": opens,
        "chosen": chosen,
        "n_only_left": found.test.n_only_left if found.test else 0,
        "n_only_right": found.test.n_only_right if found.test else 0,
    }
    if opens:
        rows = Paginator(_filtered(found, chosen), ROWS_A_PAGE).get_page(request.GET.get("page"))
        context |= {"rows": rows, "lines": comparison_pages.flipped_lines(list(rows), left)}
    return context


def _chosen(request: HttpRequest) -> dict[str, str]:
    only = request.GET.get("only", "")
    return {"only": only if only in SIDES else "", "subject": request.GET.get("subject", "")}


def _filtered(found: Comparison, chosen: dict[str, str]) -> list[Row]:
    return [
        row
        for row in found.flipped()
        if (not chosen["only"] or (chosen["only"] == "a") == (row.left > row.right))
        and chosen["subject"] in ("", row.subject)
    ]


def _run(request: HttpRequest, side: str) -> Run | None:
    """None where none is chosen. A run of an internal model, or of private rows, does not exist for whoever may not
    know of it."""
    wanted = request.GET.get(side, "")
    if not wanted:
        return None
    is_number = wanted.isascii() and wanted.isdigit() and len(wanted) < 16
    runs = Run.objects.visible_to(request.user).select_related("llm__endpoint", "requested_by")
    run = runs.filter(pk=int(wanted)).first() if is_number else None
    if run is None:
        raise Http404
    return run


def _offered(request: HttpRequest, chosen: Run | None) -> list[Run]:
    runs: RunQuerySet = Run.objects.visible_to(request.user).filter(status__in=COMPARABLE)
    if chosen is not None:
        runs = runs.filter(benchmark=chosen.benchmark)
    return list(runs.select_related("llm__endpoint", "requested_by")[:MOST_OPTIONS])


def _opens_both(request: HttpRequest, left: Run, right: Run) -> bool:
    return opens_samples(request.user, left) and opens_samples(request.user, right)


def _as_cell(text: str) -> str:
    """A name that begins like a formula would be computed by a spreadsheet."""
    return f"'{text}" if text.startswith(FORMULA_STARTS) else text
