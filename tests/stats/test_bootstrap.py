import numpy as np
import pytest

from stats.bootstrap import poisson_bootstrap, score_bootstrap
from stats.bradley_terry import Anchor, Gauge, NormalPrior, fit
from stats.comparisons import InvalidLevelError, LengthMismatchError, Outcome, PairCounts
from stats.uncertainty import sandwich
from tests.stats.test_uncertainty import simulated

both = pytest.mark.parametrize("bootstrap", [poisson_bootstrap, score_bootstrap])


def some_counts(seed=1, *, n_per_pair=80):
    votes = simulated(np.random.default_rng(seed), n_per_pair=n_per_pair)
    return PairCounts.from_comparisons(votes)


@both
@pytest.mark.parametrize("gauge", [Gauge.VOTE_WEIGHTED_MEAN, Anchor(1)])
@pytest.mark.parametrize("half_wins", [{Outcome.TIE, Outcome.BOTH_BAD}, set()])
def test_it_spreads_as_the_sandwich_says(bootstrap, gauge, half_wins):
    counts = some_counts()
    result = fit(counts, gauge=gauge, half_wins=half_wins)

    resampled = bootstrap(counts, result, rng=np.random.default_rng(2), n_resamples=1500)

    expected = sandwich(counts, result, prior_votes=0)
    np.testing.assert_allclose(resampled.standard_error, expected.standard_error, rtol=0.08)
    np.testing.assert_allclose(np.cov(resampled.draws.T), expected.covariance, atol=0.1 * expected.covariance.max())
    np.testing.assert_allclose(resampled.lower, expected.lower, atol=0.25 * expected.standard_error.max())
    np.testing.assert_allclose(resampled.upper, expected.upper, atol=0.25 * expected.standard_error.max())
    np.testing.assert_allclose(resampled.draws @ result.gauge_weights, 1000.0)
    assert resampled.ratings is result.ratings


@both
def test_weighted_votes_spread_as_the_sandwich_says(bootstrap):
    weight = np.random.default_rng(3).uniform(0.2, 5.0, 10)
    counts = some_counts().with_pair_weights(weight)
    result = fit(counts)

    resampled = bootstrap(counts, result, rng=np.random.default_rng(4), n_resamples=1500)

    np.testing.assert_allclose(
        resampled.standard_error, sandwich(counts, result, prior_votes=0).standard_error, rtol=0.08
    )


def test_two_steps_are_nearly_a_refit():
    counts = some_counts(n_per_pair=40)
    result = fit(counts)
    resampled = poisson_bootstrap(counts, result, rng=np.random.default_rng(5), n_resamples=20)

    rng = np.random.default_rng(5)
    for draw in resampled.draws:
        tied = counts.totals[:, 2:].sum(axis=1)
        n_drawn = rng.poisson(np.column_stack([counts.totals[:, :2], tied]))
        cells = [
            (left, right, outcome, n)
            for left, right, row in zip(counts.left, counts.right, n_drawn, strict=True)
            for outcome, n in enumerate(row)
        ]
        refit = fit(PairCounts.from_cells(cells, n_items=5))
        np.testing.assert_allclose(np.diff(draw), np.diff(refit.ratings), atol=3.0)


@both
def test_items_that_no_vote_was_drawn_for_stay_finite(board, bootstrap):
    counts = board("60*A>B 40*B>A 1*C>A 1*A>C D>A", n_items=5)
    result = fit(counts)

    resampled = bootstrap(counts, result, rng=np.random.default_rng(6), n_resamples=100)

    assert np.isfinite(resampled.draws).all(axis=0).tolist() == [True, True, True, False, False]
    assert np.isnan(resampled.lower).tolist() == [False, False, False, True, True]


@both
def test_a_board_without_ratings_has_no_draws_either(board, bootstrap):
    counts = board("A>B")

    assert np.isnan(bootstrap(counts, fit(counts), rng=np.random.default_rng(7), n_resamples=3).draws).all()


@both
def test_the_same_seed_gives_the_same_draws(bootstrap):
    counts = some_counts()
    first, second = (
        bootstrap(counts, fit(counts), rng=np.random.default_rng(8), n_resamples=3, confidence_level=0.5).draws
        for _ in range(2)
    )
    np.testing.assert_array_equal(first, second)


@both
def test_it_rejects_what_it_cannot_resample(board, bootstrap):
    counts, rng = board("A>B B>A"), np.random.default_rng(9)
    with pytest.raises(InvalidLevelError, match="0 resamples"):
        bootstrap(counts, fit(counts), rng=rng, n_resamples=0)
    with pytest.raises(InvalidLevelError, match="between 0 and 1"):
        bootstrap(counts, fit(counts), rng=rng, confidence_level=95)
    with pytest.raises(InvalidLevelError, match="prior"):
        bootstrap(counts, fit(counts, prior=NormalPrior()), rng=rng)
    with pytest.raises(LengthMismatchError):
        bootstrap(board("A=B B=C"), fit(counts), rng=rng)
