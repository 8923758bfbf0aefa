import numpy as np
import pytest

from stats.bradley_terry import RATING_PER_STRENGTH, Anchor, fit
from stats.comparisons import Comparisons, PairCounts
from stats.covariate_uncertainty import clustered_sandwich
from stats.errors import InvalidLevelError, InvalidWeightError, LengthMismatchError
from stats.tie_uncertainty import clustered_tie_sandwich, tie_sandwich
from stats.ties import TieModel, fit_with_ties
from tests.stats.test_ties import both_models


def test_no_interval_of_theta_reaches_below_one(board):
    counts = board("400*A>B 300*B>A A=B")

    parameter = tie_sandwich(counts, fit_with_ties(counts, tie_model=TieModel.RAO_KUPPER)).tie_parameter

    assert parameter.lower == 1.0
    assert parameter.upper > parameter.estimate > 1.0
    assert parameter.standard_error_of_logarithm * 1.96 > np.log(parameter.estimate)


@both_models
def test_a_tie_model_is_known_by_its_name_or_not_at_all(board, tie_model):
    counts = board("5*A>B 3*B>A 4*A=B")

    assert fit_with_ties(counts, tie_model=tie_model.value).tie_model is tie_model
    with pytest.raises(ValueError, match="half"):
        fit_with_ties(counts, tie_model="half")
    with pytest.raises(InvalidWeightError):
        tie_sandwich(counts, fit_with_ties(counts, tie_model=tie_model), prior_votes=-1)


@both_models
@pytest.mark.parametrize("prior_votes", [0, 1, 5])
def test_a_common_factor_of_all_weights_changes_no_error(board, tie_model, prior_votes):
    counts = board("5*A>B 3*B>A 4*A=B 2*B>C 3*C>B B=C A=C")
    scaled = counts.with_pair_weights([40.0, 40.0, 40.0])

    first, second = (
        tie_sandwich(each, fit_with_ties(each, tie_model=tie_model), prior_votes=prior_votes)
        for each in (counts, scaled)
    )

    np.testing.assert_allclose(second.ratings.covariance, first.ratings.covariance, rtol=1e-5, atol=1e-3)
    assert second.tie_parameter == pytest.approx(first.tie_parameter, rel=1e-5)


def votes_with_ties(n=400, n_items=4, outcomes=(0, 1, 2, 3)):
    rng = np.random.default_rng(21)
    left = rng.integers(0, n_items, n)
    right = (left + rng.integers(1, n_items, n)) % n_items
    weight = rng.uniform(0.3, 2.0, n) * (rng.random(n) > 0.05)
    return Comparisons.from_arrays(left, right, outcome=rng.choice(outcomes, n), n_items=n_items, weight=weight)


def log_probability(tie_model, strengths, log_tie, vote):
    """Of one vote (left, right, outcome), written as the papers write it."""
    left, right, outcome = vote
    if tie_model is TieModel.RAO_KUPPER:
        theta, ours, theirs = np.exp(log_tie), np.exp(strengths[left]), np.exp(strengths[right])
        won, lost = ours / (ours + theta * theirs), theirs / (theirs + theta * ours)
        return np.log([won, lost, 1 - won - lost][outcome])
    d = strengths[left] - strengths[right]
    odds = np.exp([d / 2, -d / 2, log_tie])
    return np.log(odds[outcome] / odds.sum())


def numeric_derivatives(tie_model, parameters, vote):
    def at(step):
        moved = parameters + step
        return log_probability(tie_model, moved[:-1], moved[-1], vote)

    steps = 1e-5 * np.eye(len(parameters))
    return np.array([(at(step) - at(-step)) / 2e-5 for step in steps])


@both_models
def test_clustered_by_voter_it_is_the_sandwich_of_summed_scores(tie_model):
    votes = votes_with_ties()
    clusters = np.random.default_rng(22).integers(-5, 30, 400)
    tied = [2]
    fitted = fit_with_ties(PairCounts.from_comparisons(votes), tie_model=tie_model, tied=tied, gauge=Anchor(0))
    parameters = np.append(fitted.strengths, fitted.log_tie_parameter)
    sums = {}
    bread = np.zeros((5, 5))
    for i in np.flatnonzero((votes.outcome != 3) & (votes.weight > 0)):
        vote = int(votes.left[i]), int(votes.right[i]), int(votes.outcome[i])
        score = votes.weight[i] * numeric_derivatives(tie_model, parameters, vote)
        sums[clusters[i]] = sums.get(clusters[i], 0.0) + score
        steps = 1e-4 * np.eye(5)
        differences = [
            numeric_derivatives(tie_model, parameters + s, vote) - numeric_derivatives(tie_model, parameters - s, vote)
            for s in steps
        ]
        bread -= votes.weight[i] * np.array(differences) / 2e-4
    meat = sum(np.outer(each, each) for each in sums.values()) * len(sums) / (len(sums) - 1)
    inverse = np.linalg.inv(bread[1:, 1:])
    expected = inverse @ meat[1:, 1:] @ inverse

    computed = clustered_tie_sandwich(votes, fitted, clusters=clusters, prior_votes=0)

    points = expected[:-1, :-1] * RATING_PER_STRENGTH**2
    np.testing.assert_allclose(computed.ratings.covariance[1:, 1:], points, rtol=1e-3, atol=0.05)
    assert computed.tie_parameter.standard_error_of_logarithm == pytest.approx(np.sqrt(expected[-1, -1]), rel=1e-3)


@both_models
@pytest.mark.parametrize("prior_votes", [0, 1])
def test_clusters_of_one_vote_are_the_plain_sandwich(tie_model, prior_votes):
    votes = votes_with_ties()
    counts = PairCounts.from_comparisons(votes)
    fitted = fit_with_ties(counts, tie_model=tie_model)
    n = int((votes.weight > 0).sum())

    alone = clustered_tie_sandwich(votes, fitted, clusters=np.arange(400), prior_votes=prior_votes)

    plain = tie_sandwich(counts, fitted, prior_votes=prior_votes)
    expected = plain.ratings.covariance * n / (n - 1)
    rtol, atol = (1e-6, 1e-6) if not prior_votes else (0.05, 10.0)
    np.testing.assert_allclose(alone.ratings.covariance, expected, rtol=rtol, atol=atol)
    assert alone.tie_parameter.estimate == plain.tie_parameter.estimate
    if prior_votes:
        bare = clustered_tie_sandwich(votes, fitted, clusters=np.arange(400), prior_votes=0)
        assert (alone.ratings.standard_error > bare.ratings.standard_error).all()


@both_models
def test_without_ties_clusters_are_those_of_bradley_and_terry(tie_model):
    votes = votes_with_ties(outcomes=(0, 1))
    counts = PairCounts.from_comparisons(votes)
    clusters = np.arange(400) // 8

    computed = clustered_tie_sandwich(votes, fit_with_ties(counts, tie_model=tie_model), clusters=clusters)

    expected = clustered_sandwich(votes, fit(counts), clusters=clusters)
    np.testing.assert_allclose(computed.ratings.covariance, expected.covariance, rtol=1e-6, atol=1e-6)
    assert np.isnan(computed.tie_parameter.standard_error_of_logarithm)


@both_models
def test_only_clusters_of_rated_items_count(tie_model):
    votes = votes_with_ties(n_items=4)
    wider = Comparisons.from_arrays(
        [*votes.left, 4, 4],
        [*votes.right, 0, 1],
        outcome=[*votes.outcome, 0, 0],
        weight=[*votes.weight, 1, 1],
        n_items=6,
    )
    clusters = np.arange(400) // 8
    of_four, of_six = (
        clustered_tie_sandwich(
            each, fit_with_ties(PairCounts.from_comparisons(each), tie_model=tie_model), clusters=labels
        )
        for each, labels in ((votes, clusters), (wider, [*clusters, 98, 99]))
    )

    np.testing.assert_allclose(of_six.ratings.covariance[:4, :4], of_four.ratings.covariance, rtol=1e-6, atol=1e-6)
    assert np.isnan(of_six.ratings.covariance[4:]).all()
    assert of_six.tie_parameter == pytest.approx(of_four.tie_parameter)


@both_models
def test_clustered_it_says_what_is_wrong(board, tie_model):
    votes = votes_with_ties()
    fitted = fit_with_ties(PairCounts.from_comparisons(votes), tie_model=tie_model)

    with pytest.raises(InvalidLevelError, match="1 of them"):
        clustered_tie_sandwich(votes, fitted, clusters=np.zeros(400, dtype=int))
    with pytest.raises(LengthMismatchError, match="whole number of its cluster"):
        clustered_tie_sandwich(votes, fitted, clusters=np.zeros(3, dtype=int))
    with pytest.raises(LengthMismatchError, match="not the same data"):
        clustered_tie_sandwich(votes_with_ties(n_items=5), fitted, clusters=np.arange(400))
    with pytest.raises(InvalidWeightError):
        clustered_tie_sandwich(votes, fitted, clusters=np.arange(400), prior_votes=-1)


@both_models
def test_clusters_of_an_unrated_board_have_no_intervals(tie_model):
    votes = Comparisons.from_arrays([0, 0], [1, 1], outcome=[0, 0], n_items=2)

    computed = clustered_tie_sandwich(
        votes, fit_with_ties(PairCounts.from_comparisons(votes), tie_model=tie_model), clusters=[0, 1]
    )

    assert np.isnan(computed.ratings.covariance).all()
    assert np.isnan(computed.tie_parameter.lower)
