"""Metrics of results that another tool counted."""

import math
from collections.abc import Iterator
from typing import Final

from evaluation.aggregation import Metric, Summary, Tally, of_tallies
from evaluation.benchmarks.base import Benchmark, Method
from evaluation.foreign.results import ForeignRun
from stats.uncertainty import two_sided_quantile

TOLERANCE: Final = 1e-6
"""Of the share that a number of right answers makes: tools write all digits."""


def summary_of(run: ForeignRun, chosen: Benchmark, n_errors: int = 0) -> Summary:
    """As they say, with intervals of ours where the number of right answers follows from what they say."""
    names = [name for name in run.parts[0].metrics if all(name in part.metrics for part in run.parts)]
    metrics = tuple(metric for name in names for metric in _metrics(name, run, chosen))
    firsts = {metric.name: metric for metric in reversed(metrics)}
    headline = firsts.get(chosen.headline) or firsts.get("acc") or next(iter(metrics), None)
    return Summary(
        headline=headline, metrics=metrics, n_scored=run.n_samples - n_errors, n_errors=n_errors, n_truncated=0
    )


def _metrics(name: str, run: ForeignRun, chosen: Benchmark) -> Iterator[Metric]:
    tallies = _tallies(name, run)
    if run.method is not Method.TOKEN_STATISTICS and tallies is not None:
        yield from of_tallies(name, tallies, chosen)
    elif len(run.parts) == 1:
        yield _reported(name, run)


def _tallies(name: str, run: ForeignRun) -> list[Tally] | None:
    """None where a share is that of no whole number of answers, as with half points or several epochs."""
    tallies = []
    for part in sorted(run.parts, key=lambda part: part.subject):
        n_right = round(part.metrics[name] * part.n_samples)
        if not 0 <= n_right <= part.n_samples or abs(n_right / part.n_samples - part.metrics[name]) > TOLERANCE:
            return None
        tallies.append(Tally(part.subject, n_right, part.n_samples))
    return tallies


def _reported(name: str, run: ForeignRun) -> Metric:
    part = run.parts[0]
    value, error = part.metrics[name], part.standard_errors.get(name)
    reach = math.inf if error is None else two_sided_quantile(0.95) * error
    lower, upper = value - reach, value + reach
    return Metric(
        name=name,
        value=value,
        standard_error=error,
        lower=lower if math.isfinite(lower) else None,
        upper=upper if math.isfinite(upper) else None,
        n=part.n_samples,
    )
