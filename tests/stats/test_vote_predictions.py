import numpy as np
import pytest

from stats.comparisons import Comparisons, Outcome, PairCounts
from stats.errors import InvalidWeightError, ItemIndexError, LengthMismatchError
from stats.ties import TieModel, fit_with_ties, outcome_probabilities
from stats.vote_predictions import LAPSES, predictions, vote_history
from tests.helpers.voting import cast

L, R, T, B = Outcome


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
    votes = cast((0, 1, L), (1, 0, R), (1, 0, L), (1, 0, T), (1, 0, B), (0, 1, L))
    with_own = vote_history(board(others + " 3*A>B B>A A=B A~B"))
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


def test_votes_weighed_by_one_third_can_be_taken_out_although_rounding_leaves_less_than_nothing():
    weight = np.array([0.1, 0.2, 0.3, 1 / 3, 1 / 7])
    votes = Comparisons.from_arrays([0] * 5, [1] * 5, outcome=[L] * 5, n_items=2, weight=weight)
    history = vote_history(PairCounts.from_cells([(0, 1, L, weight[::-1].sum() * (1 - 1e-15))], n_items=2))

    h = predictions(history, votes, own=np.zeros(5, dtype=np.int64))

    np.testing.assert_allclose(h, history.expected[[0] * 5, [1] * 5])


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
