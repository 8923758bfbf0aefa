import numpy as np
import pytest

from stats.comparisons import Comparisons, Outcome, PairCounts
from stats.errors import InvalidLevelError, LengthMismatchError
from stats.suspicions import Explanation, Suspicion, log_likelihood_ratios, log_prior, log_weights
from stats.vote_predictions import predictions, vote_history
from stats.voters import FEWEST_VOTES, judge_voter, judge_voters, rows
from tests.helpers.voting import cast, counted, honest, with_outcome, world

L, R, T, B = Outcome


def test_the_evidence_is_the_mixture_of_the_products(board):
    history = vote_history(board("30*A>B 20*B>A 9*A=B 20*B>C 20*C>B"))
    votes = cast((0, 1, R), (1, 0, L), (2, 1, T))

    evidence = judge_voter(votes, history, counted=False).log_evidence

    products = np.cumprod(np.exp(log_likelihood_ratios(votes, predictions(history, votes))), axis=0)
    weights = np.exp(log_weights(votes, log_prior(history)))
    np.testing.assert_allclose(np.exp(evidence), (products * weights).sum(axis=1))


def test_who_drops_battles_until_the_item_comes_is_found_sooner():
    rng = np.random.default_rng(11)
    chances, counts = world(rng)
    votes = honest(rng, chances, 600)
    boosted = with_outcome(votes, STRANGE[Suspicion.BOOSTS](votes))
    on_item = (boosted.left == 4) | (boosted.right == 4)
    chosen = np.flatnonzero(on_item | (np.arange(600) % 3 == 0))

    patient, impatient = (
        judge_voter(rows(boosted, some), vote_history(counts), counted=False) for some in (np.arange(600), chosen)
    )

    votes_on_item = [on_item[: patient.flagged_at].sum(), on_item[chosen][: impatient.flagged_at].sum()]
    assert votes_on_item[1] < votes_on_item[0]
    assert impatient.explanation == Explanation(Suspicion.BOOSTS, 4)


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


def test_boosters_are_found_within_sixty_votes():
    """95 % of the votes on their item go to it, and 30 % of their battles are on it besides."""
    rng = np.random.default_rng(6)
    chances, counts = world(rng, n_items=20, votes_per_pair=500)
    n, targets = 60 * 80, np.repeat(np.arange(80) % 20, 60)
    drawn = honest(rng, chances, n)
    left = np.where(rng.random(n) < 0.3, targets, drawn.left)
    right = np.where(left == drawn.right, (left + 1) % 20, drawn.right)
    outcome = (rng.random(n)[:, np.newaxis] > np.cumsum(chances[left, right], axis=1)[:, :2]).sum(axis=1)
    pushes = rng.random(n) < 0.95
    outcome = np.where(pushes & (left == targets), L, np.where(pushes & (right == targets), R, outcome))
    votes = Comparisons.from_arrays(left, right, outcome=outcome, n_items=20)

    judged = judge_voters(votes, np.repeat(np.arange(80), 60), vote_history(counts), counted=False)

    found = [one.explanation == Explanation(Suspicion.BOOSTS, number % 20) for number, one in judged.items()]
    assert np.mean([one.flagged_at is not None for one in judged.values()]) >= 0.95
    assert np.mean(found) >= 0.95


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
    votes, voter = honest(rng, chances, 90), rng.integers(-1, 3, 90)
    history = vote_history(counted(counts, votes))

    together = judge_voters(votes, voter, history)

    assert sorted(together) == [0, 1, 2]
    for number, judged in together.items():
        mine = np.flatnonzero(voter == number)
        alone = judge_voter(rows(votes, mine), history)
        np.testing.assert_allclose(judged.log_evidence, alone.log_evidence)
        assert (judged.flagged_at, judged.explanation) == (alone.flagged_at, alone.explanation)
    uncounted = judge_voters(votes, voter, history, counted=False)
    assert not np.allclose(uncounted[0].log_evidence, together[0].log_evidence)
    assert judge_voters(votes, np.full(90, -1), history) == {}
    assert judge_voters(cast(n_items=5), np.empty(0, dtype=np.int64), history) == {}
    empty = vote_history(PairCounts.from_cells([], n_items=0))
    assert judge_voters(cast(n_items=0), np.empty(0, dtype=np.int64), empty) == {}


@pytest.mark.parametrize("votes", [[(0, 1, L)], [(0, 1, R), (1, 0, B)]])
def test_the_first_votes_of_an_arena_are_no_reason_for_suspicion(board, votes):
    nothing_known = vote_history(board("", n_items=2))

    judged = judge_voter(cast(*votes, n_items=2), nothing_known, counted=False)

    assert judged.flagged_at is None
    assert np.isfinite(judged.log_evidence).all()
    alone = judge_voter(cast((0, 1, L), n_items=2), vote_history(board("A>B")))  # nobody else has voted
    assert alone.flagged_at is None


def test_voters_need_a_number_each_and_a_share_of_false_alarms(board):
    history, votes = vote_history(board("A>B B>A")), cast((0, 1, L), n_items=2)
    with pytest.raises(LengthMismatchError, match="numbers of their voters"):
        judge_voters(votes, np.zeros(2, dtype=np.int64), history)
    for alpha in (0, 1):
        with pytest.raises(InvalidLevelError, match="share of false alarms"):
            judge_voter(votes, history, alpha=alpha)
