"""Ratings of resampled votes, from counts alone: what the sandwich computes in one step, by simulation.

Each vote is drawn Poisson(1) times, so each cell of the counts Poisson(n) times, whatever the number of votes. (Hanley
and MacGibbon 2006, "Creating non-parametric bootstrap samples using Poisson frequencies".) Of weighted votes a cell is
drawn as often as its effective number of votes, which keeps the mean and the variance of its sum.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.special import expit

from stats.bradley_terry import MAX_LOG_ODDS_STEP, RATING_PER_STRENGTH, BradleyTerryFit
from stats.comparisons import FloatArray, IntArray, InvalidLevelError, LengthMismatchError, Outcome, PairCounts, sums_at
from stats.laplacian import laplacian, solve_grounded
from stats.uncertainty import two_sided_quantile

N_RESAMPLES: Final = 1000
# Two steps from the ratings, a score step and a Newton step, are as good as all of them (Andrews 2002, "Higher-order
# improvements of a computationally attractive k-step bootstrap"), and finite where all of them are not.
# This part of the information of all votes is added to that of the drawn ones, which may have left an item out. Of no
# effect on where steps lead in the end, it leaves about as much of what the last one has to go.
HELD: Final = 0.01


@dataclass(frozen=True, kw_only=True, eq=False)
class Bootstrap:
    """`draws` of shape (n_resamples, n_items) on the rating scale, NaN for unrated items; `ratings` as fitted.

    The estimate is the fit, not the middle of the draws, which can lie away from it.
    """

    ratings: FloatArray
    draws: FloatArray
    confidence_level: float

    @property
    def lower(self) -> FloatArray:
        return np.asarray(np.quantile(self.draws, (1 - self.confidence_level) / 2, axis=0))

    @property
    def upper(self) -> FloatArray:
        return np.asarray(np.quantile(self.draws, (1 + self.confidence_level) / 2, axis=0))

    @property
    def standard_error(self) -> FloatArray:
        return np.asarray(self.draws.std(axis=0))


def poisson_bootstrap(
    counts: PairCounts,
    fit: BradleyTerryFit,
    *,
    rng: np.random.Generator,
    n_resamples: int = N_RESAMPLES,
    confidence_level: float = 0.95,
) -> Bootstrap:
    """Refit resampled counts, in the gauge of `fit` and with its weights; O(n_resamples * n_rated ** 3).

    An item whose drawn votes were all won moves up by as far as two steps lead, not without end. Raises StatsError:
    counts of another number of items, a fit with a prior, no resamples, a level that is none.
    """
    _check(counts, fit, n_resamples, confidence_level)
    cells = _cells(counts, fit)
    votes = [_drawn(cells, rng) for _ in range(n_resamples)]
    information = _information(cells, cells.strengths, cells.n_votes)
    draws = cells.strengths + _score_steps(cells, votes, information)
    for draw, drawn in zip(draws, votes, strict=True):
        draw[:] = _stepped(cells, drawn, start=draw, held=HELD * information)
    return _bootstrap(fit, draws, confidence_level)


def score_bootstrap(
    counts: PairCounts,
    fit: BradleyTerryFit,
    *,
    rng: np.random.Generator,
    n_resamples: int = N_RESAMPLES,
    confidence_level: float = 0.95,
) -> Bootstrap:
    """One step H^- g from the ratings for each resample, g being the gradient of the drawn votes.

    Its covariance is the sandwich without prior votes, exactly. (Kline and Santos 2012, "A score based approach to wild
    bootstrap inference".) Raises StatsError as `poisson_bootstrap` does.
    """
    _check(counts, fit, n_resamples, confidence_level)
    cells = _cells(counts, fit)
    votes = (_drawn(cells, rng) for _ in range(n_resamples))
    steps = _score_steps(cells, votes, _information(cells, cells.strengths, cells.n_votes))
    return _bootstrap(fit, cells.strengths + steps, confidence_level)


@dataclass(frozen=True, kw_only=True, eq=False)
class _Cells:
    """Pairs of rated items, renumbered from 0; tables of shape (n_pairs, 3): left, right, half a win each."""

    left: IntArray
    right: IntArray
    n_votes: FloatArray  # sum of the weights
    effective: FloatArray  # how many votes of one weight vary as much
    strengths: FloatArray
    n_items: int


def _check(counts: PairCounts, fit: BradleyTerryFit, n_resamples: int, confidence_level: float) -> None:
    two_sided_quantile(confidence_level)
    if counts.n_items != len(fit.strengths):
        raise LengthMismatchError(
            f"The fit is of {len(fit.strengths)} items and the counts are of {counts.n_items}: not the same data."
        )
    if fit.prior is not None:
        raise InvalidLevelError("Resampled votes know nothing of a prior: fit without one.")
    if n_resamples < 1:
        raise InvalidLevelError(f"Nothing can be learnt from {n_resamples} resamples.")


def _cells(counts: PairCounts, fit: BradleyTerryFit) -> _Cells:
    inside = fit.rated[counts.left] & fit.rated[counts.right]
    number = np.cumsum(fit.rated) - 1
    halves = sorted(fit.half_wins)

    def three(table: FloatArray) -> FloatArray:
        decided = table[inside][:, [Outcome.LEFT, Outcome.RIGHT]]
        return np.column_stack([decided, table[inside][:, halves].sum(axis=1)])

    totals, squares = three(counts.totals), three(counts.squares)
    return _Cells(
        left=number[counts.left[inside]],
        right=number[counts.right[inside]],
        n_votes=totals,
        effective=np.divide(totals**2, squares, out=np.zeros_like(totals), where=squares > 0),
        strengths=fit.strengths[fit.rated],
        n_items=int(fit.rated.sum()),
    )


def _drawn(cells: _Cells, rng: np.random.Generator) -> FloatArray:
    """The sums of the weights of the drawn votes, shape (n_pairs, 3)."""
    weight = np.divide(cells.n_votes, cells.effective, out=np.zeros_like(cells.n_votes), where=cells.effective > 0)
    return np.asarray(rng.poisson(cells.effective) * weight)


def _gradient(cells: _Cells, strengths: FloatArray, votes: FloatArray) -> FloatArray:
    log_odds = strengths[cells.left] - strengths[cells.right]
    left_points, right_points = votes[:, 0] + votes[:, 2] / 2, votes[:, 1] + votes[:, 2] / 2
    surplus = left_points * expit(-log_odds) - right_points * expit(log_odds)
    gained = sums_at(cells.left, surplus, length=cells.n_items)
    return gained - sums_at(cells.right, surplus, length=cells.n_items)


def _information(cells: _Cells, strengths: FloatArray, votes: FloatArray) -> FloatArray:
    log_odds = strengths[cells.left] - strengths[cells.right]
    weight = votes.sum(axis=1) * expit(log_odds) * expit(-log_odds)
    return laplacian(cells.left, cells.right, weight=weight, n_items=cells.n_items)


def _score_steps(cells: _Cells, votes: Iterable[FloatArray], information: FloatArray) -> FloatArray:
    """One step for each drawn table of votes along the information of all votes, shape (n_resamples, n_items)."""
    gradients = np.array([_gradient(cells, cells.strengths, drawn) for drawn in votes])
    if not cells.n_items:
        return gradients
    steps = solve_grounded(information, gradients.T).T
    return np.asarray(steps)


def _stepped(cells: _Cells, votes: FloatArray, *, start: FloatArray, held: FloatArray) -> FloatArray:
    if not cells.n_items:
        return start
    step = solve_grounded(_information(cells, start, votes) + held, _gradient(cells, start, votes))
    largest = np.abs(step[cells.left] - step[cells.right]).max()
    return np.asarray(start + step * (MAX_LOG_ODDS_STEP / max(largest, MAX_LOG_ODDS_STEP)))


def _bootstrap(fit: BradleyTerryFit, strengths: FloatArray, confidence_level: float) -> Bootstrap:
    rated = fit.rated
    weights = fit.gauge_weights[rated]
    shifts = (strengths - fit.strengths[rated]) @ weights
    moved = strengths - fit.strengths[rated] - shifts[:, np.newaxis]
    draws = np.full((len(strengths), len(rated)), np.nan)
    draws[:, rated] = fit.ratings[rated] + RATING_PER_STRENGTH * moved
    return Bootstrap(ratings=fit.ratings, draws=draws, confidence_level=confidence_level)
