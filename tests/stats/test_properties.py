"""What must hold of every board, rated or not, found by generating boards."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from stats.bradley_terry import RATING_PER_STRENGTH, Anchor, Gauge, fit, win_probability
from stats.comparisons import TURNED_ROUND, Comparisons, Outcome, PairCounts
from stats.connectivity import ItemStatus
from stats.ranks import pairwise_rank_ranges
from stats.uncertainty import sandwich

UPSIDE_DOWN = {
    ItemStatus.ONLY_WON: ItemStatus.ONLY_LOST,
    ItemStatus.ONLY_LOST: ItemStatus.ONLY_WON,
    ItemStatus.SEPARATED_ABOVE: ItemStatus.SEPARATED_BELOW,
    ItemStatus.SEPARATED_BELOW: ItemStatus.SEPARATED_ABOVE,
}

every_board = settings(deadline=None, max_examples=80, database=None, derandomize=True)


@st.composite
def boards(draw, max_items=6):
    """Cells (left, right, outcome, n), at random; about half of the boards have a rated group."""
    n_items = draw(st.integers(2, max_items))
    items = st.integers(0, n_items - 1)
    pairs = st.tuples(items, items).filter(lambda pair: pair[0] != pair[1])
    cell = st.tuples(pairs, st.sampled_from(Outcome), st.integers(1, 9)).map(lambda c: (*c[0], c[1], c[2]))
    return n_items, draw(st.lists(cell, max_size=4 * n_items))


def counts_of(board):
    n_items, cells = board
    return PairCounts.from_cells(cells, n_items=n_items)


def rated_counts_of(board):
    counts = counts_of(board)
    assume(ItemStatus.RATED in fit(counts).statuses)
    return counts


def same(result, expected, *, atol=1e-8):
    np.testing.assert_allclose(result, expected, atol=atol, equal_nan=True)


@every_board
@given(boards(), st.randoms(use_true_random=False))
def test_the_order_of_the_votes_does_not_matter(board, random):
    n_items, cells = board
    shuffled = random.sample(cells, len(cells))

    first, second = fit(counts_of(board)), fit(PairCounts.from_cells(shuffled, n_items=n_items))

    assert first.statuses == second.statuses
    same(second.ratings, first.ratings)


@every_board
@given(boards())
def test_which_side_an_item_was_shown_on_does_not_matter(board):
    n_items, cells = board
    swapped = [(right, left, TURNED_ROUND[outcome], n) for left, right, outcome, n in cells]

    first, second = fit(counts_of(board)), fit(PairCounts.from_cells(swapped, n_items=n_items))

    assert first.statuses == second.statuses
    same(second.ratings, first.ratings)


@every_board
@given(boards())
def test_turning_every_outcome_round_turns_the_board_upside_down(board):
    n_items, cells = board
    turned = [(left, right, TURNED_ROUND[outcome], n) for left, right, outcome, n in cells]

    first, second = fit(counts_of(board)), fit(PairCounts.from_cells(turned, n_items=n_items))

    assert second.statuses == tuple(UPSIDE_DOWN.get(status, status) for status in first.statuses)
    same(second.strengths, -first.strengths)


@every_board
@given(boards(), st.randoms(use_true_random=False))
def test_renaming_the_items_renames_the_result(board, random):
    n_items, cells = board
    new = random.sample(range(n_items), n_items)
    renamed = PairCounts.from_cells([(new[left], new[right], o, n) for left, right, o, n in cells], n_items=n_items)

    first, second = fit(counts_of(board)), fit(renamed)

    sizes = np.sort(np.bincount(first.connectivity.groups, minlength=2))
    assume(sizes[-1] > sizes[-2])  # else the groups may be alike, and the numbering may decide
    assert tuple(second.statuses[new[item]] for item in range(n_items)) == first.statuses
    same(second.strengths[new], first.strengths)
    same(
        sandwich(renamed, second).covariance[np.ix_(new, new)], sandwich(counts_of(board), first).covariance, atol=1e-4
    )


@every_board
@given(boards())
def test_a_weight_is_as_good_as_repetition_for_the_ratings(board):
    n_items, cells = board
    rows = [cell for cell in cells for _ in range(cell[3])]
    left, right, outcome = ([row[column] for row in rows] for column in range(3))
    repeated = Comparisons.from_arrays(left, right, outcome=outcome, n_items=n_items)
    left, right, outcome, n = ([cell[column] for cell in cells] for column in range(4))
    weighted = Comparisons.from_arrays(left, right, outcome=outcome, weight=n, n_items=n_items)

    from_rows, from_weights = (PairCounts.from_comparisons(each) for each in (repeated, weighted))

    same(fit(from_rows).ratings, fit(counts_of(board)).ratings)
    same(fit(from_weights).ratings, fit(counts_of(board)).ratings)


@every_board
@given(boards(), st.floats(0.01, 100.0))
def test_a_common_factor_of_all_weights_changes_neither_ratings_nor_errors(board, factor):
    n_items, cells = board
    left, right, outcome, n = ([cell[column] for cell in cells] for column in range(4))
    weight = np.array(n, dtype=float)
    plain, scaled = (
        PairCounts.from_comparisons(Comparisons.from_arrays(left, right, outcome=outcome, weight=each, n_items=n_items))
        for each in (weight, weight * factor)
    )

    same(fit(scaled).strengths, fit(plain).strengths)
    same(sandwich(scaled, fit(scaled)).standard_error, sandwich(plain, fit(plain)).standard_error, atol=1e-5)


@every_board
@given(boards(), st.integers(1, 20), st.data())
def test_equal_wins_both_ways_pull_a_pair_together(board, n, data):
    counts = rated_counts_of(board)
    before = fit(counts)
    i, j = _rated_pair(before, data)
    n_items, cells = board

    after = fit(PairCounts.from_cells([*cells, (i, j, Outcome.LEFT, n), (j, i, Outcome.LEFT, n)], n_items=n_items))

    gap_before, gap_after = (each.strengths[i] - each.strengths[j] for each in (before, after))
    assert gap_after * gap_before >= -1e-9
    assert abs(gap_after) <= abs(gap_before) + 1e-9


@every_board
@given(boards(), st.data())
def test_one_more_win_takes_the_winner_further_from_the_loser(board, data):
    counts = rated_counts_of(board)
    before = fit(counts)
    i, j = _rated_pair(before, data)
    n_items, cells = board

    after = fit(PairCounts.from_cells([*cells, (i, j, Outcome.LEFT, 1)], n_items=n_items))

    assert after.strengths[i] - after.strengths[j] > before.strengths[i] - before.strengths[j]


@every_board
@given(boards())
def test_statuses_and_numbers_agree(board):
    counts = counts_of(board)
    result = fit(counts)
    uncertainty = sandwich(counts, result)

    rated = np.array([status is ItemStatus.RATED for status in result.statuses])
    assert result.converged
    assert rated.sum() != 1
    for numbers in (result.strengths, result.ratings, uncertainty.standard_error, uncertainty.lower, uncertainty.upper):
        assert np.isfinite(numbers).tolist() == rated.tolist()
    assert [each is not None for each in pairwise_rank_ranges(uncertainty).ranges] == rated.tolist()


@every_board
@given(boards())
def test_no_interval_of_a_rated_item_is_without_width(board):
    counts = rated_counts_of(board)
    uncertainty = sandwich(counts, fit(counts, gauge=Gauge.MEAN))

    rated = np.isfinite(uncertainty.ratings)
    errors = uncertainty.standard_errors_of_differences()[np.ix_(rated, rated)]
    assert (uncertainty.standard_error[rated] > 1.0).all()
    assert (errors[~np.eye(len(errors), dtype=bool)] > 1.0).all()


@every_board
@given(boards())
def test_the_covariance_is_one(board):
    counts = rated_counts_of(board)
    result = fit(counts)
    uncertainty = sandwich(counts, result)

    rated = np.isfinite(uncertainty.ratings)
    covariance = uncertainty.covariance[np.ix_(rated, rated)]
    np.testing.assert_array_equal(covariance, covariance.T)
    assert np.linalg.eigvalsh(covariance).min() > -1e-6 * np.trace(covariance)
    np.testing.assert_allclose(covariance @ result.gauge_weights[rated], 0.0, atol=1e-8 * np.trace(covariance))


@every_board
@given(boards(), st.data())
def test_the_gauge_changes_no_difference(board, data):
    counts = rated_counts_of(board)
    i, j = _rated_pair(fit(counts), data)

    gauges = (Gauge.VOTE_WEIGHTED_MEAN, Gauge.MEAN, Anchor(i), Anchor(j, rating=1500))
    differences = [sandwich(counts, fit(counts, gauge=gauge)).difference(i, j) for gauge in gauges]

    for difference in differences[1:]:
        np.testing.assert_allclose(difference, differences[0], rtol=1e-6, atol=1e-6)


@every_board
@given(boards(), st.data())
def test_looking_from_the_other_item_negates_a_difference(board, data):
    counts = rated_counts_of(board)
    result = fit(counts)
    i, j = _rated_pair(result, data)

    there, back = (sandwich(counts, result).difference(*pair) for pair in ((i, j), (j, i)))

    np.testing.assert_allclose(
        (back.estimate, back.standard_error, back.lower, back.upper),
        (-there.estimate, there.standard_error, -there.upper, -there.lower),
        rtol=1e-9,
        atol=1e-9,
    )


@every_board
@given(boards())
def test_rank_ranges_hold_the_rank_by_rating(board):
    counts = rated_counts_of(board)
    uncertainty = sandwich(counts, fit(counts))

    for item, ranks in enumerate(pairwise_rank_ranges(uncertainty).ranges):
        if ranks is not None:
            n_ahead = int((uncertainty.ratings > uncertainty.ratings[item] + 1e-9).sum())
            n_behind = int((uncertainty.ratings < uncertainty.ratings[item] - 1e-9).sum())
            n_rated = int(np.isfinite(uncertainty.ratings).sum())
            assert 1 <= ranks.lower <= n_ahead + 1
            assert n_rated - n_behind <= ranks.upper <= n_rated


@given(st.floats(-5000, 5000))
@every_board
def test_one_wins_or_the_other(difference):
    assert win_probability(difference) + win_probability(-difference) == pytest.approx(1.0)
    assert win_probability(difference) == pytest.approx(1 / (1 + np.exp(-difference / RATING_PER_STRENGTH)))


def _rated_pair(result, data):
    rated = [item for item, status in enumerate(result.statuses) if status is ItemStatus.RATED]
    i = data.draw(st.sampled_from(rated))
    return i, data.draw(st.sampled_from([item for item in rated if item != i]))
