"""Which pair should meet next: the one whose vote teaches most about what is asked, with a floor under every pair.

One more vote on a pair adds its information w = p(1 - p) to H, and takes w z'CACz / (1 + w z'Cz) off the variance
tr(AC) that is asked about, where C = H^-1 is the covariance of the strengths and z = e_i - e_j (Sherman and Morrison
1950; Chernoff 1953, "Locally optimal designs for estimating parameters"). The gains of all pairs come from one matrix
product. Always taking the largest is the greedy algorithm for optimal designs (Wynn 1970, "The sequential generation of
D-optimum experimental designs"); here pairs are drawn with probabilities that rise steeply with the gain, so that every
probability is known and none is zero. (Chiang et al. 2024, equation 9, look at each pair's win rate alone: n votes on
one pair then say nothing about another, and nothing is learned from p near 0 or 1.)

The fit of the votes stays unweighted: which pair is drawn depends on past votes only, so that each vote is still an
honest draw from its pair. Weighing by 1 / probability is a check, and costs precision.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.linalg import cho_factor, cho_solve
from scipy.special import expit, ndtr

from stats.bradley_terry import MAX_LOG_ODDS_STEP, RATING_PER_STRENGTH
from stats.comparisons import BoolArray, FloatArray, IntArray, PairCounts, sums_at
from stats.errors import InvalidWeightError, ItemIndexError, LengthMismatchError, StatsError
from stats.laplacian import laplacian

FLOOR_SHARE: Final = 0.05  # of all battles are drawn without regard to what they teach
GREED: Final = 16.0  # the power of the gain that a probability is proportional to
MOST_STEPS: Final = 12
LAST_STEP: Final = 1e-4  # in logits; what remains after it is of the order of its square
NOISE: Final = 1e-12  # relative: what rounding leaves of a difference that is zero
PRIOR_DEVIATION: Final = 1.0  # of strengths, in logits: what is known of an item before its first vote


class NoPairsError(StatsError):
    pass


class WholeBoard(NamedTuple):
    """The average variance of the differences between all items."""


class TopItems(NamedTuple):
    """The average variance of the differences among the best `n`; each item counts as it may be one of them."""

    n: int


class Newcomer(NamedTuple):
    """The variance of the difference between one item and the average of the others."""

    item: int


Purpose = WholeBoard | TopItems | Newcomer


class PairingRules(NamedTuple):
    """`weights` (n_items,) make an item more or less often drawn than its votes teach, 0 never; `never` lists pairs."""

    weights: npt.ArrayLike | None = None
    never: Collection[tuple[int, int]] = ()
    floor_share: float = FLOOR_SHARE
    greed: float = GREED


@dataclass(frozen=True, kw_only=True, eq=False)
class PairTable:
    """Every pair that may meet, first < second, and the exact probability that it is the next; shapes (n_pairs,).

    `gains` is how much one vote takes off the variance asked about, in squared rating points. Every probability is at
    least its share of the floor. The sides are not part of the table: toss a fair coin.
    """

    first: IntArray
    second: IntArray
    probabilities: FloatArray
    gains: FloatArray

    def draw(self, rng: np.random.Generator, n_pairs: int = 1) -> IntArray:
        """Numbers of drawn pairs, with replacement; shape (n_pairs,)."""
        return rng.choice(len(self.probabilities), n_pairs, p=self.probabilities)

    def probability(self, item: int, other: int) -> float:
        """That these two meet next, whatever the sides; 0 for a pair that may not."""
        low, high = sorted((item, other))
        return float(self.probabilities[(self.first == low) & (self.second == high)].sum())


def pair_table(counts: PairCounts, *, purpose: Purpose, rules: PairingRules | None = None) -> PairTable:
    """Probabilities of the next pair: floor share * product of weights + the rest * product * gain ** greed.

    Both parts are normalised. Items without votes have the strength 0 with the deviation of the prior, so that an empty
    board is drawn evenly; the information of a pair is averaged over what is not known of its strengths. The time is
    O(n_items ** 3), 30 milliseconds for 300 items. Raises StatsError.
    """
    rules = rules or PairingRules()
    weights = _checked(rules, counts.n_items)
    first, second = np.triu_indices(counts.n_items, 1)
    allowed = (weights[first] * weights[second] > 0) & ~_listed(rules.never, counts.n_items)[first, second]
    if not allowed.any():
        raise NoPairsError(f"None of the pairs of {counts.n_items} items may meet.")
    first, second = first[allowed], second[allowed]
    gains = _gains(counts, purpose, first, second)
    by_weight = weights[first] * weights[second]
    by_weight = by_weight / by_weight.sum()
    taught = by_weight * (gains / gains.max()) ** rules.greed if gains.max() > 0 else by_weight
    probabilities = rules.floor_share * by_weight + (1 - rules.floor_share) * taught / taught.sum()
    return PairTable(
        first=first,
        second=second,
        probabilities=probabilities / probabilities.sum(),
        gains=gains * RATING_PER_STRENGTH**2,
    )


def _gains(counts: PairCounts, purpose: Purpose, first: IntArray, second: IntArray) -> FloatArray:
    n_votes = counts.totals @ np.ones(counts.totals.shape[1])
    strengths = _strengths(counts, n_votes)
    information = _information(counts, n_votes, expit(strengths[counts.left] - strengths[counts.right]))
    covariance = cho_solve(cho_factor(information, lower=True), np.eye(counts.n_items))
    asked = _asked(purpose, strengths, covariance)
    spread = covariance @ asked @ covariance
    variance = _of_differences(covariance, first, second)
    taught = _of_differences(spread, first, second)
    added = _expected_information(strengths[first] - strengths[second], variance)
    return np.asarray(added * taught / (1 + added * variance))


def _strengths(counts: PairCounts, n_votes: FloatArray) -> FloatArray:
    """The most probable ones under the prior, which exist for every item; they only choose pairs.

    A few Newton steps, scaled down as in `bradley_terry`: near the maximum is near enough for a design.
    """
    points = counts.wins_left + (counts.ties + counts.both_bad) / 2
    strengths = np.zeros(counts.n_items)
    for _ in range(MOST_STEPS):
        p = expit(strengths[counts.left] - strengths[counts.right])
        surplus = points - n_votes * p
        gained = sums_at(counts.left, surplus, length=counts.n_items)
        gradient = gained - sums_at(counts.right, surplus, length=counts.n_items) - strengths / PRIOR_DEVIATION**2
        step = cho_solve(cho_factor(_information(counts, n_votes, p), lower=True), gradient)
        largest = np.abs(step[counts.left] - step[counts.right]).max(initial=0.0)
        strengths = strengths + step * (MAX_LOG_ODDS_STEP / max(largest, MAX_LOG_ODDS_STEP))
        if largest < LAST_STEP:
            break
    return strengths


def _information(counts: PairCounts, n_votes: FloatArray, p: FloatArray) -> FloatArray:
    """Of the votes that were counted, not by what they happened to vary by, and of the prior."""
    information = laplacian(counts.left, counts.right, weight=n_votes * p * (1 - p), n_items=counts.n_items)
    information[np.diag_indices(counts.n_items)] += PRIOR_DEVIATION**-2 + NOISE * np.diagonal(information).max()
    return information


def _expected_information(differences: FloatArray, variance: FloatArray) -> FloatArray:
    """The mean of p(1 - p) where the log-odds are normal, by the probit approximation of the logistic curve.

    (MacKay 1992, "The evidence framework applied to classification networks".)
    """
    flattening = np.sqrt(1 + np.pi / 8 * variance)
    half = np.abs(differences) / flattening / 2
    return np.asarray(0.25 / np.cosh(np.minimum(half, 300.0)) ** 2 / flattening)


def _asked(purpose: Purpose, strengths: FloatArray, covariance: FloatArray) -> FloatArray:
    """The matrix A of tr(AC), shape (n_items, n_items)."""
    n_items = len(strengths)
    if isinstance(purpose, Newcomer):
        if not 0 <= purpose.item < n_items:
            raise ItemIndexError(f"The newcomer {purpose.item} is not the number of one of {n_items} items.")
        contrast = np.full(n_items, -1 / max(n_items - 1, 1))
        contrast[purpose.item] = 1.0
        return np.outer(contrast, contrast)
    share = np.ones(n_items) / n_items
    if isinstance(purpose, TopItems):
        if not 2 <= purpose.n <= n_items:
            raise ItemIndexError(f"The best {purpose.n} of {n_items} items cannot be compared.")
        share = _chances_of_the_top(purpose.n, strengths, covariance)
    return np.diag(share) - np.outer(share, share)


def _chances_of_the_top(n: int, strengths: FloatArray, covariance: FloatArray) -> FloatArray:
    """How probably each item lies above the gap after the n-th, as a share of the sum."""
    ordered = np.sort(strengths)[::-1]
    gap = (ordered[n - 1] + ordered[n]) / 2 if n < len(strengths) else -np.inf
    # About the mean: where the whole board lies is hardly known, and nobody asks.
    variance = np.diagonal(covariance) - 2 * covariance.mean(axis=1) + covariance.mean()
    chances = ndtr((strengths - gap) / np.sqrt(np.maximum(variance, NOISE)))
    return np.asarray(chances / chances.sum())


def _of_differences(matrix: FloatArray, first: IntArray, second: IntArray) -> FloatArray:
    """m_ii + m_jj - 2 m_ij, and 0 where that is nothing but rounding."""
    diagonal = np.diagonal(matrix)
    both = diagonal[first] + diagonal[second]
    difference = both - 2 * matrix[first, second]
    return np.where(difference > NOISE * both, difference, 0.0)


def _checked(rules: PairingRules, n_items: int) -> FloatArray:
    weights = np.ones(n_items) if rules.weights is None else np.asarray(rules.weights, dtype=np.float64)
    if weights.shape != (n_items,):
        raise LengthMismatchError(f"There are {n_items} items and weights of the shape {weights.shape}.")
    if not (np.isfinite(weights) & (weights >= 0)).all():
        raise InvalidWeightError("The weight of an item must be finite and from 0 up.")
    if not 0 < rules.floor_share <= 1:
        raise InvalidWeightError(f"The share of the floor lies above 0 and up to 1, not at {rules.floor_share}.")
    if not 0 <= rules.greed < float("inf"):
        raise InvalidWeightError(f"The greed must be finite and from 0 up, not {rules.greed}.")
    return np.asarray(weights / max(weights.max(initial=0.0), np.finfo(np.float64).tiny))


def _listed(never: Collection[tuple[int, int]], n_items: int) -> BoolArray:
    """Shape (n_items, n_items), true for the pairs that may not meet, in either order."""
    listed = np.zeros((n_items, n_items), dtype=np.bool_)
    for item, other in never:
        if not (0 <= item < n_items and 0 <= other < n_items):
            raise ItemIndexError(f"{(item, other)} is no pair of {n_items} items (0 is the first).")
        listed[item, other] = listed[other, item] = True
    return listed
