from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize
from scipy.special import expit
from scipy.stats import norm

from stats.bradley_terry import RATING_PER_STRENGTH
from stats.comparisons import PairCounts
from stats.errors import InvalidWeightError, ItemIndexError, LengthMismatchError
from stats.pairing import (
    PRIOR_DEVIATION,
    Newcomer,
    NoPairsError,
    PairingRules,
    TopItems,
    WholeBoard,
    pair_table,
)

EVEN = "40*A>B 40*B>A 40*A>C 40*C>A 40*B>C 40*C>B"


def probabilities(table):
    pairs = zip(table.first.tolist(), table.second.tolist(), table.probabilities.tolist(), strict=True)
    return {(first, second): p for first, second, p in pairs}


@pytest.mark.parametrize("purpose", [WholeBoard(), TopItems(3), TopItems(5)])
def test_an_empty_board_is_drawn_evenly(board, purpose):
    table = pair_table(board("", n_items=5), purpose=purpose)

    np.testing.assert_allclose(table.probabilities, 0.1)
    assert len(table.first) == 10


def test_a_newcomer_on_an_empty_board_meets_all_others_alike(board):
    found = probabilities(pair_table(board("", n_items=4), purpose=Newcomer(2)))

    assert found[0, 2] == pytest.approx(found[1, 2]) == pytest.approx(found[2, 3])
    assert found[0, 2] > 5 * found[0, 1]


AGAINST_THE_REST = np.array([-0.25, -0.25, 1, -0.25, -0.25])


@pytest.mark.parametrize(
    ("purpose", "asked"),
    [
        (WholeBoard(), np.eye(5) / 5 - 1 / 25),
        (TopItems(5), np.eye(5) / 5 - 1 / 25),
        (Newcomer(2), np.outer(AGAINST_THE_REST, AGAINST_THE_REST)),
    ],
)
def test_the_gain_is_what_one_more_vote_takes_off_the_variance(board, purpose, asked):
    """Against the covariance computed again with a vote of known information added."""
    counts = board("30*A>B 20*B>A 9*A=B 12*B>C 14*C>B 5*A>D 6*D>A", n_items=5)
    table = pair_table(counts, purpose=purpose)
    strengths, information = information_of(counts)
    before = np.linalg.inv(information)

    for pair, (i, j) in enumerate(zip(table.first, table.second, strict=True)):
        z = np.zeros(5)
        z[[i, j]] = 1, -1
        variance = z @ before @ z
        flat = np.sqrt(1 + np.pi / 8 * variance)
        p = expit((strengths[i] - strengths[j]) / flat)
        after = np.linalg.inv(information + p * (1 - p) / flat * np.outer(z, z))
        expected = np.trace(asked @ (before - after)) * RATING_PER_STRENGTH**2
        assert table.gains[pair] == pytest.approx(expected, rel=1e-5)


def test_the_top_weighs_items_by_the_chance_to_be_in_it(board):
    """Each item by the chance that it lies above the gap, from the error of its distance to the mean of the board."""
    counts = board("30*A>B 20*B>A 9*A=B 12*B>C 14*C>B 5*A>D 6*D>A 9*D>C 4*C>D", n_items=4)
    strengths, information = information_of(counts)
    before = np.linalg.inv(information)
    gap = np.sort(strengths)[[1, 2]].mean()
    from_mean = np.eye(4) - 1 / 4
    error = np.sqrt([row @ before @ row for row in from_mean])
    share = norm.cdf((strengths - gap) / error)
    share /= share.sum()
    asked = sum(
        share[i] * share[j] * np.outer(np.eye(4)[i] - np.eye(4)[j], np.eye(4)[i] - np.eye(4)[j])
        for i in range(4)
        for j in range(i)
    )

    table = pair_table(counts, purpose=TopItems(2))

    for pair, (i, j) in enumerate(zip(table.first, table.second, strict=True)):
        z = np.eye(4)[i] - np.eye(4)[j]
        flat = np.sqrt(1 + np.pi / 8 * (z @ before @ z))
        p = expit((strengths[i] - strengths[j]) / flat)
        after = np.linalg.inv(information + p * (1 - p) / flat * np.outer(z, z))
        expected = np.trace(asked @ (before - after)) * RATING_PER_STRENGTH**2
        assert table.gains[pair] == pytest.approx(expected, rel=1e-5)


def information_of(counts):
    def minus_log_posterior(strengths):
        log_odds = strengths[counts.left] - strengths[counts.right]
        points = counts.totals @ [1, 0, 0.5, 0.5]
        votes = counts.totals.sum(axis=1)
        likelihood = points * np.log(expit(log_odds)) + (votes - points) * np.log(expit(-log_odds))
        return (strengths**2).sum() / 2 / PRIOR_DEVIATION**2 - likelihood.sum()

    strengths = minimize(minus_log_posterior, np.zeros(counts.n_items), method="BFGS", options={"gtol": 1e-9}).x
    information = np.eye(counts.n_items) / PRIOR_DEVIATION**2
    for left, right, row in zip(counts.left, counts.right, counts.totals, strict=True):
        p = expit(strengths[left] - strengths[right])
        z = np.zeros(counts.n_items)
        z[[left, right]] = 1, -1
        information += row.sum() * p * (1 - p) * np.outer(z, z)
    return strengths, information


def test_the_pair_that_met_least_is_drawn_most(board):
    found = probabilities(pair_table(board("40*A>B 40*B>A 40*A>C 40*C>A 4*B>C 4*C>B"), purpose=WholeBoard()))

    assert max(found, key=found.get) == (1, 2)


def test_a_vote_whose_outcome_is_known_teaches_less(board):
    counts = board("400*A>B 4*B>A 200*B>C 200*C>B 400*A>C 4*C>A")

    found = probabilities(pair_table(counts, purpose=WholeBoard(), rules=PairingRules(greed=1)))

    assert found[1, 2] < found[0, 1]  # A is little known yet


def test_the_top_is_asked_about_only_its_contenders(board):
    rest = " ".join(f"300*{a}>{b} 300*{b}>{a}" for a, b in ("CD", "DE", "CE"))
    counts = board("300*A>B 290*B>A 300*A>C 30*C>A 300*B>D 30*D>B " + rest)

    table = pair_table(counts, purpose=TopItems(2))

    found = probabilities(table)
    assert max(found, key=found.get) == (0, 1)
    assert found[3, 4] < 0.01


def test_an_item_that_may_be_among_the_best_is_a_contender(board):
    counts = board("300*A>B 300*B>A 40*A>C 30*C>A 600*A>D 60*D>A")

    found = probabilities(pair_table(counts, purpose=TopItems(2)))

    assert found[0, 2] + found[1, 2] > 0.5


def test_a_newcomer_meets_those_of_its_strength(board):
    ladder = " ".join(f"240*{a}>{b} 80*{b}>{a}" for a, b in ("AB", "BC", "CD", "DE", "EF"))
    counts = board(ladder + " 8*G>C 8*C>G 3*G>D D>G 3*B>G G>B")

    found = probabilities(pair_table(counts, purpose=Newcomer(6)))

    newcomers = {pair: p for pair, p in found.items() if 6 in pair}
    assert sum(newcomers.values()) > 0.9
    assert max(newcomers, key=newcomers.get)[0] in (1, 2, 3)


def test_every_pair_keeps_its_share_of_the_floor(board):
    counts = board("9000*A>B B>A 9000*B>C C>B 5*C>D 5*D>C")

    table = pair_table(counts, purpose=WholeBoard(), rules=PairingRules(floor_share=0.12, greed=50))

    assert table.probabilities.min() >= 0.12 / 6 * (1 - 1e-12)
    assert table.probabilities.sum() == pytest.approx(1.0, abs=1e-12)
    even = pair_table(counts, purpose=WholeBoard(), rules=PairingRules(floor_share=1.0))
    np.testing.assert_allclose(even.probabilities, 1 / 6)


@pytest.mark.parametrize("floor_share", [1.0, 1e-300])
def test_weights_and_exclusions_are_kept(board, floor_share):
    counts = board(EVEN, n_items=5)
    rules = PairingRules(weights=[1, 2, 1, 0, 1], never=[(2, 0), (4, 1)], floor_share=floor_share)

    table = pair_table(counts, purpose=WholeBoard(), rules=rules)

    assert sorted(probabilities(table)) == [(0, 1), (0, 4), (1, 2), (2, 4)]
    plain = pair_table(counts, purpose=WholeBoard(), rules=rules._replace(weights=[1, 1, 1, 0, 1]))
    odds = table.probabilities / plain.probabilities
    np.testing.assert_allclose(odds / odds[1], [2, 1, 2, 1])
    assert table.probability(1, 0) == table.probability(0, 1) == probabilities(table)[0, 1]
    assert table.probability(0, 2) == 0.0


def test_pairs_are_drawn_as_often_as_the_table_says(board):
    table = pair_table(board("4*A>B 4*B>A A>C C>A", n_items=4), purpose=WholeBoard(), rules=PairingRules(greed=1))

    drawn = table.draw(np.random.default_rng(4), 40_000)

    shares = np.bincount(drawn, minlength=6) / 40_000
    np.testing.assert_allclose(shares, table.probabilities, atol=0.01)
    assert table.draw(np.random.default_rng(4)).shape == (1,)


def test_a_newcomer_that_may_meet_nobody_leaves_the_others_as_they_are_weighted(board):
    rules = PairingRules(weights=[1, 1, 2, 1], never=[(0, 1), (0, 2), (3, 0)])

    table = pair_table(board("5*B>C 4*C>B 4*B>D 9*D>B", n_items=4), purpose=Newcomer(0), rules=rules)

    assert table.gains.tolist() == [0, 0, 0]
    np.testing.assert_allclose(table.probabilities, [0.4, 0.2, 0.4])


@pytest.mark.parametrize("scale", [1e-200, 1e200])
def test_only_the_proportions_of_the_weights_matter(board, scale):
    counts = board(EVEN, n_items=4)
    weights = np.array([1.0, 2.0, 0.0, 3.0])

    usual, scaled = (
        pair_table(counts, purpose=WholeBoard(), rules=PairingRules(weights=one)) for one in (weights, weights * scale)
    )

    np.testing.assert_allclose(scaled.probabilities, usual.probabilities, rtol=1e-12)


CERTAIN = " ".join(
    f"{n}{'0' * 16}*{a}>{b} {n}{'0' * 16}*{b}>{a}" for n, (a, b) in enumerate(combinations("ABCDE", 2), start=1)
)


@pytest.mark.parametrize("purpose", [WholeBoard(), TopItems(2), Newcomer(0)])
@pytest.mark.parametrize(
    ("votes", "n_items"),
    [("", 2), ("A>B", 2), (CERTAIN, 5), (f"{10**14}*A>B {10**14}*B>A B>C", 3), ("A>B C>D", 4)],
)
def test_hardly_known_very_well_known_and_unconnected_boards_have_probabilities(board, votes, n_items, purpose):
    table = pair_table(board(votes, n_items=n_items), purpose=purpose)

    assert table.probabilities.sum() == pytest.approx(1.0, abs=1e-15)
    assert table.probabilities.min() >= 0.05 / len(table.first) * (1 - 1e-12)
    assert (table.gains >= 0).all()


def test_groups_that_never_met_are_joined_first(board):
    counts = board("50*A>B 50*B>A 50*C>D 50*D>C", n_items=4)

    found = probabilities(pair_table(counts, purpose=WholeBoard()))

    assert found[0, 1] + found[2, 3] < 0.02


@pytest.mark.parametrize(
    ("rules", "error", "sentence"),
    [
        (PairingRules(weights=[1, 1]), LengthMismatchError, "3 items and weights"),
        (PairingRules(weights=[1, 1, -1]), InvalidWeightError, "weight of an item"),
        (PairingRules(weights=[1, 1, np.inf]), InvalidWeightError, "weight of an item"),
        (PairingRules(floor_share=0), InvalidWeightError, "share of the floor"),
        (PairingRules(floor_share=1.5), InvalidWeightError, "share of the floor"),
        (PairingRules(greed=-1), InvalidWeightError, "greed"),
        (PairingRules(greed=np.nan), InvalidWeightError, "greed"),
        (PairingRules(never=[(0, 3)]), ItemIndexError, r"\(0, 3\) is no pair of 3 items"),
        (PairingRules(never=[(-1, 0)]), ItemIndexError, "is no pair"),
        (PairingRules(weights=[0, 0, 1]), NoPairsError, "None of the pairs"),
        (PairingRules(never=[(0, 1), (0, 2), (1, 2)]), NoPairsError, "None of the pairs"),
    ],
)
def test_rules_that_make_no_sense_are_refused(board, rules, error, sentence):
    with pytest.raises(error, match=sentence):
        pair_table(board(EVEN), purpose=WholeBoard(), rules=rules)


@pytest.mark.parametrize("purpose", [TopItems(1), TopItems(4), Newcomer(3), Newcomer(-1)])
def test_a_purpose_must_be_possible(board, purpose):
    with pytest.raises(ItemIndexError):
        pair_table(board(EVEN), purpose=purpose)


@pytest.mark.parametrize("n_items", [0, 1])
def test_fewer_than_two_items_make_no_pair(board, n_items):
    with pytest.raises(NoPairsError):
        pair_table(board("", n_items=n_items), purpose=WholeBoard())


def test_300_models_have_a_probability_for_each_pair():
    rng = np.random.default_rng(0)
    first, second = np.triu_indices(300, 1)
    cells = zip(first.tolist(), second.tolist(), [0] * len(first), rng.integers(0, 5, len(first)).tolist(), strict=True)
    counts = PairCounts.from_cells(
        [*cells, *((j, i, 0, 1) for i, j in zip(first[::3], second[::3], strict=True))], n_items=300
    )
    table = pair_table(counts, purpose=WholeBoard())

    assert len(table.probabilities) == 44_850


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 4), st.integers(1, 4), st.integers(0, 3)), max_size=30), st.permutations(range(5))
)
def test_renaming_permutes_the_table_and_sides_do_not_matter(rows, order):
    cells = [(one, (one + step) % 5, outcome, 1) for one, step, outcome in rows]
    renamed = [(order[other], order[one], {0: 1, 1: 0}.get(outcome, outcome), 1) for one, other, outcome, _ in cells]

    for purpose, moved in ((WholeBoard(), WholeBoard()), (Newcomer(1), Newcomer(order[1]))):
        table = pair_table(PairCounts.from_cells(cells, n_items=5), purpose=purpose)
        other = pair_table(PairCounts.from_cells(renamed, n_items=5), purpose=moved)
        for i, j, probability in zip(table.first, table.second, table.probabilities, strict=True):
            assert other.probability(order[i], order[j]) == pytest.approx(probability, rel=1e-5)
