"""How far ratings and coefficients of a fit with covariates may be off; both, and plain ratings, also by clusters."""

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy.special import expit

from stats.bradley_terry import RATING_PER_STRENGTH, BradleyTerryFit
from stats.clusters import Scores, cluster_meat
from stats.comparisons import Comparisons, FloatArray, IntArray, PairCounts
from stats.covariate_passes import ControlledComparisons, Source, counted_outcomes, one_pass
from stats.covariates import CovariateFit, pair_votes
from stats.errors import InvalidLevelError, LengthMismatchError
from stats.laplacian import in_gauge, inverse_squeezed, laplacian
from stats.uncertainty import (
    PRIOR_VOTES,
    PairVotes,
    Uncertainty,
    among_all,
    check_options,
    prior_share,
    sandwich_covariance,
    two_sided_quantile,
)


@dataclass(frozen=True, kw_only=True, eq=False)
class Coefficients:
    """Shapes (k,), `covariance` (k, k), in log-odds per unit of the covariate."""

    estimates: FloatArray
    covariance: FloatArray
    confidence_level: float

    @property
    def standard_errors(self) -> FloatArray:
        """Square roots of the covariance's diagonal, shape (k,)."""
        return np.sqrt(np.diagonal(self.covariance))

    @property
    def lower(self) -> FloatArray:
        """End of Wald's interval, shape (k,)."""
        return self.estimates - two_sided_quantile(self.confidence_level) * self.standard_errors

    @property
    def upper(self) -> FloatArray:
        """End of Wald's interval, shape (k,)."""
        return self.estimates + two_sided_quantile(self.confidence_level) * self.standard_errors

    def in_points(self) -> "Coefficients":
        """The same in rating points per unit of the covariate."""
        return replace(
            self,
            estimates=self.estimates * RATING_PER_STRENGTH,
            covariance=self.covariance * RATING_PER_STRENGTH**2,
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class CovariateUncertainty:
    """Ratings in points, coefficients in log-odds; each with its part of one joint covariance."""

    ratings: Uncertainty
    coefficients: Coefficients


def covariate_sandwich(
    fit: CovariateFit, *, confidence_level: float = 0.95, prior_votes: float = PRIOR_VOTES
) -> CovariateUncertainty:
    """Covariance H^-1 B H^-1 of ratings and coefficients together, from what the last pass of the fit added up.

    H = sum of w p(1-p) zz' and the prior's precision, B = sum of w^2 (y - p)^2 zz', z = (e_left - e_right, x), less
    what the prior's pull accounts for. `prior_votes` widen the items with few votes as in `uncertainty.sandwich`, by
    what their pairs' residuals fall short of a vote that cannot tie. Raises StatsError: options outside their range.
    """
    check_options(confidence_level, prior_votes)
    pull = _precision(fit) * np.nan_to_num(fit.parameters)
    n_effective = fit.votes.total.sum() ** 2 / (fit.votes.squares.sum() or 1.0)
    n_items = int(fit.rated.sum())
    meat = fit.meat - np.outer(pull, pull) / max(n_effective, 1.0)
    meat[:n_items, :n_items] += _shortfall(
        fit.votes, fit.parameters[:n_items], spread=fit.meat, prior_votes=prior_votes
    )
    return _uncertainty(fit, meat, confidence_level)


def clustered_covariate_sandwich(
    data: ControlledComparisons,
    fit: CovariateFit,
    *,
    clusters: npt.ArrayLike,
    confidence_level: float = 0.95,
    prior_votes: float = PRIOR_VOTES,
) -> CovariateUncertainty:
    """As `covariate_sandwich`, B being the sum over clusters of squared sums, times C / (C - 1) for C clusters.

    `clusters` has shape (n_comparisons,) and holds a whole number for each voter or prompt; those without a comparison
    that counts are none. It reads the comparisons that `fit` was fitted to once more. Sums may cancel in a few clusters
    as ties may in a few votes, so the prior votes are added to B here, not mixed with it. With few clusters, say under
    20, the intervals are too narrow all the same. Raises StatsError: fewer than two clusters, data of another size.
    """
    check_options(confidence_level, prior_votes)
    fit.check_is_of(data.comparisons)
    if data.n_coefficients != len(fit.coefficients):
        raise LengthMismatchError(
            f"The fit has {len(fit.coefficients)} coefficients and the data {data.n_coefficients}: not the same data."
        )
    source = Source(data=data, rated=fit.rated, counted=counted_outcomes(fit.half_wins))
    n_items = int(fit.rated.sum())
    meat = _meat_of_clusters(source, fit.parameters, clusters)
    meat[:n_items, :n_items] += _prior_meat(fit.votes, fit.parameters[:n_items], prior_votes=prior_votes)
    return _uncertainty(fit, meat, confidence_level)


def clustered_sandwich(
    comparisons: Comparisons,
    fit: BradleyTerryFit,
    *,
    clusters: npt.ArrayLike,
    confidence_level: float = 0.95,
    prior_votes: float = PRIOR_VOTES,
) -> Uncertainty:
    """`uncertainty.sandwich` with B as in `clustered_covariate_sandwich`, from the comparisons that were counted.

    Raises StatsError: also of a fit with a prior, whose few votes seem to vary less than they do.
    """
    check_options(confidence_level, prior_votes)
    if fit.prior is not None:
        raise InvalidLevelError("What clusters vary by is not seen in a fit with a prior: fit without one.")
    fit.check_is_of(comparisons)
    n_items, rated = comparisons.n_items, fit.rated
    covariance = np.full((n_items, n_items), np.nan)
    if rated.any():
        data = ControlledComparisons(comparisons=comparisons, covariates=np.empty((len(comparisons.left), 0)))
        source = Source(data=data, rated=rated, counted=counted_outcomes(fit.half_wins))
        strengths = fit.strengths[rated]
        information = one_pass(source, strengths, information=True).information
        votes = pair_votes(PairCounts.from_comparisons(comparisons), fit.half_wins, rated)
        meat = _meat_of_clusters(source, strengths, clusters)
        meat += _prior_meat(votes, strengths, prior_votes=prior_votes)
        covariance[np.ix_(rated, rated)] = sandwich_covariance(information, meat, fit=fit)
    return Uncertainty(ratings=fit.ratings, covariance=covariance, confidence_level=confidence_level)


def _meat_of_clusters(source: Source, parameters: FloatArray, clusters: npt.ArrayLike) -> FloatArray:
    """B of `clusters.cluster_meat`, a comparison's score being w (y - p) z; shape (n_parameters, n_parameters)."""

    def scores_of(which: IntArray) -> Scores:
        rows = source.rows(which)
        residuals = rows.residuals(parameters)
        return Scores(rows.left, rows.right, residuals, rows.covariates * residuals[:, np.newaxis])

    return cluster_meat(clusters, scores_of, kept=source.kept(slice(None)), n_parameters=len(parameters))


def _precision(fit: CovariateFit) -> FloatArray:
    """The prior's, shape (n_parameters,)."""
    of_coefficients = 0.0 if fit.prior is None else fit.prior.precision
    n_items = int(fit.rated.sum())
    return np.concatenate([np.zeros(n_items), np.full(len(fit.coefficients), of_coefficients)])


def _prior_meat(votes: PairVotes, strengths: FloatArray, *, prior_votes: float) -> FloatArray:
    """What the prior votes add to the rating block, shape (n_rated, n_rated)."""
    share = prior_share(votes, n_items=len(strengths), prior_votes=prior_votes)
    weight = share * votes.squares * _binary_variance(votes, strengths)
    return laplacian(votes.left, votes.right, weight=weight, n_items=len(strengths))


def _shortfall(votes: PairVotes, strengths: FloatArray, *, spread: FloatArray, prior_votes: float) -> FloatArray:
    """The same if they are mixed with `spread`, the plain meat."""
    missing = np.maximum(votes.squares * _binary_variance(votes, strengths) + spread[votes.left, votes.right], 0.0)
    share = prior_share(votes, n_items=len(strengths), prior_votes=prior_votes)
    return laplacian(votes.left, votes.right, weight=share * missing, n_items=len(strengths))


def _binary_variance(votes: PairVotes, strengths: FloatArray) -> FloatArray:
    difference = strengths[votes.left] - strengths[votes.right]
    return np.asarray(expit(difference) * expit(-difference))


def _uncertainty(fit: CovariateFit, meat: FloatArray, confidence_level: float) -> CovariateUncertainty:
    n_items = int(fit.rated.sum())
    covariance = np.full(fit.meat.shape, np.nan)
    if n_items:
        bread = fit.information + np.diag(_precision(fit))
        covariance = in_gauge(inverse_squeezed(bread, meat, n_items=n_items), fit.gauge_weights[fit.rated])
    of_ratings = among_all(covariance[:n_items, :n_items] * RATING_PER_STRENGTH**2, fit.rated)
    return CovariateUncertainty(
        ratings=Uncertainty(ratings=fit.ratings, covariance=of_ratings, confidence_level=confidence_level),
        coefficients=Coefficients(
            estimates=fit.coefficients,
            covariance=covariance[n_items:, n_items:],
            confidence_level=confidence_level,
        ),
    )
