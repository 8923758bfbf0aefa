"""Ratings as they were: of the votes of each stretch of days, or of all votes up to its end."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from stats.bradley_terry import RATING_PER_STRENGTH, Anchor, BradleyTerryFit, Gauge, fit
from stats.comparisons import BoolArray, Comparisons, FloatArray, IntArray, InvalidWeightError, PairCounts
from stats.uncertainty import Uncertainty, sandwich


class DayCell(NamedTuple):
    """`n` plain votes of one day on one pair; days are whole numbers, such as date.toordinal() gives."""

    day: int
    left: int
    right: int
    outcome: int
    n: float


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
    """How time is cut: into periods of `days_per_period` from the first day that has votes (7: weeks).

    A `cumulative` period reaches back to that first day, so it holds all the votes there were at its end.
    """

    days_per_period: int = 7
    cumulative: bool = False


def ratings_over_time(
    cells: Iterable[DayCell],
    *,
    n_items: int,
    calendar: Calendar | None = None,
    gauge: Gauge | Anchor = Gauge.VOTE_WEIGHTED_MEAN,
    confidence_level: float = 0.95,
) -> tuple[Period, ...]:
    """A fit for every period from the first vote to the last, all on one level, with sandwich intervals.

    The gauge is that of all votes together: in each period the average rating of the items rated in it, under the
    weights of the whole, is what it is in the whole. So a newcomer or an absence moves nobody, and what moves in
    common, if all grow better together, is not seen, as no vote between them could show it. A period that rates none
    of the items with weight (not the anchor) has no ratings. Raises StatsError as `bradley_terry.fit` does.
    """
    calendar = calendar or Calendar()
    if not isinstance(calendar.days_per_period, int | np.integer) or calendar.days_per_period < 1:
        raise InvalidWeightError(
            f"A period has a whole number of days, and one at least, not {calendar.days_per_period}."
        )
    days, votes = _by_day([DayCell(*cell) for cell in cells], n_items)
    if not days.size:
        return ()
    whole = fit(PairCounts.from_repeated(votes), gauge=gauge)
    first, last = int(days[0]), int(days[-1])
    periods = []
    for start in range(first, last + 1, calendar.days_per_period):
        end = start + calendar.days_per_period - 1
        since = first if calendar.cumulative else start
        counts = PairCounts.from_repeated(votes.part(slice(*np.searchsorted(days, [since, end + 1]).tolist())))
        on_level = _on_level(fit(counts), whole)
        uncertainty = sandwich(counts, on_level, confidence_level=confidence_level)
        periods.append(Period(first_day=since, last_day=end, counts=counts, fit=on_level, uncertainty=uncertainty))
    return tuple(periods)


def _by_day(rows: list[DayCell], n_items: int) -> tuple[IntArray, Comparisons]:
    """The days in ascending order, and the votes of each."""
    day, left, right, outcome, n = zip(*rows, strict=True) if rows else ((), (), (), (), ())
    days = np.asarray(day)
    if days.size and days.dtype.kind not in "iu":
        raise InvalidWeightError(f"Days must be whole numbers, not {days.dtype}.")
    order = np.argsort(days, kind="stable")
    votes = Comparisons.from_arrays(left, right, outcome=outcome, weight=n, n_items=n_items)
    return days[order].astype(np.int64), votes.part(order)


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
