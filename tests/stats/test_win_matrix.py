import numpy as np
import pytest

from stats.bradley_terry import fit
from stats.comparisons import Outcome
from stats.errors import UnknownOutcomeError
from stats.simultaneous import normal_draws
from stats.uncertainty import Uncertainty, sandwich
from stats.win_matrix import mean_win_rates, observed_wins, win_matrix

BOARD = "60*A>B 20*B>A 9*A=B 40*B>C 25*C>B 30*A>C 8*C>A 5*D>A"


def uncertainty_of(counts, **options):
    return sandwich(counts, fit(counts), **options)


def test_two_items_win_as_often_as_they_won(board):
    matrix = win_matrix(uncertainty_of(board("75*A>B 25*B>A")))

    assert matrix.probabilities[0, 1] == pytest.approx(0.75)
    assert matrix.probabilities[1, 0] == pytest.approx(0.25)
    error = np.sqrt(1 / 75 + 1 / 25)
    assert np.log(matrix.upper[0, 1] / (1 - matrix.upper[0, 1])) == pytest.approx(np.log(3) + 1.959964 * error)
    assert np.log(matrix.lower[0, 1] / (1 - matrix.lower[0, 1])) == pytest.approx(np.log(3) - 1.959964 * error)


def test_one_of_two_wins(board):
    matrix = win_matrix(uncertainty_of(board(BOARD)), critical_value=3.0)

    np.testing.assert_allclose(
        matrix.probabilities + matrix.probabilities.T, np.where(np.isnan(matrix.lower), np.nan, 1)
    )
    np.testing.assert_allclose(matrix.lower, 1 - matrix.upper.T)
    assert np.isnan(matrix.probabilities).sum() == 4 + 6
    narrow = win_matrix(uncertainty_of(board(BOARD)))
    assert narrow.lower[0, 1] > matrix.lower[0, 1]


def test_a_mean_win_rate_is_the_mean_of_its_row(board):
    uncertainty = uncertainty_of(board(BOARD))

    rates = mean_win_rates(uncertainty)

    rows = win_matrix(uncertainty).probabilities[:3, :3]
    np.testing.assert_allclose(rates.rates[:3], np.nanmean(rows, axis=1))
    assert np.isnan(rates.rates[3])
    assert np.isnan(rates.upper[3])
    assert np.nanmean(rates.rates) == pytest.approx(0.5)


def test_the_error_of_a_win_rate_is_that_of_simulated_ratings(board):
    uncertainty = uncertainty_of(board(BOARD))
    draws = normal_draws(uncertainty, rng=np.random.default_rng(1), n_draws=20_000)[:, :3]
    p = 1 / (1 + 10 ** ((draws[:, np.newaxis, :] - draws[:, :, np.newaxis]) / 400))
    simulated = (p.sum(axis=2) - 0.5) / 2

    rates = mean_win_rates(uncertainty)

    np.testing.assert_allclose(rates.standard_errors[:3], simulated.std(axis=0), rtol=0.05)
    np.testing.assert_allclose(rates.lower[:3], np.quantile(simulated, 0.025, axis=0), atol=0.01)
    np.testing.assert_allclose(rates.upper[:3], np.quantile(simulated, 0.975, axis=0), atol=0.01)


def test_two_items_have_the_interval_of_their_probability(board):
    uncertainty = uncertainty_of(board("75*A>B 25*B>A"), confidence_level=0.9)

    rates, matrix = mean_win_rates(uncertainty), win_matrix(uncertainty)

    assert (rates.lower[0], rates.upper[0]) == pytest.approx((matrix.lower[0, 1], matrix.upper[0, 1]))


def test_a_board_without_ratings_has_no_rates(board):
    assert np.isnan(mean_win_rates(uncertainty_of(board("A>B"))).rates).all()


def test_what_was_counted_is_said_from_both_sides(board):
    observed = observed_wins(board("3*A>B B>A 2*A=B 4*A~B", n_items=3))

    assert observed.shares[0, 1] == pytest.approx(0.6)
    assert observed.shares[1, 0] == pytest.approx(0.4)
    assert observed.n_comparisons[1, 0] == 10
    assert np.isnan(observed.shares[0, 2])
    assert observed.n_comparisons[0, 2] == 0


def test_ties_can_be_left_out_of_what_was_counted(board):
    counts = board("3*A>B B>A 2*A=B 5*B=C")

    observed = observed_wins(counts, half_wins=[])

    assert observed.shares[0, 1] == pytest.approx(0.75)
    assert np.isnan(observed.shares[1, 2])
    with pytest.raises(UnknownOutcomeError):
        observed_wins(counts, half_wins=[Outcome.LEFT])


def test_rates_next_to_always_are_no_overflow():
    ratings = np.array([20_000.0, 0.0])
    uncertainty = Uncertainty(ratings=ratings, covariance=np.eye(2) * 100.0, confidence_level=0.95)

    rates = mean_win_rates(uncertainty)

    np.testing.assert_allclose(rates.rates, [1.0, 0.0])
    np.testing.assert_allclose(rates.upper, [1.0, 0.0], atol=1e-9)
