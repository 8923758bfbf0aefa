import numpy as np
import pytest

from stats.bradley_terry import RATING_PER_STRENGTH, Anchor, Gauge, NormalPrior, fit
from stats.comparisons import Comparisons, Outcome, PairCounts
from stats.covariate_passes import ControlledComparisons
from stats.covariate_uncertainty import clustered_covariate_sandwich, clustered_sandwich, covariate_sandwich
from stats.covariates import fit_with_covariates
from stats.errors import InvalidLevelError, InvalidWeightError, LengthMismatchError
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
    n_counted = int((data.comparisons.outcome != Outcome.BOTH_BAD).sum())
    for prior_votes, tolerance in ((0, 1e-6), (1, 0.03)):
        alone = clustered_sandwich(data.comparisons, result, clusters=np.arange(300), prior_votes=prior_votes)
        single = sandwich(counts, result, prior_votes=prior_votes).covariance * n_counted / (n_counted - 1)
        np.testing.assert_allclose(alone.covariance, single, rtol=tolerance, atol=2.0 * prior_votes + 1e-4)


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


def test_clusters_without_a_counted_vote_are_none():
    data = simulated(np.random.default_rng(15))
    clusters = np.arange(600) % 31
    c = data.comparisons
    outcome = np.where(clusters == 0, Outcome.BOTH_BAD, c.outcome)
    votes = Comparisons.from_arrays(c.left, c.right, outcome=outcome, n_items=5)
    counted = outcome != Outcome.BOTH_BAD
    fewer = Comparisons.from_arrays(c.left[counted], c.right[counted], outcome=outcome[counted], n_items=5)
    result = fit(PairCounts.from_comparisons(votes), half_wins=[Outcome.TIE])

    computed = clustered_sandwich(votes, result, clusters=clusters)

    expected = clustered_sandwich(fewer, result, clusters=clusters[counted])
    np.testing.assert_allclose(computed.covariance, expected.covariance)
    weight = np.where(clusters == 0, 0.0, 1.0)
    weighted = Comparisons.from_arrays(c.left, c.right, outcome=c.outcome, n_items=5, weight=weight)
    plain = fit(PairCounts.from_comparisons(weighted))
    kept = weight > 0
    without = Comparisons.from_arrays(c.left[kept], c.right[kept], outcome=c.outcome[kept], n_items=5)
    np.testing.assert_allclose(
        clustered_sandwich(weighted, plain, clusters=clusters).covariance,
        clustered_sandwich(without, plain, clusters=clusters[kept]).covariance,
    )


def test_voters_whose_votes_cancel_leave_no_interval_without_width():
    votes = Comparisons.from_arrays([0, 1, 0, 1], [1, 0, 1, 0], outcome=[0, 0, 0, 0], n_items=2)

    uncertainty = clustered_sandwich(votes, fit(PairCounts.from_comparisons(votes)), clusters=[0, 0, 1, 1])

    assert uncertainty.difference(0, 1).standard_error > 100.0


def test_it_rejects_another_fit_and_options_that_are_none():
    data = simulated(np.random.default_rng(16))
    result, clusters = fit_with_covariates(data), np.arange(600) % 40
    fewer = ControlledComparisons(comparisons=data.comparisons, covariates=data.covariates[:, :1])
    with pytest.raises(LengthMismatchError, match="2 coefficients and the data 1"):
        clustered_covariate_sandwich(fewer, result, clusters=clusters)
    held = fit(PairCounts.from_comparisons(data.comparisons), prior=NormalPrior())
    with pytest.raises(InvalidLevelError, match="without one"):
        clustered_sandwich(data.comparisons, held, clusters=clusters)
    plain = fit(PairCounts.from_comparisons(data.comparisons))
    for votes in (-1, float("nan")):
        with pytest.raises(InvalidWeightError):
            covariate_sandwich(result, prior_votes=votes)
        with pytest.raises(InvalidWeightError):
            clustered_covariate_sandwich(data, result, clusters=clusters, prior_votes=votes)
        with pytest.raises(InvalidWeightError):
            clustered_sandwich(data.comparisons, plain, clusters=clusters, prior_votes=votes)


def test_a_prior_is_taken_off_the_meat_as_off_the_scores_of_so_many_votes():
    rng = np.random.default_rng(17)
    data = with_weights(simulated(rng), rng.uniform(0.5, 2.0, 600))
    result = fit_with_covariates(data, prior=NormalPrior(15), gauge=Anchor(0))
    z, weight, y, _ = design_of(data, result)
    v = np.concatenate([np.zeros(4), np.full(2, NormalPrior(15).precision)])
    best = np.concatenate([result.strengths[1:], result.coefficients])
    p = 1 / (1 + np.exp(-z @ best))
    bread = np.linalg.inv(z.T @ (z * (weight * p * (1 - p))[:, np.newaxis]) + np.diag(v))
    scores = z * (weight * (y - p))[:, np.newaxis]
    n_effective = weight.sum() ** 2 / (weight**2).sum()
    meat = scores.T @ scores - np.outer(v * best, v * best) / n_effective

    computed = covariate_sandwich(result, prior_votes=0)

    expected = bread @ meat @ bread
    np.testing.assert_allclose(computed.coefficients.covariance, expected[4:, 4:], rtol=1e-4, atol=1e-8)
    points = expected[:4, :4] * RATING_PER_STRENGTH**2
    np.testing.assert_allclose(computed.ratings.covariance[1:, 1:], points, rtol=1e-4, atol=1e-2)


@pytest.mark.parametrize("prior_votes", [0, 1, 5])
def test_a_common_factor_of_all_weights_changes_no_error(prior_votes):
    data = simulated(np.random.default_rng(18), n=200)
    clusters = np.arange(200) % 50
    once, scaled = (with_weights(data, np.full(200, weight)) for weight in (1.0, 40.0))

    for sandwiched in (
        lambda each: covariate_sandwich(fit_with_covariates(each), prior_votes=prior_votes).ratings,
        lambda each: (
            clustered_covariate_sandwich(
                each, fit_with_covariates(each), clusters=clusters, prior_votes=prior_votes
            ).ratings
        ),
        lambda each: clustered_sandwich(
            each.comparisons,
            fit(PairCounts.from_comparisons(each.comparisons)),
            clusters=clusters,
            prior_votes=prior_votes,
        ),
    ):
        np.testing.assert_allclose(sandwiched(scaled).covariance, sandwiched(once).covariance, rtol=1e-4, atol=0.02)


def test_prior_votes_mix_as_in_the_plain_sandwich_where_there_are_ties():
    rng = np.random.default_rng(19)
    data = simulated(rng, n=400, effects=np.zeros(2))
    c = data.comparisons
    outcome = np.where(rng.random(400) < 0.6, Outcome.TIE, c.outcome)  # so no pair varies more than one without ties
    votes = Comparisons.from_arrays(c.left, c.right, outcome=outcome, n_items=5)
    counts = PairCounts.from_comparisons(votes)
    result = fit_with_covariates(ControlledComparisons(comparisons=votes, covariates=np.empty((400, 0))))

    computed = covariate_sandwich(result, prior_votes=30)

    expected = sandwich(counts, fit(counts), prior_votes=30)
    np.testing.assert_allclose(computed.ratings.covariance, expected.covariance, rtol=1e-5, atol=1e-3)
    assert (expected.standard_error > 1.05 * sandwich(counts, fit(counts), prior_votes=0).standard_error).all()
