"""The instructions that a sample had to follow: each in words, with its verdicts and the reason for them.

Stored are only how many were followed. The rest is told from the stored answer by the checks that gave the score, with
the benchmark's row as it is on this server; where that is another one by now, nothing is told.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

from django.conf import settings
from django.utils.translation import gettext as _

from evaluation.benchmarks.base import Benchmark, Explained, Sample
from evaluation.benchmarks.registry import benchmark
from evaluation.benchmarks.rows import Row
from evaluation.datasets import from_samples, rows_here
from evaluation.errors import BadRow, BadRows, DataMissing, DataUnreadable, UnknownBenchmark
from evaluation.models import Run, SampleResult
from evaluation.records import QUESTION_CHARACTERS, number
from llms.storable import storable
from llms.translations import translated

LONGEST_ANSWER: Final = 50_000
"""In characters: the checks of such an answer take a second at worst, and nobody should wait longer for a page."""
COUNTS: Final = ("n_strict", "n_loose", "n_instructions")


class Followed(NamedTuple):
    """How many of a sample's instructions."""

    strictly: int
    loosely: int
    total: int

    @property
    def strict_words(self) -> str:
        return _("%(n)s of %(total)s") % {"n": self.strictly, "total": self.total}

    @property
    def loose_words(self) -> str:
        return _("%(n)s of %(total)s") % {"n": self.loosely, "total": self.total}


def followed_of(sample: SampleResult) -> Followed | None:
    """None where an answer was scored otherwise, or not at all."""
    if any(name not in sample.values for name in COUNTS):
        return None
    return Followed(*(int(number(sample.values[name])) for name in COUNTS))


class InstructionLine(NamedTuple):
    kind: str
    words: str
    is_followed: bool
    is_followed_loosely: bool
    reason: str
    loose_reason: str
    """Empty where the verdicts are the same."""


class InstructionTable(NamedTuple):
    followed: Followed
    lines: Sequence[InstructionLine]
    problem: str
    """Why there are no lines, or why they are not those of the score; otherwise empty."""


def instructions(sample: SampleResult) -> InstructionTable | None:
    """None where an answer has no instructions to follow."""
    followed = followed_of(sample)
    if followed is None:
        return None
    if len(sample.answer) > LONGEST_ANSWER:
        words = _("The response is too long for its checks to be told here: “manage.py score” writes their reasons.")
        return InstructionTable(followed, (), words)
    explained = _explained(sample)
    if not explained:
        words = _(
            "Which instructions these are cannot be told: the row that was asked is not on this server."
            " “manage.py benchmarks” says what is here, and how to get the rest."
        )
        return InstructionTable(followed, (), words)
    lines = [_line(one) for one in explained]
    return InstructionTable(followed, lines, _difference(followed, lines))


def _explained(sample: SampleResult) -> Sequence[Explained]:
    try:
        chosen = benchmark(sample.run.benchmark)
        asked = _asked(sample, chosen)
        return chosen.explained(asked, sample.answer) if asked else ()
    except (UnknownBenchmark, DataMissing, DataUnreadable, BadRows, BadRow):
        return ()


def _asked(sample: SampleResult, chosen: Benchmark) -> Sample | None:
    """The row, if it still has the words that the model was asked. Raises DataMissing, DataUnreadable, BadRows."""
    found = next((one for one in chosen.samples(_rows(sample.run, chosen)) if one.id == sample.sample_id), None)
    if found is None or storable(found.questions[0][:QUESTION_CHARACTERS]) != sample.question:
        return None
    return found


def _rows(run: Run, chosen: Benchmark) -> Sequence[Row]:
    match run.data:
        case Run.Data.SAMPLE:
            return from_samples(chosen).rows
        case Run.Data.PUBLISHED:
            return rows_here(chosen, settings.BENCHMARK_DATA_DIR, settings.HUB_ROWS_DIR) or ()
        case _:
            return ()


def _line(one: Explained) -> InstructionLine:
    is_alike = one.is_followed == one.is_followed_loosely
    return InstructionLine(
        kind=one.kind,
        words=translated(one.words),
        is_followed=one.is_followed,
        is_followed_loosely=one.is_followed_loosely,
        reason=translated(one.reason),
        loose_reason="" if is_alike else translated(one.loose_reason),
    )


def _difference(followed: Followed, lines: Sequence[InstructionLine]) -> str:
    told = (sum(line.is_followed for line in lines), sum(line.is_followed_loosely for line in lines), len(lines))
    if told == followed:
        return ""
    return _("The checks or the row have changed since this was scored: the verdicts here are not those of the score.")
