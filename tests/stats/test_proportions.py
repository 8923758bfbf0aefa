import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom, binomtest

from stats.errors import InvalidLevelError, InvalidWeightError
from stats.proportions import clopper_pearson, smallest_difference, wilson


@pytest.mark.parametrize(
    ("n_right", "n", "lower", "upper"),
    [  # Newcombe 1998, "Two-sided confidence intervals for the single proportion", table I, methods 3 and 5
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_wilsons_interval_is_the_published_one(n_right, n, lower, upper):
    found = wilson(n_right, n)

    assert (found.lower, found.upper) == pytest.approx((lower, upper), abs=5e-5)


@pytest.mark.parametrize(
    ("n_right", "n", "lower", "upper"),
    [(81, 263, 0.2527, 0.3676), (15, 148, 0.0578, 0.1617), (0, 20, 0.0, 0.1684), (1, 29, 0.0009, 0.1776)],
)
def test_the_exact_interval_is_the_published_one(n_right, n, lower, upper):
    found = clopper_pearson(n_right, n)

    assert (found.lower, found.upper) == pytest.approx((lower, upper), abs=5e-5)


@given(st.integers(1, 400), st.floats(0, 1), st.sampled_from([0.8, 0.95, 0.999]))
def test_both_intervals_are_scipys(n, share, level):
    n_right = round(share * n)
    test = binomtest(n_right, n)

    for found, method in ((wilson, "wilson"), (clopper_pearson, "exact")):
        interval = test.proportion_ci(level, method=method)
        mine = found(n_right, n, confidence_level=level)
        assert (mine.lower, mine.upper) == pytest.approx((interval.low, interval.high), abs=1e-9)
        assert mine.lower <= mine.estimate <= mine.upper


def test_the_exact_interval_holds_the_truth_at_least_as_often_as_it_says():
    n, truth = 30, 0.17
    intervals = [clopper_pearson(n_right, n) for n_right in range(n + 1)]

    held = sum(binom.pmf(right, n, truth) for right, it in enumerate(intervals) if it.lower <= truth <= it.upper)

    assert held >= 0.95


def test_the_standard_error_is_that_of_a_mean():
    assert wilson(3, 4).standard_error == pytest.approx(math.sqrt((3 * 0.25**2 + 0.75**2) / 3 / 4))
    assert math.isnan(wilson(1, 1).standard_error)


def test_the_smallest_difference_solves_fleiss_formula_for_the_number_of_answers():
    # 0.5 against 0.6 takes 388 in each group at 5 % and a power of 80 %, without continuity correction
    assert smallest_difference(388) == pytest.approx(0.1, abs=2e-4)
    # and 0.6 against 0.8 takes 82
    assert smallest_difference(82, share=0.6) == pytest.approx(0.2, abs=2e-3)


def test_the_smallest_difference_is_noticed_as_often_as_asked():
    n, share = 400, 0.5
    other = share + smallest_difference(n)
    noticed = 0.0
    for mine in range(n + 1):
        p_mine = binom.pmf(mine, n, share)
        if p_mine < 1e-6:
            continue
        for theirs in range(n + 1):
            middle = (mine + theirs) / (2 * n)
            spread = math.sqrt(2 * middle * (1 - middle) / n)
            if spread and (theirs - mine) / n / spread > 1.959964:
                noticed += p_mine * binom.pmf(theirs, n, other)

    assert noticed == pytest.approx(0.8, abs=0.01)


def test_more_answers_notice_smaller_differences():
    found = [smallest_difference(n) for n in (20, 100, 1000, 14_042)]

    assert found == sorted(found, reverse=True)


def test_three_answers_notice_nothing():
    assert smallest_difference(3) is None


@pytest.mark.parametrize(
    "asked",
    [
        lambda: wilson(1, 0),
        lambda: wilson(3, 2),
        lambda: clopper_pearson(-1, 2),
        lambda: smallest_difference(0),
    ],
)
def test_it_refuses_numbers_that_are_none(asked):
    with pytest.raises(InvalidWeightError):
        asked()


@pytest.mark.parametrize(
    "asked",
    [
        lambda: wilson(1, 2, confidence_level=1),
        lambda: clopper_pearson(1, 2, confidence_level=0),
        lambda: smallest_difference(10, power=0.2),
        lambda: smallest_difference(10, share=1),
    ],
)
def test_it_refuses_levels_that_are_none(asked):
    with pytest.raises(InvalidLevelError):
        asked()
