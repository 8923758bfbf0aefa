"""What each voter does to the ratings: how far they would move without that voter's votes."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.special import expit

from stats.bradley_terry import RATING_PER_STRENGTH, BradleyTerryFit, Gauge, fit
from stats.comparisons import BoolArray, Comparisons, FloatArray, IntArray, Outcome, PairCounts
from stats.errors import LengthMismatchError
from stats.laplacian import laplacian

N_REFITS: Final = 20
POINTS: Final = np.array([1.0, 0.0, 0.5, 0.5])  # of the left side, by outcome


@dataclass(frozen=True, kw_only=True, eq=False)
class VoterInfluence:
    """`changes` (n_voters, n_items): rating points that each item gains if the voter is left out, NaN if not rated.

    They are first-order, about the mean of the rated items, but for the voters in `refitted`, the most influential,
    whose rows come from a fit without them. `voters` (n_voters,) are the numbers of the voters.
    """

    voters: IntArray
    changes: FloatArray
    refitted: IntArray


def leave_one_voter_out(
    comparisons: Comparisons, fitted: BradleyTerryFit, *, voter: IntArray, n_refits: int = N_REFITS
) -> VoterInfluence:
    """`voter` (n_comparisons,) numbers who cast each vote, negative if nobody knows. `fitted` is the fit of all votes.

    To first order the strengths move by -H^- g, where g is the sum of the voter's scores w (y - p) z. Raises
    LengthMismatchError.
    """
    if voter.shape != comparisons.left.shape or len(fitted.strengths) != comparisons.n_items:
        raise LengthMismatchError("There must be one voter per comparison, and the fit must be of the same items.")
    voters, row = np.unique(voter, return_inverse=True)
    scores = _scores(comparisons, fitted, row=row, n_voters=len(voters))[voters >= 0]
    voters = voters[voters >= 0]
    rated = fitted.connectivity.rated
    changes = np.full((len(voters), comparisons.n_items), np.nan)
    if rated.any():
        moved = -np.linalg.solve(_information(comparisons, fitted)[np.ix_(rated, rated)] + 1.0, scores[:, rated].T).T
        changes[:, rated] = (moved - moved.mean(axis=1, keepdims=True)) * RATING_PER_STRENGTH
    strongest = np.argsort(-np.abs(np.nan_to_num(changes)).max(axis=1, initial=0.0), kind="stable")[:n_refits]
    for position in strongest.tolist():
        changes[position] = _without(comparisons, fitted, voter != voters[position])
    return VoterInfluence(voters=voters, changes=changes, refitted=voters[np.sort(strongest)])


def _scores(comparisons: Comparisons, fitted: BradleyTerryFit, *, row: IntArray, n_voters: int) -> FloatArray:
    """Shape (n_voters, n_items)."""
    rated = fitted.connectivity.rated
    strengths = np.nan_to_num(fitted.strengths)
    counted = rated[comparisons.left] & rated[comparisons.right]
    counted &= np.isin(comparisons.outcome, [Outcome.LEFT, Outcome.RIGHT, *fitted.half_wins])
    p = expit(strengths[comparisons.left] - strengths[comparisons.right])
    surplus = np.where(counted, comparisons.weight * (POINTS[comparisons.outcome] - p), 0.0)
    length = n_voters * comparisons.n_items
    start = row.reshape(-1) * comparisons.n_items
    gained = np.bincount(start + comparisons.left, surplus, minlength=length)
    given = np.bincount(start + comparisons.right, surplus, minlength=length)
    return np.asarray((gained - given).reshape(n_voters, comparisons.n_items))


def _information(comparisons: Comparisons, fitted: BradleyTerryFit) -> FloatArray:
    counts = PairCounts.from_comparisons(comparisons)
    strengths = np.nan_to_num(fitted.strengths)
    log_odds = strengths[counts.left] - strengths[counts.right]
    rated = fitted.connectivity.rated
    votes = counts.totals[:, sorted({Outcome.LEFT, Outcome.RIGHT} | fitted.half_wins)].sum(axis=1)
    votes = votes * (rated[counts.left] & rated[counts.right])
    return laplacian(
        counts.left, counts.right, weight=votes * expit(log_odds) * expit(-log_odds), n_items=counts.n_items
    )


def _without(comparisons: Comparisons, fitted: BradleyTerryFit, kept: BoolArray) -> FloatArray:
    others = Comparisons(
        left=comparisons.left,
        right=comparisons.right,
        outcome=comparisons.outcome,
        weight=comparisons.weight * kept,
        n_items=comparisons.n_items,
    )
    refitted = fit(PairCounts.from_comparisons(others), half_wins=fitted.half_wins, gauge=Gauge.MEAN)
    moved = refitted.strengths - fitted.strengths
    both = np.isfinite(moved)
    return (moved - (moved[both].mean() if both.any() else 0.0)) * RATING_PER_STRENGTH
