"""Kappa equals scikit-learn's and its standard error the published one; a judge beside the ceiling of people."""

import math
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stats.errors import InvalidLevelError, InvalidWeightError, ItemIndexError, LengthMismatchError
from stats.raters import KappaWeights, cohen_kappa, confusion, judge_agreement

every_table = settings(deadline=None, max_examples=80, database=None, derandomize=True)

# Numbers of scikit-learn's own test (sklearn/metrics/tests/test_classification.py, test_cohen_kappa), the first from
# Artstein and Poesio 2008, "Inter-coder agreement for computational linguistics".
SCIKIT_LEARN = [
    ([0] * 40 + [1] * 60, [0] * 20 + [1] * 20 + [0] * 10 + [1] * 50, KappaWeights.NONE, 0.348, 3),
    ([0] * 46 + [1] * 44 + [2] * 10, [0] * 52 + [1] * 32 + [2] * 16, KappaWeights.NONE, 0.8013, 4),
    ([0] * 46 + [1] * 44 + [2] * 10, [0] * 50 + [1] * 40 + [2] * 10, KappaWeights.NONE, 0.9315, 4),
    ([0] * 46 + [1] * 44 + [2] * 10, [0] * 50 + [1] * 40 + [2] * 10, KappaWeights.LINEAR, 0.9412, 4),
    ([0] * 46 + [1] * 44 + [2] * 10, [0] * 50 + [1] * 40 + [2] * 10, KappaWeights.QUADRATIC, 0.9541, 4),
]

# Agresti 1990, "Categorical data analysis", table 10.5 (data set SexualFun of the R package vcd): husbands and wives.
SEXUAL_FUN = [[7, 7, 2, 3], [2, 8, 3, 7], [1, 5, 4, 9], [2, 8, 9, 14]]


@pytest.mark.parametrize(("left", "right", "weights", "expected", "decimals"), SCIKIT_LEARN, ids=range(5))
def test_kappa_is_that_of_scikit_learn(left, right, weights, expected, decimals):
    found = cohen_kappa(confusion(left, right, n_categories=max(*left, *right) + 1), weights=weights)

    assert found.estimate == pytest.approx(expected, abs=0.6 * 10**-decimals)
    assert found.n == len(left)


@pytest.mark.parametrize(
    ("weights", "kappa", "error"), [(KappaWeights.NONE, 0.1293, 0.06860), (KappaWeights.LINEAR, 0.2374, 0.07832)]
)
def test_the_standard_error_is_the_published_one(weights, kappa, error):
    # R: vcd::Kappa(SexualFun), whose equal-spacing weights are the linear ones
    found = cohen_kappa(SEXUAL_FUN, weights=weights)

    assert found.estimate == pytest.approx(kappa, abs=6e-5)
    assert found.standard_error == pytest.approx(error, abs=6e-6)
    assert found.upper == pytest.approx(kappa + 1.959964 * error, abs=1e-4)


def test_the_interval_holds_the_kappa_of_the_population():
    rng = np.random.default_rng(6)
    truth = np.array(SEXUAL_FUN) / 91
    for weights in KappaWeights:
        kappa = cohen_kappa(SEXUAL_FUN, weights=weights).estimate
        drawn = [cohen_kappa(each.reshape(4, 4), weights=weights) for each in rng.multinomial(300, truth.ravel(), 800)]

        held = np.mean([found.lower <= kappa <= found.upper for found in drawn])
        assert 0.93 < held < 0.97
        spread = np.std([found.estimate for found in drawn])
        assert np.mean([found.standard_error for found in drawn]) == pytest.approx(spread, rel=0.1)


@every_table
@given(st.lists(st.integers(0, 9), min_size=9, max_size=9).filter(any), st.sampled_from(KappaWeights))
def test_kappa_does_not_mind_who_is_first_or_which_way_the_scale_runs(cells, weights):
    table = np.reshape(cells, (3, 3))

    found = cohen_kappa(table, weights=weights)

    for same in (table.T, table[::-1, ::-1]):
        np.testing.assert_allclose(cohen_kappa(same, weights=weights), found, atol=1e-9)
    assert -1 <= found.lower <= found.upper <= 1


def test_full_agreement_is_one_and_no_variety_says_nothing():
    assert cohen_kappa([[5, 0], [0, 7]])[:2] == (1, 0)
    assert math.isnan(cohen_kappa([[9, 0], [0, 0]]).estimate)
    assert math.isnan(cohen_kappa([[9]], weights=KappaWeights.LINEAR).estimate)


@every_table
@given(st.lists(st.tuples(st.lists(st.integers(0, 2), max_size=5), st.integers(-1, 2)), min_size=1, max_size=12))
def test_agreement_is_what_counting_pairs_of_votes_gives(comparisons):
    votes = [[people.count(category) for category in range(3)] for people, _ in comparisons]

    found = judge_agreement(votes, [verdict for _, verdict in comparisons], n_categories=3)

    judged = [
        np.mean([vote == verdict for vote in people]) for people, verdict in comparisons if people and verdict > -1
    ]
    ceiling = [np.mean([a == b for a, b in combinations(people, 2)]) for people, _ in comparisons if len(people) > 1]
    apart = [
        np.mean([vote == verdict for vote in people]) - np.mean([a == b for a, b in combinations(people, 2)])
        for people, verdict in comparisons
        if len(people) > 1 and verdict > -1
    ]
    for share, values in zip(found, (judged, ceiling, apart), strict=True):
        assert share.n_comparisons == len(values)
        assert share.estimate == pytest.approx(np.mean(values) if values else math.nan, nan_ok=True)
        error = np.std(values, ddof=1) / math.sqrt(len(values)) if len(values) > 1 else math.nan
        assert share.standard_error == pytest.approx(error, nan_ok=True, abs=1e-12)
        if len(values) > 1:
            ends = share.estimate - 1.959964 * error, share.estimate + 1.959964 * error
            assert (share.lower, share.upper) == pytest.approx((max(ends[0], share.lower), min(ends[1], 1)), abs=1e-6)
        else:
            assert share.upper == 1


def test_a_judge_as_good_as_a_person_reaches_the_ceiling():
    rng = np.random.default_rng(12)
    held = np.zeros(3)
    for _ in range(300):
        p = rng.dirichlet([1.5, 1.0, 0.5], size=150)
        votes = np.array([rng.multinomial(rng.integers(0, 4), each) for each in p])
        judge = np.array([rng.choice(3, p=each) for each in p])
        found = judge_agreement(votes, judge, n_categories=3)
        # E sum(p^2) of a Dirichlet(a): sum a (a + 1) / (A (A + 1))
        expected = (1.5 * 2.5 + 1 * 2 + 0.5 * 1.5) / (3 * 4)
        held += [
            share.lower <= truth <= share.upper for share, truth in zip(found, (expected, expected, 0), strict=True)
        ]

    assert (held / 300 > 0.91).all()
    assert (held / 300 < 0.985).all()


@pytest.mark.parametrize(
    ("error", "asked"),
    [
        (LengthMismatchError, lambda: cohen_kappa([1, 2])),
        (LengthMismatchError, lambda: cohen_kappa([[1, 2]])),
        (InvalidWeightError, lambda: cohen_kappa([[0, 0], [0, 0]])),
        (InvalidWeightError, lambda: cohen_kappa([[1, -1], [0, 0]])),
        (InvalidWeightError, lambda: cohen_kappa([[1, 0.5], [0, 0]])),
        (InvalidLevelError, lambda: cohen_kappa([[1, 1], [0, 3]], confidence_level=0)),
        (LengthMismatchError, lambda: confusion([1], [1, 0], n_categories=2)),
        (InvalidWeightError, lambda: confusion([2], [1], n_categories=2)),
        (ItemIndexError, lambda: confusion([0.5], [1], n_categories=2)),
        (LengthMismatchError, lambda: judge_agreement([[1, 0]], [0, 1], n_categories=2)),
        (InvalidWeightError, lambda: judge_agreement([[1, 0]], [-2], n_categories=2)),
        (InvalidWeightError, lambda: judge_agreement([[1, math.nan]], [0], n_categories=2)),
    ],
    ids=range(12),
)
def test_it_refuses_what_is_no_rating(error, asked):
    with pytest.raises(error):
        asked()
