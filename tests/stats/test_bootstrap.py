import numpy as np
import pytest

from stats import bootstrap
from stats.bootstrap import poisson_bootstrap, score_bootstrap
from stats.bradley_terry import Anchor, Gauge, NormalPrior, fit
from stats.comparisons import Outcome, PairCounts
from stats.errors import InvalidLevelError, InvalidWeightError, LengthMismatchError
from stats.uncertainty import sandwich
from tests.stats.test_uncertainty import simulated

both = pytest.mark.parametrize("resample", [poisson_bootstrap, score_bootstrap])


def some_counts(seed=1, *, n_per_pair=80):
    votes = simulated(np.random.default_rng(seed), n_per_pair=n_per_pair)
    return PairCounts.from_comparisons(votes)


@both
@pytest.mark.parametrize("gauge", [Gauge.VOTE_WEIGHTED_MEAN, Anchor(1)])
@pytest.mark.parametrize("half_wins", [{Outcome.TIE, Outcome.BOTH_BAD}, set()])
def test_it_spreads_as_the_sandwich_says(resample, gauge, half_wins):
    counts = some_counts()
    result = fit(counts, gauge=gauge, half_wins=half_wins)

    resampled = resample(counts, result, rng=np.random.default_rng(2), n_resamples=1500)

    expected = sandwich(counts, result, prior_votes=0)
    np.testing.assert_allclose(resampled.standard_error, expected.standard_error, rtol=0.08)
    np.testing.assert_allclose(np.cov(resampled.draws.T), expected.covariance, atol=0.1 * expected.covariance.max())
    np.testing.assert_allclose(resampled.lower, expected.lower, atol=0.4 * expected.standard_error.max())
    np.testing.assert_allclose(resampled.upper, expected.upper, atol=0.4 * expected.standard_error.max())
    np.testing.assert_allclose(resampled.draws @ result.gauge_weights, 1000.0)
    assert resampled.ratings is result.ratings


@both
def test_weighted_votes_spread_as_the_sandwich_says(resample):
    weight = np.random.default_rng(3).uniform(0.2, 5.0, 10)
    counts = some_counts().with_pair_weights(weight)
    result = fit(counts)

    resampled = resample(counts, result, rng=np.random.default_rng(4), n_resamples=1500)

    np.testing.assert_allclose(
        resampled.standard_error, sandwich(counts, result, prior_votes=0).standard_error, rtol=0.08
    )


def refits(counts, result, drawn):
    """The ratings of each drawn table of votes, fitted from nothing, in the gauge of the fit."""
    for left_points, total in zip(drawn.left_points.T, drawn.total.T, strict=True):
        nothing = np.zeros_like(total)
        table = np.column_stack([left_points, total - left_points, nothing, nothing])
        votes = PairCounts(left=counts.left, right=counts.right, totals=table, squares=table, n_items=counts.n_items)
        ratings = fit(votes).ratings
        yield ratings - result.gauge_weights @ ratings + 1000.0


def test_a_few_steps_are_as_good_as_a_refit():
    counts = some_counts(n_per_pair=40)
    result = fit(counts)
    resampled = poisson_bootstrap(counts, result, rng=np.random.default_rng(5), n_resamples=50)

    (drawn,) = bootstrap._resamples(bootstrap._board(counts, result), np.random.default_rng(5), 50)

    apart = np.abs(resampled.draws - list(refits(counts, result, drawn)))
    assert (apart < 0.01 * resampled.standard_error).all()
    assert np.median(apart) < 0.01


def test_the_drawn_votes_are_poisson_numbers():
    n = np.array([0.0, *range(1, 41), 2.5, 300.0])
    cells = bootstrap._poisson_cells(np.repeat(n, 20))

    numbers = cells.drawn(np.random.default_rng(10), 4000).reshape(len(n), -1)

    assert len(cells.tables) == 34  # 0 to 32, and 2.5
    np.testing.assert_allclose(numbers.mean(axis=1), n, atol=5 * np.sqrt(n.max() / 80_000))
    np.testing.assert_allclose(numbers[1:].var(axis=1), n[1:], rtol=0.04)
    np.testing.assert_allclose((numbers[1:8] == 0).mean(axis=1), np.exp(-n[1:8]), atol=0.01)


def test_blocks_of_resamples_add_up(monkeypatch):
    counts = some_counts()
    result = fit(counts)
    monkeypatch.setattr(bootstrap, "PAIRS_AT_ONCE", 3 * len(counts.left))

    resampled = poisson_bootstrap(counts, result, rng=np.random.default_rng(11), n_resamples=10)

    blocks = list(bootstrap._resamples(bootstrap._board(counts, result), np.random.default_rng(11), 10))
    assert [block.total.shape[1] for block in blocks] == [3, 3, 3, 1]
    expected = [each for block in blocks for each in refits(counts, result, block)]
    np.testing.assert_allclose(resampled.draws, expected, atol=0.1)


@both
def test_items_that_no_vote_was_drawn_for_stay_finite(board, resample):
    counts = board("60*A>B 40*B>A 1*C>A 1*A>C D>A", n_items=5)
    result = fit(counts)

    resampled = resample(counts, result, rng=np.random.default_rng(6), n_resamples=100)

    assert np.isfinite(resampled.draws).all(axis=0).tolist() == [True, True, True, False, False]
    assert np.isnan(resampled.lower).tolist() == [False, False, False, True, True]


@both
def test_a_board_without_ratings_has_no_draws_either(board, resample):
    counts = board("A>B")

    assert np.isnan(resample(counts, fit(counts), rng=np.random.default_rng(7), n_resamples=3).draws).all()


@both
def test_the_same_seed_gives_the_same_draws(resample):
    counts = some_counts()
    first, second = (
        resample(counts, fit(counts), rng=np.random.default_rng(8), n_resamples=3, confidence_level=0.5).draws
        for _ in range(2)
    )
    np.testing.assert_array_equal(first, second)


@both
def test_it_rejects_what_it_cannot_resample(board, resample):
    counts, rng = board("A>B B>A"), np.random.default_rng(9)
    with pytest.raises(InvalidLevelError, match=r"2\.5 resamples"):
        resample(counts, fit(counts), rng=rng, n_resamples=2.5)
    many = board("2000000000000000000*A>B B>A")
    with pytest.raises(InvalidWeightError, match="cannot be resampled"):
        resample(many, fit(many), rng=rng)
    with pytest.raises(InvalidLevelError, match="0 resamples"):
        resample(counts, fit(counts), rng=rng, n_resamples=0)
    with pytest.raises(InvalidLevelError, match="between 0 and 1"):
        resample(counts, fit(counts), rng=rng, confidence_level=95)
    with pytest.raises(InvalidLevelError, match="prior"):
        resample(counts, fit(counts, prior=NormalPrior()), rng=rng)
    with pytest.raises(LengthMismatchError):
        resample(board("A=B B=C"), fit(counts), rng=rng)
