import numpy as np
import pytest

from stats.bradley_terry import fit
from stats.comparisons import Outcome
from stats.errors import ItemIndexError
from stats.leave_one_out import leave_one_item_out

BOARD = "8*A>B 5*B>A 3*A=B 7*B>C 4*C>B 2*B~C 5*C>A 6*A>C 3*C>D D>C"


def test_each_row_is_a_fit_without_the_item_at_the_level_of_the_whole(board):
    counts = board(BOARD)

    result = leave_one_item_out(counts)

    without_a = fit(counts.without_item(0)).ratings
    np.testing.assert_allclose(np.diff(result.ratings[0, 1:]), np.diff(without_a[1:]))
    assert np.isnan(np.diagonal(result.ratings)).all()
    weights = result.whole.gauge_weights[1:]
    assert weights @ result.shifts[0, 1:] == pytest.approx(0.0, abs=1e-9)
    assert (result.shifts[~np.isnan(result.shifts)] < 0).any()
    np.testing.assert_allclose(result.largest_shifts, np.nanmax(np.abs(result.shifts), axis=1))


def test_the_item_that_held_the_others_together_leaves_no_ratings(board):
    result = leave_one_item_out(board("A>B B>A A>C C>A"))

    assert np.isnan(result.ratings[0]).all()
    assert np.isnan(result.largest_shifts[0])
    assert np.isfinite(result.ratings[1, [0, 2]]).all()


def test_an_item_that_agrees_with_the_rest_moves_nobody(board):
    result = leave_one_item_out(board("20*A>B 10*B>A 20*B>C 10*C>B 40*A>C 10*C>A"))

    np.testing.assert_allclose(result.largest_shifts, 0.0, atol=1e-9)


def test_it_counts_ties_as_it_was_told(board):
    counts = board("3*A>B B>A 9*A=B B>C C>B A>C C>A")

    dropped = leave_one_item_out(counts, half_wins=[])

    assert dropped.whole.half_wins == frozenset()
    assert dropped.ratings[2, 0] - dropped.ratings[2, 1] == pytest.approx(400 * np.log10(3))
    assert leave_one_item_out(counts).whole.half_wins == {Outcome.TIE, Outcome.BOTH_BAD}


def test_a_board_of_nothing_is_no_error(board):
    result = leave_one_item_out(board(""))

    assert result.ratings.shape == (0, 0)
    assert result.largest_shifts.shape == (0,)


def test_only_an_item_can_be_left_out(board):
    with pytest.raises(ItemIndexError, match="-1 is not"):
        board("A=B").without_item(-1)
