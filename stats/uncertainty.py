"""How far the ratings of a Bradley-Terry fit may be off: covariance, intervals, and the difference of any two."""

from dataclasses import dataclass
from statistics import NormalDist
from typing import Final, NamedTuple

import numpy as np

from stats.bradley_terry import RATING_PER_STRENGTH, BradleyTerryFit, indicator
from stats.comparisons import BoolArray, FloatArray, IntArray, Outcome, PairCounts, sums_at
from stats.errors import InvalidLevelError, InvalidWeightError, LengthMismatchError
from stats.laplacian import in_gauge, inverse_squeezed, laplacian, solve_positive
from stats.number_checks import check_item, check_square
from stats.odds import chances

PRIOR_VOTES: Final = 1.0
ROUNDING: Final = 1e-12  # a variance below this part of those it is the difference of is zero but for rounding


class Difference(NamedTuple):
    """Rating points between two items; NaN throughout if one of them is not rated."""

    estimate: float
    standard_error: float
    lower: float
    upper: float


@dataclass(frozen=True, kw_only=True, eq=False)
class Uncertainty:
    """On the rating scale: `ratings` (n_items,) as fitted, `covariance` (n_items, n_items); NaN for unrated items.

    The covariance depends on the gauge: an item that is the anchor has none with anything. Differences do not.
    """

    ratings: FloatArray
    covariance: FloatArray
    confidence_level: float

    def __post_init__(self) -> None:
        two_sided_quantile(self.confidence_level)
        if self.covariance.shape != 2 * self.ratings.shape or self.ratings.ndim != 1:
            raise LengthMismatchError(
                f"{self.ratings.shape} ratings and a covariance of {self.covariance.shape} do not belong together."
            )

    @property
    def standard_error(self) -> FloatArray:
        """Square roots of the covariance's diagonal, shape (n_items,), in rating points."""
        return np.sqrt(np.diagonal(self.covariance))

    @property
    def lower(self) -> FloatArray:
        """End of Wald's interval, shape (n_items,), in rating points."""
        return self.ratings - two_sided_quantile(self.confidence_level) * self.standard_error

    @property
    def upper(self) -> FloatArray:
        """End of Wald's interval, shape (n_items,), in rating points."""
        return self.ratings + two_sided_quantile(self.confidence_level) * self.standard_error

    def difference(self, item: int, other: int) -> Difference:
        """Rating of `item` minus rating of `other`, from their joint covariance. Raises ItemIndexError.

        The interval is the one to judge two items by: their single intervals may overlap although it excludes zero.
        """
        for index in (item, other):
            check_item(index, len(self.ratings))
        both = np.array([item, other])
        estimate = float(self.ratings[item] - self.ratings[other])
        standard_error = float(_standard_errors_of_differences(self.covariance[np.ix_(both, both)])[0, 1])
        margin = two_sided_quantile(self.confidence_level) * standard_error
        return Difference(estimate, standard_error, estimate - margin, estimate + margin)

    def standard_errors_of_differences(self) -> FloatArray:
        """Entry (i, j) is the standard error of ratings[i] - ratings[j]; shape (n_items, n_items)."""
        return _standard_errors_of_differences(self.covariance)


def sandwich(
    counts: PairCounts,
    fit: BradleyTerryFit,
    *,
    confidence_level: float = 0.95,
    prior_votes: float = PRIOR_VOTES,
) -> Uncertainty:
    """Covariance H^- B H^- of the ratings, in points squared, from the counts that `fit` was fitted to.

    H = sum over pairs of n p(1-p) zz', the information of the fit, and B = sum over comparisons of w^2 (y - p)^2 zz',
    what the scores really varied by, with z = e_left - e_right and y = 1, 0 or a half. (Huber 1967, "The behavior of
    maximum likelihood estimates under nonstandard conditions"; White 1982, "Maximum likelihood estimation of
    misspecified models".) With ties as half wins H alone is no variance: a tie's y varies less than a coin's. The
    generalised inverse is followed by the gauge of the fit, whose weights are taken as given; nothing is added to H.

    Deviation: B believes what few comparisons show, so an item with one tie to its name would be certain to be as good
    as its opponent. A pair's squared residuals are therefore mixed with the p(1-p) of a vote that cannot tie, which no
    y in [0, 1] of mean p can exceed, as if each item had `prior_votes` more of them. It fades as 1 / n, changes next to
    nothing where there are no ties, and `prior_votes=0` leaves it out. Of a fit with a `NormalPrior`
    of precision v it is (H + vI)^-1 (B + vI) (H + vI)^-1, what the ratings miss strengths by that the prior is right
    about, and B believes no residual: its few votes are drawn towards what was expected, and seem to vary less.
    Raises StatsError: counts of another number of items, a confidence level not between 0 and 1.
    """
    check_options(confidence_level, prior_votes)
    fit.check_is_of(counts)
    of_rated = _covariance(_residuals(counts, fit), fit, prior_votes) if fit.rated.any() else np.empty((0, 0))
    covariance = among_all(of_rated, fit.rated)
    return Uncertainty(ratings=fit.ratings, covariance=covariance, confidence_level=confidence_level)


def among_all(covariance: FloatArray, rated: BoolArray) -> FloatArray:
    """The covariance of rated items, NaN for all others: from shape (n_rated, n_rated) to (n_items, n_items).

    Raises TooManyItemsError."""
    if rated.all():
        return covariance
    check_square(len(rated))
    whole = np.full((len(rated), len(rated)), np.nan)
    whole[np.ix_(rated, rated)] = covariance
    return whole


def two_sided_quantile(confidence_level: float) -> float:
    """The number of standard errors that an interval of this level reaches to either side. Raises InvalidLevelError."""
    if not 0 < confidence_level < (1 + confidence_level) / 2 < 1:
        raise InvalidLevelError(f"A confidence level lies between 0 and 1 (as 0.95 does), not at {confidence_level}.")
    return NormalDist().inv_cdf((1 + confidence_level) / 2)


def reach_of(uncertainty: Uncertainty, critical_value: float | None) -> float:
    """How many standard errors an interval reaches to either side. Raises InvalidLevelError."""
    if critical_value is None:
        return two_sided_quantile(uncertainty.confidence_level)
    if not critical_value >= 0:
        raise InvalidLevelError(f"A critical value is a number from 0 up, not {critical_value}.")
    return critical_value


def check_options(confidence_level: float, prior_votes: float) -> None:
    """Refuse what is no level, or no number of votes, before any work. Raises StatsError."""
    two_sided_quantile(confidence_level)
    if not 0 <= prior_votes < float("inf"):
        raise InvalidWeightError(f"The number of prior votes must be finite and from 0 up, not {prior_votes}.")


class _Residuals(NamedTuple):
    """Per pair of rated items, which are renumbered from 0: what the two halves of the sandwich are made of."""

    left: IntArray
    right: IntArray
    total: FloatArray  # sum of w
    squares: FloatArray  # sum of w^2
    squared_residuals: FloatArray  # sum of w^2 (y - p)^2
    binary_variance: FloatArray  # p(1-p)


class PairVotes(NamedTuple):
    """Per pair: item numbers, the sum of the weights and the sum of the squared weights."""

    left: IntArray
    right: IntArray
    total: FloatArray
    squares: FloatArray


def _residuals(counts: PairCounts, fit: BradleyTerryFit) -> _Residuals:
    votes, strengths = counts.among(fit.rated), fit.strengths[fit.rated]
    p, q = chances(strengths[votes.left] - strengths[votes.right])
    won, lost = votes.squares[:, Outcome.LEFT], votes.squares[:, Outcome.RIGHT]
    tied = votes.squares @ indicator(fit.half_wins)
    return _Residuals(
        left=votes.left,
        right=votes.right,
        total=votes.totals @ indicator({Outcome.LEFT, Outcome.RIGHT} | fit.half_wins),
        squares=won + lost + tied,
        squared_residuals=won * q**2 + lost * p**2 + tied * ((q - p) / 2) ** 2,
        binary_variance=p * q,
    )


def _covariance(pairs: _Residuals, fit: BradleyTerryFit, prior_votes: float) -> FloatArray:
    """On the rating scale, shape (n_rated, n_rated)."""
    n_items = int(fit.rated.sum())
    votes = PairVotes(pairs.left, pairs.right, pairs.total, pairs.squares)
    share = prior_share(votes, n_items=n_items, prior_votes=prior_votes)
    if fit.prior is not None:
        share = np.ones_like(share)
    variance = (1 - share) * pairs.squared_residuals + share * pairs.squares * pairs.binary_variance
    information = laplacian(pairs.left, pairs.right, weight=pairs.total * pairs.binary_variance, n_items=n_items)
    meat = laplacian(pairs.left, pairs.right, weight=variance, n_items=n_items)
    return sandwich_covariance(information, meat, fit=fit)


def sandwich_covariance(information: FloatArray, meat: FloatArray, *, fit: BradleyTerryFit) -> FloatArray:
    """H^- B H^- in the gauge of `fit` and points squared; all three of shape (n_rated, n_rated)."""
    if fit.prior is None:
        covariance = inverse_squeezed(information, meat)
    else:
        precision = fit.prior.precision * np.eye(len(meat))
        bread = information + precision
        covariance = solve_positive(bread, solve_positive(bread, meat + precision).T)
    in_points = in_gauge(covariance, fit.gauge_weights[fit.rated])
    in_points *= RATING_PER_STRENGTH**2
    return in_points


def prior_share(votes: PairVotes, *, n_items: int, prior_votes: float) -> FloatArray:
    """How much of each pair's variance is not taken from its own residuals; between 0 and 1."""
    total, squares = (
        sums_at(votes.left, each, length=n_items) + sums_at(votes.right, each, length=n_items)
        for each in (votes.total, votes.squares)
    )
    effective = np.divide(squares, total**2, out=np.zeros(n_items), where=total > 0)
    prior = prior_votes * effective  # over the effective number of votes (Kish 1965, "Survey sampling")
    at_pair = prior[votes.left] + prior[votes.right]
    return at_pair / (1 + at_pair)


def _standard_errors_of_differences(covariance: FloatArray) -> FloatArray:
    variance = np.diagonal(covariance)
    sums = variance[:, np.newaxis] + variance
    of_differences = sums - 2 * covariance
    return np.sqrt(np.where(of_differences <= ROUNDING * sums, 0.0, of_differences))
