"""Several voters pushing one model in a short time: found by their votes together, where no one of them stands out."""

from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from scipy.special import logsumexp

from stats.comparisons import Comparisons, FloatArray, IntArray, sums_at
from stats.errors import InvalidLevelError, InvalidWeightError, LengthMismatchError
from stats.suspicions import log_pushed
from stats.vote_predictions import LEFT, RIGHT, VoteHistory, columns_of, predictions
from stats.voters import ALPHA, rows

WINDOW_SECONDS: Final = 6 * 3600.0
FEWEST_VOTERS: Final = 3
PHASES: Final = (0.0, 0.5)  # where windows begin, in windows
# What share of an item's voters may push it: of those with so many votes on it, and of the others
SHARES: Final = ((1, 0.05, 0.0), (1, 0.2, 0.0), (1, 0.5, 0.0), (3, 0.7, 0.02))


class CampaignRules(NamedTuple):
    """Length of a window in seconds, and the share of false alarms over all tests together."""

    window_seconds: float = WINDOW_SECONDS
    alpha: float = ALPHA


class Campaign(NamedTuple):
    """`voters` are those who more probably than not took part.

    `log_evidence` is that of the votes on the item in the window without those of the voter who adds most to it, times
    the weight of the test in weights of an average one.
    """

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
    """Per window, item and voter, sorted by them: log evidence that the voter boosts and that the voter sinks it."""

    window: IntArray
    item: IntArray
    voter: IntArray
    n_votes: FloatArray
    evidence: FloatArray  # (n_sums, 2)


class _Looks(NamedTuple):
    """At one item in one window each, if three or more voters met it there; shapes (n_looks,) and (n_looks, 2)."""

    sums: _Sums
    first: IntArray  # of the rows of sums
    last: IntArray
    repeats: FloatArray  # pairs of votes by one and the same voter, without the voter who has most
    evidence: FloatArray  # without the strongest voter
    likeliest: IntArray  # of SHARES


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
    ratio of "each of these voters boosts (or sinks) the item with some probability, and otherwise is honest", averaged
    over what that probability may be (SHARES), is an e-value: honest voters give it an expectation of 1. It grows by
    those who push, whoever they are, and loses little by each who does not. The tests weigh the more, the more often
    the same voters met the item again; who met what is chosen by the draw, not by the outcomes of honest votes.

    A campaign is named if three or more voters probably took part and weight * ratio exceeds 1 / alpha even without the
    voter who adds most. By Markov's inequality, added up over the tests, honest voters are named at all with a
    probability of at most alpha (for known probabilities; see `voters` and `bench/voters.py`). Raises StatsError.
    """
    window, alpha = rules or CampaignRules()
    _check(_Timed(votes, voter, times), window=window, alpha=alpha)
    known = np.flatnonzero((voter >= 0) & np.isfinite(times))
    timed = _Timed(rows(votes, known), voter[known], times[known])
    looks = [_looks(_sums(timed, history, window=window, phase=phase)) for phase in PHASES]
    n_looks = sum(len(look.first) for look in looks)
    usual = sum(look.repeats.sum() for look in looks) / max(n_looks, 1)
    log_limit = float(np.log(max(2 * n_looks, 1) / alpha))
    found: list[Campaign] = []
    for phase, look in zip(PHASES, looks, strict=True):
        weighed = look.evidence + _log_favour(look.repeats, usual=usual)[:, np.newaxis]
        for number, kind in np.argwhere(weighed > log_limit).tolist():
            start = (float(look.sums.window[look.first[number]]) - phase) * window
            voters = _voters(look, number, kind)
            if len(voters) >= FEWEST_VOTERS:
                item = int(look.sums.item[look.first[number]])
                found.append(Campaign(item, kind == 0, start, start + window, voters, float(weighed[number, kind])))
    found.sort(key=lambda one: -one.log_evidence)
    return CampaignReport(campaigns=tuple(found), n_tests=2 * n_looks, log_limit=log_limit)


def _sums(timed: _Timed, history: VoteHistory, *, window: float, phase: float) -> _Sums:
    votes = timed.votes
    number = np.floor(timed.times / window + phase).astype(np.int64)
    h = predictions(history, votes, own=number)
    column = columns_of(votes)
    won, lost = (log_pushed(h, column, button=button) for button in (LEFT, RIGHT))
    keys = np.column_stack([np.tile(number, 2), np.concatenate([votes.left, votes.right]), np.tile(timed.voter, 2)])
    groups, group = np.unique(keys, axis=0, return_inverse=True)
    group = group.reshape(-1)
    n_votes, boosted, sunk = (
        sums_at(group, values, length=len(groups))
        for values in (np.ones(len(group)), np.concatenate([won, lost]), np.concatenate([lost, won]))
    )
    return _Sums(groups[:, 0], groups[:, 1], groups[:, 2], n_votes, np.column_stack([boosted, sunk]))


def _looks(sums: _Sums) -> _Looks:
    places = np.column_stack([sums.window, sums.item])
    starts, n_voters = np.unique(places, axis=0, return_index=True, return_counts=True)[1:]
    share = _shares(sums.n_votes)[:, np.newaxis]
    mixed = np.logaddexp(np.log1p(-share), np.log(share) + sums.evidence[:, :, np.newaxis])
    pairs = sums.n_votes * (sums.n_votes - 1) / 2
    many = n_voters >= FEWEST_VOTERS
    evidence = np.add.reduceat(mixed, starts) - np.maximum(np.maximum.reduceat(mixed, starts), 0.0)
    return _Looks(
        sums=sums,
        first=starts[many],
        last=(starts + n_voters)[many],
        repeats=(np.add.reduceat(pairs, starts) - np.maximum.reduceat(pairs, starts))[many],
        evidence=(logsumexp(evidence, axis=-1) - np.log(len(SHARES)))[many],
        likeliest=np.argmax(evidence, axis=-1)[many],
    )


def _log_favour(repeats: FloatArray, *, usual: float) -> FloatArray:
    """How much more a look weighs than if all weighed alike: half of the weight goes by the repeats."""
    return np.log((1 + repeats / usual) / 2) if usual > 0 else np.zeros(len(repeats))


def _shares(n_votes: FloatArray) -> FloatArray:
    """How probably each voter takes part, shape (n_voters, n_shares)."""
    fewest, share, others = np.array(SHARES).T
    return np.asarray(np.where(n_votes[:, np.newaxis] >= fewest, share, others))


def _voters(looks: _Looks, number: int, kind: int) -> tuple[int, ...]:
    """Who more probably than not took part, by the shares that explain the votes best."""
    there = slice(looks.first[number], looks.last[number])
    share = _shares(looks.sums.n_votes[there])[:, looks.likeliest[number, kind]]
    took_part = looks.sums.evidence[there, kind] > np.log((1 - share) / share)
    return tuple(looks.sums.voter[there][took_part].tolist())


def _check(timed: _Timed, *, window: float, alpha: float) -> None:
    votes, voter, times = timed
    if not (voter.shape == times.shape == votes.left.shape):
        raise LengthMismatchError(f"There are {len(votes.left)} votes, {len(voter)} voters and {len(times)} times.")
    if not 0 < window < float("inf"):
        raise InvalidWeightError(f"A window must last some seconds, not {window}.")
    if not 0 < alpha < 1:
        raise InvalidLevelError(f"A share of false alarms lies between 0 and 1 (as 0.05 does), not at {alpha}.")
