"""How far the ratings and the tie parameter of a Rao-Kupper or Davidson fit may be off."""

from typing import NamedTuple

import numpy as np

from stats.bradley_terry import RATING_PER_STRENGTH, BradleyTerryFit
from stats.comparisons import FloatArray, LengthMismatchError, PairCounts
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
    check_options,
    prior_share,
    sandwich,
    two_sided_quantile,
)


class TieParameter(NamedTuple):
    """Theta or nu with the interval whose ends are symmetric on the logarithmic scale of the fit; no theta is below 1.

    The standard error is that of eta or kappa; like the interval, it is NaN where the parameter is not estimated.
    """

    estimate: float
    standard_error_of_logarithm: float
    lower: float
    upper: float


class TieUncertainty(NamedTuple):
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
    if counts.n_items != len(fit.strengths):
        raise LengthMismatchError(
            f"The fit is of {len(fit.strengths)} items and the counts are of {counts.n_items}: not the same data."
        )
    covariance = np.full((counts.n_items, counts.n_items), np.nan)
    error = np.nan
    if fit.tie_status is TieStatus.ESTIMATED:
        joint = _covariance(cells_among(counts, fit.rated, tied=fit.tied), fit, prior_votes)
        covariance[np.ix_(fit.rated, fit.rated)] = joint[:-1, :-1] * RATING_PER_STRENGTH**2
        error = float(np.sqrt(joint[-1, -1]))
    elif fit.tie_status is TieStatus.NO_TIES:
        covariance = _without_ties(counts, fit, prior_votes)
    ratings = Uncertainty(ratings=fit.ratings, covariance=covariance, confidence_level=confidence_level)
    margin = two_sided_quantile(confidence_level) * error
    least = 0.0 if fit.tie_model is TieModel.RAO_KUPPER else -np.inf
    lower, upper = np.exp(np.maximum(fit.log_tie_parameter + margin * np.array([-1.0, 1.0]), least)).tolist()
    return TieUncertainty(ratings, TieParameter(fit.tie_parameter, error, lower, upper))


def _covariance(cells: Cells, fit: TieFit, prior_votes: float) -> FloatArray:
    """Of the strengths of the rated items and, last, of the tie parameter's logarithm."""
    strengths = fit.strengths[fit.rated]
    differences = strengths[cells.left] - strengths[cells.right]
    at = slopes(fit.tie_model, differences, log_tie=fit.log_tie_parameter)
    votes = PairVotes(cells.left, cells.right, cells.totals.sum(axis=1), cells.squares.sum(axis=1))
    share = prior_share(votes, n_items=cells.n_items, prior_votes=prior_votes)
    probabilities = np.column_stack(outcome_probabilities(fit, differences))
    expected = votes.squares[:, np.newaxis] * probabilities
    believed = (1 - share)[:, np.newaxis] * cells.squares + share[:, np.newaxis] * expected
    bread = information(cells, at)
    meat = _meat(cells, at, squares=believed)
    return in_gauge(inverse_squeezed(bread, meat, n_items=cells.n_items), fit.gauge_weights[fit.rated])


def _meat(cells: Cells, at: Slopes, *, squares: FloatArray) -> FloatArray:
    return bordered(
        cells,
        (
            (squares * at.by_difference**2).sum(axis=1),
            (squares * at.by_difference * at.by_tie).sum(axis=1),
            (squares * at.by_tie**2).sum(axis=1),
        ),
    )


def _without_ties(counts: PairCounts, fit: TieFit, prior_votes: float) -> FloatArray:
    plain = BradleyTerryFit(
        strengths=fit.strengths,
        ratings=fit.ratings,
        connectivity=fit.connectivity,
        gauge_weights=fit.gauge_weights,
        half_wins=fit.tied,
        converged=fit.converged,
        n_iterations=fit.n_iterations,
        gradient_norm=fit.gradient_norm,
    )
    return sandwich(counts, plain, prior_votes=prior_votes).covariance
