"""Ties as an outcome of their own: the models of Rao and Kupper and of Davidson, fitted to counts by Newton's method.

Both have one parameter for how readily voters call a tie, besides one strength per item, and both likelihoods are
concave in the strengths d = s_left - s_right and a tie parameter on its own scale:

Rao-Kupper   P(left) = 1 / (1 + exp(eta - d)), P(right) likewise, theta = exp(eta) >= 1: a tie is a difference too
             small to see (Rao and Kupper 1967, "Ties in paired-comparison experiments: a generalization of the
             Bradley-Terry model").
Davidson     P(left) : P(right) : P(tie) = exp(d/2) : exp(-d/2) : nu, nu = exp(kappa) >= 0: the odds of the decided
             comparisons are those of Bradley and Terry (Davidson 1970, "On extending the Bradley-Terry model to
             accommodate ties in paired comparison experiments"; evalica calls nu / 2 its v).
"""

from collections.abc import Collection
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final, NamedTuple

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import NegativeCycleError, bellman_ford
from scipy.special import expit, softmax

from stats.bradley_terry import (
    HALF_WINS,
    MAX_ITERATIONS,
    MAX_LOG_ODDS_STEP,
    RATING_PER_STRENGTH,
    Anchor,
    Gauge,
    StrengthFit,
    checked_half_wins,
    gauge_weights,
    half_points,
    indicator,
    maximum,
)
from stats.comparisons import BoolArray, FloatArray, IntArray, Outcome, PairCounts, sums_at
from stats.connectivity import Connectivity, ItemStatus, PairPoints, connectivity
from stats.laplacian import laplacian, solve_grounded

MAX_NEWTON_DECREMENT: Final = 1e-7  # how far any difference is from the maximum, at most, in standard errors
START: Final = 0.5  # of eta, whose logarithm the likelihood fences it with, and near the usual kappa
LARGEST_FALL: Final = 0.5  # of what is left of eta, in one step


class TieModel(StrEnum):
    RAO_KUPPER = "rao_kupper"
    DAVIDSON = "davidson"


class TieStatus(StrEnum):
    """Whether the comparisons determine the tie parameter, looked for in this order."""

    NO_RATED_ITEMS = "no_rated_items"
    NO_TIES = "no_ties"  # the parameter lies at its bound (theta = 1, nu = 0), where both models are Bradley-Terry
    SEPARATED = "separated"  # some order of the items and a boundless parameter explain every vote: nothing is rated
    ESTIMATED = "estimated"


class OutcomeProbabilities(NamedTuple):
    """Each of the shape of the differences; they sum to one."""

    left: FloatArray
    right: FloatArray
    tie: FloatArray


class Cells(NamedTuple):
    """The three outcomes of every pair of rated items, which are renumbered from 0: shapes (n_pairs,) and, in the order
    left, right, tie, (n_pairs, 3)."""

    left: IntArray
    right: IntArray
    totals: FloatArray
    squares: FloatArray
    n_items: int


class Slopes(NamedTuple):
    """Derivatives of each outcome's log-probability, shapes (n_pairs, 3) in the order left, right, tie: the first two
    by the difference d and by the tie parameter on its scale, then minus the second ones."""

    by_difference: FloatArray
    by_tie: FloatArray
    difference_twice: FloatArray
    crossed: FloatArray
    tie_twice: FloatArray


@dataclass(frozen=True, kw_only=True, eq=False)
class TieFit(StrengthFit):
    """`log_tie_parameter` is eta or kappa: minus infinity for Davidson and 0 for Rao-Kupper where there are no ties,
    NaN where nothing is rated. `tied` are the outcomes taken for a tie.
    """

    tie_model: TieModel
    log_tie_parameter: float
    tie_status: TieStatus
    tied: frozenset[Outcome]
    n_iterations: int
    gradient_norm: float

    @property
    def tie_parameter(self) -> float:
        """Theta of Rao and Kupper, or nu of Davidson."""
        return float(np.exp(self.log_tie_parameter))

    @property
    def tie_probability_of_equals(self) -> float:
        """How probable a tie is between two items of the same strength."""
        return float(outcome_probabilities(self, np.zeros(1)).tie[0])


class _Maximum(NamedTuple):
    strengths: FloatArray
    log_tie: float
    converged: bool
    n_iterations: int
    gradient_norm: float


def fit_with_ties(
    counts: PairCounts,
    *,
    tie_model: TieModel,
    tied: Collection[Outcome] = HALF_WINS,
    gauge: Gauge | Anchor = Gauge.VOTE_WEIGHTED_MEAN,
    max_iterations: int = MAX_ITERATIONS,
) -> TieFit:
    """Maximise the likelihood of wins, losses and ties over strengths and tie parameter together.

    The outcomes in `tied` are ties, the other undecided ones are left out. The cost is that of `bradley_terry.fit`.
    A maximum exists where Bradley-Terry's does unless some strengths make every win a lead of at least one unit and
    every tie one of at most one unit: then the parameter grows for ever (only ties is the plainest case), the rated
    group becomes SEPARATED and is not rated. Raises StatsError as `bradley_terry.fit` does.
    """
    tie_model, outcomes = TieModel(tie_model), checked_half_wins(tied)
    points = half_points(counts, outcomes)
    links = connectivity(points)
    cells = cells_among(counts, links.rated, tied=outcomes)
    status = _tie_status(cells)
    if status is TieStatus.SEPARATED:
        links = _separated(links)
        cells = cells_among(counts, links.rated, tied=outcomes)
    weights, level = gauge_weights(gauge, links, rated=links.rated, among_rated=points.among(links.rated))
    best = _maximum(cells, tie_model, status=status, max_iterations=max_iterations)
    strengths = np.full(counts.n_items, np.nan)
    strengths[links.rated] = best.strengths - weights[links.rated] @ best.strengths
    return TieFit(
        tie_model=tie_model,
        strengths=strengths,
        ratings=level + RATING_PER_STRENGTH * strengths,
        log_tie_parameter=best.log_tie,
        tie_status=status,
        connectivity=links,
        gauge_weights=weights,
        tied=outcomes,
        converged=best.converged,
        n_iterations=best.n_iterations,
        gradient_norm=best.gradient_norm,
    )


def outcome_probabilities(fit: TieFit, differences: FloatArray) -> OutcomeProbabilities:
    """How probable each outcome is where the left item's strength exceeds the right one's by `differences`."""
    if fit.tie_model is TieModel.RAO_KUPPER:
        left = expit(differences - fit.log_tie_parameter)
        right = expit(-differences - fit.log_tie_parameter)
        return OutcomeProbabilities(left, right, left * right * float(np.expm1(2 * fit.log_tie_parameter)))
    logits = np.stack([differences / 2, -differences / 2, np.full(differences.shape, fit.log_tie_parameter)])
    return OutcomeProbabilities(*softmax(logits, axis=0))


def cells_among(counts: PairCounts, rated: BoolArray, *, tied: frozenset[Outcome]) -> Cells:
    """The pairs between rated items, with the outcomes in `tied` added up."""
    votes = counts.among(rated)
    three = np.column_stack([indicator({Outcome.LEFT}), indicator({Outcome.RIGHT}), indicator(tied)])
    return Cells(
        left=votes.left,
        right=votes.right,
        totals=votes.totals @ three,
        squares=votes.squares @ three,
        n_items=votes.n_items,
    )


def slopes(tie_model: TieModel, differences: FloatArray, *, log_tie: float) -> Slopes:
    """Derivatives of the log-probabilities at s_left - s_right, shape (n_pairs,), and at eta or kappa."""
    if tie_model is TieModel.RAO_KUPPER:
        return _slopes_of_rao_kupper(differences, log_tie)
    return _slopes_of_davidson(differences, log_tie)


def _slopes_of_rao_kupper(differences: FloatArray, eta: float) -> Slopes:
    """Of ln P(left) = ln s(d - eta), ln P(right) = ln s(-d - eta), ln P(tie) = both + ln(exp(2 eta) - 1)."""
    left, right = expit(eta - differences), expit(eta + differences)  # one minus either probability
    bend_left, bend_right = left * (1 - left), right * (1 - right)
    both = bend_left + bend_right
    return Slopes(
        by_difference=np.column_stack([left, -right, left - right]),
        by_tie=np.column_stack([-left, -right, -left - right - 2 / np.expm1(-2 * eta)]),
        difference_twice=np.column_stack([bend_left, bend_right, both]),
        crossed=np.column_stack([-bend_left, bend_right, bend_right - bend_left]),
        tie_twice=np.column_stack([bend_left, bend_right, both + 1 / np.sinh(eta) ** 2]),
    )


def _slopes_of_davidson(differences: FloatArray, kappa: float) -> Slopes:
    """Of the logarithm of a softmax over (d/2, -d/2, kappa), whose second derivatives are those of its normaliser."""
    logits = np.column_stack([differences / 2, -differences / 2, np.full(differences.shape, kappa)])
    left, right, tie = softmax(logits, axis=1).T
    expected = (left - right) / 2
    return Slopes(
        by_difference=np.column_stack([0.5 - expected, -0.5 - expected, -expected]),
        by_tie=np.column_stack([-tie, -tie, 1 - tie]),
        difference_twice=_thrice((left + right) / 4 - expected**2),
        crossed=_thrice(-tie * expected),
        tie_twice=_thrice(tie * (1 - tie)),
    )


def _thrice(column: FloatArray) -> FloatArray:
    return np.column_stack([column] * 3)


def bordered(cells: Cells, weights: tuple[FloatArray, FloatArray, FloatArray]) -> FloatArray:
    """Sum over pairs of weight * zz', z = (e_left - e_right, tie): shape (n_items + 1, n_items + 1).

    `weights` are, per pair, those of (difference, difference), (difference, tie) and (tie, tie).
    """
    differences, crossed, ties = weights
    matrix = np.empty((cells.n_items + 1, cells.n_items + 1))
    matrix[:-1, :-1] = laplacian(cells.left, cells.right, weight=differences, n_items=cells.n_items)
    matrix[:-1, -1] = matrix[-1, :-1] = _per_item(cells, crossed)
    matrix[-1, -1] = ties.sum()
    return matrix


def _per_item(cells: Cells, values: FloatArray) -> FloatArray:
    """Add each pair's value to the left item, and take it from the right one."""
    return sums_at(cells.left, values, length=cells.n_items) - sums_at(cells.right, values, length=cells.n_items)


def information(cells: Cells, at: Slopes) -> FloatArray:
    """Minus the second derivatives of the log-likelihood."""
    return bordered(
        cells,
        (
            (cells.totals * at.difference_twice).sum(axis=1),
            (cells.totals * at.crossed).sum(axis=1),
            (cells.totals * at.tie_twice).sum(axis=1),
        ),
    )


def _gradient(cells: Cells, at: Slopes) -> FloatArray:
    by_item = _per_item(cells, (cells.totals * at.by_difference).sum(axis=1))
    return np.append(by_item, (cells.totals * at.by_tie).sum())


def _maximum(cells: Cells, tie_model: TieModel, *, status: TieStatus, max_iterations: int) -> _Maximum:
    if status is TieStatus.ESTIMATED:
        return _newton(cells, tie_model, max_iterations)
    if status is TieStatus.NO_TIES:
        return _at_the_bound(cells, tie_model, max_iterations)
    return _Maximum(np.zeros(0), np.nan, True, 0, 0.0)


def _at_the_bound(cells: Cells, tie_model: TieModel, max_iterations: int) -> _Maximum:
    """Without ties both are the model of Bradley and Terry."""
    decided = PairPoints(
        left=cells.left,
        right=cells.right,
        left_points=cells.totals[:, 0],
        right_points=cells.totals[:, 1],
        n_items=cells.n_items,
    )
    plain = maximum(decided, max_iterations, precision=0.0)
    log_tie = 0.0 if tie_model is TieModel.RAO_KUPPER else -np.inf
    return _Maximum(plain.strengths, log_tie, plain.converged, plain.n_iterations, plain.gradient_norm)


def _newton(cells: Cells, tie_model: TieModel, max_iterations: int) -> _Maximum:
    parameters = np.append(np.zeros(cells.n_items), START)
    converged = False
    n_iterations = 0
    while not converged and n_iterations < max_iterations:
        at = _slopes_at(cells, tie_model, parameters)
        gradient = _gradient(cells, at)
        step = solve_grounded(information(cells, at), gradient, n_items=cells.n_items)
        parameters = parameters + step * _allowed(cells, tie_model, parameters=parameters, step=step)
        converged = bool(gradient @ step <= MAX_NEWTON_DECREMENT**2)
        n_iterations += 1
    gradient_norm = float(np.abs(_gradient(cells, _slopes_at(cells, tie_model, parameters))).max())
    return _Maximum(parameters[:-1], float(parameters[-1]), converged, n_iterations, gradient_norm)


def _slopes_at(cells: Cells, tie_model: TieModel, parameters: FloatArray) -> Slopes:
    return slopes(tie_model, parameters[cells.left] - parameters[cells.right], log_tie=float(parameters[-1]))


def _allowed(cells: Cells, tie_model: TieModel, *, parameters: FloatArray, step: FloatArray) -> float:
    """The part of a Newton step that is taken: no log-odds changes by more than Bach's bound, and eta stays above 0."""
    largest = np.abs(step[cells.left] - step[cells.right]).max() + abs(step[-1])
    allowed = MAX_LOG_ODDS_STEP / max(largest, MAX_LOG_ODDS_STEP)
    if tie_model is TieModel.RAO_KUPPER:
        allowed = min(allowed, LARGEST_FALL * parameters[-1] / max(-step[-1], LARGEST_FALL * parameters[-1]))
    return float(allowed)


def _tie_status(cells: Cells) -> TieStatus:
    if cells.n_items == 0:
        return TieStatus.NO_RATED_ITEMS
    if not cells.totals[:, 2].any():
        return TieStatus.NO_TIES
    return TieStatus.SEPARATED if _lead_decides(cells) else TieStatus.ESTIMATED


def _lead_decides(cells: Cells) -> bool:
    """Whether some strengths lead by 1 or more in every win and by 1 or less in every tie.

    These are bounds on differences, so they contradict each other exactly if the graph of the bounds has a cycle of
    negative length (Bellman 1958, "On a routing problem").
    """
    scored = cells.totals > 0
    if (scored[:, 0] & scored[:, 1]).any():
        return False
    ends = np.concatenate([cells.left, cells.right]), np.concatenate([cells.right, cells.left])
    won = np.concatenate([scored[:, 0], scored[:, 1]])
    bounded = won | np.tile(scored[:, 2], 2)
    lengths = np.where(won, -1.0, 1.0)[bounded]
    graph = csr_array((lengths, (ends[0][bounded], ends[1][bounded])), shape=(cells.n_items, cells.n_items))
    try:
        bellman_ford(graph, indices=[0])
    except NegativeCycleError:
        return False
    return True


def _separated(links: Connectivity) -> Connectivity:
    statuses = (ItemStatus.SEPARATED if each is ItemStatus.RATED else each for each in links.statuses)
    return replace(links, statuses=tuple(statuses))
