"""The model of several signals, against the same Gaussian written out as one joint distribution."""

import math

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import beta, multivariate_normal, norm

import stats.signal_model
from stats.consensus import consensus
from stats.signal_model import (
    SHARE_PRIOR,
    SHARES,
    Hypothesis,
    Signals,
    correlations,
    fitted_scales,
    hypotheses,
    posterior,
)

FLAT = 1e6  # variance of a level that is as good as unknown


@pytest.fixture
def signals():
    rng = np.random.default_rng(3)
    quality = rng.normal(size=6)
    estimates = np.column_stack([quality + 0.5 * rng.normal(size=6) for _ in range(3)])
    known = np.ones((6, 3))
    known[0, 1] = known[4, 2] = known[5, 2] = 0
    return Signals(estimates=estimates * known, variances=rng.uniform(0.01, 0.2, (6, 3)) * known, known=known)


def joint_covariance(signals, scales, at):
    """Of all known numbers and all qualities, level by level, and the places of the known numbers."""
    places = [(model, signal) for model in range(6) for signal in range(3) if signals.known[model, signal]]
    size = len(places)
    covariance = np.eye(size + 6)
    for row, (model, signal) in enumerate(places):
        covariance[row, size + model] = covariance[size + model, row] = math.sqrt(at.share) * scales[signal]
        for column, (other, another) in enumerate(places):
            found = FLAT if signal == another else 0.0
            if model == other:
                spread = [
                    math.sqrt(scales[each] ** 2 * (1 - at.share) + signals.variances[model, each])
                    for each in (signal, another)
                ]
                same = at.families[signal] == at.families[another]
                correlation = 1.0 if signal == another else (1 - at.apart) * same
                found += at.share * scales[signal] * scales[another] + correlation * spread[0] * spread[1]
            covariance[row, column] = found
    return covariance, places


def test_each_hypothesis_is_the_gaussian_written_out(signals, monkeypatch):
    several = [
        Hypothesis(0.4, np.array([0, 1, 2]), 1.0, 0.0),
        Hypothesis(0.8, np.array([0, 1, 0]), 0.3, -1.0),
        Hypothesis(0.6, np.array([0, 0, 0]), 0.6, 0.5),
    ]
    monkeypatch.setattr(stats.signal_model, "hypotheses", lambda _: several)
    scales = fitted_scales(signals)

    found, kept = posterior(signals)

    assert kept == several
    log_weights = []
    for at, (_, difference, variance) in zip(several, found.differences(), strict=True):
        covariance, places = joint_covariance(signals, scales, at)
        size = len(places)
        seen = np.array([signals.estimates[place] for place in places])
        of_seen, across = covariance[:size, :size], covariance[size:, :size]
        mean = across @ np.linalg.solve(of_seen, seen)
        left = covariance[size:, size:] - across @ np.linalg.solve(of_seen, across.T)
        diagonal = np.diagonal(left)
        np.testing.assert_allclose(difference, mean[:, np.newaxis] - mean, atol=1e-4)
        np.testing.assert_allclose(variance, diagonal[:, np.newaxis] + diagonal - 2 * left, atol=1e-4)
        log_weights.append(at.log_prior + multivariate_normal(np.zeros(size), of_seen).logpdf(seen))
    expected = np.exp(np.array(log_weights) - max(log_weights))
    np.testing.assert_allclose(found.probabilities, expected / expected.sum(), rtol=1e-3)


def test_draws_are_of_the_mixture(signals):
    found, _ = posterior(signals)
    draws = found.draws(200_000, rng=np.random.default_rng(0))

    mean = sum(probability * difference for probability, difference, _ in found.differences())
    second = sum(probability * (variance + difference**2) for probability, difference, variance in found.differences())
    apart = draws[:, :, np.newaxis] - draws[:, np.newaxis, :]
    np.testing.assert_allclose(apart.mean(axis=0), mean, atol=0.02)
    np.testing.assert_allclose((apart**2).mean(axis=0), second, rtol=0.03, atol=0.02)


def test_it_is_the_same_however_much_memory_there_is(signals, monkeypatch):
    whole, candidates = posterior(signals)
    monkeypatch.setattr(stats.signal_model, "CELLS_AT_ONCE", 700)
    again, same = posterior(signals)

    np.testing.assert_allclose(again.probabilities, whole.probabilities)
    np.testing.assert_allclose(again.means, whole.means)
    assert [each.share for each in same] == [each.share for each in candidates]


def test_the_prior_is_what_it_says(signals):
    log_prior = np.array([each.log_prior for each in hypotheses(signals)])
    n_families = np.array([each.families.max() + 1 for each in hypotheses(signals)])
    shares = np.array([each.share for each in hypotheses(signals)])
    weights = np.exp(log_prior) / np.exp(log_prior).sum()

    # A restaurant of concentration 2: 4 / 12 for three tables, 6 / 12 for two, 2 / 12 for one; half on all apart.
    assert [weights[n_families == n].sum() for n in (1, 2, 3)] == pytest.approx([1 / 12, 3 / 12, 8 / 12])
    assert weights @ shares == pytest.approx(beta(*SHARE_PRIOR).mean(), abs=2e-3)
    assert np.sqrt(weights @ shares**2 - (weights @ shares) ** 2) == pytest.approx(beta(*SHARE_PRIOR).std(), abs=2e-3)


def test_likely_families_are_those_that_deviate_alike():
    rng = np.random.default_rng(5)
    quality, shared = rng.normal(size=(2, 40))
    own = 0.5 * rng.normal(size=(5, 40))
    table = quality + np.where(np.arange(5)[:, np.newaxis] < 3, 0.9 * shared + 0.2 * own, own)
    signals = Signals(estimates=table.T, variances=np.full((40, 5), 1e-4), known=np.ones((40, 5)))

    found, candidates = posterior(signals)

    together = [len(set(each.families[:3])) == 1 and len(set(each.families)) > 1 for each in candidates]
    assert found.probabilities @ together > 0.9


def test_a_scale_without_noise_is_the_standard_deviation(signals):
    exact = Signals(estimates=signals.estimates[:, :1], variances=np.zeros((6, 1)), known=np.ones((6, 1)))

    assert fitted_scales(exact) == pytest.approx([signals.estimates[:, 0].std(ddof=1)], rel=1e-3)


@pytest.mark.parametrize("share", [0.1, 0.7])
def test_neither_noise_nor_agreement_is_part_of_a_scale(share):
    rng = np.random.default_rng(1)
    quality, deviation = rng.normal(size=(400, 1)), rng.normal(size=(400, 3))
    true = [2.0, 1.0, 0.5] * (math.sqrt(share) * quality + math.sqrt(1 - share) * deviation)
    table = true + 0.5 * rng.normal(size=(400, 3))
    signals = Signals(estimates=table, variances=np.full((400, 3), 0.25), known=np.ones((400, 3)))

    assert fitted_scales(signals) == pytest.approx([2.0, 1.0, 0.5], rel=0.15)


def test_correlations_are_those_of_the_models_both_know(signals):
    found = correlations(signals)

    assert found[0, 1] == pytest.approx(np.corrcoef(signals.estimates[1:, :2].T)[0, 1])
    assert found[1, 2] == pytest.approx(np.corrcoef(signals.estimates[1:4, 1:].T)[0, 1])
    known = signals.known.copy()
    known[:3, 0] = 0
    known[3:5, 1] = 0
    few = correlations(Signals(estimates=signals.estimates, variances=signals.variances, known=known))
    assert few[0, 1] == 0


def test_one_signal_says_what_the_prior_makes_of_it():
    values = [3.0, -1.0, 0.5, 8.0, 2.0]

    found = consensus([values], np.zeros((1, 5)), rng=np.random.default_rng(0))

    spread = np.std(values, ddof=1)
    for better in (0, 3):
        gap = (values[better] - values[4]) / spread
        expected, _ = quad(
            lambda q, gap=gap: beta.pdf(q, *SHARE_PRIOR) * norm.cdf(math.sqrt(q / (2 - 2 * q)) * gap), 0, 1
        )
        assert found.above[better, 4] == pytest.approx(expected, abs=2e-3)
    assert found.share == pytest.approx(2 / 3, abs=2e-3)
    ends = beta.ppf([0.025, 0.975], *SHARE_PRIOR)
    assert (found.share_lower, found.share_upper) == pytest.approx(ends, abs=(SHARES[1] - SHARES[0]))
    assert (found.n_signals, found.n_families) == (1, pytest.approx(1))
