import numpy as np
import pytest
from scipy.special import betaln

from stats.bradley_terry import win_probability
from stats.comparisons import Outcome
from stats.errors import InvalidLevelError, InvalidWeightError, ItemIndexError, SelfPairError, UnknownOutcomeError
from stats.stopping import log_evidence, win_share, win_share_of_pair


@pytest.mark.parametrize(("n_left", "n_right"), [(0, 0), (3, 0), (40, 25), (700, 640)])
@pytest.mark.parametrize("share", [0.5, 0.3])
def test_without_ties_it_is_the_beta_binomial_mixture_of_robbins(n_left, n_right, share):
    expected = (
        betaln(n_left + 0.5, n_right + 0.5) - betaln(0.5, 0.5) - n_left * np.log(share) - n_right * np.log1p(-share)
    )

    assert log_evidence(n_left, n_right, share=share) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("share", [0.5, 0.2, 0.9])
def test_nobody_can_expect_to_gain_by_betting_on_the_true_share(share):
    """One more vote of mean score `share`, whatever its chance of a tie and whatever came before, gains nothing."""
    for n_left, n_right, n_ties in ((0, 0, 0), (5, 2, 3), (30, 60, 20)):
        before = np.exp(log_evidence(n_left, n_right, n_ties, share=share))
        for p_tie in (0.0, 0.1, 2 * min(share, 1 - share)):
            p_left = share - p_tie / 2
            after = np.exp(
                log_evidence(
                    [n_left + 1, n_left, n_left],
                    [n_right, n_right + 1, n_right],
                    [n_ties, n_ties, n_ties + 1],
                    share=share,
                )
            )
            assert np.dot([p_left, 1 - p_left - p_tie, p_tie], after) == pytest.approx(before)


def test_the_interval_holds_the_shares_that_were_not_won_against():
    result = win_share(60, 40, n_ties=20)

    assert result.estimate == pytest.approx(70 / 120)
    for end in (result.lower, result.upper):
        assert log_evidence(60, 40, 20, share=end) == pytest.approx(np.log(20), abs=1e-6)
    assert result.lower < result.estimate < result.upper
    assert result.evidence == pytest.approx(np.exp(log_evidence(60, 40, 20)))


def test_one_may_stop_exactly_when_a_half_is_excluded():
    for n_left in range(20, 45):
        result = win_share(n_left, 20, n_ties=5)
        assert result.may_stop == (result.lower > 0.5)
        mirrored = win_share(20, n_left, n_ties=5)
        assert mirrored.may_stop == result.may_stop
        assert mirrored.upper == pytest.approx(1 - result.lower)
    assert not win_share(22, 20).may_stop
    assert win_share(200, 20).may_stop
    assert not win_share(40, 20, confidence_level=0.999).may_stop


def test_more_votes_narrow_it_and_ties_narrow_it_most():
    def width(*votes, **options):
        result = win_share(*votes, **options)
        return result.upper - result.lower

    assert width(600, 400) < width(60, 40) < width(60, 40, confidence_level=0.99)
    assert width(0, 0, n_ties=100) < width(50, 50)


def test_it_is_wider_than_an_interval_for_one_look():
    result = win_share(500, 500)

    assert result.upper - 0.5 > 1.96 * 0.5 / np.sqrt(1000)
    assert result.upper - 0.5 < 2 * 1.96 * 0.5 / np.sqrt(1000)


def test_without_votes_nothing_is_known():
    result = win_share(0, 0)

    assert np.isnan(result.estimate)
    assert (result.lower, result.upper) == pytest.approx((0.0, 1.0), abs=1e-3)
    assert result.evidence == pytest.approx(1.0)
    assert not result.may_stop


def test_a_share_of_one_has_no_upper_end_in_points():
    result = win_share(30, 0)

    assert result.upper == 1.0
    assert result.rating_difference[1] == float("inf")
    assert win_probability(result.rating_difference[0]) == pytest.approx(result.lower)


def test_very_many_votes_are_no_overflow():
    assert np.isfinite(win_share(2_000_000, 1_000_000).evidence)


def test_it_is_asked_of_counts_from_either_side(board):
    counts = board("9*A>B 4*B>A 3*A=B 2*A~B 50*B>C")

    assert win_share_of_pair(counts, 0, 1) == win_share(9, 4, n_ties=5)
    assert win_share_of_pair(counts, 1, 0) == win_share(4, 9, n_ties=5)
    assert win_share_of_pair(counts, 0, 1, half_wins=[]) == win_share(9, 4)
    assert win_share_of_pair(counts, 0, 1, confidence_level=0.8) == win_share(9, 4, n_ties=5, confidence_level=0.8)
    assert np.isnan(win_share_of_pair(counts, 0, 2).estimate)


def test_equals_are_taken_for_unequal_in_one_of_twenty_lives_at_most():
    rng = np.random.default_rng(1)
    crossed = 0
    for _ in range(300):
        outcome = rng.choice(3, 800, p=[0.35, 0.35, 0.3])
        n_left, n_right, n_ties = (np.cumsum(outcome == each)[::4] for each in range(3))
        crossed += bool((log_evidence(n_left, n_right, n_ties) >= np.log(20)).any())

    assert crossed / 300 <= 0.05


@pytest.mark.parametrize("votes", [(-1, 0), (0, float("nan")), (float("inf"), 0)])
def test_it_rejects_numbers_of_votes_that_are_none(votes):
    with pytest.raises(InvalidWeightError):
        win_share(*votes)


def test_it_rejects_what_is_no_pair(board):
    counts = board("A>B")
    with pytest.raises(ItemIndexError):
        win_share_of_pair(counts, 0, 2)
    with pytest.raises(SelfPairError):
        win_share_of_pair(counts, 1, 1)
    with pytest.raises(UnknownOutcomeError):
        win_share_of_pair(counts, 0, 1, half_wins=[Outcome.LEFT])
    with pytest.raises(InvalidLevelError):
        win_share(1, 1, confidence_level=1)


def test_it_rejects_bets_that_nobody_can_make():
    for share in (0.0, 1.0, -0.5, float("nan")):
        with pytest.raises(InvalidLevelError, match="between 0 and 1"):
            log_evidence(1, 1, share=share)
    with pytest.raises(InvalidWeightError, match="not -5"):
        log_evidence(-5, 1)


def test_very_many_looks_are_taken_in_blocks():
    n_left = np.arange(3000).reshape(2, 1500)

    looks = log_evidence(n_left, 4, 2)

    assert looks.shape == (2, 1500)
    for row, column in ((0, 0), (0, 1100), (1, 1499)):
        assert looks[row, column] == pytest.approx(float(log_evidence(n_left[row, column], 4, 2)))
    assert log_evidence([], [], []).shape == (0,)
