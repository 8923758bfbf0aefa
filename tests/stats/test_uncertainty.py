import numpy as np
import pytest

from stats.bradley_terry import RATING_PER_STRENGTH, Anchor, Gauge, NormalPrior, fit
from stats.comparisons import Comparisons, Outcome, PairCounts
from stats.errors import InvalidLevelError, InvalidWeightError, ItemIndexError, LengthMismatchError
from stats.uncertainty import Uncertainty, sandwich, two_sided_quantile

POINTS = np.array([1.0, 0.0, 0.5, 0.5])
STRENGTHS = np.array([0.8, 0.4, 0.0, -0.3, -0.9])


def simulated(rng, *, n_per_pair, strengths=STRENGTHS, share_of_ties=0.3):
    """Votes with E[y] = p, of which up to `share_of_ties` end in a tie or both bad."""
    left, right = (np.repeat(side, n_per_pair) for side in np.triu_indices(len(strengths), 1))
    p = 1 / (1 + np.exp(strengths[right] - strengths[left]))
    tie = 2 * share_of_ties * np.minimum(p, 1 - p)
    draw = rng.random(len(p))
    decided = np.where(draw < tie + p - tie / 2, Outcome.LEFT, Outcome.RIGHT)
    outcome = np.where(draw < tie / 2, Outcome.TIE, np.where(draw < tie, Outcome.BOTH_BAD, decided))
    return Comparisons.from_arrays(left, right, outcome=outcome, n_items=len(strengths))


def row_by_row_covariance(comparisons, result):
    """The textbook sandwich of a logistic regression with one row per vote, item 0 being the base level."""
    counted = np.isin(comparisons.outcome, [Outcome.LEFT, Outcome.RIGHT, *result.half_wins])
    n_items = comparisons.n_items
    rows = np.flatnonzero(counted)
    design = np.zeros((len(rows), n_items))
    design[np.arange(len(rows)), comparisons.left[rows]] += 1
    design[np.arange(len(rows)), comparisons.right[rows]] -= 1
    design, weight, y = design[:, 1:], comparisons.weight[rows], POINTS[comparisons.outcome[rows]]
    p = 1 / (1 + np.exp(-design @ (result.strengths[1:] - result.strengths[0])))
    bread = np.linalg.inv(design.T @ (design * (weight * p * (1 - p))[:, np.newaxis]))
    scores = design * (weight * (y - p))[:, np.newaxis]
    covariance = np.zeros((n_items, n_items))
    covariance[1:, 1:] = bread @ scores.T @ scores @ bread
    gauge = np.eye(n_items) - np.outer(np.ones(n_items), result.gauge_weights)
    return gauge @ covariance @ gauge.T * (400 / np.log(10)) ** 2


@pytest.mark.parametrize("gauge", [Gauge.VOTE_WEIGHTED_MEAN, Gauge.MEAN, Anchor(3)])
@pytest.mark.parametrize("half_wins", [{Outcome.TIE, Outcome.BOTH_BAD}, {Outcome.TIE}, set()])
def test_it_is_the_sandwich_of_a_logistic_regression_on_single_votes(gauge, half_wins):
    rng = np.random.default_rng(3)
    plain = simulated(rng, n_per_pair=12)
    weight = rng.uniform(0.3, 4.0, len(plain.left))
    votes = Comparisons.from_arrays(plain.left, plain.right, outcome=plain.outcome, weight=weight, n_items=5)
    counts = PairCounts.from_comparisons(votes)
    result = fit(counts, gauge=gauge, half_wins=half_wins)

    covariance = sandwich(counts, result, prior_votes=0).covariance

    np.testing.assert_allclose(covariance, row_by_row_covariance(votes, result), rtol=1e-8, atol=1e-7)


def test_two_items_without_ties_have_the_variance_of_a_log_odds(board):
    counts = board("30*A>B 10*B>A")

    difference = sandwich(counts, fit(counts)).difference(0, 1)

    standard_error = RATING_PER_STRENGTH * np.sqrt(1 / 30 + 1 / 10)
    assert difference.estimate == pytest.approx(RATING_PER_STRENGTH * np.log(3))
    assert difference.standard_error == pytest.approx(standard_error)
    assert difference.lower == pytest.approx(difference.estimate - 1.959964 * standard_error)
    assert difference.upper == pytest.approx(difference.estimate + 1.959964 * standard_error)


def test_ties_say_more_about_a_difference_than_wins_that_cancel(board):
    tied, won = board("20*A=B A>B B>A"), board("11*A>B 11*B>A")

    errors = [sandwich(counts, fit(counts)).difference(0, 1).standard_error for counts in (tied, won)]

    assert errors[0] < errors[1] / 2


@pytest.mark.parametrize(("n_ties", "share"), [(1, 2 / 3), (8, 2 / 10), (98, 2 / 100)])
def test_ties_alone_leave_the_variance_that_a_prior_vote_gives(board, n_ties, share):
    counts = board(f"{n_ties}*A=B")

    difference = sandwich(counts, fit(counts)).difference(0, 1)

    assert difference.standard_error == pytest.approx(RATING_PER_STRENGTH * np.sqrt(share * 4 / n_ties))


def test_more_prior_votes_widen_the_intervals_of_items_with_ties(board):
    counts = board("5*A>B 3*B>A 4*A=B 6*B=C C>B")
    result = fit(counts)

    errors = [sandwich(counts, result, prior_votes=prior).difference(0, 2).standard_error for prior in (0, 1, 5)]

    assert errors == sorted(errors)
    assert errors[0] < errors[2]


def test_without_prior_votes_ties_alone_have_no_spread(board):
    counts = board("3*A=B 2*B=C A=C")
    uncertainty = sandwich(counts, fit(counts), prior_votes=0)

    assert uncertainty.difference(0, 1).standard_error == 0.0


def test_the_weights_of_an_item_count_as_its_effective_number_of_votes():
    weight = [4.0, 1.0, 1.0]
    votes = Comparisons.from_arrays([0, 0, 0], [1, 1, 1], outcome=[2, 2, 2], weight=weight, n_items=2)
    counts = PairCounts.from_comparisons(votes)

    difference = sandwich(counts, fit(counts)).difference(0, 1)

    n_effective = 6**2 / 18
    share = (2 / n_effective) / (1 + 2 / n_effective)
    variance = share * 18 / 4 / (6 / 4) ** 2
    assert difference.standard_error == pytest.approx(RATING_PER_STRENGTH * np.sqrt(variance))


def test_an_anchor_has_no_interval_and_a_newcomer_no_part_in_the_others(board):
    counts = board("300*A>B 200*B>A 2*B>C C>B")

    anchored = sandwich(counts, fit(counts, gauge=Anchor(0)))
    by_votes = sandwich(counts, fit(counts))
    centred = sandwich(counts, fit(counts, gauge=Gauge.MEAN))

    assert (anchored.standard_error[0], anchored.lower[0], anchored.upper[0]) == (0.0, 1000.0, 1000.0)
    assert anchored.standard_error[1] == pytest.approx(anchored.difference(0, 1).standard_error)
    assert by_votes.standard_error[0] < centred.standard_error[0] / 5


def test_intervals_are_symmetric_and_widen_with_the_level(board):
    counts = board("30*A>B 10*B>A 5*B>C 5*C>B")
    result = fit(counts)

    narrow, wide = (sandwich(counts, result, confidence_level=level) for level in (0.5, 0.99))

    np.testing.assert_allclose(wide.upper - wide.ratings, wide.ratings - wide.lower)
    np.testing.assert_allclose(wide.upper - wide.ratings, 2.575829 * wide.standard_error, rtol=1e-6)
    np.testing.assert_allclose(narrow.ratings - narrow.lower, 0.674490 * narrow.standard_error, rtol=1e-6)
    assert narrow.confidence_level == 0.5


def test_unrated_items_have_no_uncertainty_to_speak_of(board):
    counts = board("15*A>B 15*A>C 6*B>C 4*C>B", n_items=4)
    uncertainty = sandwich(counts, fit(counts))

    for numbers in (uncertainty.standard_error, uncertainty.lower, uncertainty.upper):
        assert np.isnan(numbers).tolist() == [True, False, False, True]
    assert np.isnan(uncertainty.covariance[0]).all()
    assert np.isnan(uncertainty.difference(0, 1)).all()
    assert np.isfinite(uncertainty.difference(1, 2)).all()


@pytest.mark.parametrize("votes", ["", "A>B"])
def test_a_board_without_ratings_has_no_uncertainty_either(board, votes):
    counts = board(votes, n_items=2)

    assert np.isnan(sandwich(counts, fit(counts)).covariance).all()


def test_an_item_does_not_differ_from_itself(board):
    counts = board("A>B B>A")

    assert sandwich(counts, fit(counts)).difference(1, 1) == (0.0, 0.0, 0.0, 0.0)


@pytest.mark.parametrize("pair", [(0, 2), (-1, 0)])
def test_it_rejects_a_difference_to_no_item(board, pair):
    counts = board("A>B B>A")

    with pytest.raises(ItemIndexError, match="is not the number of one of 2 items"):
        sandwich(counts, fit(counts)).difference(*pair)


@pytest.mark.parametrize("level", [0, 1, 95, -0.5, float("nan")])
def test_it_rejects_a_level_that_is_none(board, level):
    counts = board("A>B B>A")

    with pytest.raises(InvalidLevelError, match="between 0 and 1"):
        sandwich(counts, fit(counts), confidence_level=level)


@pytest.mark.parametrize("prior_votes", [-1, float("nan"), float("inf")])
def test_it_rejects_prior_votes_that_are_none(board, prior_votes):
    counts = board("A>B B>A")

    with pytest.raises(InvalidWeightError, match="prior votes"):
        sandwich(counts, fit(counts), prior_votes=prior_votes)


def test_it_rejects_the_counts_of_another_board(board):
    with pytest.raises(LengthMismatchError, match="not the same data"):
        sandwich(board("A=B B=C"), fit(board("A=B")))


def test_the_two_sided_quantile_is_the_familiar_one():
    assert two_sided_quantile(0.95) == pytest.approx(1.959964, abs=1e-6)


def test_it_agrees_with_a_bootstrap_of_the_votes():
    rng = np.random.default_rng(11)
    votes = simulated(rng, n_per_pair=60)
    counts = PairCounts.from_comparisons(votes)

    ratings = []
    for _ in range(250):
        drawn = rng.integers(0, len(votes.left), len(votes.left))
        resample = Comparisons.from_arrays(
            votes.left[drawn], votes.right[drawn], outcome=votes.outcome[drawn], n_items=5
        )
        ratings.append(fit(PairCounts.from_comparisons(resample), gauge=Gauge.MEAN).ratings)

    expected = sandwich(counts, fit(counts, gauge=Gauge.MEAN)).standard_error
    np.testing.assert_allclose(np.std(ratings, axis=0), expected, rtol=0.2)


@pytest.mark.parametrize("share_of_ties", [0.0, 0.6])
def test_its_intervals_hold_the_truth_as_often_as_they_say(share_of_ties):
    rng = np.random.default_rng(12)
    truth = (STRENGTHS[:, np.newaxis] - STRENGTHS) * RATING_PER_STRENGTH
    first, second = np.triu_indices(5, 1)
    held, errors, estimates = [], [], []

    for _ in range(200):
        counts = PairCounts.from_comparisons(simulated(rng, n_per_pair=25, share_of_ties=share_of_ties))
        uncertainty = sandwich(counts, fit(counts))
        estimate = uncertainty.ratings[first] - uncertainty.ratings[second]
        error = uncertainty.standard_errors_of_differences()[first, second]
        held.append(np.abs(estimate - truth[first, second]) <= 1.959964 * error)
        errors.append(error)
        estimates.append(estimate)

    assert 0.92 < np.mean(held) < 0.98
    np.testing.assert_allclose(np.mean(errors, axis=0), np.std(estimates, axis=0), rtol=0.2)


def test_a_prior_alone_leaves_its_own_spread(board):
    counts = board("A>B")
    wide = sandwich(counts, fit(counts, prior=NormalPrior(1.0)), prior_votes=0)

    assert wide.difference(0, 1).standard_error == pytest.approx(np.sqrt(2), rel=1e-3)


def test_a_prior_that_says_nothing_changes_no_variance(board):
    counts = board("5*A>B 3*B>A 4*B>C 3*C>B")

    with_prior = sandwich(counts, fit(counts, prior=NormalPrior(1e7)))

    np.testing.assert_allclose(with_prior.covariance, sandwich(counts, fit(counts)).covariance, rtol=1e-4, atol=1e-2)


def test_an_item_that_only_won_has_a_wide_provisional_interval(board):
    counts = board("10*A>B 60*B>C 40*C>B")
    result = fit(counts, prior=NormalPrior(400))
    uncertainty = sandwich(counts, result)

    assert result.provisional[0]
    assert uncertainty.difference(0, 1).standard_error > 3 * uncertainty.difference(1, 2).standard_error


def test_intervals_with_the_right_prior_hold_strengths_drawn_from_it():
    rng = np.random.default_rng(31)
    held = []
    for _ in range(300):
        truth = rng.normal(0, 300 / RATING_PER_STRENGTH, 4)
        counts = PairCounts.from_comparisons(simulated(rng, n_per_pair=3, strengths=truth, share_of_ties=0.0))
        difference = sandwich(counts, fit(counts, prior=NormalPrior(300))).difference(0, 1)
        held.append(difference.lower <= (truth[0] - truth[1]) * RATING_PER_STRENGTH <= difference.upper)

    assert 0.91 < np.mean(held) < 0.985


def test_ratings_and_covariance_belong_together():
    with pytest.raises(LengthMismatchError, match="do not belong together"):
        Uncertainty(ratings=np.zeros(3), covariance=np.zeros((2, 2)), confidence_level=0.95)
    with pytest.raises(InvalidLevelError):
        Uncertainty(ratings=np.zeros(2), covariance=np.zeros((2, 2)), confidence_level=1.5)
    with pytest.raises(InvalidLevelError):
        two_sided_quantile(1 - 1e-16)
