"""Several voters pushing one model in a short time: found by their votes together, where no one of them stands out."""

from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np

from stats.comparisons import (
    Comparisons,
    FloatArray,
    IntArray,
    InvalidLevelError,
    InvalidWeightError,
    LengthMismatchError,
    sums_at,
)
from stats.vote_predictions import LEFT, RIGHT, VoteHistory, columns_of, predictions
from stats.voters import ALPHA, BOOST_SHARE, pressed, rows

WINDOW_SECONDS: Final = 6 * 3600.0
FEWEST_VOTERS: Final = 3


class CampaignRules(NamedTuple):
    window_seconds: float = WINDOW_SECONDS
    alpha: float = ALPHA


class Campaign(NamedTuple):
    """`log_evidence` is that of the votes on the item in the window without those of the voter who adds most to it."""

    item: int
    boosted: bool  # False: the item was made to lose
    start: float
    end: float
    voters: tuple[int, ...]
    log_evidence: float


@dataclass(frozen=True, kw_only=True, eq=False)
class CampaignReport:
    """Strongest first; every one beyond `log_limit`. `n_tests` is how many items in windows were looked at."""

    campaigns: tuple[Campaign, ...]
    n_tests: int
    log_limit: float


class _Timed(NamedTuple):
    """Votes with a known voter and time."""

    votes: Comparisons
    voter: IntArray
    times: FloatArray


class _Sums(NamedTuple):
    """Per item, window and voter, sorted by them: log evidence that the voter boosts and that the voter sinks it."""

    window: IntArray
    item: IntArray
    voter: IntArray
    evidence: FloatArray  # (n_sums, 2)


def find_campaigns(
    votes: Comparisons,
    history: VoteHistory,
    *,
    voter: IntArray,
    times: FloatArray,
    rules: CampaignRules | None = None,
) -> CampaignReport:
    """Look at every item in every window of some hours, a new one beginning each half window.

    `voter` and `times` have shape (n_votes,); votes without a voter (negative) or a time (NaN) are left out. The votes
    are part of the history; those of a window are taken out of it before the window is judged. There the likelihood
    ratio of "these voters boost (or sink) the item" is an e-value: honest voters give it an expectation of 1. A
    campaign is named if three or more voters took part and the ratio exceeds n_tests / alpha even without the voter who
    adds most to it. By Markov's inequality, added up over the tests, honest voters are named at all with a probability
    of at most alpha (for known probabilities; see `voters` and `bench/voters.py`). Raises StatsError.
    """
    window, alpha = rules or CampaignRules()
    _check(_Timed(votes, voter, times), window=window, alpha=alpha)
    known = np.flatnonzero((voter >= 0) & np.isfinite(times))
    timed = _Timed(rows(votes, known), voter[known], times[known])
    found: list[Campaign] = []
    n_tests = 0
    for phase in (0.0, 0.5):
        candidates, n_looks = _candidates(_sums(timed, history, window=window, phase=phase), window=window, phase=phase)
        found += candidates
        n_tests += n_looks
    log_limit = float(np.log(max(n_tests, 1) / alpha))
    named = sorted((one for one in found if one.log_evidence > log_limit), key=lambda one: -one.log_evidence)
    return CampaignReport(campaigns=tuple(named), n_tests=n_tests, log_limit=log_limit)


def _sums(timed: _Timed, history: VoteHistory, *, window: float, phase: float) -> _Sums:
    votes = timed.votes
    number = np.floor(timed.times / window + phase).astype(np.int64)
    h = predictions(history, votes, own=number)
    column = columns_of(votes)
    won, lost = (np.log(pressed(h, column, button=button, share=BOOST_SHARE)) for button in (LEFT, RIGHT))
    keys = np.column_stack([np.tile(number, 2), np.concatenate([votes.left, votes.right]), np.tile(timed.voter, 2)])
    groups, group = np.unique(keys, axis=0, return_inverse=True)
    group = group.reshape(-1)
    boosted = sums_at(group, np.concatenate([won, lost]), length=len(groups))
    sunk = sums_at(group, np.concatenate([lost, won]), length=len(groups))
    return _Sums(groups[:, 0], groups[:, 1], groups[:, 2], np.column_stack([boosted, sunk]))


def _candidates(sums: _Sums, *, window: float, phase: float) -> tuple[list[Campaign], int]:
    """Where there is any evidence at all, and how many tests were made."""
    places, starts, n_voters = np.unique(
        np.column_stack([sums.window, sums.item]), axis=0, return_index=True, return_counts=True
    )
    tested = n_voters >= FEWEST_VOTERS
    if not tested.any():
        return [], 0
    total = np.add.reduceat(sums.evidence, starts)
    left = total - np.maximum(np.maximum.reduceat(sums.evidence, starts), 0.0)
    campaigns = []
    for place, kind in np.argwhere(tested[:, np.newaxis] & (left > 0)).tolist():
        start = (float(places[place, 0]) - phase) * window
        voters = sums.voter[starts[place] : starts[place] + n_voters[place]].tolist()
        item = int(places[place, 1])
        campaigns.append(Campaign(item, kind == 0, start, start + window, tuple(voters), float(left[place, kind])))
    return campaigns, 2 * int(tested.sum())


def _check(timed: _Timed, *, window: float, alpha: float) -> None:
    votes, voter, times = timed
    if not (voter.shape == times.shape == votes.left.shape):
        raise LengthMismatchError(f"There are {len(votes.left)} votes, {len(voter)} voters and {len(times)} times.")
    if not 0 < window < float("inf"):
        raise InvalidWeightError(f"A window must last some seconds, not {window}.")
    if not 0 < alpha < 1:
        raise InvalidLevelError(f"A share of false alarms lies between 0 and 1 (as 0.05 does), not at {alpha}.")
