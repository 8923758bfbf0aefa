"""Which ranks an item may have, given how far the ratings may be off.

Two items are told apart by the interval of their difference, never by whether their own intervals overlap: that wastes
what is known of the two together (in 1.67 million public votes it tells 13 of 128 neighbours apart instead of 21).
"""

from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np

from stats.comparisons import FloatArray, InvalidLevelError
from stats.uncertainty import Uncertainty, two_sided_quantile

N_DRAWS: Final = 2000


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
    return _rank_ranges(uncertainty, two_sided_quantile(uncertainty.confidence_level))


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
    if n_draws < 1:
        raise InvalidLevelError(f"The largest difference cannot be simulated with {n_draws} draws.")
    rated = ~np.isnan(uncertainty.ratings)
    covariance = uncertainty.covariance[np.ix_(rated, rated)]
    standard_errors = uncertainty.standard_errors_of_differences()[np.ix_(rated, rated)]
    largest = _largest_differences(covariance, standard_errors, rng=rng, n_draws=n_draws)
    simulated = float(np.quantile(largest, uncertainty.confidence_level, method="higher"))
    single = two_sided_quantile(uncertainty.confidence_level)  # of all pairs at once, no draw may make it less
    return _rank_ranges(uncertainty, max(simulated, single))


def _largest_differences(
    covariance: FloatArray, standard_errors: FloatArray, *, rng: np.random.Generator, n_draws: int
) -> FloatArray:
    """The largest studentised difference of each draw, shape (n_draws,)."""
    first, second = np.nonzero(np.triu(standard_errors) > 0)
    scale = standard_errors[first, second]
    # The covariance is singular by its gauge, so it is taken apart into eigenvectors and not by Cholesky.
    variances, directions = np.linalg.eigh(covariance)
    factor = directions * np.sqrt(np.maximum(variances, 0.0))
    draws = rng.standard_normal((n_draws, len(covariance))) @ factor.T
    return np.array([np.abs((draw[first] - draw[second]) / scale).max(initial=0.0) for draw in draws])


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
