"""How few votes hold the order of two items: the smallest number whose removal, or flip, would change it.

Up to a number of refits every choice of votes is tried, smallest first: that is exact. Beyond it the votes are taken in
the order of their influence (Broderick, Giordano and Meager 2020, "An automatic finite-sample robustness metric"),
with a refit after each step; the number found is then enough, but perhaps not the fewest.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from itertools import combinations_with_replacement, islice
from typing import Final, NamedTuple

import numpy as np
from scipy.special import expit

from stats.bradley_terry import RATING_PER_STRENGTH, BradleyTerryFit, fit
from stats.comparisons import FloatArray, IntArray, Outcome, PairCounts
from stats.errors import InvalidLevelError, InvalidWeightError, LengthMismatchError, UnratedItemError
from stats.laplacian import laplacian
from stats.number_checks import check_item
from stats.small_fits import PointsOfBoards, differences

MAX_REFITS: Final = 20_000
CHUNK: Final = 2048
LEVEL: Final = 1e-9  # log-odds; a lead of less is none
POINTS: Final = {Outcome.LEFT: 1.0, Outcome.RIGHT: 0.0, Outcome.TIE: 0.5, Outcome.BOTH_BAD: 0.5}


class Change(StrEnum):
    REMOVE = "remove"
    FLIP = "flip"  # winner and loser of a decided vote change places


class ChangedVotes(NamedTuple):
    left: int
    right: int
    outcome: Outcome  # as it was
    n_votes: int


@dataclass(frozen=True, kw_only=True)
class Fragility:
    """`n_votes` is None if no choice of votes was found that takes the lead from `leader` and leaves both rated.

    `exact`: no smaller number does it. `lead` is the difference in points, before and after the change of `votes`.
    """

    leader: int
    n_votes: int | None
    exact: bool
    votes: tuple[ChangedVotes, ...]
    lead: float
    lead_after: float


class _Cells(NamedTuple):
    """The kinds of votes that can be changed: arrays of shape (n_cells,)."""

    pair: IntArray  # its number in the counts
    outcome: IntArray
    n_votes: IntArray
    left_points: FloatArray  # what the change of one vote adds to them
    right_points: FloatArray


def fewest_votes(
    counts: PairCounts,
    fitted: BradleyTerryFit,
    *,
    pair: tuple[int, int],
    change: Change = Change.REMOVE,
    max_refits: int = MAX_REFITS,
) -> Fragility:
    """The fewest votes on any pairs that make the leader of `pair` lead no more.

    `fitted` is the fit of these counts, which are whole votes. A change after which the two cannot be rated together is
    no change of their order. Raises StatsError: an item without a rating, weighted votes, a fit with a prior.
    """
    change, (leader, other) = Change(change), _ordered(counts, fitted, pair)
    lead = float(fitted.strengths[leader] - fitted.strengths[other])
    cells = _cells(counts, fitted, change)
    if lead <= LEVEL:
        return _fragility(counts, cells, np.zeros(len(cells.pair)), exact=True, leads=(leader, lead, lead))
    n_tried, found = _searched(counts, fitted, cells, (leader, other), max_refits)
    exact = found is not None or n_tried >= int(cells.n_votes.sum())
    if not exact:
        found = _by_influence(counts, fitted, cells, (leader, other))
    if found is None:
        return Fragility(
            leader=leader, n_votes=None, exact=exact, votes=(), lead=lead * RATING_PER_STRENGTH, lead_after=math.nan
        )
    after = _refitted_lead(counts, fitted, cells, found, (leader, other))
    return _fragility(counts, cells, found, exact=exact, leads=(leader, lead, after))


def _ordered(counts: PairCounts, fitted: BradleyTerryFit, pair: tuple[int, int]) -> tuple[int, int]:
    if len(fitted.strengths) != counts.n_items:
        raise LengthMismatchError(f"The fit is of {len(fitted.strengths)} items and the counts of {counts.n_items}.")
    if fitted.prior is not None:
        raise InvalidLevelError("The votes alone hold no order that a prior helps to hold: fit without one.")
    if (counts.totals % 1 != 0).any() or (counts.totals != counts.squares).any():
        raise InvalidWeightError("Only whole votes can be removed or flipped, and these have weights.")
    for item in pair:
        check_item(item, counts.n_items)
        if np.isnan(fitted.strengths[item]):
            raise UnratedItemError(f"Item {item} has no rating, and so no order to lose.")
    one, other = pair
    return (one, other) if fitted.strengths[one] >= fitted.strengths[other] else (other, one)


def _cells(counts: PairCounts, fitted: BradleyTerryFit, change: Change) -> _Cells:
    decided = {Outcome.LEFT, Outcome.RIGHT}
    counted = sorted(decided | fitted.half_wins if change is Change.REMOVE else decided)
    pair, column = np.nonzero(counts.totals[:, counted] > 0)
    outcome = np.array(counted)[column]
    points = np.array([POINTS[one] for one in Outcome])[outcome]
    flipped = change is Change.FLIP
    return _Cells(
        pair=pair,
        outcome=outcome,
        n_votes=counts.totals[pair, outcome].astype(np.int64),
        left_points=1 - 2 * points if flipped else -points,
        right_points=2 * points - 1 if flipped else points - 1,
    )


def _searched(
    counts: PairCounts, fitted: BradleyTerryFit, cells: _Cells, pair: tuple[int, int], max_refits: int
) -> tuple[int, FloatArray | None]:
    """Every choice of 1, 2, ... votes; up to which number all were tried, and the first choice that does it."""
    n_cells, n_left = len(cells.pair), max_refits
    before = _points(counts, fitted)
    for n_votes in range(1, int(cells.n_votes.sum()) + 1):
        n_left -= math.comb(n_cells + n_votes - 1, n_votes)
        if n_left < 0:
            return n_votes - 1, None
        for chosen in _choices(cells, n_votes):
            lead = differences(_changed(before, cells, chosen), pair)
            if (lead <= LEVEL).any():  # NaN, where the two are no longer tied together, is not
                return n_votes, np.asarray(chosen[np.nanargmin(np.where(lead <= LEVEL, lead, np.nan))])
    return int(cells.n_votes.sum()), None


def _choices(cells: _Cells, n_votes: int) -> Iterator[FloatArray]:
    """Chunks (n_choices, n_cells) of how many votes are taken from each cell."""
    n_cells = len(cells.pair)
    every = combinations_with_replacement(range(n_cells), n_votes)
    while chunk := list(islice(every, CHUNK)):
        taken = np.zeros((len(chunk), n_cells))
        np.add.at(taken, (np.arange(len(chunk))[:, np.newaxis], np.array(chunk)), 1)
        yield taken[(taken <= cells.n_votes).all(axis=1)]


def _points(counts: PairCounts, fitted: BradleyTerryFit) -> PointsOfBoards:
    halves = counts.totals[:, sorted(fitted.half_wins)].sum(axis=1) / 2
    left, right = counts.wins_left + halves, counts.wins_right + halves
    return PointsOfBoards(counts.left, counts.right, left[np.newaxis], right[np.newaxis], counts.n_items)


def _changed(before: PointsOfBoards, cells: _Cells, taken: FloatArray) -> PointsOfBoards:
    added = [np.zeros((len(taken), len(before.left))) for _ in range(2)]
    for sums, points in zip(added, (cells.left_points, cells.right_points), strict=True):
        np.add.at(sums.T, cells.pair, (taken * points).T)
    left, right = before.left_points + added[0], before.right_points + added[1]
    return before._replace(left_points=left, right_points=right)


def _by_influence(
    counts: PairCounts, fitted: BradleyTerryFit, cells: _Cells, pair: tuple[int, int]
) -> FloatArray | None:
    """Take the votes that the lead owes most to, by halves of what seems to be needed, until it is gone."""
    taken = np.zeros(len(cells.pair))
    lead = float(fitted.strengths[pair[0]] - fitted.strengths[pair[1]])
    now = fitted
    while lead > LEVEL and (taken < cells.n_votes).any():
        influence = np.where(taken < cells.n_votes, _influence(counts, now, cells, taken, pair), np.inf)
        best = int(np.argmin(influence))
        needed = math.ceil(lead / max(-influence[best], LEVEL) / 2)
        taken[best] += min(needed, cells.n_votes[best] - taken[best])
        now = _refit(counts, fitted, cells, taken)
        lead = float(now.strengths[pair[0]] - now.strengths[pair[1]])
    return taken if lead <= LEVEL else None


def _influence(
    counts: PairCounts, now: BradleyTerryFit, cells: _Cells, taken: FloatArray, pair: tuple[int, int]
) -> FloatArray:
    """What the change of one more vote of each cell does to the lead, to first order; 0 for unrated items."""
    strengths = np.nan_to_num(now.strengths)
    log_odds = strengths[counts.left] - strengths[counts.right]
    p = expit(log_odds)
    points = _changed(_points(counts, now), cells, taken[np.newaxis])
    inside = now.connectivity.rated[counts.left] & now.connectivity.rated[counts.right]
    weight = np.where(inside, (points.left_points + points.right_points)[0] * p * (1 - p), 0.0)
    information = laplacian(counts.left, counts.right, weight=weight, n_items=counts.n_items)
    information[np.diag_indices(counts.n_items)] += np.where(now.connectivity.rated, 0.0, 1.0)
    contrast = np.zeros(counts.n_items)
    contrast[list(pair)] = 1.0, -1.0
    ground = np.outer(now.connectivity.rated, now.connectivity.rated) * information.trace() / counts.n_items
    leverage = np.linalg.solve(information + ground, contrast)
    per_point = np.where(inside, leverage[counts.left] - leverage[counts.right], 0.0)[cells.pair]
    expected = (cells.left_points + cells.right_points) * p[cells.pair]
    return np.asarray(per_point * (cells.left_points - expected))


def _refit(counts: PairCounts, fitted: BradleyTerryFit, cells: _Cells, taken: FloatArray) -> BradleyTerryFit:
    """By the fit that everybody else uses, on the votes as they would be."""
    totals = counts.totals.copy()
    np.subtract.at(totals, (cells.pair, cells.outcome), taken)
    if (cells.left_points + cells.right_points == 0).all():  # flipped, not removed
        np.add.at(totals, (cells.pair, 1 - cells.outcome), taken)
    changed = PairCounts(left=counts.left, right=counts.right, totals=totals, squares=totals, n_items=counts.n_items)
    return fit(changed, half_wins=fitted.half_wins)


def _refitted_lead(
    counts: PairCounts, fitted: BradleyTerryFit, cells: _Cells, taken: FloatArray, pair: tuple[int, int]
) -> float:
    boards = _changed(_points(counts, fitted), cells, taken[np.newaxis])
    return float(differences(boards, pair)[0])


def _fragility(
    counts: PairCounts, cells: _Cells, taken: FloatArray, *, exact: bool, leads: tuple[int, float, float]
) -> Fragility:
    leader, before, after = leads
    votes = tuple(
        ChangedVotes(int(counts.left[pair]), int(counts.right[pair]), Outcome(outcome), int(n))
        for pair, outcome, n in zip(cells.pair, cells.outcome, taken, strict=True)
        if n
    )
    return Fragility(
        leader=leader,
        n_votes=int(taken.sum()),
        exact=exact,
        votes=votes,
        lead=before * RATING_PER_STRENGTH,
        lead_after=after * RATING_PER_STRENGTH,
    )
