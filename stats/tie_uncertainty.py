"""How far the ratings and the tie parameter of a Rao-Kupper or Davidson fit may be off."""

from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from stats.bradley_terry import RATING_PER_STRENGTH, BradleyTerryFit
from stats.clusters import Scores, cluster_meat
from stats.comparisons import Comparisons, FloatArray, IntArray, Outcome, PairCounts
from stats.covariate_passes import counted_outcomes
from stats.covariate_uncertainty import clustered_sandwich
from stats.laplacian import in_gauge, inverse_squeezed
from stats.ties import (
    Cells,
    Slopes,
    TieFit,
    TieModel,
    TieStatus,
    bordered,
    cells_among,
    information,
    outcome_probabilities,
    slopes,
)
from stats.uncertainty import (
    PRIOR_VOTES,
    PairVotes,
    Uncertainty,
    among_all,
    check_options,
    prior_share,
    sandwich,
    two_sided_quantile,
)

TIED: Final = 2  # the column of `ties.Cells` and `ties.Slopes`


class TieParameter(NamedTuple):
    """Theta or nu with the interval whose ends are symmetric on the logarithmic scale of the fit; no theta is below 1.

    The standard error is that of eta or kappa; like the interval, it is NaN where the parameter is not estimated.
    """

    estimate: float
    standard_error_of_logarithm: float
    lower: float
    upper: float


class TieUncertainty(NamedTuple):
    """Each has its part of one joint covariance."""

    ratings: Uncertainty
    tie_parameter: TieParameter


def tie_sandwich(
    counts: PairCounts, fit: TieFit, *, confidence_level: float = 0.95, prior_votes: float = PRIOR_VOTES
) -> TieUncertainty:
    """Covariance H^- B H^- of ratings and tie parameter together, from the counts that `fit` was fitted to.

    H are minus the second derivatives, B = sum over comparisons of w^2 uu', u the derivatives of one comparison's
    log-probability. As in `uncertainty.sandwich`, an item's few comparisons are not believed to vary as little as they
    happen to: B is mixed with what the model expects of it, as if the item had `prior_votes` more of them.
    Raises StatsError: counts of another number of items, a confidence level not between 0 and 1.
    """
    check_options(confidence_level, prior_votes)
    fit.check_is_of(counts)
    if fit.tie_status is TieStatus.NO_TIES:
        plain = sandwich(counts, _without_ties(fit), prior_votes=prior_votes)
        return _uncertainty(fit, plain.covariance, confidence_level=confidence_level)
    cells = _believed(cells_among(counts, fit.rated, tied=fit.tied), fit, prior_votes)
    meat = _meat(cells.votes, cells.at, squares=(1 - cells.share) * cells.votes.squares + cells.prior_squares)
    return _of_estimate(fit, cells, meat, confidence_level=confidence_level)


def clustered_tie_sandwich(
    comparisons: Comparisons,
    fit: TieFit,
    *,
    clusters: npt.ArrayLike,
    confidence_level: float = 0.95,
    prior_votes: float = PRIOR_VOTES,
) -> TieUncertainty:
    """As `tie_sandwich`, B being that of `clusters.cluster_meat`, from the comparisons that were counted.

    `clusters` has shape (n_comparisons,) and holds a whole number for each voter or prompt. As in
    `covariate_uncertainty.clustered_sandwich` the prior votes are added to B, not mixed with it. Raises StatsError.
    """
    check_options(confidence_level, prior_votes)
    fit.check_is_of(comparisons)
    if fit.tie_status is TieStatus.NO_TIES:
        plain = clustered_sandwich(comparisons, _without_ties(fit), clusters=clusters, prior_votes=prior_votes)
        return _uncertainty(fit, plain.covariance, confidence_level=confidence_level)
    counts = PairCounts.from_comparisons(comparisons)
    cells = _believed(cells_among(counts, fit.rated, tied=fit.tied), fit, prior_votes)
    meat = _meat(cells.votes, cells.at, squares=cells.prior_squares)
    if fit.tie_status is TieStatus.ESTIMATED:
        meat = meat + _meat_of_clusters(comparisons, fit, clusters)
    return _of_estimate(fit, cells, meat, confidence_level=confidence_level)


class _Believed(NamedTuple):
    """The cells, the derivatives at the fit, and how much each pair's variance is not taken from its own votes."""

    votes: Cells
    at: Slopes
    share: FloatArray  # shape (n_pairs, 1)
    prior_squares: FloatArray  # what the model expects of the squared weights, times the share; shape (n_pairs, 3)


def _believed(cells: Cells, fit: TieFit, prior_votes: float) -> _Believed:
    strengths = fit.strengths[fit.rated]
    differences = strengths[cells.left] - strengths[cells.right]
    votes = PairVotes(cells.left, cells.right, cells.totals.sum(axis=1), cells.squares.sum(axis=1))
    share = prior_share(votes, n_items=cells.n_items, prior_votes=prior_votes)[:, np.newaxis]
    expected = votes.squares[:, np.newaxis] * np.column_stack(outcome_probabilities(fit, differences))
    at = slopes(fit.tie_model, differences, log_tie=fit.log_tie_parameter)
    return _Believed(cells, at, share, share * expected)


def _of_estimate(fit: TieFit, cells: _Believed, meat: FloatArray, *, confidence_level: float) -> TieUncertainty:
    """Of an estimated tie parameter; NaN throughout if nothing is rated."""
    n_items = cells.votes.n_items
    if not n_items:
        nothing = among_all(np.empty((0, 0)), fit.rated)
        return _uncertainty(fit, nothing, confidence_level=confidence_level)
    squeezed = inverse_squeezed(information(cells.votes, cells.at), meat, n_items=n_items)
    joint = in_gauge(squeezed, fit.gauge_weights[fit.rated])
    of_ratings = among_all(joint[:-1, :-1] * RATING_PER_STRENGTH**2, fit.rated)
    return _uncertainty(fit, of_ratings, error=float(np.sqrt(joint[-1, -1])), confidence_level=confidence_level)


def _uncertainty(
    fit: TieFit, covariance: FloatArray, *, error: float = float("nan"), confidence_level: float
) -> TieUncertainty:
    ratings = Uncertainty(ratings=fit.ratings, covariance=covariance, confidence_level=confidence_level)
    margin = two_sided_quantile(confidence_level) * error
    least = 0.0 if fit.tie_model is TieModel.RAO_KUPPER else -np.inf
    lower, upper = np.exp(np.maximum(fit.log_tie_parameter + margin * np.array([-1.0, 1.0]), least)).tolist()
    return TieUncertainty(ratings, TieParameter(fit.tie_parameter, error, lower, upper))


def _meat_of_clusters(comparisons: Comparisons, fit: TieFit, clusters: npt.ArrayLike) -> FloatArray:
    rated, number = fit.rated, np.cumsum(fit.rated) - 1
    column = np.full(len(Outcome), TIED)
    column[[Outcome.LEFT, Outcome.RIGHT]] = 0, 1
    kept = rated[comparisons.left] & rated[comparisons.right] & (comparisons.weight > 0)
    kept &= counted_outcomes(fit.tied)[comparisons.outcome]

    def scores_of(which: IntArray) -> Scores:
        votes = comparisons.part(which)
        differences = fit.strengths[votes.left] - fit.strengths[votes.right]
        at = slopes(fit.tie_model, differences, log_tie=fit.log_tie_parameter)
        cell = np.arange(len(which)), column[votes.outcome]
        by_difference, by_tie = (votes.weight * each[cell] for each in (at.by_difference, at.by_tie))
        return Scores(number[votes.left], number[votes.right], by_difference, by_tie[:, np.newaxis])

    return cluster_meat(clusters, scores_of, kept=kept, n_parameters=int(rated.sum()) + 1)


def _meat(cells: Cells, at: Slopes, *, squares: FloatArray) -> FloatArray:
    return bordered(
        cells,
        (
            (squares * at.by_difference**2).sum(axis=1),
            (squares * at.by_difference * at.by_tie).sum(axis=1),
            (squares * at.by_tie**2).sum(axis=1),
        ),
    )


def _without_ties(fit: TieFit) -> BradleyTerryFit:
    """Where there are no ties both models are that of Bradley and Terry."""
    return BradleyTerryFit(
        strengths=fit.strengths,
        ratings=fit.ratings,
        connectivity=fit.connectivity,
        gauge_weights=fit.gauge_weights,
        half_wins=fit.tied,
        converged=fit.converged,
        n_iterations=fit.n_iterations,
        gradient_norm=fit.gradient_norm,
    )
