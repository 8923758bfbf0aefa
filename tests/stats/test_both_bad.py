import numpy as np
import pytest

from stats.both_bad import against_bar, bar_sandwich, fit_against_bar
from stats.bradley_terry import ANCHOR_RATING, RATING_PER_STRENGTH, Anchor, Gauge, fit
from stats.comparisons import Comparisons, Outcome, PairCounts
from stats.connectivity import ItemStatus
from stats.errors import InvalidLevelError, LengthMismatchError
from stats.uncertainty import sandwich

BOARD = "8*A>B 5*B>A 3*A=B 6*A~B 7*B>C 4*C>B 9*B~C 2*B=C 5*C>A 6*A>C"


def test_each_vote_is_also_one_on_the_bar(board):
    extended = against_bar(board("3*A>B 2*A=B 4*A~B 5*B~C", n_items=4))

    pairs = list(zip(extended.left, extended.right, extended.totals.tolist(), strict=True))
    assert extended.n_items == 5
    assert pairs == [
        (0, 1, [3.0, 0.0, 2.0, 0.0]),
        (0, 4, [5.0, 4.0, 0.0, 0.0]),
        (1, 4, [2.0, 9.0, 0.0, 0.0]),
        (2, 4, [0.0, 5.0, 0.0, 0.0]),
    ]
    np.testing.assert_array_equal(extended.squares, extended.totals)


def test_an_item_whose_answers_are_called_bad_falls(board):
    mild, harsh = (fit_against_bar(board(f"{BOARD} {n}*C~D A>D D>A")) for n in (1, 40))

    assert harsh.ratings[2] - harsh.ratings[0] < mild.ratings[2] - mild.ratings[0]
    assert harsh.ratings[-1] > mild.ratings[-1]


def test_two_items_alone_clear_the_bar_as_often_as_they_did(board):
    result = fit_against_bar(board("30*A>B 30*B>A 20*A~B"))

    # Each side won 30 times, and was called bad 20 times.
    assert result.strengths[0] - result.strengths[-1] == pytest.approx(np.log(30 / 20))
    assert result.strengths[0] == pytest.approx(result.strengths[1])


@pytest.mark.parametrize("gauge", [Gauge.VOTE_WEIGHTED_MEAN, Gauge.MEAN])
def test_the_bar_has_no_part_in_the_mean(board, gauge):
    counts = board(BOARD)
    result = fit_against_bar(counts, gauge=gauge)

    assert result.gauge_weights[-1] == 0.0
    assert result.gauge_weights @ result.ratings == pytest.approx(ANCHOR_RATING)
    uncertainty = bar_sandwich(counts, result)
    np.testing.assert_allclose(uncertainty.covariance @ result.gauge_weights, 0.0, atol=1e-8)


def test_the_bar_can_anchor_the_ratings(board):
    counts = board(BOARD)
    result = fit_against_bar(counts, gauge=Anchor(3, rating=0))

    assert result.ratings[3] == 0.0
    assert bar_sandwich(counts, result).standard_error[3] == 0.0


def test_without_both_bad_the_bar_is_cleared_by_all(board):
    counts = board("8*A>B 5*B>A 3*A=B 2*B>C C>B")

    result = fit_against_bar(counts)

    assert result.statuses[-1] is ItemStatus.ONLY_LOST
    np.testing.assert_allclose(result.ratings[:-1], fit(counts).ratings)
    expected = sandwich(counts, fit(counts), prior_votes=0).covariance
    np.testing.assert_allclose(bar_sandwich(counts, result, prior_votes=0).covariance[:-1, :-1], expected)


def test_its_variance_is_that_of_votes_and_not_of_comparisons(board):
    rng = np.random.default_rng(4)
    left, right, outcome = rng.integers(0, 3, 240), rng.integers(1, 3, 240), rng.integers(0, 4, 240)
    weight = rng.uniform(0.5, 2.0, 240)
    right = (left + right) % 3
    votes = Comparisons.from_arrays(left, right, outcome=outcome, weight=weight, n_items=3)
    counts = PairCounts.from_comparisons(votes)
    result = fit_against_bar(counts)
    s = result.strengths

    bread, meat = np.zeros((4, 4)), np.zeros((4, 4))
    for a, b, said, w in zip(left, right, outcome, weight, strict=True):
        compared = {
            Outcome.LEFT: [(a, b, 1.0), (a, 3, 1.0)],
            Outcome.RIGHT: [(b, a, 1.0), (b, 3, 1.0)],
            Outcome.TIE: [(a, b, 0.5), (a, 3, 1.0), (b, 3, 1.0)],
            Outcome.BOTH_BAD: [(3, a, 1.0), (3, b, 1.0)],
        }[said]
        score = np.zeros(4)
        for one, other, y in compared:
            z = np.eye(4)[one] - np.eye(4)[other]
            p = 1 / (1 + np.exp(-z @ s))
            score += w * (y - p) * z
            bread += w * p * (1 - p) * np.outer(z, z)
        meat += np.outer(score, score)
    inverse = np.linalg.pinv(bread)
    gauge = np.eye(4) - result.gauge_weights
    expected = gauge @ inverse @ meat @ inverse @ gauge.T * RATING_PER_STRENGTH**2

    computed = bar_sandwich(counts, result, prior_votes=0)
    np.testing.assert_allclose(computed.covariance, expected, rtol=1e-7, atol=1e-7)
    assert (bar_sandwich(counts, result).standard_error > computed.standard_error).all()


def test_a_board_without_votes_is_no_error(board):
    counts = board("", n_items=2)

    assert np.isnan(bar_sandwich(counts, fit_against_bar(counts)).covariance).all()


def test_it_rejects_what_does_not_belong_together(board):
    result = fit_against_bar(board(BOARD))

    with pytest.raises(LengthMismatchError, match="the bar among them"):
        bar_sandwich(board("A>B"), result)
    with pytest.raises(InvalidLevelError):
        bar_sandwich(board(BOARD), result, confidence_level=2)


@pytest.mark.parametrize("prior_votes", [0, 1, 5])
def test_a_common_factor_of_all_weights_changes_no_error(board, prior_votes):
    counts = board(BOARD)
    scaled = counts.with_pair_weights(np.full(len(counts.left), 40.0))

    first, second = (bar_sandwich(each, fit_against_bar(each), prior_votes=prior_votes) for each in (counts, scaled))

    np.testing.assert_allclose(second.covariance, first.covariance, rtol=1e-6, atol=1e-6)
