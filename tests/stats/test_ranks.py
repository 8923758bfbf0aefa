import numpy as np
import pytest
from scipy.stats import norm, studentized_range

from stats.bradley_terry import Anchor, fit
from stats.errors import InvalidLevelError
from stats.ranks import RankRange, pairwise_rank_ranges, simultaneous_rank_ranges, tiers
from stats.uncertainty import Uncertainty, sandwich


def uncertainty_of(counts, **options):
    return sandwich(counts, fit(counts), **options)


def test_items_that_can_be_told_apart_have_one_rank_each(board):
    uncertainty = uncertainty_of(board("900*A>B 100*B>A 900*B>C 100*C>B"))

    assert pairwise_rank_ranges(uncertainty).ranges == (RankRange(1, 1), RankRange(2, 2), RankRange(3, 3))


def test_items_that_cannot_be_told_apart_share_all_ranks(board):
    uncertainty = uncertainty_of(board("5*A>B 4*B>A 5*B>C 4*C>B"))

    assert pairwise_rank_ranges(uncertainty).ranges == (RankRange(1, 3),) * 3


def test_a_rank_range_grows_by_the_items_that_may_be_better_or_worse(board):
    uncertainty = uncertainty_of(board("600*A>B 400*B>A 52*B>C 48*C>B 600*C>D 400*D>C"))

    assert pairwise_rank_ranges(uncertainty).ranges == (
        RankRange(1, 1),
        RankRange(2, 3),
        RankRange(2, 3),
        RankRange(4, 4),
    )


def test_a_higher_level_tells_fewer_apart(board):
    counts = board("60*A>B 40*B>A")

    assert pairwise_rank_ranges(uncertainty_of(counts, confidence_level=0.9)).ranges[0] == RankRange(1, 1)
    assert pairwise_rank_ranges(uncertainty_of(counts, confidence_level=0.99)).ranges[0] == RankRange(1, 2)


def test_the_pair_is_tested_and_not_the_overlap_of_two_intervals():
    ratings = np.array([1030.0, 1000.0])
    uncertainty = Uncertainty(ratings=ratings, covariance=np.array([[100.0, 0.0], [0.0, 100.0]]), confidence_level=0.95)

    assert uncertainty.lower[0] < uncertainty.upper[1]
    assert pairwise_rank_ranges(uncertainty).ranges == (RankRange(1, 1), RankRange(2, 2))


def test_unrated_items_have_no_rank_and_take_none(board):
    uncertainty = uncertainty_of(board("50*A>B 50*A>C 900*B>C 100*C>B", n_items=4))

    assert pairwise_rank_ranges(uncertainty).ranges == (None, RankRange(1, 1), RankRange(2, 2), None)
    assert simultaneous_rank_ranges(uncertainty, rng=np.random.default_rng(0)).ranges == (
        None,
        RankRange(1, 1),
        RankRange(2, 2),
        None,
    )


@pytest.mark.parametrize("n_items", [0, 1, 3])
def test_a_board_without_ratings_has_no_ranks(board, n_items):
    uncertainty = uncertainty_of(board("", n_items=n_items))

    assert pairwise_rank_ranges(uncertainty).ranges == (None,) * n_items
    assert simultaneous_rank_ranges(uncertainty, rng=np.random.default_rng(0)).ranges == (None,) * n_items


def test_a_difference_without_measured_spread_is_not_significant(board):
    counts = board("3*A=B 2*B=C A=C")
    uncertainty = sandwich(counts, fit(counts), prior_votes=0)

    assert pairwise_rank_ranges(uncertainty).ranges == (RankRange(1, 3),) * 3


def test_rounding_is_neither_a_spread_nor_a_difference(board):
    counts = board("A>B 7*B>A 3*A>C C>A 4*B>C 5*C>B 2*A=D")  # A and D tied only, but come out 1e-13 points apart
    uncertainty = sandwich(counts, fit(counts), prior_votes=0)

    ranges = pairwise_rank_ranges(uncertainty).ranges

    assert uncertainty.difference(0, 3).standard_error == 0.0
    assert ranges[0] == ranges[3]


def test_the_simultaneous_critical_value_of_like_items_is_tukeys(board):
    uncertainty = uncertainty_of(board("100*A>B 100*B>A 100*B>C 100*C>B 100*C>A 100*A>C"))

    ranks = simultaneous_rank_ranges(uncertainty, rng=np.random.default_rng(5), n_draws=20_000)

    assert ranks.critical_value == pytest.approx(studentized_range.ppf(0.95, 3, np.inf) / np.sqrt(2), abs=0.03)
    assert ranks.confidence_level == 0.95


def test_one_pair_needs_no_more_than_a_single_test(board):
    ranks = simultaneous_rank_ranges(uncertainty_of(board("60*A>B 40*B>A")), rng=np.random.default_rng(1))

    assert norm.ppf(0.975) - 1e-9 <= ranks.critical_value < 2.1


def test_simultaneous_ranges_are_wider_and_stay_below_bonferroni(board):
    uncertainty = uncertainty_of(board("60*A>B 40*B>A 60*B>C 40*C>B 60*C>D 40*D>C 30*A>D 8*D>A"))

    pairwise = pairwise_rank_ranges(uncertainty)
    simultaneous = simultaneous_rank_ranges(uncertainty, rng=np.random.default_rng(2))

    assert pairwise.critical_value < simultaneous.critical_value < norm.ppf(1 - 0.05 / 12)
    for narrow, wide in zip(pairwise.ranges, simultaneous.ranges, strict=True):
        assert wide.lower <= narrow.lower <= narrow.upper <= wide.upper
    assert pairwise.ranges[0] == RankRange(1, 1)
    assert simultaneous.ranges[0] == RankRange(1, 2)


def test_the_same_seed_gives_the_same_ranges_whatever_the_gauge(board):
    counts = board("60*A>B 40*B>A 60*B>C 40*C>B")

    first, second = (
        simultaneous_rank_ranges(sandwich(counts, fit(counts, gauge=gauge)), rng=np.random.default_rng(9))
        for gauge in (Anchor(0), Anchor(0, rating=500))
    )

    assert first.ranges == second.ranges
    assert first.critical_value == pytest.approx(second.critical_value)


def test_it_rejects_no_draws(board):
    with pytest.raises(InvalidLevelError, match="0 draws"):
        simultaneous_rank_ranges(uncertainty_of(board("A=B")), rng=np.random.default_rng(0), n_draws=0)


def test_a_tier_begins_with_the_first_item_told_apart_from_the_one_before(board):
    uncertainty = uncertainty_of(board("60*A>B 50*B>A 900*B>C 100*C>B 55*C>D 50*D>C"))

    assert tiers(uncertainty) == (1, 1, 2, 2)
    assert tiers(uncertainty, critical_value=0.0) == (1, 2, 3, 4)
    assert tiers(uncertainty, critical_value=1e6) == (1, 1, 1, 1)


def test_a_border_is_measured_from_the_first_of_the_tier():
    # 20 points apart, with 10 points of error: neighbours are within 1.96 * 14.1, two steps are not.
    ratings = np.array([1060.0, 1040.0, 1020.0, 1000.0, np.nan])
    covariance = np.diag([100.0, 100.0, 100.0, 100.0, np.nan])
    uncertainty = Uncertainty(ratings=ratings, covariance=covariance, confidence_level=0.95)

    assert tiers(uncertainty) == (1, 1, 2, 2, None)


def test_a_board_without_ratings_has_no_tiers(board):
    assert tiers(uncertainty_of(board("A>B"))) == (None, None)


def test_items_without_any_spread_are_tied(board):
    counts = board("5*A=B 5*B=C")
    assert tiers(sandwich(counts, fit(counts), prior_votes=0)) == (1, 1, 1)
