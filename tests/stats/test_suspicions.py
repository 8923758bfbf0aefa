import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stats.comparisons import Comparisons, Outcome, PairCounts
from stats.suspicions import WEIGHTS, Suspicion, log_likelihood_ratios, log_prior, log_weights
from stats.vote_predictions import predictions, vote_history
from stats.voters import rows
from tests.helpers.voting import cast, world

L, R, T, B = Outcome


def test_each_ratio_is_that_of_a_distribution():
    """For every suspicion sum over outcomes of h * (q / h) is 1, hence the expectation under h is 1."""
    rng = np.random.default_rng(3)
    h = rng.dirichlet([2, 1, 1], size=1)
    outcomes = [L, R, T]

    ratios = np.exp([log_likelihood_ratios(cast((2, 0, outcome)), h)[0] for outcome in outcomes])

    np.testing.assert_allclose(h[0] @ ratios, 1.0)
    assert (ratios[:, 5 + 1] == 1).all()  # the item that was not seen
    assert ratios[0, 5 + 2] > 1 > ratios[1, 5 + 2]
    assert ratios[1, 5 + 0] > 1 > ratios[0, 5 + 0]
    np.testing.assert_allclose(ratios[:, 5 + 3 + 2], ratios[:, 5 + 0])  # to sink one of two is to boost the other
    np.testing.assert_allclose(log_likelihood_ratios(cast((2, 0, B)), h), log_likelihood_ratios(cast((2, 0, T)), h))


def test_the_weights_of_the_suspicions_sum_to_less_than_one():
    assert list(WEIGHTS) == list(Suspicion)
    assert sum(WEIGHTS.values()) == pytest.approx(0.8)


def test_who_pushes_an_item_votes_otherwise_as_the_others_do():
    h = np.array([[0.5, 0.2, 0.3]] * 3)
    votes = cast((0, 1, L), (0, 1, R), (0, 1, T))

    boosts_left, sinks_left = np.exp(log_likelihood_ratios(votes, h)[:, [5, 8]]).T

    np.testing.assert_allclose(boosts_left * h[0], [0.9 + 0.1 * 0.5, 0.1 * 0.2, 0.1 * 0.3])
    np.testing.assert_allclose(sinks_left * h[0], [0.1 * 0.5, 0.9 + 0.1 * 0.2, 0.1 * 0.3])


def test_boosters_weigh_the_more_the_less_their_votes_say():
    """Shares of exp(-8 g), g the mean over opponents of the expected ln q / h under q, and a tenth for all alike."""
    _, counts = world(np.random.default_rng(4), n_items=4)
    history = vote_history(counts)

    prior = np.exp(log_prior(history))

    for row, (kind, column) in enumerate({Suspicion.BOOSTS: 0, Suspicion.SINKS: 1}.items()):
        told = np.zeros(4)
        for item in range(4):
            for other in {0, 1, 2, 3} - {item}:
                h = history.expected[item, other]
                q = 0.9 * np.eye(3)[column] + 0.1 * h
                told[item] += (q * np.log(q / h)).sum() / 3
        share = 0.9 * np.exp(-8 * told) / np.exp(-8 * told).sum() + 0.1 / 4
        np.testing.assert_allclose(prior[row], WEIGHTS[kind] * share)


def test_later_weights_lie_on_the_items_that_were_met_most():
    """Quarters from vote 1, 10, 20 and 40 on, by (1 + 0.2 / 0.8 * n_items / 2) to the power of the votes on the item."""
    rng = np.random.default_rng(2)
    left = rng.integers(0, 4, 45)
    right = (left + rng.integers(1, 4, 45)) % 4
    prior = np.log([[0.1, 0.1, 0.2, 0.3], [0.05, 0.05, 0.1, 0.1]])
    votes = Comparisons.from_arrays(left, right, outcome=rng.integers(0, 4, 45), n_items=4)

    weights = np.exp(log_weights(votes, prior))

    np.testing.assert_allclose(weights[:, :5], [list(WEIGHTS.values())[:5]] * 45)
    expected = np.tile(np.exp(prior) / 4, (45, 1, 1))
    for after in (10, 20, 40):
        met = np.array([(left[:after] == item).sum() + (right[:after] == item).sum() for item in range(4)])
        looked = np.exp(prior) * 1.5**met
        expected[after - 1 :] += looked * np.exp(prior).sum(axis=1, keepdims=True) / looked.sum(axis=1)[:, None] / 4
    np.testing.assert_allclose(weights[:, 5:].reshape(45, 2, 4), expected)
    np.testing.assert_allclose(np.exp(log_weights(rows(votes, np.arange(9)), prior)), weights[:9])


def test_any_board_has_weights(board):
    for votes, n_items in (("", 1), ("", 2), ("9*A>B", 2), ("900*A>B B>C", 300)):
        prior = np.exp(log_prior(vote_history(board(votes, n_items=n_items))))
        np.testing.assert_allclose(prior.sum(axis=1), [WEIGHTS[Suspicion.BOOSTS], WEIGHTS[Suspicion.SINKS]])
    assert log_prior(vote_history(board("", n_items=0))).shape == (2, 0)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(1, 3), st.sampled_from(Outcome)), min_size=1, max_size=30))
def test_swapped_sides_change_only_the_suspicion_of_sides(rows):
    plain = cast(*[(one, (one + step) % 4, outcome) for one, step, outcome in rows], n_items=4)
    turned = np.array([R, L, T, B])[plain.outcome]
    swapped = Comparisons.from_arrays(plain.right, plain.left, outcome=turned, n_items=4)
    history = vote_history(PairCounts.from_comparisons(plain))
    own = np.zeros(len(rows), dtype=np.int64)

    first = log_likelihood_ratios(plain, predictions(history, plain, own=own))
    second = log_likelihood_ratios(swapped, predictions(history, swapped, own=own))

    order = [0, 1, 3, 2, *range(4, first.shape[1])]
    np.testing.assert_allclose(second[:, order], first, atol=1e-12)
