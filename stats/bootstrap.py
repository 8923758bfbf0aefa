"""Ratings of resampled votes, from counts alone: what the sandwich computes in one step, by simulation.

Each vote is drawn Poisson(1) times, so each cell of the counts Poisson(n) times, whatever the number of votes. (Hanley
and MacGibbon 2006, "Creating non-parametric bootstrap samples using Poisson frequencies".) Of weighted votes a cell is
drawn as often as its effective number of votes, which keeps the mean and the variance of its sum.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from scipy.sparse import csr_array
from scipy.special import expit, pdtr

from stats.bradley_terry import MAX_LOG_ODDS_STEP, RATING_PER_STRENGTH, BradleyTerryFit, indicator
from stats.comparisons import FloatArray, IntArray, Outcome, PairCounts
from stats.errors import InvalidLevelError, InvalidWeightError
from stats.laplacian import Grounded, laplacian
from stats.odds import chances
from stats.uncertainty import two_sided_quantile

N_RESAMPLES: Final = 1000
# Steps from the ratings: one along the score, then chord steps. A few are as good as all of them (Andrews 2002,
# "Higher-order improvements of a computationally attractive k-step bootstrap"), and finite where all of them are not.
N_STEPS: Final = 4
# This part of an item's information in all votes is added to that in the drawn ones, which may have left the item out.
HELD: Final = 0.01
PAIRS_AT_ONCE: Final = 2**18  # of all resamples that are refitted together, which keeps them in little memory
FEW_VOTES: Final = 32  # up to so many, Poisson numbers are looked up in tables, which is faster than numpy draws them
FEW_CELLS: Final = 16  # that make a table worth having
MOST_VOTES: Final = 1e18  # that numpy draws a Poisson number of


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
        """Percentile of the draws (Efron 1979, "Bootstrap methods: another look at the jackknife"), (n_items,)."""
        return np.asarray(np.quantile(self.draws, (1 - self.confidence_level) / 2, axis=0))

    @property
    def upper(self) -> FloatArray:
        """Shape (n_items,), in rating points."""
        return np.asarray(np.quantile(self.draws, (1 + self.confidence_level) / 2, axis=0))

    @property
    def standard_error(self) -> FloatArray:
        """Standard deviation of the draws, shape (n_items,), in rating points."""
        return np.asarray(self.draws.std(axis=0))


def poisson_bootstrap(
    counts: PairCounts,
    fit: BradleyTerryFit,
    *,
    rng: np.random.Generator,
    n_resamples: int = N_RESAMPLES,
    confidence_level: float = 0.95,
) -> Bootstrap:
    """Refit resampled counts, in the gauge of `fit` and with its weights; O(n_resamples * (n_pairs + n_rated ** 2)).

    The draws are within a hundredth of a standard error of full refits where every item has 150 votes or more, and the
    nearer the more votes there are. An item whose drawn votes were all won moves up by as far as N_STEPS steps lead,
    not without end. Votes that say the same throughout, such as ties alone, say it in every resample: only
    `uncertainty.sandwich` allows for others. Raises StatsError: counts of another number of items, a fit with a prior,
    no resamples, a level that is none.
    """
    _check(counts, fit, n_resamples, confidence_level)
    if not fit.rated.any():
        return _bootstrap(fit, np.empty((n_resamples, 0)), confidence_level)
    board = _board(counts, fit)
    blocks = [_refitted(board, drawn) for drawn in _resamples(board, rng, n_resamples)]
    return _bootstrap(fit, np.concatenate(blocks, axis=1).T, confidence_level)


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
    if not fit.rated.any():
        return _bootstrap(fit, np.empty((n_resamples, 0)), confidence_level)
    board = _board(counts, fit)
    blocks = [
        board.strengths + board.information.solve(board.gradient(drawn, board.strengths))
        for drawn in _resamples(board, rng, n_resamples)
    ]
    return _bootstrap(fit, np.concatenate(blocks, axis=1).T, confidence_level)


class _Drawn(NamedTuple):
    """Sums of the weights of the drawn votes of some resamples, shapes (n_pairs, n_some)."""

    left_points: FloatArray
    total: FloatArray


@dataclass(frozen=True, kw_only=True, eq=False)
class _Board:
    """Pairs of rated items, renumbered from 0; of each pair three cells: left won, right won, half a win each."""

    left: IntArray
    right: IntArray
    ends: csr_array  # column p is e_left - e_right of pair p; shape (n_items, n_pairs)
    votes: "_PoissonCells"  # of each cell, how many votes of one weight vary as much as its own do
    weight: FloatArray  # of each of those, shape (3, n_pairs, 1)
    information_of_items: FloatArray  # in all votes, shape (n_items, 1)
    strengths: FloatArray  # as fitted, shape (n_items, 1)
    bend: FloatArray  # p(1-p) of each pair, shape (n_pairs, 1)
    information: Grounded

    def gradient(self, drawn: _Drawn, strengths: FloatArray) -> FloatArray:
        """Points scored less points expected, shape (n_items, n_some)."""
        expected = drawn.total * expit(strengths[self.left] - strengths[self.right])
        return np.asarray(self.ends @ (drawn.left_points - expected))


def _check(counts: PairCounts, fit: BradleyTerryFit, n_resamples: int, confidence_level: float) -> None:
    two_sided_quantile(confidence_level)
    fit.check_is_of(counts)
    if fit.prior is not None:
        raise InvalidLevelError("Resampled votes know nothing of a prior: fit without one.")
    if not isinstance(n_resamples, int | np.integer) or n_resamples < 1:
        raise InvalidLevelError(f"Nothing can be learnt from {n_resamples} resamples.")
    if (counts.totals**2 > MOST_VOTES * counts.squares).any():
        raise InvalidWeightError(f"More than {MOST_VOTES} votes on a pair cannot be resampled.")


def _board(counts: PairCounts, fit: BradleyTerryFit) -> _Board:
    votes, strengths = counts.among(fit.rated), fit.strengths[fit.rated]
    three = np.stack([indicator({Outcome.LEFT}), indicator({Outcome.RIGHT}), indicator(fit.half_wins)])
    totals, squares = three @ votes.totals.T, three @ votes.squares.T
    log_odds = strengths[votes.left] - strengths[votes.right]
    bend = np.multiply(*chances(log_odds))
    information = laplacian(votes.left, votes.right, weight=totals.sum(axis=0) * bend, n_items=votes.n_items)
    signs = np.repeat([1.0, -1.0], len(bend))
    places = np.concatenate([votes.left, votes.right]), np.tile(np.arange(len(bend)), 2)
    return _Board(
        left=votes.left,
        right=votes.right,
        ends=csr_array((signs, places), shape=(votes.n_items, len(bend))),
        votes=_poisson_cells(np.divide(totals**2, squares, out=np.zeros_like(totals), where=squares > 0).ravel()),
        weight=np.divide(squares, totals, out=np.zeros_like(totals), where=totals > 0)[:, :, np.newaxis],
        information_of_items=np.diagonal(information)[:, np.newaxis].copy(),
        strengths=strengths[:, np.newaxis],
        bend=bend[:, np.newaxis],
        information=Grounded(information),
    )


def _resamples(board: _Board, rng: np.random.Generator, n_resamples: int) -> Iterator[_Drawn]:
    """All of them, in blocks."""
    n_pairs = len(board.left)
    at_once = max(1, PAIRS_AT_ONCE // max(n_pairs, 1))
    for done in range(0, n_resamples, at_once):
        n_some = min(at_once, n_resamples - done)
        won, lost, tied = board.votes.drawn(rng, n_some).reshape(3, n_pairs, n_some) * board.weight
        yield _Drawn(left_points=won + tied / 2, total=won + lost + tied)


class _PoissonCells(NamedTuple):
    """Expected numbers, shape (n_cells,); and cells of equal ones, with their distribution function from 0 on."""

    expected: FloatArray
    tables: tuple[tuple[IntArray, FloatArray], ...]
    others: IntArray

    def drawn(self, rng: np.random.Generator, n_some: int) -> FloatArray:
        """Poisson numbers, shape (n_cells, n_some)."""
        numbers = np.empty((len(self.expected), n_some))
        numbers[self.others] = rng.poisson(self.expected[self.others, np.newaxis], (len(self.others), n_some))
        for cells, distribution in self.tables:
            numbers[cells] = np.searchsorted(distribution, rng.random((len(cells), n_some)), side="right")
        return numbers


def _poisson_cells(expected: FloatArray) -> _PoissonCells:
    values, which, n_cells = np.unique(expected, return_inverse=True, return_counts=True)
    looked_up = (values <= FEW_VOTES) & (n_cells >= FEW_CELLS)
    up_to = np.arange(4 * FEW_VOTES)
    tables = tuple((np.flatnonzero(which == value), pdtr(up_to, values[value])) for value in np.flatnonzero(looked_up))
    return _PoissonCells(expected, tables, others=np.flatnonzero(~looked_up[which]))


def _refitted(board: _Board, drawn: _Drawn) -> FloatArray:
    """Strengths of each resample, shape (n_items, n_some).

    A chord step is along the information of all votes, made to fit the drawn ones by what it says of each item alone.
    """
    of_drawn = abs(board.ends) @ (drawn.total * board.bend)
    scale = np.sqrt(HELD + of_drawn / board.information_of_items)
    strengths = np.repeat(board.strengths, drawn.total.shape[1], axis=1)
    for step_number in range(N_STEPS):
        by_item = scale if step_number else 1.0
        step = board.information.solve(board.gradient(drawn, strengths) / by_item) / by_item
        strengths += np.clip(step, -MAX_LOG_ODDS_STEP, MAX_LOG_ODDS_STEP)
    return strengths


def _bootstrap(fit: BradleyTerryFit, strengths: FloatArray, confidence_level: float) -> Bootstrap:
    rated = fit.rated
    weights = fit.gauge_weights[rated]
    shifts = (strengths - fit.strengths[rated]) @ weights
    moved = strengths - fit.strengths[rated] - shifts[:, np.newaxis]
    draws = np.full((len(strengths), len(rated)), np.nan)
    draws[:, rated] = fit.ratings[rated] + RATING_PER_STRENGTH * moved
    return Bootstrap(ratings=fit.ratings, draws=draws, confidence_level=confidence_level)
