"""Runs of benchmarks as the board wants them: of each language model the newest under each protocol."""

import math
import zlib
from typing import NamedTuple

from evaluation.benchmarks.base import Method
from evaluation.models import Run, RunMetric, RunQuerySet
from llms.models import Visibility
from llms.sentences import Sentence

RANKED = (Run.Status.SUCCEEDED, Run.Status.IMPORTED)


class RunScore(NamedTuple):
    llm_id: int
    run_id: int
    value: float
    lower: float | None
    upper: float | None
    n: int
    was_imported: bool


class RunColumn(NamedTuple):
    """What may stand in one column: one metric under one protocol."""

    fingerprint: str
    metric: str
    benchmark: str
    title: str
    n_shots: int
    summary: Sentence | str
    is_share: bool
    scores: tuple[RunScore, ...]


def mark(audience: Visibility) -> str:
    """Changes whenever a run that counts ends or goes, or its language model changes its visibility."""
    shown = ",".join(str(pk) for pk in _runs(audience).order_by("pk").values_list("pk", flat=True))
    return f"{shown.count(',') + bool(shown)} {zlib.crc32(shown.encode()):08x}"


def read(audience: Visibility) -> list[RunColumn]:
    """Those with most language models first. A score that is no number is none."""
    newest: dict[tuple[str, str], dict[int, RunMetric]] = {}
    headlines = RunMetric.objects.filter(is_headline=True, run__in=_runs(audience)).select_related("run")
    for metric in headlines.order_by("run__finished_at", "run_id"):
        if math.isfinite(metric.value):
            newest.setdefault((metric.run.fingerprint, metric.name), {})[metric.run.llm_id] = metric
    columns = [_column(list(metrics.values())) for metrics in newest.values()]
    return sorted(columns, key=lambda column: (-len(column.scores), column.title, column.fingerprint))


def _runs(audience: Visibility) -> RunQuerySet:
    """Whole runs on published rows, with a score for each. The public board has neither internal language models nor
    private benchmarks."""
    runs = Run.objects.filter(status__in=RANKED).rankable()
    if audience == Visibility.INTERNAL:
        return runs
    return runs.filter(llm__visibility=Visibility.PUBLIC).exclude(data=Run.Data.PRIVATE)


def _column(metrics: list[RunMetric]) -> RunColumn:
    run = metrics[-1].run
    return RunColumn(
        fingerprint=run.fingerprint,
        metric=metrics[-1].name,
        benchmark=run.benchmark,
        title=run.get_benchmark_display(),
        n_shots=run.protocol["n_shots"],
        summary=run.summary,
        is_share=run.protocol["method"] != Method.TOKEN_STATISTICS,
        scores=tuple(_score(metric) for metric in metrics),
    )


def _score(metric: RunMetric) -> RunScore:
    return RunScore(
        llm_id=metric.run.llm_id,
        run_id=metric.run_id,
        value=metric.value,
        lower=_or_none(metric.lower),
        upper=_or_none(metric.upper),
        n=metric.n,
        was_imported=metric.run.status == Run.Status.IMPORTED,
    )


def _or_none(bound: float | None) -> float | None:
    return bound if bound is not None and math.isfinite(bound) else None
