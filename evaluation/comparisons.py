"""Two runs row by row: is one model better on the same questions, by how much, and on which of them do they differ?

What is not the same question asked in the same way is not compared: unlike protocols are refused with what differs. Of
a run with part of the rows and one with more, those that both asked are compared, and it is said that they are a part.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt
from django.db.models import Exists, OuterRef

from evaluation.benchmarks.base import Benchmark, Method
from evaluation.benchmarks.registry import benchmark
from evaluation.errors import EvaluationError
from evaluation.models import Run, RunMetric, SampleResult
from evaluation.prompts import Template
from evaluation.protocols import DIFFERENCES, shown
from evaluation.records import number
from llms.sentences import Sentence, filled, mark
from stats.paired import (
    McNemar,
    PairedDifference,
    mcnemar,
    paired_difference,
    paired_shares,
    smallest_paired_difference,
)

SEED: Final = 1234
FEWEST_CLUSTERS: Final = 10
"""Subjects: an interval from fewer of them would be too narrow."""
COMPARABLE: Final = (Run.Status.SUCCEEDED, Run.Status.IMPORTED)
OF_THE_ROWS: Final = ("n_rows",)
"""Fields in which a part of the rows may differ from all of them."""
BITS_PER_BYTE: Final = "bits_per_byte"
FEWEST_DIFFERENT: Final = 10
"""Rows: a bootstrap over fewer that differ is too narrow."""
FloatArray = npt.NDArray[np.float64]


class NotComparable(EvaluationError):
    def __init__(self, sentence: Sentence, reasons: Sequence[Sentence] = ()) -> None:
        super().__init__(sentence)
        self.reasons = tuple(reasons)


class Row(NamedTuple):
    sample_id: str
    subject: str
    left: float
    right: float
    left_index: int
    right_index: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A subject, or all rows."""

    subject: str
    left: float
    right: float
    difference: PairedDifference


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    metric: str
    is_share: bool
    """Whether values are 1 for right and 0 for wrong; otherwise the mean of the documents is compared."""
    rows: tuple[Row, ...]
    whole: Part
    by_subject: PairedDifference | None
    """The same difference with an interval over whole subjects."""
    test: McNemar | None
    smallest_difference: float | None
    """That so many rows, of which so many differ, would tell apart four times out of five."""
    parts: tuple[Part, ...]
    n_left_out: int
    """Rows that one of the runs has no score for."""
    n_unshared: int
    """Rows that one of the runs did not ask."""

    @property
    def n_both(self) -> int:
        return sum(row.left == row.right == 1 for row in self.rows)

    @property
    def n_neither(self) -> int:
        return sum(row.left == row.right == 0 for row in self.rows)

    @property
    def n_different(self) -> int:
        return sum(row.left != row.right for row in self.rows)

    @property
    def is_too_narrow(self) -> bool:
        """Whether the interval is a bootstrap's over too few rows that differ."""
        has_verdicts = all(value in (0, 1) for row in self.rows for value in (row.left, row.right))
        return not has_verdicts and self.n_different < FEWEST_DIFFERENT

    def flipped(self) -> Iterator[Row]:
        return (row for row in self.rows if row.left != row.right)


def compare(left: Run, right: Run, *, metric: str = "") -> Comparison:
    """Left minus right. Raises NotComparable, UnknownBenchmark."""
    obstacle = why_not(left, right)
    if obstacle is not None:
        raise obstacle
    asked = benchmark(left.benchmark)
    headlines = RunMetric.objects.headlines_of([left, right])
    wanted = (metric, headlines.get(left.pk), asked.headline)
    chosen = next(name for name in wanted if name in metrics_of(asked))
    rows, n_left_out, n_unshared = _paired(left, right, _Reader(asked, chosen, headlines))
    if not rows:
        raise _nothing_in_common(left, right)
    return _compared(rows, chosen, asked, n_left_out=n_left_out, n_unshared=n_unshared)


def metrics_of(asked: Benchmark) -> tuple[str, ...]:
    """Those that a single row has a value of."""
    if asked.method is Method.TOKEN_STATISTICS:
        return (BITS_PER_BYTE,)
    return tuple(name for name in asked.metrics if name not in asked.ratios)


# --- may they be compared?


def have_samples(runs: Sequence[Run]) -> set[int]:
    """Those of the runs that did not come as a bare result."""
    samples = SampleResult.objects.filter(run=OuterRef("pk"))
    return set(Run.objects.filter(Exists(samples), pk__in=[run.pk for run in runs]).values_list("pk", flat=True))


def _nothing_in_common(left: Run, right: Run) -> NotComparable:
    with_samples = have_samples([left, right])
    bare = [run for run in (left, right) if run.pk not in with_samples]
    if not bare:
        return NotComparable(filled(mark("No row has a score in both runs: there is nothing to compare.")))
    words = mark(
        "Run %(number)s has only a result, without its samples, and cannot be compared row by row: import results"
        " together with their samples."
    )
    return NotComparable(filled(words, number=bare[0].pk))


def why_not(left: Run, right: Run) -> NotComparable | None:
    if left.pk == right.pk:
        return NotComparable(filled(mark("Both are the same run: choose another one for one side.")))
    for run in (left, right):
        if run.status not in COMPARABLE:
            words = mark("Run %(number)s has not succeeded: compare it when it has.")
            return NotComparable(filled(words, number=run.pk))
    reasons = unlike(left.protocol, right.protocol)
    if not reasons:
        return None
    words = mark("These runs did not ask the same in the same way, so their scores cannot be compared row by row.")
    return NotComparable(filled(words), reasons)


def unlike(one: Mapping[str, Any], other: Mapping[str, Any]) -> tuple[Sentence, ...]:
    """What keeps two stored protocols from being compared; a part of the same rows does not."""
    is_part = one.get("n_rows") != other.get("n_rows")
    found = [
        filled(words, mine=shown(field, one.get(field)), theirs=shown(field, other.get(field)))
        for field, words in DIFFERENCES
        if one.get(field) != other.get(field) and field not in OF_THE_ROWS
    ]
    if not is_part and one.get("rows_digest") != other.get("rows_digest"):
        found.append(filled(mark("other rows, as many of them")))
    same_rule = (one.get("n_shots"), one.get("draw")) == (other.get("n_shots"), other.get("draw"))
    if one.get("shots_digest") != other.get("shots_digest") and same_rule and not (is_part and _shows_prompts(one)):
        found.append(filled(mark("other examples")))
    return tuple(found)


def _shows_prompts(protocol: Mapping[str, Any]) -> bool:
    """Whether equal prompts mean equal questions with equal examples, whatever the model."""
    return protocol.get("template") == Template.OFF


# --- their rows


class _Stored(NamedTuple):
    place: int
    subject: str
    value: float | None
    asked: object
    """Equal for the same question, where the rows as a whole are not the same."""


class _Reader(NamedTuple):
    benchmark: Benchmark
    metric: str
    headlines: Mapping[int, str]
    """By run: what its verdicts are made of, if it is not the benchmark's own."""

    def read(self, run: Run, identity: tuple[str, ...]) -> dict[str, _Stored]:
        headline = self.headlines.get(run.pk, self.benchmark.headline)
        is_headline = self.metric == headline and self.metric != BITS_PER_BYTE
        value_of = _verdict if is_headline else self._value
        fields = ("sample_id", "index", "subject", "is_right" if is_headline else "values", *identity)
        rows = SampleResult.objects.filter(run=run).order_by("index").values_list(*fields)
        return {
            sample_id: _Stored(index, subject, value_of(stored), tuple(map(str, asked)))
            for sample_id, index, subject, stored, *asked in rows
        }

    def _value(self, values: dict[str, Any]) -> float | None:
        """None also for what is infinite: it has no difference from anything."""
        if self.metric != BITS_PER_BYTE:
            found = number(values.get(self.metric, math.nan))
        else:
            n_bytes = number(values.get("n_bytes", 0))
            found = -number(values["log_probability"]) / math.log(2) / n_bytes if n_bytes else math.nan
        return found if math.isfinite(found) else None


def _verdict(is_right: bool | None) -> float | None:
    return None if is_right is None else float(is_right)


def _paired(left: Run, right: Run, reader: _Reader) -> tuple[tuple[Row, ...], int, int]:
    """The rows that both have a score for; how many only lack one; how many one of them did not ask."""
    digest = left.protocol.get("rows_digest")
    identity: tuple[str, ...] = ()
    if not digest or digest != right.protocol.get("rows_digest"):  # of an imported run it may be unknown
        identity = ("prompt_id",) if _shows_prompts(left.protocol) else ("question", "target")
    lefts, rights = reader.read(left, identity), reader.read(right, identity)
    shared = [name for name, row in lefts.items() if name in rights and rights[name].asked == row.asked]
    rows = []
    for name in shared:
        mine, theirs = lefts[name], rights[name]
        if mine.value is not None and theirs.value is not None:
            rows.append(Row(name, mine.subject, mine.value, theirs.value, mine.place, theirs.place))
    n_unshared = len(lefts) + len(rights) - 2 * len(shared)
    return tuple(rows), len(shared) - len(rows), n_unshared


# --- in numbers


def _compared(rows: tuple[Row, ...], metric: str, asked: Benchmark, *, n_left_out: int, n_unshared: int) -> Comparison:
    is_share = asked.method is not Method.TOKEN_STATISTICS
    n_only_left, n_only_right = sum(row.left > row.right for row in rows), sum(row.left < row.right for row in rows)
    share_discordant = (n_only_left + n_only_right) / len(rows)
    has_test = is_share and share_discordant > 0
    return Comparison(
        metric=metric,
        is_share=is_share,
        rows=rows,
        whole=_part("", rows),
        by_subject=_by_subject(rows),
        test=mcnemar(n_only_left, n_only_right) if is_share else None,
        smallest_difference=smallest_paired_difference(len(rows), share_discordant=share_discordant)
        if has_test
        else None,
        parts=tuple(_part(subject, members) for subject, members in _grouped(rows).items()),
        n_left_out=n_left_out,
        n_unshared=n_unshared,
    )


def _part(subject: str, rows: Sequence[Row]) -> Part:
    left, right = _values(rows)
    return Part(
        subject=subject, left=float(left.mean()), right=float(right.mean()), difference=_difference(left, right)
    )


def _difference(left: FloatArray, right: FloatArray) -> PairedDifference:
    if _are_verdicts(left) and _are_verdicts(right):
        return paired_shares(int((left > right).sum()), int((left < right).sum()), len(left))
    return paired_difference(left, right, rng=np.random.default_rng(SEED))


def _are_verdicts(values: FloatArray) -> bool:
    return bool(np.isin(values, (0.0, 1.0)).all())


def _by_subject(rows: Sequence[Row]) -> PairedDifference | None:
    subjects = [row.subject for row in rows]
    if len(set(subjects)) < FEWEST_CLUSTERS:
        return None
    left, right = _values(rows)
    return paired_difference(left, right, rng=np.random.default_rng(SEED), clusters=subjects)


def _values(rows: Sequence[Row]) -> tuple[FloatArray, FloatArray]:
    return np.array([row.left for row in rows]), np.array([row.right for row in rows])


def _grouped(rows: Sequence[Row]) -> dict[str, list[Row]]:
    """By subject, in alphabetical order; empty where there are none."""
    found: dict[str, list[Row]] = {}
    for row in rows:
        if row.subject:
            found.setdefault(row.subject, []).append(row)
    return dict(sorted(found.items()))
