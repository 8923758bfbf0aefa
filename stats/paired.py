"""Two models on the same questions: is one better, by how much, and what difference would be noticed at all?

Comparing row by row removes what makes questions hard for both, which two separate intervals count twice.
"""

import math
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.optimize import brentq
from scipy.special import bdtr

from stats.comparisons import FloatArray
from stats.errors import InvalidLevelError, InvalidWeightError, LengthMismatchError
from stats.proportions import check_count, quantile_of_power
from stats.uncertainty import two_sided_quantile

N_RESAMPLES: Final = 10_000
BESIDE: Final = 1e-9
"""So far beside the estimate the search for the end of an interval begins: at it the variance may vanish."""
CELLS_AT_ONCE: Final = 2**22  # of resamples times clusters, which keeps them in little memory


class McNemar(NamedTuple):
    """Two-sided p-values for "both are right equally often", from the questions that only one of them got right."""

    n_only_left: int
    n_only_right: int
    exact: float
    mid: float


class PairedDifference(NamedTuple):
    """Mean of left minus mean of right. The standard error is that of the mean difference, clustered where clusters
    were given, and NaN for a single row or cluster."""

    estimate: float
    standard_error: float
    lower: float
    upper: float
    n: int
    n_clusters: int
    confidence_level: float


def mcnemar(n_only_left: int, n_only_right: int) -> McNemar:
    """Exact test, and its mid-p version: the exact one is right less often than it says, the mid-p one as often as it
    says but for very few rows. (McNemar 1947, "Note on the sampling error of the difference between correlated
    proportions"; Fagerland, Lydersen and Laake 2013, "The McNemar test for binary matched-pairs data".) Raises
    StatsError.
    """
    check_count(n_only_left)
    check_count(n_only_right)
    n, fewer = n_only_left + n_only_right, min(n_only_left, n_only_right)
    if n == 0:
        return McNemar(0, 0, 1.0, 1.0)
    at_most = float(bdtr(fewer, n, 0.5))
    exactly = at_most - (float(bdtr(fewer - 1, n, 0.5)) if fewer else 0.0)
    # Half of what is exactly as extreme as observed: one term in each tail, or the one in the middle.
    mid = 1 - exactly / 2 if n_only_left == n_only_right else 2 * at_most - exactly
    return McNemar(n_only_left, n_only_right, min(1.0, 2 * at_most), mid)


def paired_difference(
    left: npt.ArrayLike,
    right: npt.ArrayLike,
    *,
    rng: np.random.Generator,
    clusters: npt.ArrayLike | None = None,
    confidence_level: float = 0.95,
) -> PairedDifference:
    """Bootstrap of the mean difference over rows, or over whole clusters such as the subjects of a benchmark, whose
    rows may share what makes them hard. (Efron 1979, "Bootstrap methods"; for clusters Davison and Hinkley 1997,
    "Bootstrap methods and their application", section 3.8.) Raises StatsError.
    """
    two_sided_quantile(confidence_level)
    differences = _differences(left, right)
    sums, sizes = _by_cluster(differences, clusters)
    estimate = float(differences.mean())
    draws = _resampled(sums, sizes, rng=rng)
    tail = (1 - confidence_level) / 2
    lower, upper = (float(value) for value in np.quantile(draws, [tail, 1 - tail]))
    error = _standard_error(sums, sizes, estimate)
    return PairedDifference(estimate, error, lower, upper, len(differences), len(sums), confidence_level)


def paired_shares(n_only_left: int, n_only_right: int, n: int, *, confidence_level: float = 0.95) -> PairedDifference:
    """Difference of two shares of right answers to the same n questions, with an interval that holds 0 exactly where
    McNemar's exact test does not reject it: Tango's, reaching as far as 0 where that test is the more careful one. Of
    few questions that only one got right a bootstrap's would be too short, or end at 0. Raises StatsError.
    """
    found = tango(n_only_left, n_only_right, n, confidence_level=confidence_level)
    if mcnemar(n_only_left, n_only_right).exact < 1 - confidence_level:
        return found
    return found._replace(lower=min(found.lower, 0.0), upper=max(found.upper, 0.0))


def tango(n_only_left: int, n_only_right: int, n: int, *, confidence_level: float = 0.95) -> PairedDifference:
    """The interval of the score test for a difference of paired shares. (Tango 1998, "Equivalence test and confidence
    interval for the difference in proportions for the paired-sample design".) Raises StatsError.
    """
    z = two_sided_quantile(confidence_level)
    for count in (n_only_left, n_only_right):
        check_count(count)
    check_count(n, at_least=max(1, n_only_left + n_only_right))
    estimate = (n_only_left - n_only_right) / n
    squares = max(0.0, n_only_left + n_only_right - n * estimate**2)
    return PairedDifference(
        estimate=estimate,
        standard_error=math.sqrt(squares / (n - 1) / n) if n > 1 else math.nan,
        lower=_tango_lower(n_only_left, n_only_right, n, z),
        upper=-_tango_lower(n_only_right, n_only_left, n, z),
        n=n,
        n_clusters=n,
        confidence_level=confidence_level,
    )


def smallest_paired_difference(
    n: int, *, share_discordant: float, power: float = 0.8, confidence_level: float = 0.95
) -> float | None:
    """By how much the shares of right answers must differ on the same n rows to be told apart with this power, where on
    `share_discordant` of them only one model is right; None where even the largest possible difference would not be.
    (Connor 1987, "Sample size for testing differences in proportions for the paired-sample design".) Raises StatsError.
    """
    z, z_power = two_sided_quantile(confidence_level), quantile_of_power(power)
    check_count(n, at_least=1)
    if not 0 < share_discordant <= 1:
        raise InvalidLevelError(
            f"The share of rows that only one got right lies above 0 and up to 1, not at {share_discordant}."
        )

    def shortfall(difference: float) -> float:
        if_not = math.sqrt(share_discordant - difference**2)
        return difference * math.sqrt(n) - z * math.sqrt(share_discordant) - z_power * if_not

    return float(brentq(shortfall, 0.0, share_discordant)) if shortfall(share_discordant) > 0 else None


def _tango_lower(n_only_left: int, n_only_right: int, n: int, z: float) -> float:
    """Where the score statistic, which falls as the supposed difference grows, is z."""
    estimate = (n_only_left - n_only_right) / n

    def excess(difference: float) -> float:
        """The share of questions that only the right one gets is the likeliest under the
        supposed difference, a root of a quadratic."""
        linear = (2 * n - n_only_left + n_only_right) * difference - n_only_left - n_only_right
        constant = -n_only_right * difference * (1 - difference)
        share = (math.sqrt(max(0.0, linear**2 - 8 * n * constant)) - linear) / (4 * n)
        variance = n * (2 * share + difference * (1 - difference))
        return n * (estimate - difference) - z * math.sqrt(max(0.0, variance))

    return -1.0 if estimate == -1 else float(brentq(excess, -1.0, estimate - BESIDE))


def _differences(left: npt.ArrayLike, right: npt.ArrayLike) -> FloatArray:
    lefts, rights = np.asarray(left, dtype=np.float64), np.asarray(right, dtype=np.float64)
    if lefts.shape != rights.shape or lefts.ndim != 1 or not len(lefts):
        raise LengthMismatchError(f"Scores of {lefts.shape} and {rights.shape} rows are not of the same rows.")
    differences = lefts - rights
    if not np.isfinite(differences).all():
        raise InvalidWeightError("Scores must be finite numbers.")
    return differences


def _by_cluster(differences: FloatArray, clusters: npt.ArrayLike | None) -> tuple[FloatArray, FloatArray]:
    """Per cluster the sum of its differences, and how many they are."""
    if clusters is None:
        return differences, np.ones(len(differences))
    names = np.asarray(clusters)
    if names.shape != differences.shape:
        raise LengthMismatchError(f"{len(differences)} rows and {names.shape} clusters do not belong together.")
    _, codes = np.unique(names, return_inverse=True)
    return np.bincount(codes, weights=differences).astype(np.float64), np.bincount(codes).astype(np.float64)


def _resampled(sums: FloatArray, sizes: FloatArray, *, rng: np.random.Generator) -> FloatArray:
    """Means of `N_RESAMPLES` resamples. Clusters that are alike are drawn as one, so that right and wrong answers cost
    three numbers a resample and not one a row."""
    kinds, n_of_kind = np.unique(np.column_stack([sums, sizes]), axis=0, return_counts=True)
    n_clusters = int(n_of_kind.sum())
    n_at_once = max(1, CELLS_AT_ONCE // len(kinds))
    means = []
    for start in range(0, N_RESAMPLES, n_at_once):
        n_draws = min(n_at_once, N_RESAMPLES - start)
        drawn = rng.multinomial(n_clusters, n_of_kind / n_clusters, size=n_draws) @ kinds
        means.append(drawn[:, 0] / drawn[:, 1])
    return np.concatenate(means)


def _standard_error(sums: FloatArray, sizes: FloatArray, estimate: float) -> float:
    """Of a ratio of sums over clusters, by linearisation, with k / (k - 1)."""
    k = len(sums)
    if k < 2:
        return math.nan
    residuals = sums - estimate * sizes
    return float(np.sqrt(k / (k - 1) * (residuals**2).sum()) / sizes.sum())
