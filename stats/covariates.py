"""Bradley-Terry with covariates: ratings at equal style, and what style, or the side it was shown on, is worth.

Left wins with log-odds s_left - s_right + x'g. The strengths are those of answers alike in every covariate; g is how
much one unit of x adds, and RATING_PER_STRENGTH * g says so in rating points. (arena-rank's ContextualBradleyTerry and
FastChat's style control are this model; both shrink g, by a penalty of 1 on the mean loss and of 1/2 on its sum. Here
nothing is shrunk unless a prior is asked for by name.)
"""

from collections.abc import Collection
from dataclasses import dataclass
from enum import Enum
from typing import Final, NamedTuple

import numpy as np

from stats.bradley_terry import (
    HALF_WINS,
    MAX_LOG_ODDS_STEP,
    RATING_PER_STRENGTH,
    Anchor,
    Gauge,
    NormalPrior,
    StrengthFit,
    checked_half_wins,
    fit,
)
from stats.comparisons import BoolArray, FloatArray, Outcome, PairCounts
from stats.covariate_passes import ControlledComparisons, Source, Sums, counted_outcomes, mean_squares, one_pass
from stats.errors import CollinearCovariatesError, IllConditionedError, SeparatedCovariatesError
from stats.laplacian import solve_grounded, solve_positive
from stats.uncertainty import PairVotes

ROWS_OF_START: Final = 50_000  # how many comparisons a first guess of the coefficients is made from
STEPS_OF_START: Final = 2
HOLD: Final = 1.0  # keeps items that are rare among those near their plain strength; of no effect on the result
MAX_PASSES: Final = 60  # 3 or 4 are usual
# What a step leaves undone, as its length in standard errors times its length in log-odds; it falls quadratically.
ACCURACY: Final = 1e-8
SMALL_STEP: Final = 0.1
STALE: Final = 0.3  # how far, in log-odds, a step may be from where its second derivatives were taken
SEPARATED: Final = "The covariates tell every outcome of some comparisons, so that their coefficients grow for ever."
NOTHING: Final = 1e-100  # the size of a covariate whose square float64 hardly tells from 0
SAME: Final = 1e-9  # the part of a covariate that others leave unexplained, below which it is rounding


@dataclass(frozen=True, kw_only=True, eq=False)
class CovariateFit(StrengthFit):
    """`coefficients` of shape (k,).

    Coefficients are in log-odds per unit of their covariate, the last one being the side's if there is one.
    `information` and `meat` are those of the rated items, then the coefficients; `votes` are the sums per rated pair.
    `n_passes` is how often the comparisons were read.
    """

    coefficients: FloatArray
    half_wins: frozenset[Outcome]
    prior: NormalPrior | None
    n_passes: int
    information: FloatArray
    meat: FloatArray
    votes: PairVotes

    @property
    def parameters(self) -> FloatArray:
        """Strengths of the rated items, then coefficients."""
        return np.concatenate([self.strengths[self.rated], self.coefficients])


class _Optimum(NamedTuple):
    parameters: FloatArray
    information: FloatArray
    meat: FloatArray
    converged: bool
    n_passes: int


def fit_with_covariates(
    data: ControlledComparisons,
    *,
    half_wins: Collection[Outcome] = HALF_WINS,
    gauge: Gauge | Anchor = Gauge.VOTE_WEIGHTED_MEAN,
    prior: NormalPrior | None = None,
    max_passes: int = MAX_PASSES,
) -> CovariateFit:
    """Maximise the likelihood over strengths and coefficients together, by a few passes over the comparisons.

    The same items are rated as without covariates, and gauge and `half_wins` mean the same. A `prior` is one on the
    coefficients, in rating points. Memory does not grow with the number of comparisons. Raises StatsError: as
    `bradley_terry.fit` does, and CollinearCovariatesError or SeparatedCovariatesError where no single maximum exists.
    """
    halves = checked_half_wins(half_wins)
    counts = PairCounts.from_comparisons(data.comparisons)
    plain = fit(counts, half_wins=halves, gauge=gauge)
    rated = plain.rated
    source = Source(data=data, rated=rated, counted=counted_outcomes(halves))
    optimum = _optimum(source, plain.strengths[rated], prior=prior, max_passes=max_passes)
    n_rated = int(rated.sum())
    weights = plain.gauge_weights
    strengths = np.full(counts.n_items, np.nan)
    strengths[rated] = optimum.parameters[:n_rated] - weights[rated] @ optimum.parameters[:n_rated]
    return CovariateFit(
        strengths=strengths,
        ratings=_level(plain.ratings, plain.strengths) + RATING_PER_STRENGTH * strengths,
        coefficients=optimum.parameters[n_rated:],
        connectivity=plain.connectivity,
        gauge_weights=weights,
        half_wins=halves,
        prior=prior,
        converged=optimum.converged,
        n_passes=optimum.n_passes,
        information=optimum.information,
        meat=optimum.meat,
        votes=pair_votes(counts, halves, rated),
    )


def _level(ratings: FloatArray, strengths: FloatArray) -> float:
    """The rating of strength 0; NaN where nothing is rated."""
    levels = (ratings - RATING_PER_STRENGTH * strengths)[np.isfinite(strengths)]
    return float(levels[0]) if levels.size else float("nan")


def pair_votes(counts: PairCounts, half_wins: frozenset[Outcome], rated: BoolArray) -> PairVotes:
    """The votes that counted, per pair of rated items, which are renumbered from 0."""
    votes, counted = counts.among(rated), counted_outcomes(half_wins).astype(np.float64)
    return PairVotes(votes.left, votes.right, votes.totals @ counted, votes.squares @ counted)


def _optimum(source: Source, strengths: FloatArray, *, prior: NormalPrior | None, max_passes: int) -> _Optimum:
    precision = np.zeros(len(strengths) + source.data.n_coefficients)
    if prior is not None:
        precision[len(strengths) :] = prior.precision
    if not len(strengths):
        empty = np.zeros((len(precision), len(precision)))
        return _Optimum(np.full(len(precision), np.nan), empty, empty, True, 0)
    every = max(1, len(source.data.comparisons.left) // ROWS_OF_START)
    problem = _Problem(source, precision, np.sqrt(mean_squares(source, every=every)), every)
    return _newton(problem, _start(problem, strengths), max_passes=max_passes)


class _Problem(NamedTuple):
    source: Source
    precision: FloatArray  # of the prior, shape (n_parameters,)
    sizes: FloatArray  # root mean square of each covariate
    every: int  # so manyth comparison makes the part that is started from

    def size(self, step: FloatArray) -> float:
        """About how much a step changes the log-odds of the comparisons it changes most."""
        items, coefficients = np.split(step, [self.source.n_items])
        return float(np.ptp(items) + np.abs(coefficients) @ self.sizes)


class _Pass(Enum):
    CHORD = "gradient alone, the step being along the last second derivatives"
    NEWTON = "gradient and second derivatives"
    LAST = "these, and the meat"


def _newton(problem: _Problem, start: FloatArray, *, max_passes: int) -> _Optimum:
    """Newton steps, then cheap steps along old second derivatives, then an exact one in the pass that brings the meat.

    A step that turns out to have gone far beyond the maximum on its line is halved, and taken from there.
    """
    parameters, step = start, np.zeros_like(start)
    slope, stale, size, kind = 0.0, 0.0, 0.0, _Pass.NEWTON
    information = np.empty((0, 0))
    for n_passes in range(1, max_passes + 1):
        sums = _pass(problem, parameters, kind)
        if size > SMALL_STEP and sums.gradient @ step < -slope / 2:
            step, slope, size = step / 2, slope / 2, size / 2
            parameters, kind = parameters - step, _Pass.NEWTON
            continue
        if sums.information.size:
            information, stale = sums.information, 0.0
        if n_passes == 1:
            _check_collinear(problem, information)
        step = _solve(problem, information, sums.gradient)
        slope, size = max(float(sums.gradient @ step), 0.0), problem.size(step)
        if sums.meat.size and size <= SMALL_STEP and size * np.sqrt(slope) <= ACCURACY:
            return _Optimum(parameters + step, information, sums.meat, True, n_passes)
        shortened = MAX_LOG_ODDS_STEP / max(size, MAX_LOG_ODDS_STEP)
        step, slope, size = step * shortened, slope * shortened, size * shortened
        parameters, stale = parameters + step, stale + size
        kind = _next_pass(size=size, stale=stale, decrement=float(np.sqrt(slope)))
    if max_passes >= MAX_PASSES and size > SMALL_STEP:
        raise SeparatedCovariatesError(SEPARATED)
    sums = _pass(problem, parameters, _Pass.LAST)
    return _Optimum(parameters, sums.information, sums.meat, False, max_passes)


def _next_pass(*, size: float, stale: float, decrement: float) -> _Pass:
    """What is left after a step is about `stale` of it, in each measure."""
    if stale > STALE:
        return _Pass.NEWTON
    return _Pass.LAST if stale * size * stale * decrement <= ACCURACY else _Pass.CHORD


def _pass(problem: _Problem, parameters: FloatArray, kind: _Pass) -> Sums:
    sums = one_pass(problem.source, parameters, information=kind is not _Pass.CHORD, meat=kind is _Pass.LAST)
    return sums._replace(gradient=sums.gradient - problem.precision * parameters)


def _solve(problem: _Problem, information: FloatArray, gradient: FloatArray) -> FloatArray:
    try:
        return solve_grounded(information + np.diag(problem.precision), gradient, n_items=problem.source.n_items)
    except IllConditionedError as error:
        raise SeparatedCovariatesError(SEPARATED) from error


def _start(problem: _Problem, strengths: FloatArray) -> FloatArray:
    """Plain strengths, moved by what covariates change in a part of the comparisons, and its coefficients.

    Rare items are held near their plain strength, which also keeps any part of the comparisons solvable.
    """
    n_coefficients = problem.source.data.n_coefficients
    start = np.concatenate([strengths, np.zeros(n_coefficients)])
    if problem.every < 2 or not n_coefficients:
        return start
    n_items = len(strengths)
    with_covariates = _held(problem, start, moving=np.ones(len(start), dtype=np.bool_))
    without = _held(problem, start, moving=np.arange(len(start)) < n_items)
    return np.concatenate([strengths + with_covariates[:n_items] - without[:n_items], with_covariates[n_items:]])


def _held(problem: _Problem, start: FloatArray, *, moving: BoolArray) -> FloatArray:
    parameters = start
    for _ in range(STEPS_OF_START):
        sums = one_pass(problem.source, parameters, information=True, every=problem.every)
        matrix = (sums.information + HOLD * np.eye(len(start)))[np.ix_(moving, moving)]
        step = np.zeros(len(start))
        step[moving] = solve_positive(matrix, (sums.gradient - HOLD * (parameters - start))[moving])
        parameters = parameters + step * (MAX_LOG_ODDS_STEP / max(problem.size(step), MAX_LOG_ODDS_STEP))
    return parameters


def _check_collinear(problem: _Problem, information: FloatArray) -> None:
    """Raise CollinearCovariatesError if some covariates are a sum of others and of differences between items."""
    n_items = problem.source.n_items
    if problem.precision.any() or len(information) == n_items:
        return
    crossed = information[:n_items, n_items:]
    own = information[n_items:, n_items:]
    scale = np.sqrt(np.diagonal(own))
    scale = np.where(scale > NOTHING, scale, 1.0)
    unexplained = own - crossed.T @ solve_grounded(information[:n_items, :n_items], crossed)
    parts, directions = np.linalg.eigh(unexplained / scale / scale[:, np.newaxis])
    if parts[0] <= SAME:
        involved = np.flatnonzero(np.abs(directions[:, 0]) > 0.1).tolist()
        raise CollinearCovariatesError(
            f"The covariates {involved} (0 is the first) cannot be told apart, from each other or from the items."
        )
