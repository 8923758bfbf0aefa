import csv
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from scipy.optimize import linprog, minimize

from stats.bradley_terry import RATING_PER_STRENGTH, Anchor, Gauge, fit
from stats.comparisons import Comparisons, Outcome, PairCounts
from stats.connectivity import ItemStatus
from stats.errors import InvalidLevelError, ItemIndexError, LengthMismatchError, UnratedItemError
from stats.tie_uncertainty import tie_sandwich
from stats.ties import TieModel, TieStatus, fit_with_ties, outcome_probabilities, slopes
from stats.uncertainty import sandwich
from tests.stats.test_properties import boards, counts_of, every_board

GOLDEN = Path(__file__).parent / "golden"
both_models = pytest.mark.parametrize("tie_model", list(TieModel))


def golden_rows(name):
    with (GOLDEN / name).open(encoding="utf-8") as file:
        next(file)  # the origin
        return list(csv.DictReader(file))


def golden_votes():
    rows = golden_rows("votes.csv")
    left, right, outcome = ([int(row[name]) for row in rows] for name in ("left", "right", "outcome"))
    return Comparisons.from_arrays(left, right, outcome=outcome, n_items=12)


def probabilities(tie_model, d, log_tie):
    """Straight from the papers."""
    if tie_model is TieModel.RAO_KUPPER:
        theta = np.exp(log_tie)
        left, right = np.exp(d) / (np.exp(d) + theta), 1 / (1 + theta * np.exp(d))
        return left, right, (theta**2 - 1) * left * right
    total = np.exp(d / 2) + np.exp(-d / 2) + np.exp(log_tie)
    return np.exp(d / 2) / total, np.exp(-d / 2) / total, np.exp(log_tie) / total


def simulated(rng, *, tie_model, strengths, log_tie, n_per_pair):
    left, right = (np.repeat(side, n_per_pair) for side in np.triu_indices(len(strengths), 1))
    p_left, p_right, _ = probabilities(tie_model, strengths[left] - strengths[right], log_tie)
    draw = rng.random(len(left))
    outcome = np.where(draw < p_left, Outcome.LEFT, np.where(draw < p_left + p_right, Outcome.RIGHT, Outcome.TIE))
    return Comparisons.from_arrays(left, right, outcome=outcome, n_items=len(strengths))


@both_models
def test_it_agrees_with_another_library(tie_model):
    (row,) = [row for row in golden_rows("ties.csv") if row["tie_model"] == tie_model]
    expected = np.array([float(row[str(item)]) for item in range(12)])

    result = fit_with_ties(PairCounts.from_comparisons(golden_votes()), tie_model=tie_model, gauge=Gauge.MEAN)

    np.testing.assert_allclose(result.strengths, expected - expected.mean(), atol=1e-6)
    assert result.tie_parameter == pytest.approx(float(row["tie_parameter"]), abs=1e-6)
    assert result.converged
    assert result.tie_status is TieStatus.ESTIMATED


def test_davidson_agrees_with_evalica_on_public_votes(votes_folder):
    with (votes_folder / "llmfao_golden_evalica.csv").open(encoding="utf-8") as file:
        golden = {
            row["item"]: np.log(float(row["score"])) for row in csv.DictReader(file) if row["algorithm"] == "newman"
        }
    with (votes_folder / "llmfao_crowd.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    number = {item: index for index, item in enumerate(golden)}
    code = {"left": 0, "right": 1, "tie": 2}
    cells = [(number[row["left"]], number[row["right"]], code[row["winner"]], 1) for row in rows]

    result = fit_with_ties(
        PairCounts.from_cells(cells, n_items=len(number)), tie_model=TieModel.DAVIDSON, gauge=Gauge.MEAN
    )

    expected = np.array(list(golden.values()))
    np.testing.assert_allclose(result.strengths, expected - expected.mean(), atol=1e-6)


@both_models
def test_it_finds_the_maximum_of_the_likelihood_written_vote_by_vote(tie_model):
    votes = simulated(
        np.random.default_rng(5),
        tie_model=tie_model,
        strengths=np.array([1.0, 0.2, -0.4, -0.8]),
        log_tie=0.6,
        n_per_pair=30,
    )

    def minus_log_likelihood(parameters):
        d = parameters[votes.left] - parameters[votes.right]
        p = np.column_stack(probabilities(tie_model, d, parameters[-1]))
        return -np.log(p[np.arange(len(d)), votes.outcome]).sum() + parameters[:-1].mean() ** 2

    optimum = minimize(minus_log_likelihood, np.append(np.zeros(4), 0.5), method="BFGS", options={"gtol": 1e-7}).x

    result = fit_with_ties(PairCounts.from_comparisons(votes), tie_model=tie_model, gauge=Gauge.MEAN)
    np.testing.assert_allclose(result.strengths, optimum[:-1] - optimum[:-1].mean(), atol=1e-5)
    assert result.log_tie_parameter == pytest.approx(optimum[-1], abs=1e-5)


@both_models
def test_the_slopes_are_those_of_the_log_probabilities(tie_model):
    d, log_tie, h = np.array([-1.3, 0.0, 2.1]), 0.7, 1e-4

    def log_p(shift, tie_shift):
        return np.log(np.column_stack(probabilities(tie_model, d + shift, log_tie + tie_shift)))

    at = slopes(tie_model, d, log_tie=log_tie)

    middle = log_p(0, 0)
    np.testing.assert_allclose(at.by_difference, (log_p(h, 0) - log_p(-h, 0)) / (2 * h), atol=1e-6)
    np.testing.assert_allclose(at.by_tie, (log_p(0, h) - log_p(0, -h)) / (2 * h), atol=1e-6)
    np.testing.assert_allclose(at.difference_twice, -(log_p(h, 0) - 2 * middle + log_p(-h, 0)) / h**2, atol=1e-5)
    np.testing.assert_allclose(at.tie_twice, -(log_p(0, h) - 2 * middle + log_p(0, -h)) / h**2, atol=1e-5)
    mixed = log_p(h, h) - log_p(h, -h) - log_p(-h, h) + log_p(-h, -h)
    np.testing.assert_allclose(at.crossed, -mixed / (4 * h**2), atol=1e-5)


@both_models
def test_the_three_outcomes_are_those_of_the_papers(board, tie_model):
    result = fit_with_ties(board("5*A>B 3*B>A 4*A=B"), tie_model=tie_model)
    differences = np.array([-0.5, 0.0, 3.0])

    computed = outcome_probabilities(result, differences)

    np.testing.assert_allclose(computed, probabilities(tie_model, differences, result.log_tie_parameter))
    np.testing.assert_allclose(np.sum(computed, axis=0), 1.0)
    assert result.tie_probability_of_equals == pytest.approx(float(computed.tie[1]))


@both_models
def test_two_items_are_fitted_as_they_voted(board, tie_model):
    result = fit_with_ties(board("50*A>B 30*B>A 20*A=B"), tie_model=tie_model)

    difference = np.array([result.strengths[0] - result.strengths[1]])
    np.testing.assert_allclose(np.ravel(outcome_probabilities(result, difference)), [0.5, 0.3, 0.2], atol=1e-9)


@both_models
def test_both_bad_is_a_tie_or_left_out(board, tie_model):
    counts = board("5*A>B 3*B>A 2*A=B 4*A~B")

    together = fit_with_ties(counts, tie_model=tie_model)
    left_out = fit_with_ties(counts, tie_model=tie_model, tied=[Outcome.TIE])

    assert together.tie_parameter == pytest.approx(
        fit_with_ties(board("5*A>B 3*B>A 6*A=B"), tie_model=tie_model).tie_parameter
    )
    assert left_out.tie_parameter == pytest.approx(
        fit_with_ties(board("5*A>B 3*B>A 2*A=B"), tie_model=tie_model).tie_parameter
    )


@both_models
def test_without_ties_it_is_bradley_terry(board, tie_model):
    counts = board("30*A>B 10*B>A 5*B>C 6*C>B D>A 3*A~B")

    result = fit_with_ties(counts, tie_model=tie_model, tied=[Outcome.TIE])
    uncertainty = tie_sandwich(counts, result)

    plain = fit(counts, half_wins=[])
    np.testing.assert_allclose(result.ratings, plain.ratings)
    assert result.statuses == plain.statuses
    assert result.tie_status is TieStatus.NO_TIES
    assert result.tie_parameter == (1.0 if tie_model is TieModel.RAO_KUPPER else 0.0)
    assert result.tie_probability_of_equals == 0.0
    np.testing.assert_allclose(uncertainty.ratings.covariance, sandwich(counts, plain).covariance)
    assert np.isnan(uncertainty.tie_parameter[1:]).all()


@both_models
@pytest.mark.parametrize(
    "votes",
    [
        "A=B",
        "5*A=B 3*B=C C=A",
        "3*A>B 2*A=B",  # B never won: with a boundless parameter a win and a tie are equally near
        "A>B B=C A=C",
        "2*A>B 3*A=B B>C B=C",
    ],
)
def test_votes_that_a_boundless_parameter_explains_are_separated(board, tie_model, votes):
    counts = board(votes)

    result = fit_with_ties(counts, tie_model=tie_model)
    uncertainty = tie_sandwich(counts, result)

    assert result.tie_status is TieStatus.SEPARATED
    assert set(result.statuses) == {ItemStatus.SEPARATED}
    assert np.isnan(result.ratings).all()
    assert np.isnan(result.tie_parameter)
    assert np.isnan(uncertainty.ratings.covariance).all()
    assert np.isnan(uncertainty.tie_parameter).all()


@both_models
def test_a_cycle_of_wins_is_not_separated(board, tie_model):
    result = fit_with_ties(board("A>B B>C C>A A=B"), tie_model=tie_model)

    assert result.tie_status is TieStatus.ESTIMATED
    assert result.converged
    np.testing.assert_allclose(result.strengths, 0.0, atol=1e-6)


@both_models
@pytest.mark.parametrize("votes", ["", "A>B"])
def test_a_board_without_rated_items_is_no_error(board, tie_model, votes):
    counts = board(votes, n_items=2)

    result = fit_with_ties(counts, tie_model=tie_model)

    assert result.tie_status is TieStatus.NO_RATED_ITEMS
    assert np.isnan(result.ratings).all()
    assert np.isnan(tie_sandwich(counts, result).ratings.covariance).all()


@both_models
def test_an_anchor_of_a_separated_board_is_refused(board, tie_model):
    with pytest.raises(UnratedItemError, match="separated"):
        fit_with_ties(board("A=B"), tie_model=tie_model, gauge=Anchor(0))
    with pytest.raises(ItemIndexError):
        fit_with_ties(board("A=B"), tie_model=tie_model, gauge=Anchor(7))


@both_models
def test_running_out_of_iterations_is_admitted(board, tie_model):
    result = fit_with_ties(board("30*A>B B>A 9*B>C 2*C>B A=C"), tie_model=tie_model, max_iterations=2)

    assert not result.converged
    assert result.n_iterations == 2
    assert result.gradient_norm > 1e-3


def lead_decides(counts, rated):
    """Whether a boundless tie parameter explains the votes among the rated, by linear programming."""
    rows, bounds = [], []
    for left, right, totals in zip(counts.left, counts.right, counts.totals, strict=True):
        if rated[left] and rated[right]:
            lead = np.zeros(counts.n_items)
            lead[left], lead[right] = 1.0, -1.0
            for said, row, bound in (
                (totals[Outcome.LEFT], -lead, -1.0),
                (totals[Outcome.RIGHT], lead, -1.0),
                (totals[2] + totals[3], lead, 1.0),
                (totals[2] + totals[3], -lead, 1.0),
            ):
                if said:
                    rows.append(row)
                    bounds.append(bound)
    return linprog(np.zeros(counts.n_items), A_ub=rows, b_ub=bounds, bounds=(None, None)).status == 0


@both_models
@every_board
@given(boards())
def test_every_board_is_fitted_or_has_a_reason_not_to_be(tie_model, board):
    counts = counts_of(board)
    plain = fit(counts)

    result = fit_with_ties(counts, tie_model=tie_model)

    assert result.converged
    rated = plain.rated
    tied = counts.totals[rated[counts.left] & rated[counts.right]][:, 2:].sum()
    if not rated.any():
        assert result.tie_status is TieStatus.NO_RATED_ITEMS
    elif not tied:
        assert result.tie_status is TieStatus.NO_TIES
    else:
        assert (result.tie_status is TieStatus.SEPARATED) == lead_decides(counts, rated)
    if result.tie_status is TieStatus.ESTIMATED:
        assert result.gradient_norm < 1e-5
        uncertainty = tie_sandwich(counts, result)
        assert uncertainty.tie_parameter.lower <= result.tie_parameter <= uncertainty.tie_parameter.upper
        assert (np.isfinite(uncertainty.ratings.standard_error) == rated).all()
        assert result.gauge_weights @ np.nan_to_num(result.strengths) == pytest.approx(0.0, abs=1e-9)


def numerical_sandwich(tie_model, votes, result):
    """Row by row, with derivatives by finite differences and item 0 as the base level."""
    n, h = votes.n_items, 1e-4
    best = np.append(result.strengths - result.strengths[0], result.log_tie_parameter)[1:]

    def log_p(parameters):
        strengths = np.append(0.0, parameters[:-1])
        p = np.column_stack(probabilities(tie_model, strengths[votes.left] - strengths[votes.right], parameters[-1]))
        return np.log(p[np.arange(len(votes.left)), votes.outcome])

    steps = np.eye(n) * h
    scores = np.column_stack([(log_p(best + step) - log_p(best - step)) / (2 * h) for step in steps])
    scores = scores * votes.weight[:, np.newaxis]

    def total(parameters):
        return votes.weight @ log_p(parameters)

    bread = -np.array(
        [
            [
                (total(best + i + j) - total(best + i - j) - total(best - i + j) + total(best - i - j)) / (4 * h * h)
                for j in steps
            ]
            for i in steps
        ]
    )
    inverse = np.linalg.inv(bread)
    covariance = np.zeros((n + 1, n + 1))
    covariance[1:, 1:] = inverse @ scores.T @ scores @ inverse
    gauge = np.eye(n + 1)
    gauge[:n, :n] -= result.gauge_weights
    return gauge @ covariance @ gauge.T


@both_models
def test_it_is_the_sandwich_of_single_weighted_votes(tie_model):
    rng = np.random.default_rng(9)
    plain = simulated(rng, tie_model=tie_model, strengths=np.array([0.9, 0.1, -0.2, -0.8]), log_tie=0.5, n_per_pair=40)
    weight = rng.uniform(0.3, 3.0, len(plain.left))
    votes = Comparisons.from_arrays(plain.left, plain.right, outcome=plain.outcome, weight=weight, n_items=4)
    counts = PairCounts.from_comparisons(votes)
    result = fit_with_ties(counts, tie_model=tie_model)

    uncertainty = tie_sandwich(counts, result, prior_votes=0, confidence_level=0.9)

    expected = numerical_sandwich(tie_model, votes, result)
    np.testing.assert_allclose(
        uncertainty.ratings.covariance, expected[:-1, :-1] * RATING_PER_STRENGTH**2, rtol=1e-4, atol=1e-2
    )
    error = np.sqrt(expected[-1, -1])
    parameter = uncertainty.tie_parameter
    assert parameter.standard_error_of_logarithm == pytest.approx(error, rel=1e-4)
    assert np.log(parameter.upper / parameter.estimate) == pytest.approx(1.644854 * error, rel=1e-4)
    assert np.log(parameter.estimate / parameter.lower) == pytest.approx(1.644854 * error, rel=1e-4)


@both_models
def test_one_tie_leaves_a_newcomer_uncertain(board, tie_model):
    counts = board("30*A>B 20*B>A 10*A=B C=A")
    result = fit_with_ties(counts, tie_model=tie_model)

    believed, mixed = (tie_sandwich(counts, result, prior_votes=votes).ratings for votes in (0, 1))

    assert believed.difference(0, 2).standard_error < 1.0
    # C only met A, in a tie: d = 0, and what the model expects of 1 + 1/61 prior votes is all the spread there is.
    at = slopes(tie_model, np.zeros(1), log_tie=result.log_tie_parameter)
    expected = np.column_stack(outcome_probabilities(result, np.zeros(1))) @ (at.by_difference**2).T
    share = (1 + 1 / 61) / (2 + 1 / 61)
    error = np.sqrt(share * expected[0, 0]) / at.difference_twice[0, 2]
    assert mixed.difference(0, 2).standard_error == pytest.approx(error * RATING_PER_STRENGTH, rel=0.02)


@both_models
def test_its_intervals_hold_the_truth_as_often_as_they_say(tie_model):
    rng = np.random.default_rng(21)
    strengths = np.array([0.8, 0.0, -0.8])
    held_ratings, held_parameters = [], []
    for _ in range(250):
        votes = simulated(rng, tie_model=tie_model, strengths=strengths, log_tie=0.4, n_per_pair=60)
        counts = PairCounts.from_comparisons(votes)
        uncertainty = tie_sandwich(counts, fit_with_ties(counts, tie_model=tie_model))
        difference = uncertainty.ratings.difference(0, 2)
        held_ratings.append(difference.lower <= 1.6 * RATING_PER_STRENGTH <= difference.upper)
        held_parameters.append(uncertainty.tie_parameter.lower <= np.exp(0.4) <= uncertainty.tie_parameter.upper)

    assert 0.91 < np.mean(held_ratings) < 0.985
    assert 0.91 < np.mean(held_parameters) < 0.985


def test_it_rejects_the_counts_of_another_board(board):
    with pytest.raises(LengthMismatchError, match="not the same data"):
        tie_sandwich(board("A=B B=C"), fit_with_ties(board("A>B B>A A=B"), tie_model=TieModel.DAVIDSON))


def test_it_rejects_a_level_that_is_none(board):
    counts = board("A>B B>A A=B")

    with pytest.raises(InvalidLevelError):
        tie_sandwich(counts, fit_with_ties(counts, tie_model=TieModel.DAVIDSON), confidence_level=95)
