import math

import numpy as np
import pytest

from stats.campaigns import Campaign, CampaignRules, find_campaigns
from stats.comparisons import Comparisons, Outcome
from stats.errors import InvalidLevelError, InvalidWeightError, LengthMismatchError
from stats.suspicions import PUSH_SHARE
from stats.vote_predictions import predictions, vote_history
from stats.voters import rows
from tests.helpers.voting import cast, counted, honest, world

L, R, T, B = Outcome
HOUR = 3600.0


def staged(rng, *, n_boosters, sink=False, n_honest=40):
    """Honest voters over four days, and boosters who voted 12 times each on item 3 within three hours."""
    chances, counts = world(rng)
    background = honest(rng, chances, 15 * n_honest)
    other = rng.integers(4, 12, 12 * n_boosters)
    votes = Comparisons.from_arrays(
        np.concatenate([background.left, np.full(12 * n_boosters, 3)]),
        np.concatenate([background.right, other]),
        outcome=np.concatenate([background.outcome, np.full(12 * n_boosters, R if sink else L)]),
        n_items=12,
    )
    voter = np.concatenate([np.repeat(np.arange(n_honest), 15), n_honest + np.repeat(np.arange(n_boosters), 12)])
    times = np.concatenate([rng.uniform(0, 96, 15 * n_honest), rng.uniform(50, 53, 12 * n_boosters)]) * HOUR
    return votes, voter, times, vote_history(counted(counts, votes))


@pytest.mark.parametrize("sink", [False, True])
def test_a_campaign_is_found_with_its_model_its_time_and_its_voters(sink):
    votes, voter, times, history = staged(np.random.default_rng(6), n_boosters=4, sink=sink)

    report = find_campaigns(votes, history, voter=voter, times=times)

    assert report.campaigns
    for found in report.campaigns:
        assert isinstance(found, Campaign)
        assert (found.item, found.boosted) == (3, not sink)
        assert found.start < 53 * HOUR
        assert found.end == found.start + 6 * HOUR > 50 * HOUR
        assert found.log_evidence > report.log_limit == pytest.approx(np.log(report.n_tests / 0.05))
    assert set(range(40, 44)) <= set(report.campaigns[0].voters)
    evidence = [found.log_evidence for found in report.campaigns]
    assert evidence == sorted(evidence, reverse=True)


@pytest.mark.parametrize("n_boosters", [0, 1])
def test_honest_voters_and_a_single_booster_are_no_campaign(n_boosters):
    votes, voter, times, history = staged(np.random.default_rng(7), n_boosters=n_boosters)

    report = find_campaigns(votes, history, voter=voter, times=times)

    assert report.campaigns == ()
    assert report.n_tests > 0


def test_the_evidence_is_by_the_history_before_the_window_and_without_the_strongest_voter():
    votes, voter, _, history = staged(np.random.default_rng(6), n_boosters=4)
    pushed = np.flatnonzero(voter >= 40)
    campaign = rows(votes, pushed)
    one_vote_each = Comparisons.from_arrays([3, 3, 3], [4, 5, 6], outcome=[L, R, T], n_items=12)
    window = joined(campaign, one_vote_each)
    who = np.concatenate([voter[pushed], [1, 2, 3]])

    found = find_campaigns(window, history, voter=who, times=np.full(51, 3 * HOUR)).campaigns[0]

    h = predictions(history, window, own=np.zeros(51, dtype=np.int64))
    wins = np.where(window.outcome == L, PUSH_SHARE / h[:, 0], 0.0) + 1 - PUSH_SHARE
    ratios = np.array([wins[who == number].prod() for number in (1, 2, 3, 40, 41, 42, 43)])
    strongest = ratios.argmax()
    shares = [np.full(7, 0.05), np.full(7, 0.2), np.full(7, 0.5), np.array([0.02] * 3 + [0.7] * 4)]
    factors = [1 - share + share * ratios for share in shares]
    evidence = np.mean([factor.prod() / factor[strongest] for factor in factors])
    favoured = (1 + repeats_of(window, who, 3) / mean_repeats(window, who)) / 2
    assert found.log_evidence == pytest.approx(np.log(evidence * favoured))
    assert found.voters == (40, 41, 42, 43)


def joined(one, other):
    both = (np.concatenate([getattr(votes, side) for votes in (one, other)]) for side in ("left", "right", "outcome"))
    left, right, outcome = both
    return Comparisons.from_arrays(left, right, outcome=outcome, n_items=one.n_items)


def repeats_of(votes, who, item):
    """Pairs of votes of one voter on the item, without those of the voter with most."""
    met = (votes.left == item) | (votes.right == item)
    pairs = sorted(math.comb(int((met & (who == number)).sum()), 2) for number in set(who[met].tolist()))
    return sum(pairs[:-1])


def mean_repeats(votes, who):
    """Over the items that three or more voters met."""
    seen = [set(who[(votes.left == item) | (votes.right == item)].tolist()) for item in range(votes.n_items)]
    return np.mean([repeats_of(votes, who, item) for item, voters in enumerate(seen) if len(voters) >= 3])


def test_honest_voters_in_the_same_window_are_not_among_its_voters():
    votes, voter, times, history = staged(np.random.default_rng(6), n_boosters=4)

    strongest = find_campaigns(votes, history, voter=voter, times=times).campaigns[0]

    assert set(range(40, 44)) <= set(strongest.voters)
    assert len(strongest.voters) <= 5
    assert len(set(voter[(times >= strongest.start) & (times < strongest.end)].tolist())) > 15


def test_two_voters_are_no_campaign_however_strong_their_evidence():
    votes, voter, times, history = staged(np.random.default_rng(6), n_boosters=2)

    assert find_campaigns(votes, history, voter=voter, times=times).campaigns == ()


def test_where_nobody_meets_an_item_twice_all_looks_weigh_alike():
    counts = world(np.random.default_rng(3))[1]
    votes = cast((3, 0, L), (3, 1, L), (3, 2, L), n_items=12)
    history = vote_history(counted(counts, votes))

    report = find_campaigns(votes, history, voter=np.arange(3), times=np.zeros(3), rules=CampaignRules(alpha=0.999))

    assert report.n_tests == 4  # to boost and to sink item 3, in two windows
    assert report.campaigns == ()


@pytest.mark.parametrize("n_votes", [0, 1])
def test_hardly_any_votes_are_no_campaign(board, n_votes):
    votes = cast(*[(0, 1, L)] * n_votes, n_items=2)
    history = vote_history(board("A>B" if n_votes else "", n_items=2))

    report = find_campaigns(
        votes, history, voter=np.zeros(n_votes, dtype=np.int64), times=np.zeros(n_votes), rules=CampaignRules()
    )

    assert (report.campaigns, report.n_tests) == ((), 0)


def test_thousands_of_votes_of_one_voter_do_not_overflow():
    counts = world(np.random.default_rng(3))[1]
    votes = cast(*[(3, 0, L)] * 4000, n_items=12)

    report = find_campaigns(
        votes, vote_history(counted(counts, votes)), voter=np.arange(4000) % 4, times=np.linspace(0, HOUR, 4000)
    )

    assert all(np.isfinite(found.log_evidence) for found in report.campaigns)
    assert report.campaigns[0].voters == (0, 1, 2, 3)


def test_a_longer_time_apart_is_no_campaign():
    votes, voter, _, history = staged(np.random.default_rng(6), n_boosters=4)

    report = find_campaigns(votes, history, voter=voter, times=np.arange(len(voter)) * 50 * HOUR)

    assert (report.campaigns, report.n_tests) == ((), 0)


def test_votes_without_voter_or_time_are_left_out():
    votes, voter, times, history = staged(np.random.default_rng(6), n_boosters=4)

    unknown = find_campaigns(votes, history, voter=np.where(voter >= 40, -1, voter), times=times)
    timeless = find_campaigns(votes, history, voter=voter, times=np.where(voter >= 40, np.nan, times))

    assert unknown.campaigns == timeless.campaigns == ()


def test_a_campaign_is_asked_for_sensibly(board):
    history, votes = vote_history(board("A>B B>A")), cast((0, 1, L), n_items=2)
    one = np.zeros(1)
    nobody = np.zeros(1, dtype=np.int64)
    with pytest.raises(LengthMismatchError, match="1 votes, 1 voters and 2 times"):
        find_campaigns(votes, history, voter=nobody, times=np.zeros(2))
    with pytest.raises(InvalidWeightError, match="window"):
        find_campaigns(votes, history, voter=nobody, times=one, rules=CampaignRules(window_seconds=0))
    with pytest.raises(InvalidLevelError, match="false alarms"):
        find_campaigns(votes, history, voter=nobody, times=one, rules=CampaignRules(alpha=1))
