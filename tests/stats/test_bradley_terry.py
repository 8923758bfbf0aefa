import numpy as np
import pytest
from scipy.optimize import minimize

from stats import bradley_terry
from stats.bradley_terry import ANCHOR_RATING, RATING_PER_STRENGTH, Anchor, Gauge, NormalPrior, fit, win_probability
from stats.comparisons import Comparisons, Outcome, PairCounts
from stats.errors import (
    IllConditionedError,
    InvalidLevelError,
    InvalidWeightError,
    ItemIndexError,
    UnknownOutcomeError,
    UnratedItemError,
)

POINTS = {Outcome.LEFT: 1.0, Outcome.RIGHT: 0.0, Outcome.TIE: 0.5, Outcome.BOTH_BAD: 0.5}


def random_comparisons(rng, *, n_items, n_comparisons):
    left = rng.integers(0, n_items, n_comparisons)
    right = (left + rng.integers(1, n_items, n_comparisons)) % n_items
    outcome = rng.choice(4, n_comparisons, p=[0.4, 0.3, 0.2, 0.1])
    weight = rng.uniform(0.2, 3.0, n_comparisons)
    return Comparisons.from_arrays(left, right, outcome=outcome, weight=weight, n_items=n_items)


def test_two_items_differ_by_the_log_of_their_odds(board):
    result = fit(board("30*A>B 10*B>A"), gauge=Gauge.MEAN)

    assert result.strengths[0] - result.strengths[1] == pytest.approx(np.log(3), abs=1e-10)
    assert result.ratings.mean() == pytest.approx(ANCHOR_RATING)
    assert result.converged


def test_ten_to_one_is_400_points(board):
    ratings = fit(board("10*A>B B>A")).ratings

    assert ratings[0] - ratings[1] == pytest.approx(400.0, abs=1e-7)


def test_it_gives_the_published_strengths_of_the_wikipedia_example(board):
    counts = board("2*A>B A>D 3*B>A 5*B>C 3*C>B C>D 4*D>A 3*D>C")

    strengths = fit(counts, gauge=Gauge.MEAN).strengths

    np.testing.assert_allclose(np.exp(strengths), [0.640, 1.043, 0.660, 2.270], atol=5e-4)


def test_it_finds_the_maximum_of_the_likelihood_written_vote_by_vote():
    comparisons = random_comparisons(np.random.default_rng(7), n_items=6, n_comparisons=200)
    y = np.array([POINTS[outcome] for outcome in comparisons.outcome])

    def minus_log_likelihood(strengths):
        p = 1 / (1 + np.exp(strengths[comparisons.right] - strengths[comparisons.left]))
        return -(comparisons.weight * (y * np.log(p) + (1 - y) * np.log(1 - p))).sum() + strengths.mean() ** 2

    optimum = minimize(minus_log_likelihood, np.zeros(6), method="BFGS", options={"gtol": 1e-8}).x

    strengths = fit(PairCounts.from_comparisons(comparisons), gauge=Gauge.MEAN).strengths
    np.testing.assert_allclose(strengths, optimum - optimum.mean(), atol=1e-5)


def test_every_item_is_expected_to_score_what_it_scored():
    comparisons = random_comparisons(np.random.default_rng(8), n_items=5, n_comparisons=80)

    result = fit(PairCounts.from_comparisons(comparisons))

    y = np.array([POINTS[outcome] for outcome in comparisons.outcome])
    p = 1 / (1 + np.exp(result.strengths[comparisons.right] - result.strengths[comparisons.left]))
    for item in range(5):
        at_left, at_right = comparisons.left == item, comparisons.right == item
        surplus = (comparisons.weight * (y - p))[at_left].sum() - (comparisons.weight * (y - p))[at_right].sum()
        assert surplus == pytest.approx(0.0, abs=1e-9)
    assert result.gradient_norm == pytest.approx(0.0, abs=1e-9)


def test_a_tie_is_half_a_win_for_each(board):
    with_ties = fit(board("3*A>B 4*A=B B=C C>B"))
    without = fit(board("10*A>B 4*B>A B>C 3*C>B"))  # the same points, doubled

    np.testing.assert_allclose(with_ties.strengths, without.strengths, atol=1e-12)


def test_both_bad_counts_as_a_tie_unless_it_is_left_out(board):
    counts = board("3*A>B 1*B>A 4*A~B")

    as_tie = fit(counts).strengths
    left_out = fit(counts, half_wins=[Outcome.TIE]).strengths

    assert as_tie[0] - as_tie[1] == pytest.approx(np.log(5 / 3), abs=1e-10)
    assert left_out[0] - left_out[1] == pytest.approx(np.log(3), abs=1e-10)


def test_ties_can_be_left_out_too(board):
    strengths = fit(board("3*A>B 1*B>A 4*A~B 7*A=B"), half_wins=[]).strengths

    assert strengths[0] - strengths[1] == pytest.approx(np.log(3), abs=1e-10)


def test_a_win_cannot_be_half_a_win(board):
    with pytest.raises(UnknownOutcomeError, match="RIGHT names a winner"):
        fit(board("A>B B>A"), half_wins=[Outcome.TIE, Outcome.RIGHT])


def test_all_ties_are_equal_ratings(board):
    np.testing.assert_allclose(fit(board("5*A=B B=C 2*C~A")).ratings, ANCHOR_RATING, atol=1e-12)


def test_unrated_items_have_neither_strength_nor_rating(board):
    result = fit(board("15*A>B 15*A>C 6*B>C 4*C>B", n_items=4))

    assert np.isnan(result.strengths).tolist() == [True, False, False, True]
    assert np.isnan(result.ratings).tolist() == [True, False, False, True]
    assert result.ratings[1] - result.ratings[2] == pytest.approx(RATING_PER_STRENGTH * np.log(1.5))


def test_votes_against_unrated_items_move_no_rating(board):
    without = fit(board("6*B>C 4*C>B C=D"))
    with_them = fit(board("40*A>B 6*B>C 4*C>B C=D 9*D>E"))

    np.testing.assert_allclose(with_them.ratings[1:4], without.ratings[1:4], atol=1e-9)


@pytest.mark.parametrize("n_items", [0, 1, 3])
def test_a_board_without_votes_is_no_error(board, n_items):
    result = fit(board("", n_items=n_items))

    assert result.ratings.shape == (n_items,)
    assert np.isnan(result.ratings).all()
    assert result.gauge_weights.tolist() == [0.0] * n_items
    assert (result.converged, result.n_iterations, result.gradient_norm) == (True, 0, 0.0)


def test_by_default_the_mean_weighs_each_item_as_it_was_compared(board):
    result = fit(board("90*A>B 60*B>A 4*B>C 6*C>B"))

    np.testing.assert_allclose(result.gauge_weights, [150 / 320, 160 / 320, 10 / 320])
    assert result.gauge_weights @ result.ratings == pytest.approx(ANCHOR_RATING, abs=1e-9)
    assert result.gauge_weights @ result.strengths == pytest.approx(0.0, abs=1e-10)


def test_the_gauge_counts_only_comparisons_among_the_rated(board):
    np.testing.assert_allclose(fit(board("A>B B>A 50*C>A")).gauge_weights, [0.5, 0.5, 0.0])


def test_an_anchor_keeps_its_rating(board):
    counts = board("30*A>B 10*B>A 5*B>C 5*C>B")

    result = fit(counts, gauge=Anchor(2, rating=800))

    np.testing.assert_allclose(result.ratings, [800 + RATING_PER_STRENGTH * np.log(3), 800, 800], atol=1e-9)
    assert fit(counts, gauge=Anchor(0)).ratings[0] == ANCHOR_RATING


def test_an_anchor_must_be_rated(board):
    with pytest.raises(UnratedItemError, match=r"Item 0 cannot anchor the ratings.*only_won"):
        fit(board("A>B B=C"), gauge=Anchor(0))


@pytest.mark.parametrize("item", [-1, 2])
def test_an_anchor_must_be_an_item(board, item):
    with pytest.raises(ItemIndexError, match=f"The anchor {item} is not"):
        fit(board("A=B"), gauge=Anchor(item))


def test_a_fit_that_runs_out_of_iterations_says_so(board):
    counts = board("30*A>B 1*B>A 9*B>C 2*C>B")

    result = fit(counts, max_iterations=2)

    assert not result.converged
    assert result.n_iterations == 2
    assert result.gradient_norm > 1e-3
    assert fit(counts).converged


def test_very_one_sided_votes_still_converge(board):
    result = fit(board("100000000*A>B B>A 100000000*B>C C>B"))

    assert result.converged
    np.testing.assert_allclose(np.diff(result.strengths), -np.log(1e8), atol=1e-8)


def test_a_long_chain_of_steps_still_converges():
    cells = [(i, i + 1, outcome, n) for i in range(60) for outcome, n in ((Outcome.LEFT, 50), (Outcome.RIGHT, 1))]

    result = fit(PairCounts.from_cells(cells, n_items=61))

    assert result.converged
    np.testing.assert_allclose(np.diff(result.strengths), -np.log(50), atol=1e-8)


def test_a_board_that_throws_full_newton_steps_off_still_converges(board):
    result = fit(board("1000000*A>B B>A 1000000*A>D 100*C>B 10*C>D 1000000*D>C"))

    assert result.converged
    assert result.gradient_norm < 1e-6


def test_weights_too_far_apart_are_refused():
    counts = PairCounts.from_cells([(0, 1, 2, 1e20), (1, 2, 2, 1.0), (2, 3, 2, 1e20)], n_items=4)

    with pytest.raises(IllConditionedError):
        fit(counts)


@pytest.mark.parametrize(
    ("difference", "probability"), [(0, 0.5), (400, 10 / 11), (-400, 1 / 11), (800, 100 / 101), (1e6, 1.0)]
)
def test_win_probability_is_ten_to_one_per_400_points(difference, probability):
    assert win_probability(difference) == pytest.approx(probability)
    assert isinstance(win_probability(difference), float)


def test_win_probability_keeps_the_shape_of_arrays():
    differences = np.array([[0.0, 400.0], [-400.0, np.nan]])

    np.testing.assert_allclose(win_probability(differences), [[0.5, 10 / 11], [1 / 11, np.nan]])


def test_a_prior_finds_the_maximum_of_the_penalised_likelihood(board):
    def penalised(strengths):
        p = 1 / (1 + np.exp(strengths[1] - strengths[0]))
        variance = (150 / RATING_PER_STRENGTH) ** 2
        return -(9 * np.log(p) + np.log(1 - p)) + (strengths**2).sum() / (2 * variance)

    optimum = minimize(penalised, np.zeros(2), method="BFGS", options={"gtol": 1e-9}).x

    result = fit(board("9*A>B B>A"), prior=NormalPrior(150), gauge=Gauge.MEAN)

    np.testing.assert_allclose(result.strengths, optimum - optimum.mean(), atol=1e-6)
    assert result.converged
    assert not result.provisional.any()


def test_a_wide_prior_is_none(board):
    counts = board("9*A>B B>A 3*B>C 2*C>B")

    np.testing.assert_allclose(fit(counts, prior=NormalPrior(1e6)).ratings, fit(counts).ratings, atol=1e-3)


def test_a_prior_rates_provisionally_what_the_votes_leave_open(board):
    counts = board("15*A>B 15*A>C 6*B>C 4*C>B 2*D>E C>F", n_items=7)

    result = fit(counts, prior=NormalPrior())

    assert result.rated.tolist() == [True, True, True, False, False, True, False]
    assert result.provisional.tolist() == [True, False, False, False, False, True, False]
    assert result.ratings[0] > result.ratings[1] > result.ratings[2] > result.ratings[5]
    assert fit(counts).provisional.sum() == 0


def test_with_a_prior_two_votes_are_enough(board):
    result = fit(board("D>C", n_items=5), prior=NormalPrior(), gauge=Anchor(3))

    assert np.isfinite(result.ratings).tolist() == [False, False, True, True, False]
    assert result.ratings[3] == ANCHOR_RATING
    assert fit(board("", n_items=2), prior=NormalPrior()).converged


@pytest.mark.parametrize("standard_deviation", [0, -1, float("inf"), float("nan")])
def test_it_rejects_a_prior_that_is_none(board, standard_deviation):
    with pytest.raises(InvalidWeightError, match="standard deviation of a prior"):
        fit(board("A=B"), prior=NormalPrior(standard_deviation))


@pytest.mark.parametrize("half_wins", [[7], [-1], ["tie"]])
def test_half_a_win_is_an_outcome(board, half_wins):
    with pytest.raises(UnknownOutcomeError, match="is no outcome"):
        fit(board("A>B B>A 3*A~B"), half_wins=half_wins)


@pytest.mark.parametrize("rating", [float("nan"), float("inf")])
def test_an_anchor_has_a_finite_rating(board, rating):
    with pytest.raises(InvalidLevelError, match="must be finite"):
        fit(board("A=B"), gauge=Anchor(0, rating))


def test_a_gauge_is_known_by_its_name_or_not_at_all(board):
    counts = board("90*A>B 60*B>A 4*B>C 6*C>B")

    np.testing.assert_array_equal(fit(counts, gauge="vote_weighted_mean").ratings, fit(counts).ratings)
    with pytest.raises(ValueError, match="median"):
        fit(counts, gauge="median")
    with pytest.raises(ItemIndexError):
        fit(counts, gauge=Anchor(0.5))


def test_a_long_step_is_taken_whole_where_it_still_leads_uphill(board, monkeypatch):
    monkeypatch.setattr("stats.bradley_terry.MAX_LOG_ODDS_STEP", 1e-3)

    result = fit(board("30*A>B B>A"))  # from the middle, no step goes beyond the maximum of two items

    assert result.converged
    assert result.n_iterations < 10
    assert result.strengths[0] - result.strengths[1] == pytest.approx(np.log(30))


def test_a_step_that_leads_beyond_is_shortened(monkeypatch):
    cells = [(i, i + 1, k, n) for i in range(5) for k, n in ((0, 75), (1, 25))] + [(0, 5, 0, 100), (0, 5, 1, 30)]
    steps = []

    def recorded(points, bend, *, gradient, precision):
        steps.append(newton_step(points, bend, gradient=gradient, precision=precision))
        return steps[-1] * (8.0 if len(steps) == 1 else 1.0)  # far too far

    newton_step = bradley_terry._newton_step
    monkeypatch.setattr(bradley_terry, "_newton_step", recorded)
    monkeypatch.setattr(bradley_terry, "_start", lambda points: np.zeros(points.n_items))
    result = fit(PairCounts.from_cells(cells, n_items=6), max_iterations=1, gauge=Gauge.MEAN)

    longest = np.abs(result.strengths[:, np.newaxis] - result.strengths)[[0, 1, 2, 3, 4, 0], [1, 2, 3, 4, 5, 5]].max()
    assert longest == pytest.approx(bradley_terry.MAX_LOG_ODDS_STEP)


def test_the_fit_stops_where_another_step_would_not_be_seen(board):
    counts = board("130*A>B 70*B>A 9*A=C 4*C>B 3*B>C 2*C>A")

    result = fit(counts)

    more = fit(counts, max_iterations=result.n_iterations - 1)
    assert result.converged
    assert not more.converged
    assert result.gradient_norm < 1e-9
