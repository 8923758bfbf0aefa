import numpy as np
import pytest

from stats.bradley_terry import RATING_PER_STRENGTH, Anchor, Gauge, NormalPrior, fit
from stats.comparisons import Comparisons, InvalidLevelError, LengthMismatchError, Outcome, PairCounts
from stats.covariate_passes import ControlledComparisons
from stats.covariate_uncertainty import clustered_covariate_sandwich, clustered_sandwich, covariate_sandwich
from stats.covariates import fit_with_covariates
from stats.uncertainty import sandwich
from tests.stats.test_covariates import design_of, simulated, with_weights


def row_by_row_covariance(data, result, *, clusters=None):
    """The textbook sandwich, item 0 being the base level, in the gauge of the fit; items, then coefficients."""
    z, weight, y, rows = design_of(data, result)
    n_items, k = data.comparisons.n_items, len(result.coefficients)
    p = 1 / (1 + np.exp(-z @ np.concatenate([(result.strengths - result.strengths[0])[1:], result.coefficients])))
    bread = np.linalg.inv(z.T @ (z * (weight * p * (1 - p))[:, np.newaxis]))
    scores = z * (weight * (y - p))[:, np.newaxis]
    factor = 1.0
    if clusters is not None:
        names = np.unique(clusters)
        scores = np.array([scores[clusters[rows] == name].sum(axis=0) for name in names])
        factor = len(names) / (len(names) - 1)
    covariance = np.zeros((n_items + k, n_items + k))
    covariance[1:, 1:] = factor * bread @ scores.T @ scores @ bread
    gauge = np.eye(n_items + k)
    gauge[:n_items, :n_items] -= result.gauge_weights
    return gauge @ covariance @ gauge.T


@pytest.mark.parametrize("gauge", [Gauge.VOTE_WEIGHTED_MEAN, Gauge.MEAN, Anchor(3)])
@pytest.mark.parametrize("half_wins", [{Outcome.TIE, Outcome.BOTH_BAD}, {Outcome.TIE}])
def test_it_is_the_sandwich_of_single_votes(gauge, half_wins):
    rng = np.random.default_rng(3)
    data = simulated(rng, n=300)
    data = with_weights(data, rng.uniform(0.3, 3.0, 300), side=True)
    clusters = rng.integers(0, 40, 300)
    result = fit_with_covariates(data, half_wins=half_wins, gauge=gauge)

    plain = covariate_sandwich(result, prior_votes=0)
    clustered = clustered_covariate_sandwich(data, result, clusters=clusters, prior_votes=0)

    for computed, expected in (
        (plain, row_by_row_covariance(data, result)),
        (clustered, row_by_row_covariance(data, result, clusters=clusters)),
    ):
        points = expected[:5, :5] * RATING_PER_STRENGTH**2
        np.testing.assert_allclose(computed.ratings.covariance, points, rtol=1e-4, atol=0.02)
        np.testing.assert_allclose(computed.coefficients.covariance, expected[5:, 5:], rtol=1e-4, atol=1e-6)


def test_a_clustered_sandwich_without_covariates_is_that_of_single_votes():
    rng = np.random.default_rng(4)
    data = simulated(rng, n=300)
    data = with_weights(data, rng.uniform(0.3, 3.0, 300), covariates=np.empty((300, 0)))
    counts = PairCounts.from_comparisons(data.comparisons)
    result = fit(counts, half_wins=[Outcome.TIE])
    as_controlled = fit_with_covariates(data, half_wins=[Outcome.TIE])
    clusters = rng.integers(-3, 40, 300)

    computed = clustered_sandwich(data.comparisons, result, clusters=clusters, prior_votes=0)

    expected = row_by_row_covariance(data, as_controlled, clusters=clusters) * RATING_PER_STRENGTH**2
    np.testing.assert_allclose(computed.covariance, expected, rtol=1e-5, atol=1e-3)
    alone = clustered_sandwich(data.comparisons, result, clusters=np.arange(300))
    np.testing.assert_allclose(alone.covariance, sandwich(counts, result).covariance * 300 / 299, rtol=0.02, atol=2.0)


def test_coefficients_are_told_in_points_too():
    result = fit_with_covariates(simulated(np.random.default_rng(12)))
    coefficients = covariate_sandwich(result, confidence_level=0.9).coefficients

    points = coefficients.in_points()

    np.testing.assert_allclose(points.estimates, result.coefficients * 400 / np.log(10))
    np.testing.assert_allclose(points.upper, coefficients.upper * 400 / np.log(10))
    margins = coefficients.estimates - coefficients.lower
    np.testing.assert_allclose(margins, 1.644854 * coefficients.standard_errors, rtol=1e-6)


def test_a_tie_to_a_newcomers_name_does_not_make_it_certain():
    data = simulated(np.random.default_rng(13))
    c = data.comparisons
    votes = Comparisons.from_arrays(
        np.append(c.left, 5), np.append(c.right, 0), outcome=np.append(c.outcome, Outcome.TIE), n_items=6
    )
    with_newcomer = ControlledComparisons(comparisons=votes, covariates=np.vstack([data.covariates, np.zeros((1, 2))]))
    result = fit_with_covariates(with_newcomer)

    believed, widened = (covariate_sandwich(result, prior_votes=votes).ratings for votes in (0, 1))

    assert believed.difference(0, 5).standard_error < 2.0
    assert widened.difference(0, 5).standard_error > 100.0
    clusters = np.arange(601)
    clustered = clustered_covariate_sandwich(with_newcomer, result, clusters=clusters).ratings
    assert clustered.difference(0, 5).standard_error > 100.0


def test_votes_said_twice_by_each_voter_are_no_news():
    data = simulated(np.random.default_rng(14))
    c, twice = data.comparisons, np.tile(np.arange(600), 2)
    votes = Comparisons.from_arrays(c.left[twice], c.right[twice], outcome=c.outcome[twice], n_items=5)
    doubled = ControlledComparisons(comparisons=votes, covariates=data.covariates[twice])
    once, both = fit_with_covariates(data), fit_with_covariates(doubled)

    clustered = clustered_covariate_sandwich(doubled, both, clusters=twice, prior_votes=0)

    expected = clustered_covariate_sandwich(data, once, clusters=np.arange(600), prior_votes=0)
    np.testing.assert_allclose(clustered.ratings.covariance, expected.ratings.covariance, rtol=1e-5, atol=1e-4)
    naive = covariate_sandwich(both, prior_votes=0).ratings.covariance
    np.testing.assert_allclose(naive, expected.ratings.covariance / 2 * 599 / 600, rtol=1e-5, atol=1e-4)


def test_it_rejects_clusters_that_are_none(board):
    data = simulated(np.random.default_rng(20))
    result = fit_with_covariates(data)

    with pytest.raises(LengthMismatchError, match="whole number"):
        clustered_covariate_sandwich(data, result, clusters=np.zeros(600))
    with pytest.raises(LengthMismatchError, match="whole number"):
        clustered_covariate_sandwich(data, result, clusters=[1, 2])
    with pytest.raises(InvalidLevelError, match="from 1 of them"):
        clustered_covariate_sandwich(data, result, clusters=np.zeros(600, dtype=int))
    with pytest.raises(LengthMismatchError, match="not the same data"):
        clustered_sandwich(data.comparisons, fit(board("A=B")), clusters=np.zeros(600, dtype=int))


@pytest.mark.parametrize("level", [0, 95])
def test_it_rejects_a_level_that_is_none(level):
    data = simulated(np.random.default_rng(21))
    result = fit_with_covariates(data)
    plain = fit(PairCounts.from_comparisons(data.comparisons))
    for uncertain in (
        lambda: covariate_sandwich(result, confidence_level=level),
        lambda: clustered_covariate_sandwich(data, result, clusters=np.arange(600), confidence_level=level),
        lambda: clustered_sandwich(data.comparisons, plain, clusters=np.arange(600), confidence_level=level),
    ):
        with pytest.raises(InvalidLevelError):
            uncertain()


def test_under_a_prior_scores_spread_about_its_pull():
    data = simulated(np.random.default_rng(23), n=60)
    result = fit_with_covariates(data, prior=NormalPrior(10), gauge=Anchor(0))
    precision = np.append(np.zeros(4), np.full(2, NormalPrior(10).precision))
    z, _, y, _ = design_of(data, result)

    p = 1 / (1 + np.exp(-z @ np.append(result.strengths[1:], result.coefficients)))
    scores = z * (y - p)[:, np.newaxis]
    centred = scores - scores.mean(axis=0)
    inverse = np.linalg.inv(z.T @ (z * (p * (1 - p))[:, np.newaxis]) + np.diag(precision))
    expected = inverse @ centred.T @ centred @ inverse

    computed = covariate_sandwich(result, prior_votes=0).coefficients.covariance
    np.testing.assert_allclose(computed, expected[4:, 4:], rtol=1e-4)
