import numpy as np
import pytest
from scipy.stats import chi2, norm, studentized_range

from stats.bradley_terry import Anchor, fit
from stats.errors import InvalidLevelError
from stats.ranks import tiers
from stats.simultaneous import (
    chi_square_intervals,
    joint_intervals,
    joint_pairwise_intervals,
    normal_draws,
    pairwise_intervals,
)
from stats.uncertainty import Uncertainty, sandwich

BOARD = "60*A>B 40*B>A 60*B>C 40*C>B 60*C>D 40*D>C 30*A>D 8*D>A 9*A=C 4*E>A"


def uncertainty_of(counts, **options):
    return sandwich(counts, fit(counts, **options))


def independent(n_items, *, level=0.95):
    return Uncertainty(ratings=np.arange(n_items) * 10.0, covariance=np.eye(n_items) * 4.0, confidence_level=level)


def test_draws_have_the_mean_and_the_covariance_of_the_ratings(board):
    uncertainty = uncertainty_of(board(BOARD))

    draws = normal_draws(uncertainty, rng=np.random.default_rng(1), n_draws=20_000)

    assert np.isnan(draws[:, 4]).all()
    np.testing.assert_allclose(draws[:, :4].mean(axis=0), uncertainty.ratings[:4], atol=1.0)
    expected = uncertainty.covariance[:4, :4]
    np.testing.assert_allclose(np.cov(draws[:, :4].T), expected, atol=0.05 * expected.max())


def test_pairwise_intervals_are_those_of_single_differences(board):
    uncertainty = uncertainty_of(board(BOARD))

    intervals = pairwise_intervals(uncertainty)

    difference = uncertainty.difference(0, 3)
    single = (intervals.estimates[0, 3], intervals.lower[0, 3], intervals.upper[0, 3])
    assert single == pytest.approx((difference.estimate, difference.lower, difference.upper))
    assert np.isnan(intervals.lower[4]).all()
    assert intervals.critical_value == pytest.approx(norm.ppf(0.975))


def test_joint_intervals_of_independent_items_are_sidaks():
    intervals = joint_intervals(independent(4), rng=np.random.default_rng(2), n_draws=100_000)

    sidak = norm.ppf((1 + 0.95 ** (1 / 4)) / 2)
    assert intervals.critical_value == pytest.approx(sidak, abs=0.02)
    np.testing.assert_allclose(intervals.upper - intervals.estimates, intervals.critical_value * 2.0)
    np.testing.assert_allclose(intervals.estimates - intervals.lower, intervals.critical_value * 2.0)


def test_joint_differences_of_independent_items_are_tukeys():
    intervals = joint_pairwise_intervals(independent(4), rng=np.random.default_rng(3), n_draws=100_000)

    assert intervals.critical_value == pytest.approx(studentized_range.ppf(0.95, 4, np.inf) / np.sqrt(2), abs=0.02)
    assert intervals.upper[3, 0] - 30.0 == pytest.approx(intervals.critical_value * np.sqrt(8.0))


def test_the_region_reaches_as_far_as_its_chi_square(board):
    uncertainty = uncertainty_of(board(BOARD))

    intervals = chi_square_intervals(uncertainty)

    assert intervals.critical_value == pytest.approx(np.sqrt(chi2.ppf(0.95, 3)))
    assert intervals.critical_value > joint_pairwise_intervals(uncertainty, rng=np.random.default_rng(4)).critical_value
    assert chi_square_intervals(uncertainty_of(board("A>B"))).critical_value == pytest.approx(norm.ppf(0.975))


def test_an_anchor_has_no_interval_and_no_part_in_the_others(board):
    uncertainty = uncertainty_of(board(BOARD), gauge=Anchor(0))

    intervals = joint_intervals(uncertainty, rng=np.random.default_rng(5))

    assert (intervals.lower[0], intervals.upper[0]) == (1000.0, 1000.0)
    assert np.isfinite(intervals.critical_value)


@pytest.mark.parametrize("votes", ["", "A>B"])
def test_a_board_without_ratings_has_no_intervals(board, votes):
    uncertainty = uncertainty_of(board(votes, n_items=2))

    for intervals in (
        joint_intervals(uncertainty, rng=np.random.default_rng(6)),
        joint_pairwise_intervals(uncertainty, rng=np.random.default_rng(6)),
    ):
        assert np.isnan(intervals.lower).all()
        assert intervals.critical_value == pytest.approx(norm.ppf(0.975))


def test_it_rejects_no_draws(board):
    with pytest.raises(InvalidLevelError, match="0 draws"):
        normal_draws(uncertainty_of(board("A=B")), rng=np.random.default_rng(7), n_draws=0)


@pytest.mark.parametrize("critical_value", [-1.0, float("nan")])
def test_it_rejects_a_critical_value_that_is_none(board, critical_value):
    uncertainty = uncertainty_of(board("A=B"))

    with pytest.raises(InvalidLevelError, match="critical value"):
        pairwise_intervals(uncertainty, critical_value=critical_value)
    with pytest.raises(InvalidLevelError, match="critical value"):
        tiers(uncertainty, critical_value=critical_value)
    with pytest.raises(InvalidLevelError, match=r"2\.5 draws"):
        normal_draws(uncertainty, rng=np.random.default_rng(7), n_draws=2.5)
