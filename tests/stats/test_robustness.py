from itertools import combinations_with_replacement

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stats import robustness
from stats.bradley_terry import RATING_PER_STRENGTH, Gauge, NormalPrior, fit
from stats.comparisons import Comparisons, Outcome, PairCounts
from stats.connectivity import PairPoints, connectivity
from stats.errors import InvalidLevelError, InvalidWeightError, ItemIndexError, LengthMismatchError, UnratedItemError
from stats.robustness import Change, ChangedVotes, fewest_votes
from stats.small_fits import PointsOfBoards, differences
from stats.voter_influence import leave_one_voter_out


def fragility(counts, pair=(0, 1), **options):
    half_wins = options.pop("half_wins", [Outcome.TIE, Outcome.BOTH_BAD])
    return fewest_votes(counts, fit(counts, half_wins=half_wins), pair=pair, **options)


def test_a_lead_of_four_votes_is_lost_with_four_or_by_two_flips(board):
    counts = board("12*A>B 8*B>A")

    removed, flipped = fragility(counts), fragility(counts, change=Change.FLIP)

    assert (removed.leader, removed.n_votes, removed.exact) == (0, 4, True)
    assert removed.votes == (ChangedVotes(0, 1, Outcome.LEFT, 4),)
    assert removed.lead == pytest.approx(RATING_PER_STRENGTH * np.log(1.5))
    assert removed.lead_after == pytest.approx(0.0, abs=1e-6)
    assert (flipped.n_votes, flipped.votes) == (2, (ChangedVotes(0, 1, Outcome.LEFT, 2),))


def test_the_leader_is_the_one_with_the_higher_rating(board):
    assert fragility(board("8*A>B 12*B>A")).leader == 1
    assert fragility(board("8*A>B 12*B>A"), pair=(1, 0)).n_votes == 4


def test_equals_have_no_lead_to_lose(board):
    found = fragility(board("5*A>B 5*B>A"))

    assert (found.n_votes, found.exact, found.votes) == (0, True, ())


def test_votes_on_other_pairs_count_too(board):
    found = fragility(board("50*A>C 40*C>A 40*B>C 40*C>B"))

    assert found.exact
    assert all(2 in (votes.left, votes.right) for votes in found.votes)
    assert found.lead_after <= 1e-6


def test_what_would_leave_them_unrated_is_no_change_of_order(board):
    found = fragility(board("3*A>B B>A"), change=Change.REMOVE)

    assert (found.n_votes, found.exact) == (2, True)
    nothing = fragility(board("A=C C=B 2*A>C"), half_wins=[Outcome.TIE])
    assert (nothing.n_votes, nothing.exact, nothing.votes) == (2, True, (ChangedVotes(0, 2, Outcome.LEFT, 2),))


def test_an_order_that_no_removal_changes_is_told_so(board):
    ring_of_single_votes = board("A>C C>D D>E E>A B>D E>B")  # without any one of them A or B has no rating

    found = fragility(ring_of_single_votes)

    assert (found.leader, found.n_votes, found.exact, found.votes) == (0, None, True, ())
    assert found.lead > 1
    assert np.isnan(found.lead_after)
    assert not fragility(ring_of_single_votes, max_refits=0).exact
    assert fragility(ring_of_single_votes, change=Change.FLIP).n_votes == 2


def test_votes_that_do_not_count_cannot_be_removed(board):
    held = fragility(board("2*A>B B>A 5*A=B"), half_wins=[])

    assert (held.n_votes, held.votes) == (1, (ChangedVotes(0, 1, Outcome.LEFT, 1),))


def brute_force(counts, pair, change, half_wins, most):
    """Every choice of single votes, each refitted by the ordinary fit."""
    votes = [
        (pair_number, outcome)
        for pair_number, row in enumerate(counts.totals)
        for outcome, n in enumerate(row)
        if n and (outcome < 2 or (change is Change.REMOVE and Outcome(outcome) in half_wins))
    ]
    for n_votes in range(1, most + 1):
        for chosen in combinations_with_replacement(votes, n_votes):
            totals = counts.totals.copy()
            for pair_number, outcome in chosen:
                totals[pair_number, outcome] -= 1
                if change is Change.FLIP:
                    totals[pair_number, 1 - outcome] += 1
            if (totals < 0).any() or (
                change is Change.FLIP and any(chosen.count(vote) > counts.totals[vote] for vote in chosen)
            ):
                continue
            lead = lead_of(counts, totals, pair, half_wins)
            if lead <= 1e-9:
                return n_votes
    return None


def lead_of(counts, totals, pair, half_wins):
    changed = PairCounts(left=counts.left, right=counts.right, totals=totals, squares=totals, n_items=counts.n_items)
    halves = totals[:, sorted(half_wins)].sum(axis=1) / 2
    groups = connectivity(
        PairPoints(
            left=counts.left,
            right=counts.right,
            left_points=changed.wins_left + halves,
            right_points=changed.wins_right + halves,
            n_items=counts.n_items,
        )
    ).groups
    if groups[pair[0]] != groups[pair[1]]:
        return np.nan
    inside = (groups[counts.left] == groups[pair[0]]) & (groups[counts.right] == groups[pair[0]])
    among = PairCounts(
        left=counts.left[inside],
        right=counts.right[inside],
        totals=totals[inside],
        squares=totals[inside],
        n_items=counts.n_items,
    )
    strengths = fit(among, half_wins=half_wins).strengths
    return strengths[pair[0]] - strengths[pair[1]]


@pytest.mark.parametrize("change", Change)
@pytest.mark.parametrize("n_items", [2, 3, 4, 5])
@pytest.mark.parametrize("seed", range(3))
def test_it_equals_brute_force(change, n_items, seed):
    rng = np.random.default_rng([n_items, seed])
    first, second = np.triu_indices(n_items, 1)
    n = rng.integers(0, 4, (len(first), 4)) * [1, 1, rng.integers(0, 2), 0]
    cells = [(i, j, k, m) for i, j, row in zip(first, second, n, strict=True) for k, m in enumerate(row)]
    ring = [(i, (i + 1) % n_items, k, 1) for i in range(n_items) for k in (0, 1)] if n_items > 2 else [(0, 1, 2, 1)]
    counts = PairCounts.from_cells(cells + ring, n_items=n_items)
    half_wins = frozenset({Outcome.TIE, Outcome.BOTH_BAD})
    fitted = fit(counts)
    order = np.argsort(-fitted.strengths, kind="stable")
    pair = (int(order[0]), int(order[1]))
    if fitted.strengths[pair[0]] - fitted.strengths[pair[1]] <= 1e-9:
        pair = (int(order[0]), int(order[-1]))

    most = 2 if n_items == 5 else 3
    found = fewest_votes(counts, fitted, pair=pair, change=change)

    expected = brute_force(counts, pair, change, half_wins, most)
    assert (found.n_votes if found.n_votes is not None and found.n_votes <= most else None) == expected
    if expected:
        assert found.exact
        assert found.lead_after <= 1e-6


def ladder(rng, n_items=12, n=400, top=1.0):
    strengths = np.linspace(top, -top, n_items)
    first, second = np.triu_indices(n_items, 1)
    p = 1 / (1 + np.exp(strengths[second] - strengths[first]))
    wins = rng.binomial(n, 0.8 * p)
    losses = rng.binomial(n, 0.8 * (1 - p))
    cells = [
        *((i, j, 0, w) for i, j, w in zip(first, second, wins, strict=True)),
        *((i, j, 1, w) for i, j, w in zip(first, second, losses, strict=True)),
        *((i, j, 2, n // 5) for i, j in zip(first, second, strict=True)),
    ]
    return PairCounts.from_cells(cells, n_items=n_items)


@pytest.mark.parametrize("change", Change)
def test_many_votes_are_found_by_influence_and_checked_by_a_refit(change):
    counts = ladder(np.random.default_rng(3))
    fitted = fit(counts)

    found = fewest_votes(counts, fitted, pair=(4, 5), change=change, max_refits=100)

    assert not found.exact
    assert 10 < found.n_votes < counts.n_comparisons / 20
    totals = counts.totals.copy()
    for votes in found.votes:
        row = np.flatnonzero((counts.left == votes.left) & (counts.right == votes.right))[0]
        totals[row, votes.outcome] -= votes.n_votes
        if change is Change.FLIP:
            totals[row, 1 - votes.outcome] += votes.n_votes
    lead = lead_of(counts, totals, (4, 5), fitted.half_wins)
    assert lead * RATING_PER_STRENGTH == pytest.approx(found.lead_after, abs=1e-6)
    assert lead <= 1e-9
    assert lead > -0.01  # the last vote tipped it


@pytest.mark.parametrize("change", Change)
@pytest.mark.parametrize("seed", range(4))
def test_influence_comes_close_to_the_fewest(change, seed):
    counts = ladder(np.random.default_rng(seed), n_items=3, n=25, top=0.2)
    fitted = fit(counts)
    order = np.argsort(-fitted.strengths).tolist()

    exact = fewest_votes(counts, fitted, pair=(order[0], order[1]), change=change, max_refits=200_000)
    quick = fewest_votes(counts, fitted, pair=(order[0], order[1]), change=change, max_refits=0)

    assert exact.exact
    assert exact.n_votes <= quick.n_votes <= exact.n_votes + 2


@pytest.mark.parametrize("change", Change)
def test_influence_is_what_one_vote_does_to_the_lead(change):
    counts = ladder(np.random.default_rng(5), n_items=5, n=4000)
    fitted = fit(counts)
    cells = robustness._cells(counts, fitted, change)
    nothing = np.zeros(len(cells.pair))

    influence = robustness._influence(counts, fitted, cells, nothing, (1, 3))

    lead = fitted.strengths[1] - fitted.strengths[3]
    for number in range(len(cells.pair)):
        one = np.where(np.arange(len(cells.pair)) == number, 1.0, 0.0)
        after = robustness._refit(counts, fitted, cells, one).strengths
        assert influence[number] == pytest.approx(after[1] - after[3] - lead, rel=0.01, abs=1e-8)


def test_the_question_must_make_sense(board):
    counts = board("3*A>B B>A 2*C>A")
    fitted = fit(counts)
    with pytest.raises(UnratedItemError, match="Item 2 has no rating"):
        fewest_votes(counts, fitted, pair=(0, 2))
    for item in (3, -1):
        with pytest.raises(ItemIndexError, match=f"{item} is not the number"):
            fewest_votes(counts, fitted, pair=(0, item))
    with pytest.raises(LengthMismatchError, match="3 items and the counts of 2"):
        fewest_votes(board("A>B B>A"), fitted, pair=(0, 1))
    weighted = PairCounts.from_comparisons(
        Comparisons.from_arrays([0, 1], [1, 0], outcome=[0, 0], weight=[1.5, 1], n_items=2)
    )
    with pytest.raises(InvalidWeightError, match="whole votes"):
        fewest_votes(weighted, fit(weighted), pair=(0, 1))


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 4), st.integers(1, 4), st.integers(0, 2), st.integers(1, 30)), min_size=1, max_size=25
    )
)
def test_small_fits_are_the_ordinary_fit(rows):
    counts = PairCounts.from_cells([(one, (one + step) % 5, k, n) for one, step, k, n in rows], n_items=5)
    halves = counts.ties / 2
    points = PointsOfBoards(
        counts.left, counts.right, (counts.wins_left + halves)[None], (counts.wins_right + halves)[None], 5
    )

    for pair in ((0, 1), (3, 2)):
        expected = lead_of(counts, counts.totals, pair, frozenset({Outcome.TIE}))
        np.testing.assert_allclose(differences(points, pair), [expected], atol=1e-8)


def test_small_fits_stop_after_so_many_steps(monkeypatch):
    points = PointsOfBoards(np.array([0]), np.array([1]), np.array([[1e6]]), np.array([[1.0]]), 2)
    exact = differences(points, (0, 1))[0]
    monkeypatch.setattr("stats.small_fits.MAX_ITERATIONS", 2)

    assert exact == pytest.approx(np.log(1e6))
    assert 2 < differences(points, (0, 1))[0] <= 3.0  # two steps of at most 1.5


def test_small_fits_of_no_board_are_none():
    empty = np.empty((0, 1))

    assert differences(PointsOfBoards(np.array([0]), np.array([1]), empty, empty, 2), (0, 1)).shape == (0,)


# voters


def crowd(rng, n_votes=3000, n_items=6, n_voters=30):
    left = rng.integers(0, n_items, n_votes)
    right = (left + rng.integers(1, n_items, n_votes)) % n_items
    p = 1 / (1 + np.exp((left - right) / 3))
    outcome = np.where(rng.random(n_votes) < 0.2, rng.integers(2, 4, n_votes), rng.random(n_votes) > p)
    voter = rng.integers(-1, n_voters, n_votes)
    return Comparisons.from_arrays(left, right, outcome=outcome, n_items=n_items), voter


def test_leaving_a_voter_out_moves_the_ratings_as_a_refit_does():
    votes, voter = crowd(np.random.default_rng(0))
    fitted = fit(PairCounts.from_comparisons(votes), half_wins=[Outcome.TIE])

    first_order = leave_one_voter_out(votes, fitted, voter=voter, n_refits=0)
    refitted = leave_one_voter_out(votes, fitted, voter=voter, n_refits=30)

    assert first_order.voters.tolist() == list(range(30))
    assert refitted.refitted.tolist() == list(range(30))
    assert first_order.refitted.tolist() == []
    kept = voter != 7
    others = Comparisons.from_arrays(
        votes.left[kept], votes.right[kept], outcome=votes.outcome[kept], n_items=votes.n_items
    )
    without = fit(PairCounts.from_comparisons(others), half_wins=[Outcome.TIE], gauge=Gauge.MEAN).ratings
    before = fit(PairCounts.from_comparisons(votes), half_wins=[Outcome.TIE], gauge=Gauge.MEAN).ratings
    np.testing.assert_allclose(refitted.changes[7], without - before, atol=1e-6)
    np.testing.assert_allclose(first_order.changes, refitted.changes, atol=0.12 * np.abs(refitted.changes).max())


def test_the_most_influential_voters_are_refitted():
    votes, voter = crowd(np.random.default_rng(1))
    heavy = np.where(np.arange(len(voter)) < 1500, 3, voter)
    fitted = fit(PairCounts.from_comparisons(votes))

    found = leave_one_voter_out(votes, fitted, voter=heavy, n_refits=1)

    assert found.refitted.tolist() == [3]


def test_unrated_items_do_not_move():
    votes = Comparisons.from_arrays([0, 1, 0, 2], [1, 0, 1, 0], outcome=[0, 0, 0, 0], n_items=4)
    fitted = fit(PairCounts.from_comparisons(votes))

    found = leave_one_voter_out(votes, fitted, voter=np.array([0, 1, 1, 2]), n_refits=1)

    assert np.isnan(found.changes[:, 2:]).all()
    assert found.changes[2, :2].tolist() == [0.0, 0.0]


def test_a_board_without_ratings_has_no_influence():
    votes = Comparisons.from_arrays([0], [1], outcome=[0], n_items=2)

    found = leave_one_voter_out(votes, fit(PairCounts.from_comparisons(votes)), voter=np.array([5]))

    assert np.isnan(found.changes).all()
    assert found.refitted.tolist() == [5]


def test_every_vote_needs_a_voter():
    votes = Comparisons.from_arrays([0, 1], [1, 0], outcome=[0, 0], n_items=2)
    fitted = fit(PairCounts.from_comparisons(votes))
    with pytest.raises(LengthMismatchError, match="one voter per comparison"):
        leave_one_voter_out(votes, fitted, voter=np.array([1]))


def test_a_change_is_known_by_its_name_or_not_at_all(board):
    counts = board("12*A>B 8*B>A")

    assert fragility(counts, change="flip").n_votes == 2
    with pytest.raises(ValueError, match="turn"):
        fragility(counts, change="turn")


def test_votes_alone_are_asked_and_no_prior(board):
    counts = board("12*A>B 8*B>A")
    with pytest.raises(InvalidLevelError, match="without one"):
        fewest_votes(counts, fit(counts, prior=NormalPrior()), pair=(0, 1))
    tripled = PairCounts.from_comparisons(
        Comparisons.from_arrays([0, 1], [1, 0], outcome=[0, 0], weight=[3, 1], n_items=2)
    )
    with pytest.raises(InvalidWeightError, match="whole votes"):
        fewest_votes(tripled, fit(tripled), pair=(0, 1))
