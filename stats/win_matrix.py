"""Who beats whom, how often: as the ratings say, with intervals, and as it was counted."""

from collections.abc import Collection
from typing import Final, NamedTuple

import numpy as np
from scipy.special import expit

from stats.bradley_terry import HALF_WINS, RATING_PER_STRENGTH, half_points, win_probability
from stats.comparisons import FloatArray, Outcome, PairCounts
from stats.simultaneous import pairwise_intervals
from stats.uncertainty import Uncertainty, two_sided_quantile

NEXT_TO_NEVER: Final = 1e-12  # a rate nearer to 0 or 1 has no log-odds in float64


class WinMatrix(NamedTuple):
    """Entry (i, j) is how probably item i wins against item j, a tie being half a win; shapes (n_items, n_items).

    NaN on the diagonal, and where an item is not rated.
    """

    probabilities: FloatArray
    lower: FloatArray
    upper: FloatArray


class WinRates(NamedTuple):
    """How probably each item wins against one of the other rated items drawn at random; shapes (n_items,)."""

    rates: FloatArray
    standard_errors: FloatArray
    lower: FloatArray
    upper: FloatArray


class ObservedWins(NamedTuple):
    """Shapes (n_items, n_items): the share of points that item i took from item j, NaN if they never met, and of how
    many comparisons."""

    shares: FloatArray
    n_comparisons: FloatArray


def win_matrix(uncertainty: Uncertainty, *, critical_value: float | None = None) -> WinMatrix:
    """Win probabilities with intervals that are those of the rating differences, seen through the curve.

    So they stay between 0 and 1, and (j, i) is one minus (i, j). Pass the critical value of `simultaneous` for
    intervals that hold together.
    """
    intervals = pairwise_intervals(uncertainty, critical_value=critical_value)
    tables = [win_probability(points) for points in (intervals.estimates, intervals.lower, intervals.upper)]
    for table in tables:
        np.fill_diagonal(table, np.nan)
    return WinMatrix(*tables)


def mean_win_rates(uncertainty: Uncertainty) -> WinRates:
    """Mean of each row of the win matrix, with an interval by the delta method, on the logarithm of the odds.

    The rate moves by p(1 - p) / (n - 1) with each difference, all of which the joint covariance says how they vary
    together. On the log-odds scale the interval stays between 0 and 1. NaN unless two items or more are rated.
    """
    rated = ~np.isnan(uncertainty.ratings)
    n_items, n_others = len(rated), int(rated.sum()) - 1
    rates, errors = np.full(n_items, np.nan), np.full(n_items, np.nan)
    if n_others > 0:
        ratings = uncertainty.ratings[rated]
        log_odds = (ratings[:, np.newaxis] - ratings) / RATING_PER_STRENGTH
        slopes = expit(log_odds) * expit(-log_odds)
        np.fill_diagonal(slopes, 0.0)
        rates[rated] = (expit(log_odds).sum(axis=1) - 0.5) / n_others
        gradients = (np.diag(slopes.sum(axis=1)) - slopes) / n_others / RATING_PER_STRENGTH
        covariance = uncertainty.covariance[np.ix_(rated, rated)]
        errors[rated] = np.sqrt(np.maximum(((gradients @ covariance) * gradients).sum(axis=1), 0.0))
    inside = np.clip(rates, NEXT_TO_NEVER, 1 - NEXT_TO_NEVER)
    margins = two_sided_quantile(uncertainty.confidence_level) * errors / (inside * (1 - inside))
    centre = np.log(inside / (1 - inside))
    return WinRates(rates, errors, np.asarray(expit(centre - margins)), np.asarray(expit(centre + margins)))


def observed_wins(counts: PairCounts, *, half_wins: Collection[Outcome] = HALF_WINS) -> ObservedWins:
    """What was counted, the undecided outcomes in `half_wins` being half a win each. Raises UnknownOutcomeError."""
    points = half_points(counts, half_wins)
    shares = np.full((counts.n_items, counts.n_items), np.nan)
    n_comparisons = np.zeros((counts.n_items, counts.n_items))
    met = points.total > 0
    left, right = points.left[met], points.right[met]
    n_comparisons[left, right] = n_comparisons[right, left] = points.total[met]
    shares[left, right] = points.left_points[met] / points.total[met]
    shares[right, left] = points.right_points[met] / points.total[met]
    return ObservedWins(shares, n_comparisons)
