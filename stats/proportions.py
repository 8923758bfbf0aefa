"""A share of right answers: its interval, and the smallest difference of two such shares that would be noticed."""

import math
from statistics import NormalDist
from typing import NamedTuple

from scipy.optimize import brentq
from scipy.special import betaincinv

from stats.errors import InvalidLevelError, InvalidWeightError
from stats.uncertainty import two_sided_quantile


class Proportion(NamedTuple):
    """`standard_error` is that of a mean, with n - 1; NaN for a single answer."""

    estimate: float
    standard_error: float
    lower: float
    upper: float
    n: int


def wilson(n_right: int, n: int, *, confidence_level: float = 0.95) -> Proportion:
    """The interval of the score test (Wilson 1927, "Probable inference, the law of succession, and statistical
    inference"): its coverage is near the level even for few answers and for shares near 0 and 1, where estimate plus or
    minus standard errors is far off. Raises StatsError."""
    z = two_sided_quantile(confidence_level)
    share, error = _share(n_right, n)
    denominator = 1 + z * z / n
    centre = (share + z * z / (2 * n)) / denominator
    margin = z * math.sqrt(share * (1 - share) / n + (z / (2 * n)) ** 2) / denominator
    # At the ends the root is exact in the reals, and off by a rounding error here.
    lower = centre - margin if n_right else 0.0
    upper = centre + margin if n_right < n else 1.0
    return Proportion(share, error, lower, upper, n)


def clopper_pearson(n_right: int, n: int, *, confidence_level: float = 0.95) -> Proportion:
    """The exact interval: it holds the truth at least as often as it says, and mostly more often (Clopper and Pearson
    1934, "The use of confidence or fiducial limits illustrated in the case of the binomial"). Raises StatsError."""
    two_sided_quantile(confidence_level)
    share, error = _share(n_right, n)
    tail = (1 - confidence_level) / 2
    lower = float(betaincinv(n_right, n - n_right + 1, tail)) if n_right else 0.0
    upper = float(betaincinv(n_right + 1, n - n_right, 1 - tail)) if n_right < n else 1.0
    return Proportion(share, error, lower, upper, n)


def smallest_difference(
    n: int, *, share: float = 0.5, power: float = 0.8, confidence_level: float = 0.95
) -> float | None:
    """By how much a second, independent share of as many answers must lie above `share` to be told apart from it with
    this power; None where even 1 would not be. The test of two proportions without continuity correction (Fleiss 1981,
    "Statistical methods for rates and proportions"). Raises StatsError."""
    z, z_power = two_sided_quantile(confidence_level), quantile_of_power(power)
    check_count(n, at_least=1)
    if not 0 <= share < 1:
        raise InvalidLevelError(f"A share to improve on lies from 0 up and below 1, not at {share}.")

    def shortfall(difference: float) -> float:
        other, middle = share + difference, share + difference / 2
        if_equal = math.sqrt(2 * middle * (1 - middle))
        if_not = math.sqrt(share * (1 - share) + other * (1 - other))
        return difference * math.sqrt(n) - z * if_equal - z_power * if_not

    largest = 1 - share
    return float(brentq(shortfall, 0.0, largest)) if shortfall(largest) > 0 else None


def quantile_of_power(power: float) -> float:
    """Raises InvalidLevelError."""
    if not 0.5 <= power < 1:
        raise InvalidLevelError(f"A power lies from 0.5 up and below 1 (as 0.8 does), not at {power}.")
    return NormalDist().inv_cdf(power)


def check_count(n: int, *, at_least: int = 0) -> None:
    """Raises InvalidWeightError."""
    if n < at_least:
        raise InvalidWeightError(f"A number of answers is {at_least} or more, not {n}.")


def _share(n_right: int, n: int) -> tuple[float, float]:
    check_count(n, at_least=1)
    if not 0 <= n_right <= n:
        raise InvalidWeightError(f"Of {n} answers, {n_right} cannot be right.")
    share = n_right / n
    return share, math.sqrt(share * (1 - share) / (n - 1)) if n > 1 else math.nan
