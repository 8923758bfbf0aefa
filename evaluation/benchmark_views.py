"""The pages about benchmarks: what there is to measure with, what each measures, and which rows are here."""

from django.db.models import Prefetch
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.cache import patch_vary_headers
from django.views.decorators.http import require_safe

from evaluation import benchmark_pages
from evaluation.benchmarks.registry import BENCHMARKS, benchmark
from evaluation.models import PrivateBenchmark, PrivateVersion, Run
from evaluation.permissions import manages_runs, sees_inside
from evaluation.private_views import keeps_sets
from evaluation.run_lines import lines_of
from llms.models import LanguageModel, sees_internal

RUNS_SHOWN = 10


@require_safe
def benchmarks(request: HttpRequest) -> HttpResponse:
    """With `?model=…` the suites say what does not apply to it."""
    llms = LanguageModel.objects.visible_to(request.user).order_by("name")
    chosen = llms.filter(slug=request.GET.get("model", "").replace("\0", "")).select_related("endpoint").first()
    context = {
        "cards": benchmark_pages.cards(),
        "suites": benchmark_pages.suites(chosen),
        "llms": llms,
        "chosen": chosen,
        "sees_private": sees_internal(request.user),
        "keeps": keeps_sets(request.user),
        "private": _private_sets() if sees_internal(request.user) else [],
    }
    response = render(request, "evaluation/benchmarks.html", context)
    patch_vary_headers(response, ["Cookie"])
    return response


@require_safe
def benchmark_page(request: HttpRequest, name: str) -> HttpResponse:
    if name not in BENCHMARKS:
        raise Http404
    chosen = benchmark(name)
    ended = Run.objects.visible_to(request.user).filter(benchmark=name, finished_at__isnull=False)
    context = {
        "card": benchmark_pages.card_of(name),
        "item": benchmark_pages.sample_item(chosen),
        "facts": benchmark_pages.protocol_facts(chosen),
        "setups": benchmark_pages.setups_of(chosen),
        "runs": lines_of(ended.select_related("llm__endpoint", "requested_by")[:RUNS_SHOWN]),
        "sees_inside": sees_inside(request.user),
        "starts_runs": manages_runs(request.user),
    }
    response = render(request, "evaluation/benchmark.html", context)
    patch_vary_headers(response, ["Cookie"])
    return response


def _private_sets() -> list[PrivateBenchmark]:
    versions = PrivateVersion.objects.defer("health")
    return list(PrivateBenchmark.objects.prefetch_related(Prefetch("versions", versions)))
