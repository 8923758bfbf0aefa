from datetime import date

import numpy as np
import pytest

from stats.bradley_terry import Anchor, fit
from stats.comparisons import Outcome, PairCounts
from stats.errors import InvalidWeightError, LengthMismatchError
from stats.over_time import Calendar, DayCell, Reading, WeightedDayCell, ratings_over_time

LEFT, RIGHT, TIE = Outcome.LEFT, Outcome.RIGHT, Outcome.TIE
CELLS = [
    DayCell(100, 0, 1, LEFT, 30),
    DayCell(101, 1, 0, LEFT, 20),
    DayCell(103, 1, 2, LEFT, 12),
    DayCell(106, 2, 1, LEFT, 9),
    DayCell(107, 0, 1, TIE, 5),
    DayCell(109, 0, 1, LEFT, 5),
    DayCell(110, 1, 0, LEFT, 15),
    DayCell(123, 2, 1, LEFT, 4),
    DayCell(124, 1, 2, LEFT, 3),
]


def counts_between(first, last):
    return PairCounts.from_cells([cell[1:] for cell in CELLS if first <= cell.day <= last], n_items=3)


def test_each_week_is_rated_by_its_own_votes():
    periods = ratings_over_time(CELLS, n_items=3)

    assert [(period.first_day, period.last_day) for period in periods] == [
        (100, 106),
        (107, 113),
        (114, 120),
        (121, 127),
    ]
    for period in periods:
        expected = fit(counts_between(period.first_day, period.last_day)).ratings
        np.testing.assert_allclose(np.diff(period.fit.ratings), np.diff(expected), atol=1e-9)
        np.testing.assert_array_equal(period.uncertainty.ratings, period.fit.ratings)
    assert np.isnan(periods[2].fit.ratings).all()
    assert np.isnan(periods[1].uncertainty.lower[2])
    assert periods[1].counts.n_comparisons == 25


def test_cumulative_periods_reach_back_to_the_first_day():
    periods = ratings_over_time(CELLS, n_items=3, calendar=Calendar(days_per_period=10, cumulative=True))

    assert [(period.first_day, period.last_day) for period in periods] == [(100, 109), (100, 119), (100, 129)]
    np.testing.assert_allclose(periods[-1].fit.ratings, fit(counts_between(100, 129)).ratings, atol=1e-9)


def test_all_periods_are_on_the_level_of_the_whole():
    whole = fit(counts_between(0, 999))
    weights = whole.gauge_weights

    periods = ratings_over_time(CELLS, n_items=3)

    assert weights @ periods[0].fit.ratings == pytest.approx(1000.0)
    pair = weights[:2] / weights[:2].sum()
    assert pair @ periods[1].fit.ratings[:2] == pytest.approx(pair @ whole.ratings[:2])
    np.testing.assert_allclose(periods[1].fit.gauge_weights, [*pair, 0.0])
    covariance = periods[1].uncertainty.covariance[:2, :2]
    np.testing.assert_allclose(covariance @ pair, 0.0, atol=1e-8)


def test_an_anchor_keeps_its_rating_in_every_period_that_rates_it():
    periods = ratings_over_time(CELLS, n_items=3, reading=Reading(gauge=Anchor(0, rating=1200)), confidence_level=0.5)

    assert periods[0].fit.ratings[0] == pytest.approx(1200.0)
    assert periods[0].uncertainty.standard_error[0] == pytest.approx(0.0)
    assert np.isnan(periods[3].fit.ratings).all()
    assert np.isnan(periods[3].uncertainty.covariance).all()
    assert periods[0].uncertainty.confidence_level == 0.5


def test_no_votes_are_no_periods():
    assert ratings_over_time([], n_items=3) == ()


def test_plain_rows_will_do():
    (period,) = ratings_over_time([(5, 0, 1, LEFT, 3), (5, 1, 0, LEFT, 1)], n_items=2)

    assert period.fit.ratings[0] - period.fit.ratings[1] == pytest.approx(400 * np.log10(3))


def test_it_rejects_periods_without_days():
    with pytest.raises(InvalidWeightError):
        ratings_over_time(CELLS, n_items=3, calendar=Calendar(days_per_period=0))


def test_days_are_whole_numbers():
    for day in (1.5, float("nan")):
        with pytest.raises(InvalidWeightError, match="whole numbers"):
            ratings_over_time([(day, 0, 1, LEFT, 1)], n_items=2)
    with pytest.raises(InvalidWeightError, match=r"not 1\.5"):
        ratings_over_time(CELLS, n_items=3, calendar=Calendar(days_per_period=1.5))


def test_the_order_of_the_cells_does_not_matter():
    for one, other in zip(ratings_over_time(CELLS, n_items=3), ratings_over_time(CELLS[::-1], n_items=3), strict=True):
        np.testing.assert_allclose(one.fit.ratings, other.fit.ratings)
        np.testing.assert_array_equal(one.counts.totals, other.counts.totals)


def day(text):
    return date.fromisoformat(text).toordinal()


def test_months_are_those_of_the_calendar():
    cells = [
        DayCell(day(text), 0, 1, outcome, n)
        for text in ("2024-01-31", "2024-02-01", "2024-02-29", "2024-03-01", "2025-01-15")
        for outcome, n in ((LEFT, 3), (RIGHT, 2))
    ]

    monthly = ratings_over_time(cells, n_items=2, calendar=Calendar(months_per_period=1))
    by_quarter = ratings_over_time(cells, n_items=2, calendar=Calendar(months_per_period=3, cumulative=True))

    days = [tuple(date.fromordinal(d).isoformat() for d in (p.first_day, p.last_day)) for p in monthly]
    assert len(days) == 13
    assert days[:3] == [("2024-01-01", "2024-01-31"), ("2024-02-01", "2024-02-29"), ("2024-03-01", "2024-03-31")]
    assert days[-1] == ("2025-01-01", "2025-01-31")
    assert [p.counts.n_comparisons for p in monthly] == [5, 10, 5] + [0] * 9 + [5]
    assert [date.fromordinal(p.last_day).isoformat() for p in by_quarter] == [
        "2024-03-31",
        "2024-06-30",
        "2024-09-30",
        "2024-12-31",
        "2025-03-31",
    ]
    assert {p.first_day for p in by_quarter} == {day("2024-01-01")}
    assert [p.counts.n_comparisons for p in by_quarter] == [20, 20, 20, 20, 25]


@pytest.mark.parametrize("months", [0, -1, 1.5])
def test_it_rejects_periods_without_months(months):
    with pytest.raises(InvalidWeightError, match="whole number of months"):
        ratings_over_time(CELLS, n_items=3, calendar=Calendar(months_per_period=months))


@pytest.mark.parametrize("days", [(-5, 3), (3, 10**9), (3, date.max.toordinal())])
def test_months_need_days_that_have_a_date(days):
    cells = [DayCell(each, 0, 1, outcome, 1) for each in days for outcome in (LEFT, RIGHT)]

    with pytest.raises(InvalidWeightError, match="toordinal"):
        ratings_over_time(cells, n_items=2, calendar=Calendar(months_per_period=1))


def test_outcomes_that_are_no_half_win_are_left_out():
    with_ties = ratings_over_time(CELLS, n_items=3)
    without = ratings_over_time(CELLS, n_items=3, reading=Reading(half_wins=[]))
    no_ties = ratings_over_time([cell for cell in CELLS if cell.outcome != TIE], n_items=3)

    np.testing.assert_allclose(without[1].fit.ratings, no_ties[1].fit.ratings)
    np.testing.assert_allclose(without[1].uncertainty.covariance, no_ties[1].uncertainty.covariance)
    assert np.ptp(without[1].fit.ratings[:2]) > np.ptp(with_ties[1].fit.ratings[:2])


def test_weighted_votes_count_by_their_sums_and_vary_by_their_squares():
    weighted = [WeightedDayCell(*cell[:4], 2.0 * cell.n, 4.0 * cell.n) for cell in CELLS]  # every vote weighs 2
    spread = [WeightedDayCell(*cell[:4], float(cell.n), 3.0 * cell.n) for cell in CELLS]

    plain, twice, uneven = (ratings_over_time(cells, n_items=3) for cells in (CELLS, weighted, spread))

    for one, two, three in zip(plain, twice, uneven, strict=True):
        np.testing.assert_allclose(two.fit.ratings, one.fit.ratings)
        np.testing.assert_allclose(two.uncertainty.covariance, one.uncertainty.covariance, atol=1e-6)
        np.testing.assert_allclose(three.fit.ratings, one.fit.ratings)
    assert (uneven[0].uncertainty.standard_error > 1.5 * plain[0].uncertainty.standard_error).all()


def test_cells_are_all_plain_or_all_weighted():
    for cells in ([(1, 0, 1, LEFT)], [CELLS[0], WeightedDayCell(1, 0, 1, LEFT, 1, 1)]):
        with pytest.raises(LengthMismatchError, match="five"):
            ratings_over_time(cells, n_items=3)
