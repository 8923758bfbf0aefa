import csv
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize

from stats import covariate_passes, covariates, workers
from stats.bradley_terry import RATING_PER_STRENGTH, Anchor, Gauge, NormalPrior, fit
from stats.comparisons import TURNED_ROUND, Comparisons, Outcome, PairCounts
from stats.covariate_passes import ControlledComparisons
from stats.covariate_uncertainty import clustered_covariate_sandwich, clustered_sandwich, covariate_sandwich
from stats.covariates import fit_with_covariates
from stats.errors import CollinearCovariatesError, InvalidCovariateError, LengthMismatchError, SeparatedCovariatesError
from stats.uncertainty import sandwich
from tests.stats.test_properties import every_board

GOLDEN = Path(__file__).parent / "golden"
POINTS = np.array([1.0, 0.0, 0.5, 0.5])
STRENGTHS = np.array([0.9, 0.3, 0.0, -0.4, -0.8])
EFFECTS = np.array([0.5, -0.2])


def golden(name):
    with (GOLDEN / name).open(encoding="utf-8") as file:
        next(file)  # the origin
        return list(csv.DictReader(file))


def simulated(rng, *, n=600, strengths=STRENGTHS, effects=EFFECTS, side=0.0, covariates=None):
    """Votes with E[y] = p; about a fifth of them are undecided."""
    n_items = len(strengths)
    left = rng.integers(0, n_items, n)
    right = (left + rng.integers(1, n_items, n)) % n_items
    x = rng.normal(size=(n, len(effects))) if covariates is None else covariates
    p = 1 / (1 + np.exp(strengths[right] - strengths[left] - x @ effects - side))
    undecided = 0.5 * np.minimum(p, 1 - p)
    draw = rng.random(n)
    decided = np.where(draw < p - undecided / 2, Outcome.LEFT, Outcome.RIGHT)
    tied = np.where(rng.random(n) < 0.5, Outcome.TIE, Outcome.BOTH_BAD)
    outcome = np.where(np.abs(draw - p) < undecided / 2, tied, decided)
    votes = Comparisons.from_arrays(left, right, outcome=outcome, n_items=n_items)
    return ControlledComparisons(comparisons=votes, covariates=x)


def with_weights(data, weight, **changes):
    c = data.comparisons
    votes = Comparisons.from_arrays(c.left, c.right, outcome=c.outcome, n_items=c.n_items, weight=weight)
    return ControlledComparisons(**{"comparisons": votes, "covariates": data.covariates, "side": data.side, **changes})


def design_of(data, result):
    """One row per counted vote: (e_left - e_right without item 0, x, side)."""
    c = data.comparisons
    rows = np.flatnonzero(np.isin(c.outcome, [Outcome.LEFT, Outcome.RIGHT, *result.half_wins]))
    items = np.eye(c.n_items)[c.left[rows]] - np.eye(c.n_items)[c.right[rows]]
    columns = [items[:, 1:], data.covariates[rows]] + ([np.ones((len(rows), 1))] if data.side else [])
    return np.hstack(columns), c.weight[rows], POINTS[c.outcome[rows]], rows


def test_it_agrees_with_arena_rank_run_to_convergence():
    rows = golden("votes.csv")
    left, right, outcome = ([int(row[name]) for row in rows] for name in ("left", "right", "outcome"))
    votes = Comparisons.from_arrays(left, right, outcome=outcome, n_items=12)
    x = np.array([[float(row["x"]), float(row["y"])] for row in rows])

    result = fit_with_covariates(ControlledComparisons(comparisons=votes, covariates=x), gauge=Gauge.MEAN)
    uncertainty = covariate_sandwich(result, prior_votes=0)

    np.testing.assert_allclose(result.ratings, [float(row["rating"]) for row in golden("covariates.csv")], atol=1e-3)
    np.testing.assert_allclose(
        result.coefficients, [float(row["coefficient"]) for row in golden("coefficients.csv")], atol=1e-6
    )
    errors = [float(row["standard_error"]) for row in golden("covariates.csv")]
    np.testing.assert_allclose(uncertainty.ratings.standard_error, errors, rtol=2e-4)
    assert result.converged


@pytest.mark.parametrize("half_wins", [{Outcome.TIE, Outcome.BOTH_BAD}, {Outcome.TIE}, set()])
@pytest.mark.parametrize("side", [False, True])
def test_it_finds_the_maximum_of_the_likelihood_written_vote_by_vote(half_wins, side):
    rng = np.random.default_rng(2)
    data = simulated(rng, side=0.3 if side else 0.0)
    data = with_weights(data, rng.uniform(0.3, 3.0, len(data.covariates)), side=side)

    result = fit_with_covariates(data, half_wins=half_wins, gauge=Anchor(0))
    z, weight, y, _ = design_of(data, result)

    def minus_log_likelihood(parameters):
        logit = z @ parameters
        return (weight * (np.logaddexp(0, logit) - y * logit)).sum()

    optimum = minimize(minus_log_likelihood, np.zeros(z.shape[1]), method="BFGS", options={"gtol": 1e-6}).x
    np.testing.assert_allclose(result.strengths[1:], optimum[:4], atol=1e-5)
    np.testing.assert_allclose(result.coefficients, optimum[4:], atol=1e-5)
    assert result.converged


def test_without_covariates_it_is_the_plain_fit():
    data = simulated(np.random.default_rng(5))
    data = ControlledComparisons(comparisons=data.comparisons, covariates=np.empty((600, 0)))
    counts = PairCounts.from_comparisons(data.comparisons)

    result = fit_with_covariates(data)

    np.testing.assert_allclose(result.ratings, fit(counts).ratings, atol=1e-6)
    covariance = sandwich(counts, fit(counts), prior_votes=0).covariance
    np.testing.assert_allclose(covariate_sandwich(result, prior_votes=0).ratings.covariance, covariance, atol=1e-4)
    assert result.coefficients.shape == (0,)


def test_chunks_and_the_part_it_starts_from_change_nothing(monkeypatch):
    data = simulated(np.random.default_rng(6), n=3000)
    whole = fit_with_covariates(data)
    clusters = np.random.default_rng(7).integers(0, 200, 3000)
    in_one = clustered_covariate_sandwich(data, whole, clusters=clusters)

    monkeypatch.setattr(covariate_passes, "ROWS_PER_CHUNK", 128)
    monkeypatch.setattr("stats.clusters.ROWS_PER_CHUNK", 128)
    monkeypatch.setattr(covariates, "ROWS_OF_START", 500)
    chunked = fit_with_covariates(data)

    np.testing.assert_allclose(chunked.ratings, whole.ratings, atol=1e-5)
    np.testing.assert_allclose(chunked.meat, whole.meat, rtol=1e-4, atol=1e-5)
    in_chunks = clustered_covariate_sandwich(data, chunked, clusters=clusters)
    np.testing.assert_allclose(in_chunks.ratings.covariance, in_one.ratings.covariance, rtol=1e-4, atol=1e-4)


def test_two_threads_change_nothing(monkeypatch):
    data = simulated(np.random.default_rng(6), n=3001)
    at_once = fit_with_covariates(data)
    monkeypatch.setattr(covariate_passes, "ROWS_WORTH_A_THREAD", 1000)
    monkeypatch.setattr(workers, "n_processors", lambda: 1)
    in_parts = fit_with_covariates(data)
    monkeypatch.setattr(workers, "n_processors", lambda: 2)
    by_threads = fit_with_covariates(data)

    assert (by_threads.meat != at_once.meat).any()
    np.testing.assert_allclose(by_threads.meat, at_once.meat, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(by_threads.ratings, at_once.ratings, rtol=1e-9)
    for name in ("ratings", "coefficients", "information", "meat"):
        np.testing.assert_array_equal(getattr(by_threads, name), getattr(in_parts, name))


def test_heavy_tails_still_converge():
    rng = np.random.default_rng(8)
    heavy = rng.standard_t(1.5, size=(400, 2))
    data = simulated(rng, n=400, covariates=heavy, effects=np.array([2.0, 0.5]))

    result = fit_with_covariates(data, gauge=Anchor(0))

    z, weight, y, _ = design_of(data, result)
    p = 1 / (1 + np.exp(-z @ np.concatenate([result.strengths[1:], result.coefficients])))
    np.testing.assert_allclose(z.T @ (weight * (y - p)), 0.0, atol=1e-5)
    assert result.converged


def test_a_step_beyond_the_maximum_is_halved(monkeypatch):
    data = simulated(np.random.default_rng(9))
    expected = fit_with_covariates(data)
    solve, calls = covariates._solve, []

    def too_far(*arguments):
        calls.append(1)
        return solve(*arguments) * (5.0 if len(calls) == 1 else 1.0)

    monkeypatch.setattr(covariates, "_solve", too_far)
    result = fit_with_covariates(data)

    np.testing.assert_allclose(result.ratings, expected.ratings, atol=1e-5)
    assert result.n_passes > expected.n_passes
    assert len(calls) < result.n_passes  # a pass that finds a step to halve solves for none


def test_unrated_items_take_no_part():
    data = simulated(np.random.default_rng(10))
    c = data.comparisons
    votes = Comparisons.from_arrays(
        np.append(c.left, [5, 5]), np.append(c.right, [0, 1]), outcome=np.append(c.outcome, [0, 0]), n_items=7
    )
    more = ControlledComparisons(comparisons=votes, covariates=np.vstack([data.covariates, np.ones((2, 2))]))

    result, alone = fit_with_covariates(more), fit_with_covariates(data)

    np.testing.assert_allclose(result.ratings[:5], alone.ratings, atol=1e-6)
    assert np.isnan(result.ratings[5:]).all()
    assert result.statuses[5].value == "only_won"
    clusters = np.arange(602) % 37
    of_more = clustered_covariate_sandwich(more, result, clusters=clusters)
    of_alone = clustered_covariate_sandwich(data, alone, clusters=clusters[:600])
    np.testing.assert_allclose(of_more.ratings.covariance[:5, :5], of_alone.ratings.covariance, rtol=1e-5, atol=1e-4)
    assert np.isnan(of_more.ratings.covariance[5]).all()


def test_a_prior_pulls_coefficients_and_not_ratings_to_nothing():
    data = simulated(np.random.default_rng(11))

    free = fit_with_covariates(data)
    held = fit_with_covariates(data, prior=NormalPrior(20))
    fixed = fit_with_covariates(data, prior=NormalPrior(1e-3))

    assert 0 < held.coefficients[0] < free.coefficients[0]
    np.testing.assert_allclose(fixed.coefficients, 0.0, atol=1e-6)
    plain = fit(PairCounts.from_comparisons(data.comparisons))
    np.testing.assert_allclose(fixed.ratings, plain.ratings, atol=1e-3)
    errors = [covariate_sandwich(each).coefficients.standard_errors[0] for each in (free, held, fixed)]
    assert errors == sorted(errors, reverse=True)
    z, weight, y, _ = design_of(data, held)
    strengths = (held.strengths - held.strengths[0])[1:]
    p = 1 / (1 + np.exp(-z @ np.concatenate([strengths, held.coefficients])))
    pull = held.coefficients * (RATING_PER_STRENGTH / 20) ** 2
    np.testing.assert_allclose(z.T @ (weight * (y - p)), np.concatenate([np.zeros(4), pull]), atol=1e-4)


@pytest.mark.parametrize("votes", ["", "A>B"])
def test_a_board_without_rated_items_is_no_error(board, votes):
    n = len(votes.split())
    comparisons = Comparisons.from_arrays([0] * n, [1] * n, outcome=[0] * n, n_items=2)
    data = ControlledComparisons(comparisons=comparisons, covariates=np.zeros((n, 1)))

    result = fit_with_covariates(data)
    uncertainty = covariate_sandwich(result)

    for numbers in (result.ratings, result.coefficients, uncertainty.coefficients.lower):
        assert np.isnan(numbers).all()
    assert np.isnan(uncertainty.ratings.covariance).all()
    plain = fit(PairCounts.from_comparisons(comparisons))
    assert np.isnan(clustered_sandwich(comparisons, plain, clusters=np.arange(n)).covariance).all()


def test_covariates_that_say_the_same_are_refused():
    data = simulated(np.random.default_rng(15))
    c, x = data.comparisons, data.covariates

    def refused(columns):
        return pytest.raises(CollinearCovariatesError, match=columns)

    with refused(r"\[0, 2\]"):
        fit_with_covariates(ControlledComparisons(comparisons=c, covariates=np.column_stack([x, x[:, 0] * 3])))
    of_items = (np.arange(5.0) ** 2)[c.left] - (np.arange(5.0) ** 2)[c.right]
    with refused(r"\[1\]"):
        fit_with_covariates(ControlledComparisons(comparisons=c, covariates=np.column_stack([x[:, 0], of_items])))
    with refused(r"\[0\]"):
        fit_with_covariates(ControlledComparisons(comparisons=c, covariates=np.zeros((600, 1))))
    held = ControlledComparisons(comparisons=c, covariates=np.zeros((600, 1)))
    assert fit_with_covariates(held, prior=NormalPrior()).coefficients == pytest.approx([0.0])


def test_covariates_that_tell_every_outcome_are_refused():
    rng = np.random.default_rng(16)
    left = rng.integers(0, 3, 200)
    right = (left + rng.integers(1, 3, 200)) % 3
    outcome = rng.integers(0, 2, 200)
    telling = np.where(outcome == 0, 1.0, -1.0) * rng.uniform(0.5, 1.5, 200)
    votes = Comparisons.from_arrays(left, right, outcome=outcome, n_items=3)

    with pytest.raises(SeparatedCovariatesError, match="grow for ever"):
        fit_with_covariates(ControlledComparisons(comparisons=votes, covariates=telling[:, np.newaxis]))


def test_weights_that_no_step_can_be_solved_with_are_called_separated(monkeypatch):
    def fail(*_, **__):
        raise covariates.IllConditionedError

    data = simulated(np.random.default_rng(17))
    monkeypatch.setattr(covariates, "_check_collinear", lambda *_: None)
    monkeypatch.setattr(covariates, "solve_grounded", fail)
    with pytest.raises(SeparatedCovariatesError):
        fit_with_covariates(data)


def test_running_out_of_passes_is_admitted():
    result = fit_with_covariates(simulated(np.random.default_rng(18)), max_passes=1)

    assert not result.converged
    assert result.n_passes == 1
    assert np.isfinite(covariate_sandwich(result).ratings.standard_error).all()


def test_it_rejects_covariates_that_are_none():
    c = simulated(np.random.default_rng(19)).comparisons
    with pytest.raises(LengthMismatchError, match="600 comparisons"):
        ControlledComparisons(comparisons=c, covariates=np.zeros((599, 1)))
    with pytest.raises(LengthMismatchError):
        ControlledComparisons(comparisons=c, covariates=np.zeros(600))
    with pytest.raises(InvalidCovariateError, match="finite"):
        ControlledComparisons(comparisons=c, covariates=np.full((600, 1), np.nan))


@every_board
@given(st.integers(0, 10_000))
def test_swapping_all_sides_changes_only_the_advantage_of_one(seed):
    rng = np.random.default_rng(seed)
    data = simulated(rng, n=200, side=0.4)
    c = data.comparisons
    swapped = Comparisons.from_arrays(c.right, c.left, outcome=TURNED_ROUND[c.outcome], n_items=5)

    first = fit_with_covariates(ControlledComparisons(comparisons=c, covariates=data.covariates, side=True))
    second = fit_with_covariates(ControlledComparisons(comparisons=swapped, covariates=-data.covariates, side=True))

    np.testing.assert_allclose(second.ratings, first.ratings, atol=1e-3)
    np.testing.assert_allclose(second.coefficients, first.coefficients * [1, 1, -1], atol=1e-5)
    assert first.converged


@every_board
@given(st.integers(0, 10_000))
def test_order_names_and_repetition_do_not_matter(seed):
    rng = np.random.default_rng(seed)
    data = simulated(rng, n=150)
    c, times = data.comparisons, rng.integers(1, 4, 150)
    rows, new = rng.permutation(np.repeat(np.arange(150), times)), rng.permutation(5)
    repeated = Comparisons.from_arrays(new[c.left[rows]], new[c.right[rows]], outcome=c.outcome[rows], n_items=5)

    first = fit_with_covariates(with_weights(data, times))
    second = fit_with_covariates(ControlledComparisons(comparisons=repeated, covariates=data.covariates[rows]))

    np.testing.assert_allclose(second.ratings[new], first.ratings, atol=1e-3)
    np.testing.assert_allclose(second.coefficients, first.coefficients, atol=1e-5)


def test_covariates_that_tell_one_item_from_all_others_are_refused_as_separated():
    """Every vote on item 2 goes as its covariate says, so its strength and the coefficient grow together."""
    data = simulated(np.random.default_rng(22), n=300, strengths=np.array([0.3, -0.3]))
    c, n = data.comparisons, 40
    outcome = np.tile([0, 1], n // 2)
    votes = Comparisons.from_arrays(
        np.append(c.left, np.full(n, 2)),
        np.append(c.right, np.arange(n) % 2),
        outcome=np.append(c.outcome, outcome),
        n_items=3,
    )
    telling = np.append(np.zeros(300), np.where(outcome == 0, 1.0, -1.0))

    with pytest.raises(SeparatedCovariatesError):
        fit_with_covariates(ControlledComparisons(comparisons=votes, covariates=telling[:, np.newaxis]))


@pytest.mark.parametrize("kind", [list, np.complex128, object])
def test_covariates_are_an_array_of_real_numbers(kind):
    data = simulated(np.random.default_rng(23))
    wrong = data.covariates.tolist() if kind is list else data.covariates.astype(kind)

    with pytest.raises(InvalidCovariateError, match="real numbers"):
        ControlledComparisons(comparisons=data.comparisons, covariates=wrong)


@pytest.mark.parametrize("size", [1e-9, 1e9])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_the_unit_of_a_covariate_does_not_matter(size, dtype):
    data = simulated(np.random.default_rng(24))
    scaled = ControlledComparisons(comparisons=data.comparisons, covariates=(data.covariates * size).astype(dtype))

    first, second = fit_with_covariates(data), fit_with_covariates(scaled)

    np.testing.assert_allclose(second.coefficients * size, first.coefficients, rtol=1e-5)
    np.testing.assert_allclose(second.ratings, first.ratings, atol=1e-3)


@pytest.mark.parametrize("size", [1e160, 1e-160])
def test_covariates_whose_squares_are_no_numbers_are_refused(size):
    data = simulated(np.random.default_rng(25))

    with pytest.raises((InvalidCovariateError, CollinearCovariatesError)):
        fit_with_covariates(ControlledComparisons(comparisons=data.comparisons, covariates=data.covariates * size))
