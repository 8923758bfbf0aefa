"""Intervals that hold together: of all ratings at once, or of all differences, from their joint covariance."""

from typing import Final, NamedTuple

import numpy as np
from scipy.special import gammaincinv

from stats.comparisons import FloatArray
from stats.errors import InvalidLevelError
from stats.uncertainty import Uncertainty, reach_of, two_sided_quantile

N_DRAWS: Final = 2000


class Intervals(NamedTuple):
    """Estimates and the ends of their intervals, of one shape; NaN where an item is not rated.

    Each interval reaches `critical_value` standard errors to either side.
    """

    estimates: FloatArray
    lower: FloatArray
    upper: FloatArray
    critical_value: float


def normal_draws(uncertainty: Uncertainty, *, rng: np.random.Generator, n_draws: int = N_DRAWS) -> FloatArray:
    """Ratings drawn from N(ratings, covariance), shape (n_draws, n_items), NaN for unrated items.

    They are the limit of the bootstrap's, in milliseconds. Raises InvalidLevelError.
    """
    rated = ~np.isnan(uncertainty.ratings)
    moved = deviations(uncertainty, rng=rng, n_draws=n_draws)
    draws = np.full((n_draws, len(rated)), np.nan)
    draws[:, rated] = uncertainty.ratings[rated] + moved
    return draws


def deviations(uncertainty: Uncertainty, *, rng: np.random.Generator, n_draws: int) -> FloatArray:
    """Draws from N(0, covariance) of the rated items, shape (n_draws, n_rated). Raises InvalidLevelError."""
    if not isinstance(n_draws, int | np.integer) or n_draws < 1:
        raise InvalidLevelError(f"The largest difference cannot be simulated with {n_draws} draws.")
    rated = ~np.isnan(uncertainty.ratings)
    # The covariance is singular by its gauge, so it is taken apart into eigenvectors and not by Cholesky.
    variances, directions = np.linalg.eigh(uncertainty.covariance[np.ix_(rated, rated)])
    factor = directions * np.sqrt(np.maximum(variances, 0.0))
    return np.asarray(rng.standard_normal((n_draws, int(rated.sum()))) @ factor.T)


def pairwise_intervals(uncertainty: Uncertainty, *, critical_value: float | None = None) -> Intervals:
    """Of ratings[i] - ratings[j] at (i, j), each with the confidence level of `uncertainty` unless told how wide."""
    reach = reach_of(uncertainty, critical_value)
    estimates = uncertainty.ratings[:, np.newaxis] - uncertainty.ratings
    margins = reach * uncertainty.standard_errors_of_differences()
    return Intervals(estimates, estimates - margins, estimates + margins, reach)


def joint_intervals(uncertainty: Uncertainty, *, rng: np.random.Generator, n_draws: int = N_DRAWS) -> Intervals:
    """Intervals of all ratings that hold together, with the confidence level of `uncertainty`.

    The critical value is the quantile of the largest studentised deviation over the items (single-step max-t; Hothorn,
    Bretz and Westfall 2008, "Simultaneous inference in general parametric models"). Raises InvalidLevelError.
    """
    errors = uncertainty.standard_error
    spread = errors[~np.isnan(errors)]
    moved = np.abs(deviations(uncertainty, rng=rng, n_draws=n_draws))[:, spread > 0] / spread[spread > 0]
    reach = _reach(moved.max(axis=1, initial=0.0), uncertainty.confidence_level)
    ratings = uncertainty.ratings
    return Intervals(ratings, ratings - reach * errors, ratings + reach * errors, reach)


def joint_pairwise_intervals(
    uncertainty: Uncertainty, *, rng: np.random.Generator, n_draws: int = N_DRAWS
) -> Intervals:
    """Intervals of all differences that hold together; see `largest_difference`. Raises InvalidLevelError."""
    reach = largest_difference(uncertainty, rng=rng, n_draws=n_draws)
    return pairwise_intervals(uncertainty, critical_value=reach)


def largest_difference(uncertainty: Uncertainty, *, rng: np.random.Generator, n_draws: int = N_DRAWS) -> float:
    """How many standard errors the largest studentised difference over all pairs stays within (single-step max-t).

    It takes n_draws * n_rated ** 2 steps. Raises InvalidLevelError.
    """
    rated = ~np.isnan(uncertainty.ratings)
    errors = uncertainty.standard_errors_of_differences()[np.ix_(rated, rated)]
    per_error = np.divide(1.0, errors, out=np.zeros_like(errors), where=errors > 0)
    draws = deviations(uncertainty, rng=rng, n_draws=n_draws)
    largest = np.array([(np.abs(draw[:, np.newaxis] - draw) * per_error).max(initial=0.0) for draw in draws])
    return _reach(largest, uncertainty.confidence_level)


def chi_square_intervals(uncertainty: Uncertainty) -> Intervals:
    """Intervals of all differences from the elliptical region of the ratings: wider than max-t, and drawn from nothing.

    The region holds all contrasts at once, of which differences are some, so each reaches sqrt(q) standard errors, q
    being the quantile of chi-square with n_rated - 1 degrees of freedom. (Scheffe 1953, "A method for judging all
    contrasts in the analysis of variance"; the region of Chiang et al. 2024, "Chatbot Arena".)
    """
    n_rated = int((~np.isnan(uncertainty.ratings)).sum())
    freedom = max(n_rated - 1, 1)
    quantile = 2 * gammaincinv(freedom / 2, uncertainty.confidence_level)
    return pairwise_intervals(uncertainty, critical_value=float(np.sqrt(quantile)))


def _reach(largest: FloatArray, confidence_level: float) -> float:
    simulated = float(np.quantile(largest, confidence_level, method="higher"))
    # Of several at once, no draw may make it less than of one alone.
    return max(simulated, two_sided_quantile(confidence_level))
