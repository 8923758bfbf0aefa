from dataclasses import replace
from decimal import Decimal

import numpy as np
import pytest

from stats.comparisons import Comparisons, Outcome, PairCounts
from stats.errors import (
    InvalidWeightError,
    ItemIndexError,
    LengthMismatchError,
    SelfPairError,
    StatsError,
    UnknownOutcomeError,
)


def test_it_counts_every_outcome_of_a_pair():
    counts = PairCounts.from_cells(
        [
            (0, 1, Outcome.LEFT, 5),
            (0, 1, Outcome.RIGHT, 4),
            (0, 1, Outcome.TIE, 3),
            (0, 1, Outcome.BOTH_BAD, 2),
        ],
        n_items=2,
    )

    assert counts.left.tolist() == [0]
    assert counts.right.tolist() == [1]
    assert counts.wins_left.tolist() == [5.0]
    assert counts.wins_right.tolist() == [4.0]
    assert counts.ties.tolist() == [3.0]
    assert counts.both_bad.tolist() == [2.0]
    assert counts.n_items == 2


def test_it_folds_both_orders_of_a_pair_into_one_with_the_outcome_turned_round():
    counts = PairCounts.from_cells(
        [
            (0, 2, Outcome.LEFT, 1),
            (2, 0, Outcome.LEFT, 10),
            (2, 0, Outcome.RIGHT, 100),
            (2, 0, Outcome.TIE, 7),
            (2, 0, Outcome.BOTH_BAD, 9),
            (2, 1, Outcome.LEFT, 3),
        ],
        n_items=3,
    )

    assert counts.left.tolist() == [0, 1]
    assert counts.right.tolist() == [2, 2]
    assert counts.totals.tolist() == [[101, 10, 7, 9], [0, 3, 0, 0]]
    assert counts.squares.tolist() == counts.totals.tolist()


def test_it_folds_comparisons_as_it_folds_cells():
    comparisons = Comparisons.from_arrays([0, 1, 1, 2], [1, 0, 0, 1], outcome=[0, 0, 1, 3], n_items=3)
    cells = [(0, 1, 0, 2.0), (1, 0, 0, 1.0), (2, 1, 3, 1.0)]

    counted, folded = PairCounts.from_comparisons(comparisons), PairCounts.from_cells(cells, n_items=3)

    assert counted.left.tolist() == folded.left.tolist()
    assert counted.right.tolist() == folded.right.tolist()
    assert counted.totals.tolist() == folded.totals.tolist()
    assert counted.squares.tolist() == folded.squares.tolist()


def test_it_adds_up_weights_and_their_squares():
    comparisons = Comparisons.from_arrays([0, 1], [1, 0], outcome=[0, 1], n_items=2, weight=[3.0, 0.5])

    counts = PairCounts.from_comparisons(comparisons)

    assert counts.wins_left.tolist() == [3.5]
    assert counts.squares[0, Outcome.LEFT] == 9.25


def test_it_sums_up_what_each_item_took_part_in_and_scored():
    counts = PairCounts.from_cells(
        [(0, 1, Outcome.LEFT, 5), (1, 0, Outcome.LEFT, 2), (0, 1, Outcome.TIE, 3), (1, 2, Outcome.BOTH_BAD, 1)],
        n_items=4,
    )

    assert counts.n_comparisons == 11
    assert counts.comparisons_per_item().tolist() == [10, 11, 1, 0]
    assert counts.points_per_item().tolist() == [6.5, 4.0, 0.5, 0.0]


def test_it_forgets_pairs_whose_votes_were_all_taken_back():
    counts = PairCounts.from_cells([(0, 1, Outcome.LEFT, 0), (1, 2, Outcome.TIE, 1)], n_items=3)

    assert list(zip(counts.left, counts.right, strict=True)) == [(1, 2)]


@pytest.mark.parametrize("n_items", [0, 1, 4])
def test_it_takes_a_board_without_votes(n_items):
    counts = PairCounts.from_cells([], n_items=n_items)

    assert counts.left.shape == (0,)
    assert counts.totals.shape == (0, 4)


def test_it_rejects_a_self_pair():
    with pytest.raises(SelfPairError, match="Item 1 was compared with itself"):
        PairCounts.from_cells([(0, 1, Outcome.LEFT, 1), (1, 1, Outcome.LEFT, 1)], n_items=2)


@pytest.mark.parametrize("n", [-1, float("nan"), float("inf")])
def test_it_rejects_a_count_that_is_none(n):
    with pytest.raises(InvalidWeightError, match=f"not {n}"):
        PairCounts.from_cells([(0, 1, Outcome.LEFT, n)], n_items=2)


@pytest.mark.parametrize("outcome", [-1, 4])
def test_it_rejects_an_unknown_outcome(outcome):
    with pytest.raises(UnknownOutcomeError, match=rf"{outcome} is no outcome; .*3 \(BOTH_BAD\)"):
        PairCounts.from_cells([(0, 1, 0, 1), (0, 1, outcome, 1)], n_items=2)


def test_it_rejects_an_outcome_that_is_no_number():
    with pytest.raises(UnknownOutcomeError, match="outcome must hold whole numbers"):
        Comparisons.from_arrays([0], [1], outcome=["tie"], n_items=2)


@pytest.mark.parametrize(("left", "right", "stranger"), [(0, 2, 2), (-1, 1, -1), (2, 0, 2), (1, -3, -3)])
def test_it_rejects_an_item_out_of_range(left, right, stranger):
    with pytest.raises(ItemIndexError, match=f"^{stranger} is not the number of one of 2 items"):
        PairCounts.from_cells([(left, right, Outcome.LEFT, 1)], n_items=2)


def test_it_rejects_an_item_number_that_is_not_whole():
    with pytest.raises(ItemIndexError, match="left must hold whole numbers, not float64"):
        Comparisons.from_arrays([0.5], [1], outcome=[0], n_items=2)


def test_it_rejects_a_negative_number_of_items():
    with pytest.raises(ItemIndexError, match="cannot be -1"):
        PairCounts.from_cells([], n_items=-1)


def test_it_rejects_arrays_of_unlike_length():
    with pytest.raises(LengthMismatchError, match="equally long"):
        Comparisons.from_arrays([0, 1], [1], outcome=[0], n_items=2)


def test_it_rejects_arrays_of_more_than_one_dimension():
    square = np.zeros((2, 2), dtype=np.int64)
    with pytest.raises(LengthMismatchError):
        Comparisons.from_arrays(square, square + 1, outcome=square, n_items=2)


def test_every_refusal_can_be_caught_as_one():
    with pytest.raises(StatsError):
        PairCounts.from_cells([(0, 0, 0, 1)], n_items=1)


def test_weighted_cells_are_the_sums_of_weighted_votes():
    rng = np.random.default_rng(1)
    left, outcome, weight = rng.integers(0, 3, 50), rng.integers(0, 4, 50), rng.uniform(1, 9, 50)
    right = (left + rng.integers(1, 3, 50)) % 3
    votes = Comparisons.from_arrays(left, right, outcome=outcome, weight=weight, n_items=3)
    rows = list(zip(left.tolist(), right.tolist(), outcome.tolist(), weight, weight**2, strict=True))

    from_cells, from_votes = PairCounts.from_weighted_cells(rows, n_items=3), PairCounts.from_comparisons(votes)

    np.testing.assert_allclose(from_cells.totals, from_votes.totals)
    np.testing.assert_allclose(from_cells.squares, from_votes.squares)
    assert PairCounts.from_weighted_cells([], n_items=2).n_comparisons == 0


@pytest.mark.parametrize(("total", "squares"), [(2.0, -1.0), (2.0, 0.0), (0.0, 1.0), (2.0, float("inf"))])
def test_it_rejects_squares_that_are_none(total, squares):
    with pytest.raises(InvalidWeightError, match="squared weights"):
        PairCounts.from_weighted_cells([(0, 1, 0, total, squares)], n_items=2)


def test_pair_weights_multiply_the_votes_of_a_pair(board):
    counts = board("3*A>B 2*B>C")

    weighted = counts.with_pair_weights([2.0, 0.5])

    assert weighted.totals[:, Outcome.LEFT].tolist() == [6.0, 1.0]
    assert weighted.squares[:, Outcome.LEFT].tolist() == [12.0, 0.5]


def test_equal_pairs_weigh_alike_from_a_number_of_votes_on(board):
    weighted = board("100*A>B 10*A=C 200*B>C").with_equal_pairs(min_votes=50)

    np.testing.assert_allclose(weighted.totals.sum(axis=1), [1.0, 0.2, 1.0])


def test_it_rejects_pair_weights_that_are_none(board):
    counts = board("A>B")

    with pytest.raises(LengthMismatchError):
        counts.with_pair_weights([1.0, 2.0])
    with pytest.raises(InvalidWeightError, match="not 0"):
        counts.with_pair_weights([0.0])
    with pytest.raises(InvalidWeightError, match="above 0, not 0"):
        counts.with_equal_pairs(min_votes=0)


def test_votes_on_very_many_items_are_counted_without_a_table_of_them_all():
    many = Comparisons.from_arrays([1900, 7, 1900], [7, 1900, 3], outcome=[0, 1, 2], n_items=2000)

    counts = PairCounts.from_comparisons(many)

    assert list(zip(counts.left.tolist(), counts.right.tolist(), strict=True)) == [(3, 1900), (7, 1900)]
    assert counts.totals.tolist() == [[0, 0, 1, 0], [0, 2, 0, 0]]
    np.testing.assert_array_equal(counts.squares, counts.totals)


def test_no_weights_and_weights_of_one_are_the_same(board):
    plain = Comparisons.from_arrays([0, 1, 0], [1, 0, 2], outcome=[0, 0, 3], n_items=3)
    ones = Comparisons.from_arrays([0, 1, 0], [1, 0, 2], outcome=[0, 0, 3], n_items=3, weight=[1, 1, 1])

    assert plain.is_plain
    assert not ones.is_plain
    for first, second in ((plain, ones), (ones, plain)):
        counts, same = PairCounts.from_comparisons(first), PairCounts.from_comparisons(second)
        np.testing.assert_array_equal(counts.totals, same.totals)
        np.testing.assert_array_equal(counts.squares, same.squares)


@pytest.mark.parametrize("n_items", [2.0, float("nan"), None, 2**40])
def test_it_rejects_a_number_of_items_that_is_none(n_items):
    with pytest.raises(ItemIndexError, match="cannot be"):
        Comparisons.from_arrays([0], [1], outcome=[0], n_items=n_items)


def test_a_hundred_thousand_items_need_no_table_of_all_pairs():
    counts = PairCounts.from_cells([(99_999, 5, Outcome.LEFT, 2), (5, 99_999, Outcome.TIE, 1)], n_items=100_000)

    assert (counts.left.tolist(), counts.right.tolist()) == ([5], [99_999])
    assert counts.totals.tolist() == [[0, 2, 1, 0]]


@pytest.mark.parametrize("weight", [["a"], [1j], [1e200], [1e-200], [None]])
def test_it_rejects_weights_that_cannot_be_squared(weight):
    with pytest.raises(InvalidWeightError):
        Comparisons.from_arrays([0], [1], outcome=[0], n_items=2, weight=weight)


def test_it_takes_the_decimals_of_a_database():
    assert PairCounts.from_cells([(0, 1, 0, Decimal(3))], n_items=2).wins_left.tolist() == [3.0]


def test_it_rejects_rows_that_lack_an_entry():
    with pytest.raises(LengthMismatchError, match="4 entries"):
        PairCounts.from_cells([(0, 1, 0)], n_items=2)


def many_votes(n=200_000, n_items=7):
    rng = np.random.default_rng(2)
    left = rng.integers(0, n_items, n)
    return left, (left + rng.integers(1, n_items, n)) % n_items, rng.integers(0, 4, n)


@pytest.mark.parametrize("dtype", [np.int64, np.int32, np.uint8])
def test_arrays_are_counted_as_their_comparisons_are(dtype):
    left, right, outcome = (column.astype(dtype) for column in many_votes())
    votes = Comparisons.from_arrays(left, right, outcome=outcome, n_items=7)
    ones = Comparisons.from_arrays(left, right, outcome=outcome, n_items=7, weight=np.ones(len(left)))

    at_once = PairCounts.from_arrays(left, right, outcome=outcome, n_items=7)

    for counts in (PairCounts.from_comparisons(votes), PairCounts.from_comparisons(ones)):
        for name in ("left", "right", "totals", "squares"):
            np.testing.assert_array_equal(getattr(at_once, name), getattr(counts, name))
    assert at_once.n_comparisons == 200_000


def test_few_arrays_of_many_items_are_counted_without_a_table():
    counts = PairCounts.from_arrays([1900, 3], [3, 1900], outcome=[0, 3], n_items=2000)

    assert counts.totals.tolist() == [[0, 1, 0, 1]]
    assert PairCounts.from_arrays([], [], outcome=[], n_items=3).totals.shape == (0, 4)


@pytest.mark.parametrize("place", [0, 70_000, 199_999])
@pytest.mark.parametrize(
    ("column", "value", "error"),
    [(0, 7, ItemIndexError), (1, -1, ItemIndexError), (2, 4, UnknownOutcomeError), (2, -1, UnknownOutcomeError)],
)
def test_a_wrong_number_is_found_in_every_chunk(place, column, value, error):
    columns = many_votes()
    columns[column][place] = value

    with pytest.raises(error, match=f"^{value} is"):
        PairCounts.from_arrays(columns[0], columns[1], outcome=columns[2], n_items=7)


def test_an_item_against_itself_is_found_among_counted_arrays():
    left, right, outcome = many_votes()
    right[150_000] = left[150_000] = 3

    with pytest.raises(SelfPairError, match="Item 3 was"):
        PairCounts.from_arrays(left, right, outcome=outcome, n_items=7)
    with pytest.raises(LengthMismatchError):
        PairCounts.from_arrays(left, right[:-1], outcome=outcome, n_items=7)
    with pytest.raises(LengthMismatchError):
        PairCounts.from_arrays(0, 1, outcome=2, n_items=7)
    with pytest.raises(UnknownOutcomeError, match="whole numbers"):
        PairCounts.from_arrays(left, right, outcome=outcome / 2, n_items=7)
    with pytest.raises(ItemIndexError, match="cannot be None"):
        PairCounts.from_arrays(left, right, outcome=outcome, n_items=None)


def test_counts_made_by_hand_are_checked(board):
    counts = board("A>B B>C")

    with pytest.raises(SelfPairError, match="once each"):
        replace(counts, left=np.array([0, 0]), right=np.array([1, 1]))
    with pytest.raises(SelfPairError, match="lower item number on the left"):
        replace(counts, left=counts.right, right=counts.left)
    with pytest.raises(ItemIndexError):
        replace(counts, n_items=2)
    with pytest.raises(LengthMismatchError):
        replace(counts, totals=counts.totals[:1])
    for value in (-1.0, np.nan, np.inf, 0.0):
        wrong = counts.totals.copy()
        wrong[0, Outcome.LEFT] = value
        with pytest.raises(InvalidWeightError, match=f"not {value}"):
            replace(counts, totals=wrong)
        with pytest.raises(InvalidWeightError, match=f"and {value}"):
            replace(counts, squares=wrong)
    with pytest.raises(InvalidWeightError):
        counts.with_pair_weights([1e-200, 1.0]).with_pair_weights([1e-200, 1.0])
    with pytest.raises(InvalidWeightError):
        counts.with_pair_weights([1e200, 1.0])


def test_counts_among_some_items_are_renumbered(board):
    counts = board("A>B 2*A>C 3*B=C 4*C>D")

    some = counts.among(np.array([True, False, True, True]))

    assert (some.left.tolist(), some.right.tolist(), some.n_items) == ([0, 1], [1, 2], 3)
    assert some.totals[:, Outcome.LEFT].tolist() == [2, 4]
    assert counts.among(np.ones(4, dtype=bool)) is counts


@pytest.mark.parametrize("item", [-1, 3, 0.5, None])
def test_it_rejects_to_leave_out_no_item(board, item):
    with pytest.raises(ItemIndexError):
        board("A>B B>C").without_item(item)


def test_sums_and_squares_belong_together():
    votes = Comparisons.from_arrays([0, 1], [1, 0], outcome=[0, 0], weight=[3.0, 5.0], n_items=2)

    counts = PairCounts.from_sums(votes, squares=[9.0, 7.0])

    np.testing.assert_array_equal(counts.squares, [[9.0, 7.0, 0.0, 0.0]])
    with pytest.raises(LengthMismatchError, match="2 sums"):
        PairCounts.from_sums(votes, squares=[1.0])
    with pytest.raises(InvalidWeightError):
        PairCounts.from_sums(votes, squares=[1.0, -1.0])


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int16, np.uint16, np.int32, np.uint32, np.int64, np.uint64])
def test_codes_of_any_size_are_counted_alike(dtype):
    rng = np.random.default_rng(5)
    left = rng.integers(0, 100, 5000)
    right = (left + rng.integers(1, 100, 5000)) % 100
    outcome = rng.integers(0, 4, 5000)
    expected = PairCounts.from_comparisons(Comparisons.from_arrays(left, right, outcome=outcome, n_items=100))

    counts = PairCounts.from_arrays(left.astype(dtype), right.astype(dtype), outcome=outcome.astype(dtype), n_items=100)

    for name in ("left", "right", "totals", "squares"):
        np.testing.assert_array_equal(getattr(counts, name), getattr(expected, name))
    beyond = left.astype(dtype)
    beyond[7] = 100
    with pytest.raises(ItemIndexError, match="100 is not the number"):
        PairCounts.from_arrays(beyond, right.astype(dtype), outcome=outcome.astype(dtype), n_items=100)


@pytest.mark.parametrize("dtype", [np.int8, np.int16, np.int32, np.int64])
def test_no_negative_code_passes_for_a_large_one(dtype):
    left = np.zeros(10, dtype=dtype)
    left[3] = -1
    with pytest.raises(ItemIndexError, match="-1 is not the number"):
        PairCounts.from_arrays(left, np.ones(10, dtype=dtype), outcome=np.zeros(10, dtype=dtype), n_items=250)
