""" "Both bad" as a loss for both: a bar that an answer has to clear takes part as one more item.

In a comparison of two items alone a loss for both is no different from a tie. The voter who calls both bad compares
them with something else, though: an answer that would do. So the vote is read as a choice among left, right and that
bar (Luce 1959, "Individual choice behavior"): a win also beats the bar, a tie puts both above it, both bad puts it
above both and says nothing of the two. By Luce's axiom each of these comparisons is one of Bradley and Terry's.
"""

from dataclasses import replace
from typing import NamedTuple

import numpy as np
from scipy.special import expit

from stats.bradley_terry import HALF_WINS, RATING_PER_STRENGTH, Anchor, BradleyTerryFit, Gauge, fit
from stats.comparisons import FloatArray, IntArray, Outcome, PairCounts, sums_at
from stats.errors import LengthMismatchError
from stats.laplacian import laplacian
from stats.number_checks import check_square
from stats.uncertainty import PRIOR_VOTES, PairVotes, Uncertainty, check_options, prior_share, sandwich_covariance


def against_bar(counts: PairCounts) -> PairCounts:
    """The same votes with the bar as item number `counts.n_items`, and no "both bad" left."""
    between = counts.totals.copy()
    between_squares = counts.squares.copy()
    between[:, Outcome.BOTH_BAD] = between_squares[:, Outcome.BOTH_BAD] = 0.0
    met = between.any(axis=1)
    cleared, cleared_squares = _at_bar(counts, counts.totals), _at_bar(counts, counts.squares)
    judged = np.flatnonzero(cleared.any(axis=1))
    left = np.concatenate([counts.left[met], judged])
    order = np.argsort(left, kind="stable")  # the bar has the highest number, so it comes last among equals
    return PairCounts(
        left=left[order],
        right=np.concatenate([counts.right[met], np.full(len(judged), counts.n_items)])[order],
        totals=np.concatenate([between[met], cleared[judged]])[order],
        squares=np.concatenate([between_squares[met], cleared_squares[judged]])[order],
        n_items=counts.n_items + 1,
    )


def fit_against_bar(counts: PairCounts, *, gauge: Gauge | Anchor = Gauge.VOTE_WEIGHTED_MEAN) -> BradleyTerryFit:
    """A fit of n_items + 1 items, the last of which is the bar; means are of the other ones.

    An item above the bar is called better than it more often than worse. Raises StatsError as `bradley_terry.fit` does.
    """
    result = fit(against_bar(counts), half_wins=HALF_WINS, gauge=gauge)
    if isinstance(gauge, Anchor):
        return result
    weights = result.gauge_weights.copy()
    weights[-1] = 0.0
    weights /= weights.sum() or 1.0
    shift = float(weights[result.rated] @ result.strengths[result.rated])
    return replace(
        result,
        strengths=result.strengths - shift,
        ratings=result.ratings - RATING_PER_STRENGTH * shift,
        gauge_weights=weights,
    )


def bar_sandwich(
    counts: PairCounts, fit: BradleyTerryFit, *, confidence_level: float = 0.95, prior_votes: float = PRIOR_VOTES
) -> Uncertainty:
    """As `uncertainty.sandwich`, for `fit_against_bar`: one vote moves three items, so its comparisons vary together.

    Here the prior votes are added to what the votes vary by, not mixed with it. Raises StatsError.
    """
    check_options(confidence_level, prior_votes)
    if counts.n_items + 1 != len(fit.strengths):
        raise LengthMismatchError(
            f"The fit is of {len(fit.strengths)} items, the bar among them, and the counts are of {counts.n_items}."
        )
    n_items = len(fit.strengths)
    check_square(n_items)
    covariance = np.full((n_items, n_items), np.nan)
    inside = np.ix_(fit.rated, fit.rated)
    if fit.rated.any():
        pairs = against_bar(counts)
        bend = _bend(fit, pairs.left, pairs.right)
        votes = PairVotes(pairs.left, pairs.right, pairs.totals.sum(axis=1), pairs.squares.sum(axis=1))
        prior = prior_share(votes, n_items=n_items, prior_votes=prior_votes) * votes.squares * bend
        information = laplacian(pairs.left, pairs.right, weight=votes.total * bend, n_items=n_items)
        meat = _meat(counts, fit) + laplacian(pairs.left, pairs.right, weight=prior, n_items=n_items)
        covariance[inside] = sandwich_covariance(information[inside], meat[inside], fit=fit)
    return Uncertainty(ratings=fit.ratings, covariance=covariance, confidence_level=confidence_level)


class _Pulls(NamedTuple):
    """How much a vote pulls left up, right up and the bar up; they add up to nothing. Shapes (n_pairs, 4)."""

    left: FloatArray
    right: FloatArray
    bar: FloatArray


def _at_bar(counts: PairCounts, table: FloatArray) -> FloatArray:
    """What each item did at the bar, shape (n_items, 4)."""
    n_items = counts.n_items
    ties, both_bad = table[:, Outcome.TIE], table[:, Outcome.BOTH_BAD]
    cleared = sums_at(counts.left, table[:, Outcome.LEFT] + ties, length=n_items)
    cleared += sums_at(counts.right, table[:, Outcome.RIGHT] + ties, length=n_items)
    missed = sums_at(counts.left, both_bad, length=n_items) + sums_at(counts.right, both_bad, length=n_items)
    nothing = np.zeros(n_items)
    return np.column_stack([cleared, missed, nothing, nothing])


def _surplus(fit: BradleyTerryFit, left: IntArray, right: IntArray) -> FloatArray:
    """1 - p, what a win of left over right is above what was expected; 0 where one of them is not rated."""
    strengths = np.nan_to_num(fit.strengths)
    return np.where(fit.rated[left] & fit.rated[right], expit(strengths[right] - strengths[left]), 0.0)


def _bend(fit: BradleyTerryFit, left: IntArray, right: IntArray) -> FloatArray:
    return _surplus(fit, left, right) * _surplus(fit, right, left)


def _pulls(counts: PairCounts, fit: BradleyTerryFit) -> _Pulls:
    bar = np.full(len(counts.left), counts.n_items)
    won, lost = _surplus(fit, counts.left, counts.right), _surplus(fit, counts.right, counts.left)
    left_cleared, left_missed = _surplus(fit, counts.left, bar), _surplus(fit, bar, counts.left)
    right_cleared, right_missed = _surplus(fit, counts.right, bar), _surplus(fit, bar, counts.right)
    halves, nothing = (won - lost) / 2, np.zeros(len(bar))
    between = np.column_stack([won, -lost, halves, nothing])
    left = np.column_stack([left_cleared, nothing, left_cleared, -left_missed])
    right = np.column_stack([nothing, right_cleared, right_cleared, -right_missed])
    return _Pulls(between + left, right - between, -left - right)


def _meat(counts: PairCounts, fit: BradleyTerryFit) -> FloatArray:
    """Sum of w^2 uu' over the votes, u being the three pulls, which is a Laplacian of minus their products."""
    pulls = _pulls(counts, fit)
    n_items = counts.n_items + 1
    between = -(counts.squares * pulls.left * pulls.right).sum(axis=1)
    meat = laplacian(counts.left, counts.right, weight=between, n_items=n_items)
    at_bar = np.zeros(n_items)
    at_bar += sums_at(counts.left, -(counts.squares * pulls.left * pulls.bar).sum(axis=1), length=n_items)
    at_bar += sums_at(counts.right, -(counts.squares * pulls.right * pulls.bar).sum(axis=1), length=n_items)
    items = np.arange(counts.n_items)
    return meat + laplacian(items, np.full(counts.n_items, counts.n_items), weight=at_bar[:-1], n_items=n_items)
