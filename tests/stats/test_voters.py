import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit

from stats.campaigns import Campaign, CampaignRules, find_campaigns
from stats.comparisons import (
    Comparisons,
    InvalidLevelError,
    InvalidWeightError,
    ItemIndexError,
    LengthMismatchError,
    Outcome,
    PairCounts,
)
from stats.ties import TieModel, fit_with_ties, outcome_probabilities
from stats.vote_predictions import LAPSES, predictions, vote_history
from stats.voters import (
    FEWEST_VOTES,
    WEIGHTS,
    Explanation,
    Suspicion,
    judge_voter,
    judge_voters,
    log_likelihood_ratios,
)

L, R, T, B = Outcome


def cast(*rows, n_items=3):
    left, right, outcome = zip(*rows, strict=True) if rows else ((), (), ())
    return Comparisons.from_arrays(left, right, outcome=outcome, n_items=n_items)


def world(rng, *, n_items=12, votes_per_pair=200):
    strengths = rng.normal(0, 0.8, n_items)
    odds = strengths[:, np.newaxis] - strengths
    ties = 4 * 0.3 * expit(odds) * expit(-odds)
    chances = np.stack([expit(odds) - ties / 2, expit(-odds) - ties / 2, ties], axis=-1)
    first, second = np.triu_indices(n_items, 1)
    outcomes = rng.multinomial(votes_per_pair, chances[first, second])
    cells = [(i, j, k, n) for i, j, row in zip(first, second, outcomes, strict=True) for k, n in enumerate(row)]
    return chances, PairCounts.from_cells(cells, n_items=n_items)


def honest(rng, chances, n_votes):
    n_items = len(chances)
    left = rng.integers(0, n_items, n_votes)
    right = (left + rng.integers(1, n_items, n_votes)) % n_items
    outcome = (rng.random(n_votes)[:, np.newaxis] > np.cumsum(chances[left, right], axis=1)[:, :2]).sum(axis=1)
    return Comparisons.from_arrays(left, right, outcome=outcome, n_items=n_items)


def with_outcome(votes, outcome):
    return Comparisons.from_arrays(votes.left, votes.right, outcome=outcome, n_items=votes.n_items)


# predictions


def test_a_prediction_mixes_the_pairs_votes_with_what_the_ratings_expect(board):
    counts = board("30*A>B 10*B>A 8*A=B 2*A~B 5*B>C 5*C>B")
    history = vote_history(counts, prior_votes=10)

    h = predictions(history, cast((0, 1, L), (1, 0, L)))

    fitted = fit_with_ties(counts, tie_model=TieModel.DAVIDSON)
    expected = np.column_stack(outcome_probabilities(fitted, np.array([fitted.strengths[0] - fitted.strengths[1]])))[0]
    expected = (1 - LAPSES) * expected + LAPSES / 3
    np.testing.assert_allclose(h[0], (np.array([30, 10, 10]) + 10 * expected) / 60)
    np.testing.assert_allclose(h[1], h[0][[1, 0, 2]])


def test_a_pair_that_never_met_is_predicted_by_the_ratings(board):
    history = vote_history(board("300*A>B 100*B>A 300*B>C 100*C>B"))

    left, right, tie = predictions(history, cast((0, 2, L)))[0]

    assert left / right == pytest.approx(((1 - LAPSES) * 9 / 10 + LAPSES / 3) / ((1 - LAPSES) / 10 + LAPSES / 3))
    assert tie == pytest.approx(LAPSES / 3)


def test_items_without_a_rating_are_expected_to_win_as_often_as_to_lose(board):
    history = vote_history(board("6*A>B 2*A=B", n_items=3))

    left, right, tie = predictions(history, cast((0, 2, L)))[0]

    assert left == right
    assert tie > LAPSES / 3
    empty = predictions(vote_history(board("", n_items=3)), cast((0, 1, L)))[0]
    np.testing.assert_allclose(empty, [0.5 - LAPSES / 6, 0.5 - LAPSES / 6, LAPSES / 3])


def test_own_votes_are_taken_out_of_the_counts(board):
    others = "6*A>B 3*B>A 2*A=B 4*B>C 4*C>B"
    votes = cast((0, 1, L), (1, 0, R), (1, 0, L), (1, 0, T), (1, 0, B), (0, 1, R))
    with_own = vote_history(board(others + " 2*A>B 2*B>A A=B A~B"))
    without = vote_history(board(others))

    h = predictions(with_own, votes, own=np.zeros(6, dtype=np.int64))

    n = np.array([6, 3, 2])
    expected = with_own.expected[0, 1]
    np.testing.assert_allclose(h[0], (n + 20 * expected) / 31)
    np.testing.assert_allclose(h[2], h[0][[1, 0, 2]])
    assert without.counts[0, 1].tolist() == n.tolist()


def test_each_group_loses_only_its_own_votes(board):
    history = vote_history(board("5*A>B 5*B>A"))

    first, second = predictions(history, cast((0, 1, L), (0, 1, R), n_items=2), own=np.array([4, 9]))

    assert first[0] < 0.5 < first[1]
    assert second[1] < 0.5 < second[0]


def test_votes_that_are_not_in_the_history_cannot_be_taken_out(board):
    with pytest.raises(InvalidWeightError, match="not in the history"):
        predictions(vote_history(board("A>B B>A")), cast((0, 1, T), n_items=2), own=np.zeros(1, dtype=np.int64))


def test_predictions_need_the_same_items_and_one_group_per_vote(board):
    history = vote_history(board("A>B B>A"))
    with pytest.raises(ItemIndexError, match="of 2 items and the votes are of 3"):
        predictions(history, cast((0, 1, L)))
    with pytest.raises(LengthMismatchError, match="1 votes and 2 numbers"):
        predictions(history, cast((0, 1, L), n_items=2), own=np.zeros(2, dtype=np.int64))


@pytest.mark.parametrize("prior_votes", [0, -1, float("nan"), float("inf")])
def test_some_prior_votes_are_needed(board, prior_votes):
    with pytest.raises(InvalidWeightError, match="prior votes"):
        vote_history(board("A>B B>A"), prior_votes=prior_votes)


# evidence


def test_each_ratio_is_that_of_a_distribution():
    """For every suspicion sum over outcomes of h * (q / h) is 1, hence the expectation under h is 1."""
    rng = np.random.default_rng(3)
    h = rng.dirichlet([2, 1, 1], size=1)
    outcomes = [L, R, T]

    ratios = np.exp([log_likelihood_ratios(cast((2, 0, outcome)), h)[0] for outcome in outcomes])

    np.testing.assert_allclose(h[0] @ ratios, 1.0)
    assert (ratios[:, 5 + 1] == 1).all()  # the item that was not seen
    assert ratios[0, 5 + 2] > 1 > ratios[1, 5 + 2]
    assert ratios[1, 5 + 0] > 1 > ratios[0, 5 + 0]
    np.testing.assert_allclose(ratios[:, 5 + 3 + 2], ratios[:, 5 + 0])  # to sink one of two is to boost the other
    np.testing.assert_allclose(log_likelihood_ratios(cast((2, 0, B)), h), log_likelihood_ratios(cast((2, 0, T)), h))


def test_the_weights_of_the_suspicions_sum_to_one():
    assert list(WEIGHTS) == list(Suspicion)
    assert sum(WEIGHTS.values()) == pytest.approx(1.0)


def test_the_evidence_is_the_mixture_of_the_products(board):
    history = vote_history(board("30*A>B 20*B>A 9*A=B 20*B>C 20*C>B"))
    votes = cast((0, 1, R), (1, 0, L), (2, 1, T))

    evidence = judge_voter(votes, history, counted=False).log_evidence

    products = np.cumprod(np.exp(log_likelihood_ratios(votes, predictions(history, votes))), axis=0)
    per_item = list(WEIGHTS.values())
    weights = [*per_item[:5], *[per_item[5] / 3] * 3, *[per_item[6] / 3] * 3]
    np.testing.assert_allclose(np.exp(evidence), products @ weights)


def test_no_votes_are_no_evidence(board):
    judged = judge_voter(cast(n_items=2), vote_history(board("A>B B>A")))

    assert judged.log_evidence.shape == (0,)
    assert (judged.flagged_at, judged.explanation) == (None, None)


STRANGE = {
    Suspicion.LEFT_SIDE: lambda votes: np.full(len(votes.left), L),
    Suspicion.RIGHT_SIDE: lambda votes: np.full(len(votes.left), R),
    Suspicion.ALWAYS_UNDECIDED: lambda votes: np.full(len(votes.left), B),
    Suspicion.BOOSTS: lambda votes: np.where(votes.left == 4, L, np.where(votes.right == 4, R, votes.outcome)),
    Suspicion.SINKS: lambda votes: np.where(votes.left == 4, R, np.where(votes.right == 4, L, votes.outcome)),
    Suspicion.COIN: lambda votes: np.where(votes.outcome == T, T, np.arange(len(votes.left)) % 2),
    Suspicion.ANY_BUTTON: lambda votes: np.arange(len(votes.left)) % 3,
}


@pytest.mark.parametrize("suspicion", Suspicion)
def test_strange_voters_are_found_and_explained(suspicion):
    rng = np.random.default_rng(11)
    chances, counts = world(rng)
    votes = honest(rng, chances, 600)
    item = 4 if suspicion in (Suspicion.BOOSTS, Suspicion.SINKS) else None

    judged = judge_voter(with_outcome(votes, STRANGE[suspicion](votes)), vote_history(counts), counted=False)

    assert judged.flagged_at is not None
    assert FEWEST_VOTES <= judged.flagged_at < 400
    assert judged.explanation == Explanation(suspicion, item)
    assert judged.log_evidence[judged.flagged_at - 1] > np.log(20)
    assert (judged.log_evidence[FEWEST_VOTES : judged.flagged_at - 1] <= np.log(20)).all()


def test_honest_voters_are_rarely_blamed():
    rng = np.random.default_rng(5)
    flagged = 0
    for _ in range(4):
        chances, counts = world(rng)
        history = vote_history(counts)
        flagged += sum(
            judge_voter(honest(rng, chances, 60), history, counted=False).flagged_at is not None for _ in range(75)
        )

    assert flagged / 300 <= 0.04


def test_a_lower_alpha_needs_more_evidence():
    rng = np.random.default_rng(11)
    chances, counts = world(rng)
    votes = with_outcome(honest(rng, chances, 200), np.full(200, L))

    early, late = (
        judge_voter(votes, vote_history(counts), counted=False, alpha=alpha).flagged_at for alpha in (0.05, 1e-9)
    )

    assert early < late


def test_nobody_is_blamed_for_fewer_than_ten_votes(board):
    history = vote_history(board("999*A>B B>A"))

    judged = judge_voter(cast(*[(0, 1, R)] * 12, n_items=2), history, counted=False)

    assert judged.log_evidence[1] > np.log(20)
    assert judged.flagged_at == FEWEST_VOTES


def test_many_voters_are_judged_each_alone_without_their_own_votes():
    rng = np.random.default_rng(2)
    chances, counts = world(rng, n_items=5)
    votes = honest(rng, chances, 90)
    voter = rng.integers(-1, 3, 90)
    cells = np.column_stack([votes.left, votes.right, votes.outcome, np.ones(90)]).astype(int).tolist()
    old = [
        (int(i), int(j), k, n)
        for i, j, row in zip(counts.left, counts.right, counts.totals, strict=True)
        for k, n in enumerate(row)
    ]
    history = vote_history(PairCounts.from_cells(old + cells, n_items=5))

    together = judge_voters(votes, voter, history)

    assert sorted(together) == [0, 1, 2]
    for number, judged in together.items():
        mine = voter == number
        alone = Comparisons.from_arrays(votes.left[mine], votes.right[mine], outcome=votes.outcome[mine], n_items=5)
        np.testing.assert_allclose(judged.log_evidence, judge_voter(alone, history).log_evidence)
    uncounted = judge_voters(votes, voter, history, counted=False)
    assert not np.allclose(uncounted[0].log_evidence, together[0].log_evidence)
    assert judge_voters(cast(n_items=5), np.empty(0, dtype=np.int64), history) == {}


def test_voters_need_a_number_each_and_a_share_of_false_alarms(board):
    history = vote_history(board("A>B B>A"))
    with pytest.raises(LengthMismatchError, match="numbers of their voters"):
        judge_voters(cast((0, 1, L), n_items=2), np.zeros(2, dtype=np.int64), history)
    for alpha in (0, 1):
        with pytest.raises(InvalidLevelError, match="share of false alarms"):
            judge_voter(cast((0, 1, L), n_items=2), history, alpha=alpha)


# campaigns

HOUR = 3600.0


def staged(rng, *, n_boosters, sink=False, n_honest=40):
    """Honest voters over four days, and boosters who voted 12 times each on model 3 within three hours."""
    chances, counts = world(rng)
    background = honest(rng, chances, 15 * n_honest)
    other = rng.integers(4, 12, 12 * n_boosters)
    left = np.concatenate([background.left, np.full(12 * n_boosters, 3)])
    right = np.concatenate([background.right, other])
    outcome = np.concatenate([background.outcome, np.full(12 * n_boosters, R if sink else L)])
    voter = np.concatenate([np.repeat(np.arange(n_honest), 15), n_honest + np.repeat(np.arange(n_boosters), 12)])
    times = np.concatenate([rng.uniform(0, 96, 15 * n_honest), rng.uniform(50, 53, 12 * n_boosters)]) * HOUR
    votes = Comparisons.from_arrays(left, right, outcome=outcome, n_items=12)
    old = [
        (int(i), int(j), k, n)
        for i, j, row in zip(counts.left, counts.right, counts.totals, strict=True)
        for k, n in enumerate(row)
    ]
    cells = [*old, *((int(i), int(j), int(k), 1.0) for i, j, k in zip(left, right, outcome, strict=True))]
    return votes, voter, times, vote_history(PairCounts.from_cells(cells, n_items=12))


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
    pushed = voter >= 40
    campaign = Comparisons.from_arrays(
        votes.left[pushed], votes.right[pushed], outcome=votes.outcome[pushed], n_items=votes.n_items
    )

    found = find_campaigns(campaign, history, voter=voter[pushed], times=np.full(48, 3 * HOUR)).campaigns[0]

    h = predictions(history, campaign, own=np.zeros(48, dtype=np.int64))
    by_voter = log_likelihood_ratios(campaign, h)[:, 5 + 3].reshape(4, 12).sum(axis=1)
    assert found.log_evidence == pytest.approx(by_voter.sum() - by_voter.max())


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


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(1, 3), st.sampled_from(Outcome)), min_size=1, max_size=30))
def test_swapped_sides_change_only_the_suspicion_of_sides(rows):
    plain = cast(*[(one, (one + step) % 4, outcome) for one, step, outcome in rows], n_items=4)
    turned = np.array([R, L, T, B])[plain.outcome]
    swapped = Comparisons.from_arrays(plain.right, plain.left, outcome=turned, n_items=4)
    history = vote_history(PairCounts.from_comparisons(plain))
    own = np.zeros(len(rows), dtype=np.int64)

    first = log_likelihood_ratios(plain, predictions(history, plain, own=own))
    second = log_likelihood_ratios(swapped, predictions(history, swapped, own=own))

    order = [0, 1, 3, 2, *range(4, first.shape[1])]
    np.testing.assert_allclose(second[:, order], first, atol=1e-12)
