"""How probable each outcome of a vote is, by what everybody else said of the pair: the yardstick for a voter."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from stats.comparisons import Comparisons, FloatArray, IntArray, PairCounts
from stats.errors import InvalidWeightError, ItemIndexError, LengthMismatchError
from stats.ties import TieModel, fit_with_ties, outcome_probabilities

PRIOR_VOTES: Final = 20.0  # a pair's own votes outweigh what the ratings expect of it from here on
LAPSES: Final = 0.02  # how often honest voters press any button, so that no single vote is beyond belief
ROUNDING: Final = 1e-12
LEFT, RIGHT, UNDECIDED = 0, 1, 2  # columns of predictions: a tie and "both bad" are one


@dataclass(frozen=True, kw_only=True, eq=False)
class VoteHistory:
    """Entry [i, j, k] of both is about i on the left, j on the right and outcome k; shapes (n_items, n_items, 3).

    `counts` are the votes on the pair, whatever the sides were, `expected` are probabilities by the fitted ratings.
    """

    counts: FloatArray
    expected: FloatArray
    prior_votes: float


def vote_history(counts: PairCounts, *, prior_votes: float = PRIOR_VOTES) -> VoteHistory:
    """Take in all past votes. Davidson's ratings say what a pair's few votes cannot; see `predictions`.

    Items that the votes cannot rate are expected to win as often as to lose. Raises StatsError.
    """
    if not 0 < prior_votes < float("inf"):
        raise InvalidWeightError(f"The number of prior votes must be finite and above 0, not {prior_votes}.")
    n_items = counts.n_items
    seen = np.zeros((n_items, n_items, 3))
    undecided = counts.ties + counts.both_bad
    seen[counts.left, counts.right] = np.column_stack([counts.wins_left, counts.wins_right, undecided])
    seen[counts.right, counts.left] = np.column_stack([counts.wins_right, counts.wins_left, undecided])
    return VoteHistory(counts=seen, expected=_expected(counts), prior_votes=prior_votes)


def predictions(history: VoteHistory, votes: Comparisons, *, own: IntArray | None = None) -> FloatArray:
    """Probabilities of left, right and undecided for each vote, shape (n_votes, 3): (n_k + c e_k) / (n + c).

    n_k are the votes on the pair, e_k what the ratings expect and c the prior votes (a Dirichlet posterior mean).
    Nobody is judged by their own votes: if these votes are part of the history, `own` (n_votes,) numbers the groups,
    one per voter, whose votes are taken out of the counts before that group is looked at. The ratings behind e_k may
    have seen them; that draws the prediction towards the votes, and so can only hide a strange voter.
    Raises StatsError: items the history does not know, votes of `own` that are not in the history.
    """
    if votes.n_items != len(history.counts):
        raise ItemIndexError(f"The history is of {len(history.counts)} items and the votes are of {votes.n_items}.")
    counts = history.counts[votes.left, votes.right]
    if own is not None:
        counts = counts - _votes_of_group(votes, own)
        if (counts < -ROUNDING * history.counts.max(initial=1.0)).any():
            raise InvalidWeightError("Votes that are not in the history cannot be taken out of it.")
    prior = history.prior_votes * history.expected[votes.left, votes.right]
    posterior = counts + prior
    return np.asarray(posterior / posterior.sum(axis=1, keepdims=True))


def columns_of(votes: Comparisons) -> IntArray:
    """Which column of the predictions each vote is about, shape (n_votes,)."""
    return np.minimum(votes.outcome, UNDECIDED)


def _expected(counts: PairCounts) -> FloatArray:
    fitted = fit_with_ties(counts, tie_model=TieModel.DAVIDSON)
    decided = counts.wins_left.sum() + counts.wins_right.sum()
    tie_rate = (counts.n_comparisons - decided) / max(counts.n_comparisons, 1.0)
    known = fitted.rated
    expected = np.empty((len(known), len(known), 3))
    expected[:] = [(1 - tie_rate) / 2, (1 - tie_rate) / 2, tie_rate]
    differences = fitted.strengths[known, np.newaxis] - fitted.strengths[known]
    if known.any():
        by_rating = outcome_probabilities(fitted, differences.ravel())
        expected[np.ix_(known, known)] = np.column_stack(by_rating).reshape(*differences.shape, 3)
    return (1 - LAPSES) * expected + LAPSES / 3


def _votes_of_group(votes: Comparisons, group: IntArray) -> FloatArray:
    """How often the group of each vote chose each outcome on this pair, as seen from the sides of this vote."""
    if group.shape != votes.left.shape:
        raise LengthMismatchError(f"There are {len(votes.left)} votes and {len(group)} numbers of their groups.")
    turned = votes.left > votes.right
    column = columns_of(votes)
    column = np.where(turned & (column != UNDECIDED), 1 - column, column)
    pair = np.minimum(votes.left, votes.right) * votes.n_items + np.maximum(votes.left, votes.right)
    keys = np.column_stack([group, pair])
    cell = np.unique(keys, axis=0, return_inverse=True)[1].reshape(-1)
    sums = np.zeros((cell.max(initial=-1) + 1, 3))
    np.add.at(sums, (cell, column), votes.weight)
    mine = sums[cell]
    return np.where(turned[:, np.newaxis], mine[:, [RIGHT, LEFT, UNDECIDED]], mine)
