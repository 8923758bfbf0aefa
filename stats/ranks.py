"""Which ranks an item may have, given how far the ratings may be off.

Two items are told apart by the interval of their difference, never by whether their own intervals overlap: that wastes
what is known of the two together (in 1.67 million public votes it tells 13 of 128 neighbours apart instead of 21).
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from stats.simultaneous import N_DRAWS, largest_difference
from stats.uncertainty import Uncertainty, reach_of


class RankRange(NamedTuple):
    """From the best rank (`lower`, 1 is the top) to the worst (`upper`) that the comparisons leave open."""

    lower: int
    upper: int


@dataclass(frozen=True, kw_only=True, eq=False)
class RankRanges:
    """One range per item, None for an item that is not rated: ranks are positions among the rated items alone.

    Two items were told apart if their ratings differ by more than `critical_value` standard errors of the difference.
    """

    ranges: tuple[RankRange | None, ...]
    critical_value: float
    confidence_level: float


def pairwise_rank_ranges(uncertainty: Uncertainty) -> RankRanges:
    """Ranges from single tests: lower = 1 + how many are significantly better, upper = n - how many are worse.

    Each test is right with the confidence level of `uncertainty`; a whole table of them is right less often.
    """
    return _rank_ranges(uncertainty, reach_of(uncertainty, None))


def simultaneous_rank_ranges(
    uncertainty: Uncertainty, *, rng: np.random.Generator, n_draws: int = N_DRAWS
) -> RankRanges:
    """Ranges that hold all of the true ranks at once, with the confidence level of `uncertainty`.

    The critical value is the quantile of the largest studentised difference over all pairs (single-step max-t), from
    `n_draws` draws of N(0, covariance); it takes n_draws * n_rated ** 2 steps. All differences are then in their
    intervals together, hence all ranks in their ranges. (Mogstad, Romano, Shaikh and Wilhelm 2024, "Inference for ranks
    with applications to mobility across neighbourhoods and academic achievement across countries".) Raises
    InvalidLevelError.
    """
    return _rank_ranges(uncertainty, largest_difference(uncertainty, rng=rng, n_draws=n_draws))


def tiers(uncertainty: Uncertainty, *, critical_value: float | None = None) -> tuple[int | None, ...]:
    """The group of statistically tied items each item belongs to, 1 being the top; None for an unrated item.

    Down the ratings, a tier begins with the first item that is told apart from the one that began the tier before. So
    each item is in one tier, tiers follow the ratings, and a tier's first item is told apart from the first of the
    next. Nothing else is claimed: "not told apart" cannot be handed on, so two neighbours may be parted by a
    border between them, and first and last of a tier need not be equal. With the critical value of
    `simultaneous_rank_ranges` all borders are right at once; without one each is with the level of `uncertainty`.
    """
    reach = reach_of(uncertainty, critical_value)
    ratings, errors = uncertainty.ratings, uncertainty.standard_errors_of_differences()
    found: list[int | None] = [None] * len(ratings)
    tier, first = 0, -1
    for item in np.argsort(-ratings, kind="stable")[: int((~np.isnan(ratings)).sum())].tolist():
        margin = reach * errors[first, item]
        if first < 0 or (errors[first, item] > 0 and ratings[first] - ratings[item] > margin):
            tier, first = tier + 1, item
        found[item] = tier
    return tuple(found)


def _rank_ranges(uncertainty: Uncertainty, critical_value: float) -> RankRanges:
    rated = ~np.isnan(uncertainty.ratings)
    ratings = uncertainty.ratings
    differences = ratings[:, np.newaxis] - ratings
    standard_errors = uncertainty.standard_errors_of_differences()
    # No standard error means no measured spread, so nothing to be significant against.
    better = (differences > critical_value * standard_errors) & (standard_errors > 0)
    n_rated = int(rated.sum())
    n_better, n_worse = better.sum(axis=0), better.sum(axis=1)
    return RankRanges(
        ranges=tuple(
            RankRange(1 + int(n_better[item]), n_rated - int(n_worse[item])) if rated[item] else None
            for item in range(len(ratings))
        ),
        critical_value=critical_value,
        confidence_level=uncertainty.confidence_level,
    )
