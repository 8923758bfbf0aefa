"""Rank correlations equal scipy's, and hold what they estimate as often as they say."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import kendalltau, spearmanr

from stats.agreement import (
    Correlation,
    RankCorrelation,
    agreement_matrix,
    rank_correlation,
    reliability,
    without_noise,
)
from stats.errors import InvalidLevelError, InvalidWeightError, LengthMismatchError

KINDS = [RankCorrelation.KENDALL, RankCorrelation.SPEARMAN]
every_pair = settings(deadline=None, max_examples=80, database=None, derandomize=True)


def normal_of(value, kind):
    return math.sin(math.pi / 2 * value) if kind == "kendall" else 2 * math.sin(math.pi / 6 * value)


@every_pair
@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), min_size=2, max_size=14), st.sampled_from(KINDS))
def test_the_estimate_is_scipys_and_inside_its_interval(pairs, kind):
    left, right = np.array(pairs, dtype=float).T

    found = rank_correlation(left, right, kind=kind)

    if len(set(left)) == 1 or len(set(right)) == 1:
        assert math.isnan(found.estimate)
        return
    expected = (kendalltau if kind == "kendall" else spearmanr)(left, right).statistic
    assert found.estimate == pytest.approx(expected, abs=1e-12)
    assert -1 <= found.lower <= found.estimate <= found.upper <= 1
    turned = rank_correlation(-left, right, kind=kind)
    assert (turned.estimate, turned.lower) == pytest.approx((-found.estimate, -found.upper))
    assert rank_correlation(right, left, kind=kind) == pytest.approx(found)


def test_tau_and_rho_are_what_counting_pairs_and_squares_gives():
    places = [7, 4, 3, 10, 6, 2, 9, 8, 1, 5]
    concordant = sum(np.sign(places[j] - places[i]) for i in range(10) for j in range(i + 1, 10))
    squares = sum((rank - 1 - place) ** 2 for place, rank in enumerate(places))

    assert rank_correlation(range(10), places).estimate == pytest.approx(concordant / 45)
    rho = rank_correlation(range(10), places, kind=RankCorrelation.SPEARMAN)
    assert rho.estimate == pytest.approx(1 - 6 * squares / 990)


def test_the_intervals_are_the_published_formulas():
    rng = np.random.default_rng(4)
    left = rng.normal(size=23)
    right = left + rng.normal(size=23)
    tau, rho = (rank_correlation(left, right, kind=kind, confidence_level=0.9) for kind in KINDS)

    for found, error in ((tau, math.sqrt(0.437 / 19)), (rho, math.sqrt((1 + rho.estimate**2 / 2) / 20))):
        z = math.atanh(found.estimate)
        ends = (math.tanh(z - 1.6448536 * error), math.tanh(z + 1.6448536 * error))
        assert (found.lower, found.upper) == pytest.approx(ends)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("normal", [0.0, 0.5, 0.8])
@pytest.mark.parametrize("n", [8, 20])
def test_intervals_hold_the_correlation_of_the_population(kind, normal, n):
    rng = np.random.default_rng([n, int(10 * normal)])
    truth = 2 / math.pi * math.asin(normal) if kind == "kendall" else 6 / math.pi * math.asin(normal / 2)
    held = 0
    for _ in range(1000):
        left, other = rng.normal(size=(2, n))
        found = rank_correlation(left, normal * left + math.sqrt(1 - normal**2) * other, kind=kind)
        held += found.lower <= truth <= found.upper

    assert 0.92 < held / 1000 < 0.985


def test_only_models_that_both_know_are_compared():
    left, right = [1, 2, math.nan, 4, 5, 9, 7], [2, math.nan, 8, 1, 6, 7, 5]

    found = rank_correlation(left, right)

    assert found == rank_correlation([1, 4, 5, 9, 7], [2, 1, 6, 7, 5])
    assert found.n_models == 5


def test_perfect_agreement_of_few_models_is_not_certain():
    found = [rank_correlation(range(n), range(n), kind=kind) for n in (5, 10, 40) for kind in KINDS]

    assert [(each.estimate, each.upper) for each in found] == [pytest.approx((1, 1))] * 6
    assert found[0].lower < found[2].lower < found[4].lower < 1
    assert found[1].lower < found[3].lower < found[5].lower < 1


@pytest.mark.parametrize("n", [0, 1, 2, 4])
def test_too_few_models_leave_everything_open(n):
    found = rank_correlation(range(n), range(n))

    assert found[1:] == (-1, 1, n)
    assert math.isnan(found.estimate) == (n < 2)


def test_a_matrix_has_each_pair_once():
    rng = np.random.default_rng(0)
    table = rng.normal(size=(3, 9))
    table[0, :2] = table[1, 7:] = math.nan
    table[2] = 1.0

    found = agreement_matrix(table, kind=RankCorrelation.SPEARMAN, confidence_level=0.8)

    pair = rank_correlation(table[0], table[1], kind=RankCorrelation.SPEARMAN, confidence_level=0.8)
    for row, column in ((0, 1), (1, 0)):
        cells = (found.estimates, found.lower, found.upper, found.n_models)
        assert tuple(cell[row, column] for cell in cells) == pytest.approx(pair)
    assert found.n_models.tolist() == [[7, 5, 7], [5, 7, 7], [7, 7, 9]]
    assert found.estimates[0, 0] == found.lower[0, 0] == 1
    assert np.isnan(found.estimates[2]).all()


def test_reliability_is_the_part_that_is_no_noise():
    rng = np.random.default_rng(2)
    errors = rng.uniform(0.2, 1.0, 20_000)
    shown = rng.normal(size=20_000) + errors * rng.normal(size=20_000)
    shown[:5] = math.nan

    assert reliability(shown, errors) == pytest.approx(1 / (1 + (errors**2).mean()), abs=0.01)
    assert reliability([1, 2, 3], [0, 0, 0]) == 1
    assert reliability([1, 1.1], [5, 5]) == 0
    assert reliability([1, 1], [0, 0]) == 0
    assert math.isnan(reliability([1, math.nan], [0, 0]))


@pytest.mark.parametrize("kind", KINDS)
def test_without_noise_it_is_the_correlation_of_what_was_measured(kind):
    rng = np.random.default_rng(8)
    held, apart, noisy = 0, [], []
    for _ in range(400):
        true = rng.normal(size=(2, 40))
        true[1] = 0.8 * true[0] + 0.6 * true[1]
        shown = true + [[0.5], [0.7]] * rng.normal(size=(2, 40))
        found = rank_correlation(*shown, kind=kind)
        parts = [reliability(each, np.full(40, error)) for each, error in zip(shown, (0.5, 0.7), strict=True)]
        clean = without_noise(found, *parts, kind=kind)
        truth = 2 / math.pi * math.asin(0.8) if kind == "kendall" else 6 / math.pi * math.asin(0.4)
        held += clean.lower <= truth <= clean.upper
        apart.append(clean.estimate - truth)
        noisy.append(found.estimate - truth)

    assert abs(np.median(apart)) < 0.03
    assert np.median(noisy) < -0.1
    assert held / 400 > 0.9


@pytest.mark.parametrize("kind", KINDS)
def test_signals_without_noise_stay_as_they_are(kind):
    found = rank_correlation([1, 5, 2, 4, 3, 6], [2, 6, 1, 5, 3, 4], kind=kind)

    assert without_noise(found, 1.0, 1.0, kind=kind) == pytest.approx(found)
    assert abs(without_noise(found, 0.5, 0.5, kind=kind).estimate) >= abs(found.estimate)
    nothing = without_noise(found, 0.0, 1.0, kind=kind)
    assert math.isnan(nothing.estimate)
    assert nothing[1:] == Correlation(math.nan, -1.0, 1.0, 6)[1:]


@pytest.mark.parametrize(
    ("error", "asked"),
    [
        (LengthMismatchError, lambda: rank_correlation([1, 2], [1])),
        (LengthMismatchError, lambda: rank_correlation([[1, 2]], [[1, 2]])),
        (InvalidWeightError, lambda: rank_correlation([1, math.inf], [1, 2])),
        (InvalidWeightError, lambda: rank_correlation(["good", "bad"], [1, 2])),
        (InvalidLevelError, lambda: rank_correlation([1, 2], [1, 2], confidence_level=1)),
        (LengthMismatchError, lambda: agreement_matrix([1, 2])),
        (LengthMismatchError, lambda: reliability([1, 2], [1])),
        (InvalidWeightError, lambda: reliability([1, 2], [-1, 1])),
        (InvalidWeightError, lambda: reliability([1, 2], [math.nan, 1])),
    ],
    ids=range(9),
)
def test_it_refuses_what_is_no_signal(error, asked):
    with pytest.raises(error):
        asked()
