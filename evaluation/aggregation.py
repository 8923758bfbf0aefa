"""Sample scores to metrics, each with its uncertainty.

Standard errors of means are those of lm-evaluation-harness: the standard deviation with n - 1 over the root of n,
pooled over the subjects for a mean over all questions, and combined as independent for a mean over subjects. Intervals
of shares are Wilson's. Perplexities are ratios of sums over documents, whose samples' values have no mean: for them
both come from a bootstrap over documents, and a text in one piece has neither.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from evaluation.benchmarks.base import Benchmark, Method
from evaluation.scores import SampleScore
from llms.sentences import Sentence, filled, mark
from stats.proportions import wilson
from stats.ratios import ratio_of_sums
from stats.uncertainty import two_sided_quantile

N_RESAMPLES: Final = 2000
BOOTSTRAP_SEED: Final = 1234
CELLS_AT_ONCE: Final = 2**22
FloatArray = npt.NDArray[np.float64]


class Scope(StrEnum):
    """What a metric is a mean of."""

    ALL = "all"
    """All questions alike (micro average)."""
    SUBJECTS = "subjects"
    """The subjects alike (macro average)."""
    GROUP = "group"
    """All questions of a group of subjects."""
    GROUP_SUBJECTS = "group_subjects"
    """The subjects of a group alike."""
    SUBJECT = "subject"


LABELS: Final[Mapping[Scope, str]] = {
    Scope.ALL: mark("mean over all questions"),
    Scope.SUBJECTS: mark("mean over subjects"),
    Scope.GROUP: mark("%(part)s: mean over its questions"),
    Scope.GROUP_SUBJECTS: mark("%(part)s: mean over its subjects"),
    Scope.SUBJECT: mark("%(part)s"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    name: str
    value: float
    standard_error: float | None
    """None where too little is known to say."""
    lower: float | None
    upper: float | None
    n: int
    """Samples that it is made of: without those that ended in an error."""
    scope: Scope = Scope.ALL
    part: str = ""
    """The subject or group."""

    @property
    def label(self) -> Sentence:
        return filled(LABELS[self.scope], part=self.part.replace("_", " "))


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    headline: Metric | None
    """None while nothing is scored."""
    metrics: tuple[Metric, ...]
    n_scored: int
    n_errors: int
    n_truncated: int


def summarise(benchmark: Benchmark, scores: Iterable[SampleScore], *, confidence_level: float = 0.95) -> Summary:
    """Of any part of a run, so that it can be followed while it goes on."""
    everything = list(scores)
    scored = [score for score in everything if not score.error]
    metrics: list[Metric] = []
    if scored and benchmark.method is Method.TOKEN_STATISTICS:
        metrics = [_of_texts(name, scored, confidence_level) for name in benchmark.metrics]
    elif scored:
        for name in benchmark.metrics:
            metrics += _of_answers(name, scored, benchmark, confidence_level)
    headline = (metric for metric in metrics if metric.name == benchmark.headline and metric.scope is Scope.ALL)
    return Summary(
        headline=next(headline, None),
        metrics=tuple(metrics),
        n_scored=len(scored),
        n_errors=len(everything) - len(scored),
        n_truncated=sum(score.was_truncated for score in everything),
    )


# --- right and wrong answers


class Tally(NamedTuple):
    """How many of a subject's samples are right."""

    subject: str
    n_right: int
    n: int

    @property
    def share(self) -> float:
        return self.n_right / self.n

    @property
    def squared_error(self) -> float | None:
        """Of the share; None for a single sample."""
        return self.share * (1 - self.share) / (self.n - 1) if self.n > 1 else None


def _of_answers(
    name: str, scored: Sequence[SampleScore], benchmark: Benchmark, confidence_level: float
) -> Iterable[Metric]:
    if name in benchmark.ratios:
        yield _of_sums(name, scored, benchmark.ratios[name], confidence_level)
        return
    yield from of_tallies(name, _tallies(name, scored), benchmark, confidence_level)


def _of_sums(name: str, scored: Sequence[SampleScore], values: tuple[str, str], confidence_level: float) -> Metric:
    above, below = ([score.values[value] for score in scored] for value in values)
    ratio = ratio_of_sums(above, below)
    reach = None if ratio.standard_error is None else two_sided_quantile(confidence_level) * ratio.standard_error
    return Metric(
        name=name,
        value=ratio.value,
        standard_error=ratio.standard_error,
        lower=None if reach is None else max(0.0, ratio.value - reach),
        upper=None if reach is None else min(1.0, ratio.value + reach),
        n=len(scored),
    )


def of_tallies(
    name: str, tallies: Sequence[Tally], benchmark: Benchmark, confidence_level: float = 0.95
) -> Iterable[Metric]:
    """All means of a metric: also of results that came without their samples."""
    yield micro(name, tallies, confidence_level)
    if len(tallies) < 2 and (benchmark.subjects is None or not tallies[0].subject):
        return
    yield macro(name, tallies, confidence_level)
    if benchmark.subjects is not None and all(tally.subject in benchmark.subjects.group_of for tally in tallies):
        for group in benchmark.subjects.groups:
            inside = [tally for tally in tallies if benchmark.subjects.group_of[tally.subject] == group]
            if inside:
                yield micro(name, inside, confidence_level, scope=Scope.GROUP, part=group)
                yield macro(name, inside, confidence_level, scope=Scope.GROUP_SUBJECTS, part=group)
    for tally in tallies:
        yield micro(name, [tally], confidence_level, scope=Scope.SUBJECT, part=tally.subject)


def _tallies(name: str, scored: Sequence[SampleScore]) -> list[Tally]:
    counts: dict[str, list[int]] = {}
    for score in scored:
        count = counts.setdefault(score.subject, [0, 0])
        count[0] += int(score.values[name])
        count[1] += 1
    return [Tally(subject, *counts[subject]) for subject in sorted(counts)]


def micro(
    name: str, tallies: Sequence[Tally], confidence_level: float, *, scope: Scope = Scope.ALL, part: str = ""
) -> Metric:
    n_right, n = sum(tally.n_right for tally in tallies), sum(tally.n for tally in tallies)
    interval = wilson(n_right, n, confidence_level=confidence_level)
    return Metric(
        name=name,
        value=interval.estimate,
        standard_error=_pooled_error(tallies),
        lower=interval.lower,
        upper=interval.upper,
        n=n,
        scope=scope,
        part=part,
    )


def _pooled_error(tallies: Sequence[Tally]) -> float | None:
    """lm-evaluation-harness' `pooled_sample_stderr`: the variance inside subjects. A single sample has none to add."""
    n = sum(tally.n for tally in tallies)
    if n == len(tallies):
        return None
    within = sum((tally.n - 1) * (tally.squared_error or 0.0) * tally.n for tally in tallies)
    return math.sqrt(within / (n - len(tallies)) / n)


def macro(
    name: str, tallies: Sequence[Tally], confidence_level: float, *, scope: Scope = Scope.SUBJECTS, part: str = ""
) -> Metric:
    value = sum(tally.share for tally in tallies) / len(tallies)
    squared = [tally.squared_error for tally in tallies]
    known = [error for error in squared if error is not None]
    error = math.sqrt(sum(known)) / len(tallies) if len(known) == len(squared) else None
    reach = None if error is None else two_sided_quantile(confidence_level) * error
    return Metric(
        name=name,
        value=value,
        standard_error=error,
        lower=None if reach is None else max(0.0, value - reach),
        upper=None if reach is None else min(1.0, value + reach),
        n=sum(tally.n for tally in tallies),
        scope=scope,
        part=part,
    )


# --- texts

TextMetric = tuple[str, Callable[[FloatArray], FloatArray]]
TEXT_METRICS: Final[Mapping[str, TextMetric]] = {
    "bits_per_byte": ("n_bytes", lambda nats: nats / math.log(2)),
    "byte_perplexity": ("n_bytes", np.exp),
    "word_perplexity": ("n_words", np.exp),
}
"""The size that log-probabilities are divided by, and what is made of the nats for each."""


def _of_texts(name: str, scored: Sequence[SampleScore], confidence_level: float) -> Metric:
    size, transformed = TEXT_METRICS[name]
    columns = np.array([[-score.values["log_probability"], score.values[size]] for score in scored])
    totals = columns.sum(axis=0)
    with np.errstate(over="ignore"):  # infinitely perplexed is an answer
        value = float(transformed(totals[0] / totals[1]))
        draws = transformed(_resampled(columns)) if len(scored) > 1 else None
    if draws is None or not np.isfinite(draws).all():
        return Metric(name=name, value=value, standard_error=None, lower=None, upper=None, n=len(scored))
    tail = (1 - confidence_level) / 2
    lower, upper = (float(bound) for bound in np.quantile(draws, [tail, 1 - tail]))
    error = float(draws.std(ddof=1))
    return Metric(name=name, value=value, standard_error=error, lower=lower, upper=upper, n=len(scored))


def _resampled(columns: FloatArray) -> FloatArray:
    """Ratios of sums over resampled documents; the same for the same scores, so that a page shows the same twice."""
    rng = np.random.default_rng(BOOTSTRAP_SEED)
    n = len(columns)
    ratios, n_at_once = [], max(1, CELLS_AT_ONCE // n)
    for start in range(0, N_RESAMPLES, n_at_once):
        n_draws = min(n_at_once, N_RESAMPLES - start)
        sums = rng.multinomial(n, np.full(n, 1 / n), size=n_draws) @ columns
        ratios.append(sums[:, 0] / sums[:, 1])
    return np.concatenate(ratios)
