"""A comparison in words and on one scale, for its page."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from django.utils.formats import number_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from evaluation import wording
from evaluation.comparisons import Comparison, Part, Row, have_samples, unlike
from evaluation.models import Run, SampleResult
from evaluation.run_lines import RunLine, lines_of
from llms.translations import translated
from stats.paired import PairedDifference

EXCERPT: Final = 160
SMALLEST_P: Final = 0.0001
LEAST_HALF_WIDTH: Final = 1e-9


class Whisker(NamedTuple):
    """In percent of the width; 50 is no difference."""

    low: float
    point: float
    high: float


class PartLine(NamedTuple):
    name: str
    n: int
    left: str
    right: str
    difference: str
    interval: str
    whisker: Whisker


class FlippedLine(NamedTuple):
    row: Row
    excerpt: str
    left_place: int
    right_place: int

    @property
    def number(self) -> str:
        """As the lists of samples have it: of both runs, where they count differently."""
        if self.left_place == self.right_place:
            return f"#{_count(self.left_place)}"
        return f"A #{_count(self.left_place)} · B #{_count(self.right_place)}"


class Option(NamedTuple):
    """A run to choose."""

    line: RunLine
    obstacle: str


@dataclass(frozen=True, slots=True)
class ComparisonPage:
    comparison: Comparison
    left: Run
    right: Run

    @property
    def verdict(self) -> str:
        difference = self.comparison.whole.difference
        if difference.lower > 0 or difference.upper < 0:
            better = self.left if (difference.estimate > 0) == self.comparison.is_share else self.right
            return _("%(llm)s is better on these questions.") % {"llm": self.name_of(better)}
        return _("These questions do not tell the two apart.")

    def name_of(self, run: Run) -> str:
        """With the run's number where both are of one model."""
        return f"{run.llm.name} #{run.pk}" if self.left.llm_id == self.right.llm_id else run.llm.name

    @property
    def left_name(self) -> str:
        return self.name_of(self.left)

    @property
    def right_name(self) -> str:
        return self.name_of(self.right)

    @property
    def difference(self) -> str:
        return self._signed(self.comparison.whole.difference.estimate)

    @property
    def interval(self) -> str:
        return self._interval(self.comparison.whole.difference)

    @property
    def interval_by_subject(self) -> str:
        found = self.comparison.by_subject
        return self._interval(found) if found else ""

    @property
    def p_value(self) -> str:
        """Of the exact test; very small ones are only said to be so."""
        test = self.comparison.test
        if test is None:
            return ""
        if test.exact < SMALLEST_P:
            return _("below %(number)s") % {"number": number_format(SMALLEST_P, 4)}
        return number_format(test.exact, 4)

    @property
    def smallest(self) -> str:
        smallest = self.comparison.smallest_difference
        return "" if smallest is None else number_format(100 * smallest, 1)

    @property
    def caveats(self) -> list[str]:
        found = []
        n_unshared, n_left_out = self.comparison.n_unshared, self.comparison.n_left_out
        if n_unshared:
            words = ngettext(
                "One of the runs asked only a part: the %(n)s row that both asked is compared.",
                "One of the runs asked only a part: the %(n)s rows that both asked are compared.",
                len(self.comparison.rows),
            )
            found.append(words % {"n": _count(len(self.comparison.rows))})
        if n_left_out:
            words = ngettext(
                "%(n)s row is left out, because one of the runs has no score for it.",
                "%(n)s rows are left out, because one of the runs has no score for them.",
                n_left_out,
            )
            found.append(words % {"n": _count(n_left_out)})
        if self.comparison.is_too_narrow:
            n_different = self.comparison.n_different
            words = ngettext(
                "Only %(n)s row differs: of so few the interval is too narrow.",
                "Only %(n)s rows differ: of so few the interval is too narrow.",
                n_different,
            )
            found.append(words % {"n": _count(n_different)})
        return found

    @property
    def whole(self) -> PartLine:
        return self._line(self.comparison.whole, [self.comparison.whole])

    @property
    def parts(self) -> list[PartLine]:
        """Where the left one leads most comes first."""
        in_order = sorted(self.comparison.parts, key=lambda part: (-part.difference.estimate, part.subject))
        return [self._line(part, in_order) for part in in_order]

    def _line(self, part: Part, beside: Sequence[Part]) -> PartLine:
        is_share, difference = self.comparison.is_share, part.difference
        return PartLine(
            name=part.subject.replace("_", " "),
            n=difference.n,
            left=wording.amount(part.left, as_share=is_share),
            right=wording.amount(part.right, as_share=is_share),
            difference=self._signed(difference.estimate),
            interval=self._interval(difference),
            whisker=_whisker(difference, [part.difference for part in beside]),
        )

    def _interval(self, difference: PairedDifference) -> str:
        values = {"low": self._signed(difference.lower), "high": self._signed(difference.upper)}
        return _("%(low)s to %(high)s") % values

    def _signed(self, value: float) -> str:
        """In points of a hundred where it is a share."""
        shown = round(100 * value, 1) if self.comparison.is_share else round(value, 4)
        digits = 1 if self.comparison.is_share else 4
        sign = "+" if shown > 0 else "−" if shown < 0 else ""
        return f"{sign}{number_format(abs(shown), digits)}"


def _whisker(difference: PairedDifference, beside: Sequence[PairedDifference]) -> Whisker:
    """All beside each other on one scale, which ends where the widest interval does."""
    half = max(LEAST_HALF_WIDTH, *(max(abs(one.lower), abs(one.upper)) for one in beside))
    low, point, high = (
        round(50 + 48 * value / half, 2) for value in (difference.lower, difference.estimate, difference.upper)
    )
    return Whisker(low, point, high)


def flipped_lines(rows: Sequence[Row], left: Run) -> list[FlippedLine]:
    """Of one page: only these questions are read."""
    wanted = [row.left_index for row in rows]
    questions = dict(SampleResult.objects.filter(run=left, index__in=wanted).values_list("index", "question"))
    return [
        FlippedLine(row, _shortened(questions.get(row.left_index, "")), row.left_index + 1, row.right_index + 1)
        for row in rows
    ]


def options(runs: Sequence[Run], chosen: Run | None) -> list[Option]:
    """Runs to choose from; beside a chosen one, those first that may be compared with it."""
    with_samples = have_samples(runs)
    found = [Option(line, _obstacle(line.run, chosen, line.run.pk in with_samples)) for line in lines_of(runs)]
    return sorted(found, key=lambda option: bool(option.obstacle))


def _obstacle(run: Run, chosen: Run | None, has_samples: bool) -> str:
    if not has_samples:
        return _("without its samples")
    reasons = [] if chosen is None else unlike(chosen.protocol, run.protocol)
    return translated(reasons[0]) if reasons else ""


def _shortened(text: str) -> str:
    return text if len(text) <= EXCERPT else f"{text[: EXCERPT - 1]}…"


def _count(value: float) -> str:
    return number_format(math.floor(value), 0, force_grouping=True)
