import math
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

import stats.paired
from stats.errors import InvalidLevelError, InvalidWeightError, LengthMismatchError
from stats.paired import mcnemar, paired_difference, paired_shares, smallest_paired_difference, tango


@pytest.fixture
def rng():
    return np.random.default_rng(7)


def test_mcnemar_is_the_published_one():
    # Fagerland, Lydersen and Laake 2013: airway hyper-responsiveness before and after stem cell transplantation.
    found = mcnemar(1, 7)

    assert (found.exact, found.mid) == pytest.approx((0.0703, 0.0391), abs=5e-5)


def test_mcnemar_is_that_of_statsmodels():
    # statsmodels.stats.contingency_tables.mcnemar([[101, 121], [59, 33]], exact=True)
    assert mcnemar(121, 59).exact == pytest.approx(4.434e-06, rel=1e-3)


@given(st.integers(0, 60), st.integers(0, 60))
def test_mcnemar_is_a_sign_test_of_the_rows_that_differ(left, right):
    found = mcnemar(left, right)

    assert found.exact == pytest.approx(binomtest(left, left + right).pvalue if left + right else 1.0)
    assert 0 < found.mid <= found.exact <= 1
    assert mcnemar(right, left)[2:] == found[2:]


@pytest.mark.parametrize(("left", "right"), [(2, 5), (3, 3), (0, 4)])
def test_mid_p_is_what_enumeration_gives(left, right):
    n = left + right
    imbalance = abs(left - right)
    signs = [abs(sum(signs)) for signs in product((-1, 1), repeat=n)]
    more, equal = (sum(seen > imbalance for seen in signs), sum(seen == imbalance for seen in signs))

    assert mcnemar(left, right).mid == pytest.approx((more + equal / 2) / 2**n)


def test_without_a_row_that_differs_nothing_is_told_apart():
    assert mcnemar(0, 0) == (0, 0, 1.0, 1.0)


def test_tangos_interval_is_that_of_a_peer():
    # R, contingencytables 3.0: Tango_asymptotic_score_CI_paired_2x2(cavo_2012), complete response of 161 patients
    # before and after consolidation therapy (Cavo et al. 2012); its exact test has p = 0.052479.
    found = tango(6, 16, 161)

    assert (found.estimate, found.lower, found.upper) == pytest.approx((-0.0621, -0.1240, -0.0054), abs=5e-5)


def test_without_a_row_that_differs_the_score_interval_has_a_closed_form():
    z = 1.959964
    found = tango(0, 0, 20)

    assert (-found.lower, found.upper) == pytest.approx([z * z / (20 + z * z)] * 2, rel=1e-6)


@pytest.mark.parametrize(("only_left", "only_right", "n"), [(1, 0, 20), (7, 1, 21), (3, 3, 9), (12, 2, 50)])
def test_the_ends_are_where_the_score_test_turns(only_left, only_right, n):
    """With the likeliest shares under each difference searched for, not solved for."""
    found = tango(only_left, only_right, n)

    for end in (found.lower, found.upper):
        lowest, highest = max(0.0, -end), (1 - end) / 2  # of the share that only the right one gets
        shares = np.linspace(lowest, highest, 200_003)[1:-1]
        rest = n - only_left - only_right
        fit = only_left * np.log(shares + end) + only_right * np.log(shares) + rest * np.log(1 - 2 * shares - end)
        share = shares[fit.argmax()]
        score = (found.estimate - end) / math.sqrt((2 * share + end - end**2) / n)
        assert abs(score) == pytest.approx(1.959964, abs=2e-3)


@given(st.integers(0, 30), st.integers(0, 30), st.integers(1, 100))
def test_the_interval_of_shares_holds_nothing_exactly_where_the_exact_test_does_not_reject_it(left, right, more):
    found = paired_shares(left, right, left + right + more)

    assert (found.lower <= 0 <= found.upper) == (mcnemar(left, right).exact >= 0.05)
    assert -1 <= found.lower <= found.estimate <= found.upper <= 1
    back = paired_shares(right, left, left + right + more)
    assert (back.lower, back.upper) == pytest.approx((-found.upper, -found.lower))


@pytest.mark.parametrize("share_discordant", [0.05, 0.3])
def test_the_interval_of_shares_holds_the_level_of_few_rows(rng, share_discordant):
    difference = share_discordant / 2
    shares = [(share_discordant + difference) / 2, (share_discordant - difference) / 2, 1 - share_discordant]
    draws = rng.multinomial(20, shares, size=1000)

    intervals = [paired_shares(int(left), int(right), 20) for left, right, _ in draws]

    assert np.mean([one.lower <= difference <= one.upper for one in intervals]) >= 0.93


def test_the_standard_error_of_shares_is_that_of_the_differences(rng):
    shares = paired_shares(3, 1, 6)
    rows = paired_difference([1, 1, 1, 0, 1, 0], [1, 0, 0, 0, 0, 1], rng=rng)

    assert (shares.estimate, shares.standard_error) == pytest.approx((rows.estimate, rows.standard_error))
    assert math.isnan(paired_shares(1, 0, 1).standard_error)


@pytest.mark.parametrize(("left", "right", "end"), [(20, 0, (0.677750, 1.0)), (0, 20, (-1.0, -0.677750))])
def test_where_all_rows_differ_one_end_is_the_largest_difference(left, right, end):
    # The closed form of the score test: 1 - 2 z² / (20 + z²)
    assert paired_shares(left, right, 20)[2:4] == pytest.approx(end, abs=1e-6)


def test_the_difference_of_equal_models_is_nothing(rng):
    found = paired_difference([1, 0, 1], [1, 0, 1], rng=rng)

    assert (found.estimate, found.standard_error, found.lower, found.upper) == (0, 0, 0, 0)


def test_the_interval_agrees_with_the_closed_form(rng):
    left, right = (rng.random((2, 3000)) < [[0.7], [0.6]]).astype(float)

    found = paired_difference(left, right, rng=rng)

    error = (left - right).std(ddof=1) / math.sqrt(3000)
    assert found.standard_error == pytest.approx(error)
    assert found.estimate == pytest.approx((left - right).mean())
    assert (found.lower, found.upper) == pytest.approx(
        (found.estimate - 1.96 * error, found.estimate + 1.96 * error), abs=error / 10
    )


def test_few_rows_are_resampled_as_enumeration_says(rng):
    differences = np.array([1.0, 0.0, -1.0, 1.0])
    means = [np.mean(draw) for draw in product(differences, repeat=4)]

    found = paired_difference(differences, np.zeros(4), rng=rng, confidence_level=0.8)

    assert (found.lower, found.upper) == tuple(np.quantile(means, [0.1, 0.9]))


def test_pairing_notices_what_two_intervals_cannot(rng):
    hard = rng.random(2000) < 0.5
    left = hard.astype(float)
    right = np.where(rng.random(2000) < 0.04, 0.0, left)

    assert paired_difference(left, right, rng=rng).lower > 0


def test_rows_that_share_their_cluster_count_as_one(rng):
    left, right = np.repeat(rng.random((2, 40)), 25, axis=1)
    clusters = np.repeat(np.arange(40), 25)

    alone = paired_difference(left, right, rng=rng)
    together = paired_difference(left, right, rng=rng, clusters=clusters)

    assert (together.n, together.n_clusters) == (1000, 40)
    assert together.standard_error == pytest.approx(alone.standard_error * 5, rel=0.02)
    assert together.upper - together.lower == pytest.approx(5 * (alone.upper - alone.lower), rel=0.1)
    plain = left[::25] - right[::25]
    assert together.standard_error == pytest.approx(plain.std(ddof=1) / math.sqrt(40))


def test_clusters_may_have_names_and_sizes_of_their_own(rng):
    found = paired_difference([1, 1, 0, 1], [0, 1, 0, 0], rng=rng, clusters=["law", "law", "art", "law"])

    assert (found.estimate, found.n_clusters) == (0.5, 2)
    # residuals of the sums 2 - 0.5 * 3 and 0 - 0.5 * 1
    assert found.standard_error == pytest.approx(math.sqrt(2 * (0.5**2 + 0.5**2)) / 4)


def test_the_level_is_held(rng):
    held = 0
    for _ in range(200):
        left, right = (rng.random((2, 300)) < [[0.65], [0.6]]).astype(float)
        found = paired_difference(left, right, rng=rng)
        held += found.lower <= 0.05 <= found.upper

    assert 180 <= held <= 199


def test_it_is_the_same_however_much_memory_there_is(rng, monkeypatch):
    rows = rng.random((2, 50))
    all_at_once = paired_difference(*rows, rng=np.random.default_rng(1))
    monkeypatch.setattr(stats.paired, "CELLS_AT_ONCE", 1000)

    assert paired_difference(*rows, rng=np.random.default_rng(1)) == pytest.approx(all_at_once)


def test_one_row_has_no_standard_error(rng):
    assert math.isnan(paired_difference([1], [0], rng=rng).standard_error)


def test_the_smallest_paired_difference_solves_connors_formula_for_the_number_of_pairs():
    n = (1.959964 * math.sqrt(0.3) + 0.841621 * math.sqrt(0.29)) ** 2 / 0.01

    assert smallest_paired_difference(round(n), share_discordant=0.3) == pytest.approx(0.1, abs=2e-4)


def test_the_smallest_paired_difference_is_noticed_as_often_as_asked(rng):
    n, share = 1000, 0.2
    difference = smallest_paired_difference(n, share_discordant=share)
    shares = [(share + difference) / 2, (share - difference) / 2, 1 - share]

    draws = rng.multinomial(n, shares, size=2000)

    noticed = np.mean([mcnemar(int(left), int(right)).mid < 0.05 for left, right, _ in draws])
    assert noticed == pytest.approx(0.8, abs=0.04)


def test_few_discordant_rows_notice_nothing():
    assert smallest_paired_difference(10, share_discordant=0.1) is None


@pytest.mark.parametrize(
    ("error", "asked"),
    [
        (InvalidWeightError, lambda rng: mcnemar(-1, 0)),
        (InvalidWeightError, lambda rng: tango(-1, 0, 5)),
        (InvalidWeightError, lambda rng: tango(0, 0, 0)),
        (InvalidWeightError, lambda rng: tango(3, 3, 5)),
        (InvalidLevelError, lambda rng: tango(3, 1, 5, confidence_level=1)),
        (InvalidWeightError, lambda rng: paired_difference([math.nan], [0], rng=rng)),
        (LengthMismatchError, lambda rng: paired_difference([1, 0], [1], rng=rng)),
        (LengthMismatchError, lambda rng: paired_difference([], [], rng=rng)),
        (LengthMismatchError, lambda rng: paired_difference([1, 0], [1, 0], rng=rng, clusters=[1])),
        (InvalidLevelError, lambda rng: paired_difference([1], [0], rng=rng, confidence_level=2)),
        (InvalidLevelError, lambda rng: smallest_paired_difference(10, share_discordant=0)),
        (InvalidLevelError, lambda rng: smallest_paired_difference(10, share_discordant=0.1, power=1)),
        (InvalidWeightError, lambda rng: smallest_paired_difference(0, share_discordant=0.1)),
    ],
)
def test_it_refuses_what_is_no_comparison(rng, error, asked):
    with pytest.raises(error):
        asked(rng)
