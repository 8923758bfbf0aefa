import numpy as np
import pytest

from stats.comparisons import InvalidWeightError
from stats.tie_uncertainty import tie_sandwich
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
