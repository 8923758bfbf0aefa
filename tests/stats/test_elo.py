import csv

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stats.comparisons import Comparisons, Outcome
from stats.elo import K_FACTOR, elo
from stats.errors import InvalidLevelError, InvalidWeightError, UnknownOutcomeError

OUTCOMES = {"left": Outcome.LEFT, "right": Outcome.RIGHT, "tie": Outcome.TIE}


def played(*rows, n_items=3, weight=None):
    left, right, outcome = zip(*rows, strict=True) if rows else ((), (), ())
    return Comparisons.from_arrays(left, right, outcome=outcome, n_items=n_items, weight=weight)


@pytest.mark.parametrize(
    ("votes", "golden"),
    [
        ("llmfao_crowd.csv", "llmfao_golden_evalica.csv"),
        ("arena.evalica_food.csv", "arena.evalica_food_golden.csv"),
        ("arena.evalica_simple.csv", "arena.evalica_simple_golden.csv"),
    ],
)
def test_it_agrees_with_evalica(votes_folder, votes, golden):
    with (votes_folder / golden).open(encoding="utf-8") as file:
        expected = {row["item"]: float(row["score"]) for row in csv.DictReader(file) if row["algorithm"] == "elo"}
    number = {item: index for index, item in enumerate(expected)}
    with (votes_folder / votes).open(encoding="utf-8") as file:
        rows = [(number[row["left"]], number[row["right"]], OUTCOMES[row["winner"]]) for row in csv.DictReader(file)]

    ratings = elo(played(*rows, n_items=len(number))).ratings

    np.testing.assert_allclose(ratings, list(expected.values()), atol=1e-9)


def test_a_win_between_equals_moves_half_of_k():
    result = elo(played((0, 1, Outcome.LEFT)))

    assert result.ratings.tolist() == [1000 + K_FACTOR / 2, 1000 - K_FACTOR / 2, 1000]
    assert result.n_comparisons.tolist() == [1, 1, 0]
    assert result.k_factor == K_FACTOR


def test_the_right_side_wins_what_the_left_side_loses():
    assert elo(played((0, 1, Outcome.RIGHT))).ratings.tolist() == [998, 1002, 1000]


def test_a_second_win_moves_less_by_the_logistic_curve():
    second = elo(played((0, 1, Outcome.LEFT), (0, 1, Outcome.LEFT)), k_factor=400).ratings

    assert second[0] == pytest.approx(1200 + 400 * (1 - 10 / 11))


def test_order_matters_and_the_result_says_so():
    rows = [(0, 1, Outcome.LEFT), (1, 2, Outcome.LEFT), (2, 0, Outcome.LEFT)]

    forwards, backwards = elo(played(*rows)), elo(played(*rows[::-1]))

    assert not np.allclose(forwards.ratings, backwards.ratings, atol=1e-6)
    assert forwards.order_matters


def test_ties_and_both_bad_are_half_wins_unless_left_out():
    rows = [(0, 1, Outcome.LEFT), (0, 1, Outcome.TIE), (0, 1, Outcome.BOTH_BAD)]

    only_ties = elo(played(*rows), half_wins=[Outcome.TIE])

    assert only_ties.ratings.tolist() == elo(played(*rows[:2])).ratings.tolist()
    assert only_ties.n_comparisons.tolist() == [2, 2, 0]
    assert elo(played(*rows), half_wins=[]).ratings.tolist() == elo(played(rows[0])).ratings.tolist()
    assert elo(played(*rows)).ratings[0] < only_ties.ratings[0]


def test_a_weight_multiplies_k_and_a_weight_of_zero_is_no_comparison():
    result = elo(played((0, 1, Outcome.LEFT), (1, 2, Outcome.LEFT), weight=[3.0, 0.0]))

    assert result.ratings.tolist() == [1006, 994, 1000]
    assert result.n_comparisons.tolist() == [1, 1, 0]


def test_nothing_played_leaves_everybody_at_the_start():
    assert elo(played(), initial_rating=1500).ratings.tolist() == [1500] * 3


@pytest.mark.parametrize("k_factor", [0, -1, float("nan"), float("inf")])
def test_it_rejects_a_k_that_is_no_stake(k_factor):
    with pytest.raises(InvalidWeightError, match="K factor"):
        elo(played(), k_factor=k_factor)


def test_a_win_cannot_be_half_a_win():
    with pytest.raises(UnknownOutcomeError, match="LEFT names a winner"):
        elo(played(), half_wins=[Outcome.LEFT])


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(1, 3), st.sampled_from(Outcome)), max_size=40))
def test_points_are_only_handed_over_and_swapped_sides_change_nothing(rows):
    turned = {Outcome.LEFT: Outcome.RIGHT, Outcome.RIGHT: Outcome.LEFT}
    plain = [(one, (one + step) % 4, outcome) for one, step, outcome in rows]
    swapped = [(other, one, turned.get(outcome, outcome)) for one, other, outcome in plain]

    ratings = elo(played(*plain, n_items=4)).ratings

    assert ratings.sum() == pytest.approx(4000)
    np.testing.assert_allclose(elo(played(*swapped, n_items=4)).ratings, ratings, atol=1e-9)


def test_weights_that_throw_ratings_apart_are_no_overflow():
    votes = Comparisons.from_arrays([0, 1, 0], [1, 0, 1], outcome=[0, 0, 0], n_items=2, weight=[1e9] * 3)

    assert np.isfinite(elo(votes).ratings).all()


def test_it_rejects_a_start_or_a_half_win_that_is_none():
    votes = Comparisons.from_arrays([0], [1], outcome=[0], n_items=2)
    with pytest.raises(InvalidLevelError, match="initial rating"):
        elo(votes, initial_rating=float("nan"))
    with pytest.raises(UnknownOutcomeError, match="9 is no outcome"):
        elo(votes, half_wins=[9])
