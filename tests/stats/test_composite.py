import numpy as np
import pytest

from stats.bradley_terry import Anchor, fit
from stats.comparisons import Outcome
from stats.composite import composite_sandwich, disagreement, fit_composite
from stats.connectivity import ItemStatus
from stats.errors import InvalidWeightError, LengthMismatchError
from stats.uncertainty import sandwich

HUMANS = "30*A>B 20*B>A 10*A=B 15*B>C 12*C>B"
JUDGE = "8*A>B 2*B>A 6*B>C 5*C>B 4*C>A 3*A>C"


def test_equal_weights_per_comparison_are_one_pile_of_votes(board):
    composite = fit_composite({"h": (board(HUMANS), 1.0), "j": (board(JUDGE), 1.0)}, per_comparison=True)

    pile = board(f"{HUMANS} {JUDGE}")
    np.testing.assert_allclose(composite.fit.ratings, fit(pile).ratings)
    np.testing.assert_allclose(composite_sandwich(composite).covariance, sandwich(pile, fit(pile)).covariance)


def test_a_source_weighs_as_told_however_many_comparisons_it_has(board):
    thrice = board(HUMANS).with_pair_weights([3.0, 3.0])

    once = fit_composite({"h": (board(HUMANS), 2.0), "j": (board(JUDGE), 1.0)})
    more = fit_composite({"h": (thrice, 2.0), "j": (board(JUDGE), 1.0)})

    np.testing.assert_allclose(once.fit.ratings, more.fit.ratings)
    human, judge = once.components["h"], once.components["j"]
    assert human.weight_of_one * 87 == pytest.approx(2 * judge.weight_of_one * 28)
    assert once.counts.n_comparisons == pytest.approx(87 + 28)


def test_only_the_proportion_of_the_weights_matters(board):
    sources = {"h": board(HUMANS), "j": board(JUDGE)}
    first = fit_composite(
        {name: (counts, weight) for (name, counts), weight in zip(sources.items(), (2, 1), strict=True)}
    )
    second = fit_composite(
        {name: (counts, weight) for (name, counts), weight in zip(sources.items(), (8, 4), strict=True)}
    )

    np.testing.assert_allclose(first.fit.ratings, second.fit.ratings)
    np.testing.assert_allclose(composite_sandwich(first).covariance, composite_sandwich(second).covariance)


def test_its_variance_adds_up_the_sources_by_squares(board):
    composite = fit_composite(
        {"h": (board(HUMANS), 3.0), "j": (board(JUDGE), 0.5)}, gauge=Anchor(0), per_comparison=True
    )
    strengths = composite.fit.strengths

    bread, meat = np.zeros((3, 3)), np.zeros((3, 3))
    for counts, weight in ((board(HUMANS), 3.0), (board(JUDGE), 0.5)):
        for left, right, totals in zip(counts.left, counts.right, counts.totals, strict=True):
            z = np.eye(3)[left] - np.eye(3)[right]
            p = 1 / (1 + np.exp(-z @ strengths))
            for y, n in zip((1.0, 0.0, 0.5), totals, strict=False):
                bread += weight * n * p * (1 - p) * np.outer(z, z)
                meat += weight**2 * n * (y - p) ** 2 * np.outer(z, z)
    inverse = np.linalg.inv(bread[1:, 1:])
    expected = inverse @ meat[1:, 1:] @ inverse * (400 / np.log(10)) ** 2

    computed = composite_sandwich(composite, prior_votes=0, confidence_level=0.9)
    np.testing.assert_allclose(computed.covariance[1:, 1:], expected)
    assert computed.confidence_level == 0.9


def test_sources_may_tie_together_what_neither_does_alone(board):
    first, second = board("A>B B>C", n_items=3), board("C>A", n_items=3)

    composite = fit_composite({"h": (first, 1.0), "j": (second, 1.0)})

    assert set(composite.fit.statuses) == {ItemStatus.RATED}


def test_a_source_without_votes_changes_nothing(board):
    composite = fit_composite({"h": (board(HUMANS), 1.0), "j": (board("", n_items=3), 5.0)})

    np.testing.assert_allclose(composite.fit.ratings, fit(board(HUMANS)).ratings)
    assert np.isnan(fit_composite({"h": (board("", n_items=3), 1.0)}).fit.ratings).all()


def test_sources_that_say_the_same_do_not_disagree(board):
    composite = fit_composite({"h": (board(HUMANS), 1.0), "j": (board(HUMANS), 1.0)})

    apart = disagreement(composite, "j")

    np.testing.assert_allclose(apart.ratings, 0.0, atol=1e-9)
    single = sandwich(board(HUMANS), fit(board(HUMANS))).covariance
    np.testing.assert_allclose(apart.covariance, 2 * single, rtol=1e-6, atol=1e-6)


def test_a_disagreement_is_the_difference_of_two_fits(board):
    composite = fit_composite({"h": (board(HUMANS), 1.0), "j": (board(JUDGE), 1.0)}, half_wins=[Outcome.TIE])

    apart = disagreement(composite, "j", confidence_level=0.8)

    expected = fit(board(JUDGE)).ratings - fit(board(HUMANS)).ratings
    np.testing.assert_allclose(np.diff(apart.ratings), np.diff(expected))
    assert composite.fit.gauge_weights @ apart.ratings == pytest.approx(0.0, abs=1e-9)
    np.testing.assert_allclose(apart.covariance @ composite.fit.gauge_weights, 0.0, atol=1e-6)
    assert apart.confidence_level == 0.8
    np.testing.assert_allclose(disagreement(composite, "h").ratings, -apart.ratings, atol=1e-9)


def test_where_one_source_rates_nothing_there_is_no_disagreement(board):
    composite = fit_composite({"h": (board(HUMANS), 1.0), "j": (board("A>B", n_items=3), 1.0)})

    assert np.isnan(disagreement(composite, "j").ratings).all()


def test_it_rejects_sources_that_do_not_go_together(board):
    counts = board(HUMANS)
    with pytest.raises(LengthMismatchError, match="same items"):
        fit_composite({"h": (counts, 1.0), "j": (board("A>B"), 1.0)})
    with pytest.raises(LengthMismatchError, match="same items"):
        fit_composite({})
    with pytest.raises(InvalidWeightError, match="'h'"):
        fit_composite({"h": (counts, 0.0)})
    only = fit_composite({"h": (counts, 1.0)})
    for name in ("h", "nobody"):
        with pytest.raises(LengthMismatchError, match="one of several"):
            disagreement(only, name)
