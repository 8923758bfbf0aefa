"""The Bradley-Terry model: one strength per item, fitted by maximum likelihood to counts of paired comparisons.

An item of strength s beats one of strength t with probability 1 / (1 + exp(t - s)). A tie is half a win for each side
(a pseudo-likelihood: the strengths are right, the inverse Hessian is no variance; see `uncertainty.sandwich`).
Nothing is regularised unless a `NormalPrior` is asked for by name: an item whose strength the comparisons leave open
has none, and a status that says why.
"""

import math
from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NamedTuple, overload

import numpy as np
from scipy.special import expit, logit

from stats.comparisons import BoolArray, Comparisons, FloatArray, Outcome, PairCounts
from stats.connectivity import Connectivity, ItemStatus, PairPoints, connectivity
from stats.errors import (
    InvalidLevelError,
    InvalidWeightError,
    ItemIndexError,
    LengthMismatchError,
    UnknownOutcomeError,
    UnratedItemError,
)
from stats.laplacian import Grounded, laplacian, solve_positive
from stats.number_checks import check_square
from stats.odds import chances

RATING_SCALE: Final = (
    400  # points between two items of which the better one wins RATING_BASE times as often as it loses
)
RATING_BASE: Final = 10
ANCHOR_RATING: Final = 1000
RATING_PER_STRENGTH: Final = RATING_SCALE / float(np.log(RATING_BASE))

DEVIATIONS_OF_PRIOR: Final = (1e-3, 1e9)  # what lies beyond is no prior: it says everything, or nothing
HALF_WINS: Final = frozenset({Outcome.TIE, Outcome.BOTH_BAD})

# Newton's method takes strictly uphill steps from anywhere, without a line search, if no step changes the log-odds of
# a pair by more than 1.79 (Bach 2010, "Self-concordant analysis for logistic regression", proposition 1).
MAX_LOG_ODDS_STEP: Final = 1.5
# The Newton decrement bounds how far any difference is from the maximum, in units of its model-based standard error;
# a step of that many log-odds leaves about their product of it. From near the maximum this falls quadratically.
ACCURACY: Final = 1e-9
CERTAIN: Final = 0.98  # how far a first guess believes that the share of points an item scored is its chance to win
MAX_ITERATIONS: Final = 100  # 4 or 5 are usual; each adds about one to the log-odds of a very one-sided pair


class Gauge(StrEnum):
    """Which average of the ratings is ANCHOR_RATING: comparisons fix differences, so the level is a convention."""

    VOTE_WEIGHTED_MEAN = "vote_weighted_mean"  # each item weighs as it was compared: newcomers hardly move the others
    MEAN = "mean"


class Anchor(NamedTuple):
    """The gauge that gives one item a fixed rating, and an interval of no width at all."""

    item: int
    rating: float = ANCHOR_RATING


class NormalPrior(NamedTuple):
    """Regularisation by name: strengths spread about their mean as N(0, standard_deviation ** 2), in rating points.

    It gives provisional ratings to items that only won or only lost, and pulls all others towards the middle.
    """

    standard_deviation: float = 400.0

    @property
    def precision(self) -> float:
        """One over the variance of a strength, in natural-log units. Raises InvalidWeightError."""
        least, most = DEVIATIONS_OF_PRIOR
        if not least <= self.standard_deviation <= most:
            raise InvalidWeightError(
                f"The standard deviation of a prior is from {least} to {most} points, not {self.standard_deviation}."
            )
        return (RATING_PER_STRENGTH / self.standard_deviation) ** 2


@dataclass(frozen=True, kw_only=True, eq=False)
class StrengthFit:
    """What every fit of strengths has. Arrays of shape (n_items,), NaN for every item that is not rated.

    `strengths` are in natural-log units, `ratings` on the 400-point scale. `gauge_weights` sum to one: the average of
    the strengths under them is zero. A fit that is not `converged` ran out of iterations and is not to be published.
    """

    strengths: FloatArray
    ratings: FloatArray
    connectivity: Connectivity
    gauge_weights: FloatArray
    converged: bool

    @property
    def statuses(self) -> tuple[ItemStatus, ...]:
        """Of each item, why it has a strength or has none; n_items long."""
        return self.connectivity.statuses

    @property
    def rated(self) -> BoolArray:
        """Shape (n_items,): which items have a strength."""
        return np.isfinite(self.strengths)

    def check_is_of(self, data: PairCounts | Comparisons) -> None:
        """Raises LengthMismatchError: data of another number of items."""
        if data.n_items != len(self.strengths):
            what = "counts" if isinstance(data, PairCounts) else "comparisons"
            raise LengthMismatchError(
                f"The fit is of {len(self.strengths)} items and the {what} are of {data.n_items}: not the same data."
            )


@dataclass(frozen=True, kw_only=True, eq=False)
class BradleyTerryFit(StrengthFit):
    """`gradient_norm` is the largest difference, in points, between what an item scored and what the fit expects of
    it."""

    half_wins: frozenset[Outcome]
    n_iterations: int
    gradient_norm: float
    prior: NormalPrior | None = None

    @property
    def provisional(self) -> BoolArray:
        """The items that owe their rating to the prior: the comparisons alone leave it open, as `statuses` says."""
        return self.rated & ~self.connectivity.rated


class Maximum(NamedTuple):
    """Strengths (n_items,) in natural-log units, in no gauge; `gradient_norm` as in `BradleyTerryFit`."""

    strengths: FloatArray
    converged: bool
    n_iterations: int
    gradient_norm: float


def fit(
    counts: PairCounts,
    *,
    half_wins: Collection[Outcome] = HALF_WINS,
    gauge: Gauge | Anchor = Gauge.VOTE_WEIGHTED_MEAN,
    prior: NormalPrior | None = None,
    max_iterations: int = MAX_ITERATIONS,
) -> BradleyTerryFit:
    """Maximise sum over pairs of (w + t/2) ln p + (l + t/2) ln(1 - p), with p = 1 / (1 + exp(s_right - s_left)).

    (Bradley and Terry 1952, "Rank analysis of incomplete block designs"; Newton's method on the sums of `counts`, so
    the time is O(n_rated ** 3) per iteration whatever the number of comparisons.) The undecided outcomes in `half_wins`
    are half a win for each side, those not in it are left out. Only the largest group of items that the comparisons
    tie together is rated; `statuses` says of every other item why it is not. A `prior` adds -sum(s ** 2) / 2 variance,
    and rates whatever was compared, however remotely, with that group: `provisional` names those items.
    Raises StatsError: an anchor that is not rated, a decided outcome in `half_wins`, weights or a prior that cannot be
    computed with.
    """
    halves = checked_half_wins(half_wins)
    points = half_points(counts, halves)
    links = connectivity(points)
    rated = links.rated if prior is None else _linked(links)
    among_rated = points.among(rated)
    best = maximum(among_rated, max_iterations, precision=0.0 if prior is None else prior.precision)
    weights, level = gauge_weights(gauge, links, rated=rated, among_rated=among_rated)
    strengths = np.full(counts.n_items, np.nan)
    strengths[rated] = best.strengths - weights[rated] @ best.strengths
    return BradleyTerryFit(
        strengths=strengths,
        ratings=level + RATING_PER_STRENGTH * strengths,
        connectivity=links,
        gauge_weights=weights,
        half_wins=halves,
        converged=best.converged,
        n_iterations=best.n_iterations,
        gradient_norm=best.gradient_norm,
        prior=prior,
    )


@overload
def win_probability(rating_difference: float) -> float: ...
@overload
def win_probability(rating_difference: FloatArray) -> FloatArray: ...
def win_probability(rating_difference: float | FloatArray) -> float | FloatArray:
    """How probably an item wins that is `rating_difference` points ahead: 1 / (1 + 10 ** (-difference / 400))."""
    probability = expit(np.asarray(rating_difference, dtype=np.float64) / RATING_PER_STRENGTH)
    return float(probability) if np.ndim(probability) == 0 else np.asarray(probability)


def checked_half_wins(half_wins: Collection[Outcome]) -> frozenset[Outcome]:
    """The undecided outcomes that count as half a win for each side. Raises UnknownOutcomeError."""
    if unknown := [each for each in half_wins if each not in set(Outcome)]:
        raise UnknownOutcomeError(f"{unknown[0]} is no outcome that could be half a win for both sides.")
    if decided := set(half_wins) & {Outcome.LEFT, Outcome.RIGHT}:
        winner = Outcome(min(decided)).name
        raise UnknownOutcomeError(f"{winner} names a winner and cannot be half a win for both sides.")
    return frozenset(Outcome(each) for each in half_wins)


def indicator(outcomes: Collection[Outcome]) -> FloatArray:
    """1 for each of these outcomes and 0 for the others, shape (4,)."""
    return np.isin(list(Outcome), list(outcomes)).astype(np.float64)


def half_points(counts: PairCounts, half_wins: Collection[Outcome]) -> PairPoints:
    """What each side scored, the outcomes in `half_wins` being half a point each. Raises UnknownOutcomeError."""
    halves = counts.totals @ indicator(checked_half_wins(half_wins)) / 2
    return PairPoints(
        left=counts.left,
        right=counts.right,
        left_points=counts.wins_left + halves,
        right_points=counts.wins_right + halves,
        n_items=counts.n_items,
    )


def _linked(links: Connectivity) -> BoolArray:
    """The items of the component that holds the rated ones or, if none are, of the one with most compared items."""
    compared = np.array([status is not ItemStatus.NO_COMPARISONS for status in links.statuses], dtype=np.bool_)
    if not compared.any():
        return compared
    chosen = 0 if links.rated.any() else int(np.argmax(np.bincount(links.components[compared])))
    return np.asarray(compared & (links.components == chosen), dtype=np.bool_)


def maximum(points: PairPoints, max_iterations: int, *, precision: float) -> Maximum:
    """Newton's method from `_start`, on items that are all tied together, or held by a prior.

    A long step is taken in full if it still leads uphill at its end: what is concave has then risen all the way.
    Otherwise it is shortened to MAX_LOG_ODDS_STEP. Raises TooManyItemsError.
    """
    check_square(points.n_items)
    strengths = _start(points)
    gradient, bend = _slopes(points, strengths, precision)
    converged = points.n_items == 0
    n_iterations = 0
    while not converged and n_iterations < max_iterations:
        step = _newton_step(points, bend, gradient=gradient, precision=precision)
        length = float(np.abs(step[points.left] - step[points.right]).max())
        converged = math.sqrt(max(float(gradient @ step), 0.0)) * min(length, 1.0) <= ACCURACY
        start, strengths = strengths, strengths + step
        gradient, bend = _slopes(points, strengths, precision)
        if length > MAX_LOG_ODDS_STEP and gradient @ step < 0:
            strengths = start + step * (MAX_LOG_ODDS_STEP / length)
            gradient, bend = _slopes(points, strengths, precision)
        n_iterations += 1
    return Maximum(strengths, converged, n_iterations, float(np.abs(gradient).max(initial=0.0)))


def _start(points: PairPoints) -> FloatArray:
    """The log-odds of what each item scored, plus the mean of the same of those it met: one Newton step less."""
    left, right, total = points.left, points.right, points.total
    met = points.total_per_item()
    won = points.at_items(points.left_points, points.right_points)
    share = np.divide(won, met, out=np.full(points.n_items, 0.5), where=met > 0)
    alone = logit((1 - CERTAIN) / 2 + CERTAIN * share)
    opponents = points.at_items(total * alone[right], total * alone[left])
    return np.asarray(alone + np.divide(opponents, met, out=opponents, where=met > 0))


def _newton_step(points: PairPoints, bend: FloatArray, *, gradient: FloatArray, precision: float) -> FloatArray:
    information = laplacian(points.left, points.right, weight=bend, n_items=points.n_items)
    if precision:
        return solve_positive(information + precision * np.eye(points.n_items), gradient)
    return Grounded(information).solve(gradient)


def _slopes(points: PairPoints, strengths: FloatArray, precision: float) -> tuple[FloatArray, FloatArray]:
    """Points scored minus points expected, per item; and n p(1-p) per pair, the weights of the second derivatives."""
    log_odds = strengths[points.left] - strengths[points.right]
    p, q = chances(log_odds)
    surplus = points.left_points * q - points.right_points * p
    return points.at_items(surplus, -surplus) - precision * strengths, points.total * p * q


def gauge_weights(
    gauge: Gauge | Anchor, links: Connectivity, *, rated: BoolArray, among_rated: PairPoints
) -> tuple[FloatArray, float]:
    """Weights per item under which strengths average to zero, and the rating at that zero. Raises StatsError."""
    weights = np.zeros(len(links.statuses))
    if isinstance(gauge, Anchor):
        _check_anchor(gauge, links, rated)
        weights[gauge.item] = 1.0
        return weights, gauge.rating
    importance = np.ones(among_rated.n_items)
    if Gauge(gauge) is Gauge.VOTE_WEIGHTED_MEAN:
        importance = among_rated.total_per_item()
    weights[rated] = importance / (importance.sum() or 1.0)
    return weights, ANCHOR_RATING


def _check_anchor(anchor: Anchor, links: Connectivity, rated: BoolArray) -> None:
    if not isinstance(anchor.item, int | np.integer) or not 0 <= anchor.item < len(rated):
        raise ItemIndexError(
            f"The anchor {anchor.item} is not the number of one of {len(rated)} items (0 is the first)."
        )
    if not math.isfinite(anchor.rating):
        raise InvalidLevelError(f"The rating of an anchor must be finite, not {anchor.rating}.")
    if not rated[anchor.item]:
        status = links.statuses[anchor.item].value
        raise UnratedItemError(f"Item {anchor.item} cannot anchor the ratings, as it has none itself ({status}).")
