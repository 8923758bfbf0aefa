"""Ratings as they were: of the votes of each stretch of days, or of all votes up to its end."""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import date
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from stats.bradley_terry import HALF_WINS, RATING_PER_STRENGTH, Anchor, BradleyTerryFit, Gauge, fit
from stats.comparisons import BoolArray, Comparisons, FloatArray, IntArray, Outcome, PairCounts
from stats.errors import InvalidWeightError, LengthMismatchError
from stats.uncertainty import Uncertainty, sandwich


class DayCell(NamedTuple):
    """`n` plain votes of one day on one pair; days are whole numbers, such as date.toordinal() gives."""

    day: int
    left: int
    right: int
    outcome: int
    n: float


class WeightedDayCell(NamedTuple):
    """The same of weighted votes: the sum of their weights, and that of the squared weights."""

    day: int
    left: int
    right: int
    outcome: int
    total: float
    squares: float


@dataclass(frozen=True, kw_only=True, eq=False)
class Period:
    """The board of the days from `first_day` to `last_day`, both included. `uncertainty` holds its ratings too."""

    first_day: int
    last_day: int
    counts: PairCounts
    fit: BradleyTerryFit
    uncertainty: Uncertainty


@dataclass(frozen=True, kw_only=True)
class Calendar:
    """How time is cut: into periods of `days_per_period` from the first day that has votes (7: weeks), or of
    `months_per_period` calendar months from the month of that day, days then being those of date.toordinal().

    A `cumulative` period reaches back to the first one, so it holds all the votes there were at its end.
    """

    days_per_period: int = 7
    months_per_period: int | None = None
    cumulative: bool = False

    def periods(self, first: int, last: int) -> list[tuple[int, int]]:
        """First and last day of every period that these days need. Raises InvalidWeightError."""
        in_months = self.months_per_period is not None
        size = self.months_per_period if self.months_per_period is not None else self.days_per_period
        if not isinstance(size, int | np.integer) or size < 1:
            unit = "months" if in_months else "days"
            raise InvalidWeightError(f"A period has a whole number of {unit}, and one at least, not {size}.")
        starts = list(_months(first, last, size) if in_months else range(first, last + size + 1, size))
        return [(start, following - 1) for start, following in pairwise(starts) if start <= last]


class Reading(NamedTuple):
    """How votes become ratings, as in `bradley_terry.fit`."""

    half_wins: Collection[Outcome] = HALF_WINS
    gauge: Gauge | Anchor = Gauge.VOTE_WEIGHTED_MEAN


class Votes(NamedTuple):
    """The days in ascending order, and of each of them one cell: shapes (n_cells,)."""

    days: IntArray
    cells: Comparisons
    squares: FloatArray

    def counts(self, first: int, last: int) -> PairCounts:
        """Of the days from `first` to `last`."""
        those = slice(*np.searchsorted(self.days, [first, last + 1]).tolist())
        return PairCounts.from_sums(self.cells.part(those), squares=self.squares[those])


def ratings_over_time(
    cells: Iterable[DayCell] | Iterable[WeightedDayCell],
    *,
    n_items: int,
    calendar: Calendar | None = None,
    reading: Reading | None = None,
    confidence_level: float = 0.95,
) -> tuple[Period, ...]:
    """A fit for every period from the first vote to the last, all on one level, with sandwich intervals.

    The gauge is that of all votes together: in each period the average rating of the items rated in it, under the
    weights of the whole, is what it is in the whole. So a newcomer or an absence moves nobody, and what moves in
    common, if all grow better together, is not seen, as no vote between them could show it. A period that rates none
    of the items with weight (not the anchor) has no ratings. Cells of five numbers are plain votes, of six weighted
    ones. Raises StatsError as `bradley_terry.fit` does.
    """
    calendar, reading = calendar or Calendar(), reading or Reading()
    votes = _by_day([tuple(cell) for cell in cells], n_items)
    periods = calendar.periods(int(votes.days[0]), int(votes.days[-1])) if votes.days.size else calendar.periods(1, 0)
    if not periods:
        return ()
    first = periods[0][0]
    whole = fit(votes.counts(first, periods[-1][1]), half_wins=reading.half_wins, gauge=reading.gauge)
    rated = []
    for start, end in periods:
        since = first if calendar.cumulative else start
        counts = votes.counts(since, end)
        on_level = _on_level(fit(counts, half_wins=reading.half_wins), whole)
        uncertainty = sandwich(counts, on_level, confidence_level=confidence_level)
        rated.append(Period(first_day=since, last_day=end, counts=counts, fit=on_level, uncertainty=uncertainty))
    return tuple(rated)


def _months(first: int, last: int, n_months: int) -> Iterator[int]:
    """The first days of every so manyth month, from the month of `first` to one that begins after `last`."""
    try:
        begun, ended = date.fromordinal(first), date.fromordinal(last)
        for month in range(begun.year * 12 + begun.month - 1, ended.year * 12 + ended.month + n_months, n_months):
            yield date(month // 12, month % 12 + 1, 1).toordinal()
    except (ValueError, OverflowError) as error:
        raise InvalidWeightError(f"Months need days as date.toordinal() counts them, not {first} to {last}.") from error


def _by_day(rows: list[tuple[float, ...]], n_items: int) -> Votes:
    if len({len(row) for row in rows}) > 1 or any(len(row) not in (5, 6) for row in rows[:1]):
        raise LengthMismatchError("Every cell must have five entries, or every one six.")
    day, left, right, outcome, total, *squared = zip(*rows, strict=True) if rows else [()] * 5
    days = np.asarray(day)
    if days.size and days.dtype.kind not in "iu":
        raise InvalidWeightError(f"Days must be whole numbers, not {days.dtype}.")
    order = np.argsort(days, kind="stable")
    cells = Comparisons.from_arrays(left, right, outcome=outcome, weight=total, n_items=n_items)
    squares = np.asarray(squared[0], dtype=np.float64) if squared else cells.weight
    return Votes(days[order].astype(np.int64), cells.part(order), squares[order])


def _on_level(part: BradleyTerryFit, whole: BradleyTerryFit) -> BradleyTerryFit:
    """The fit of a part of the votes in the gauge of the whole, as far as both rate the same items."""
    weights = np.where(part.rated & whole.rated, whole.gauge_weights, 0.0)
    if not weights.any():
        return _unrated(part)
    weights = weights / weights.sum()
    common: BoolArray = weights > 0
    shift = float(weights[common] @ part.strengths[common])
    strengths: FloatArray = part.strengths - shift
    level = float(weights[common] @ whole.ratings[common])
    return replace(part, strengths=strengths, ratings=level + RATING_PER_STRENGTH * strengths, gauge_weights=weights)


def _unrated(part: BradleyTerryFit) -> BradleyTerryFit:
    nothing = np.full(len(part.strengths), np.nan)
    return replace(part, strengths=nothing, ratings=nothing, gauge_weights=np.zeros(len(nothing)))
