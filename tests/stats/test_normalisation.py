import numpy as np
import pytest

from stats.errors import CollinearCovariatesError, InvalidCovariateError, LengthMismatchError
from stats.normalisation import relative_difference, standardised


def test_a_relative_difference_lies_between_minus_one_and_one():
    np.testing.assert_allclose(relative_difference([3, 0, 5, 0], [1, 4, 5, 0]), [0.5, -1.0, 0.0, 0.0])
    np.testing.assert_allclose(relative_difference([3, 0], [1, 0], offset=1), [0.4, 0.0])


@pytest.mark.parametrize("counts", [[-1], [np.nan], [np.inf]])
def test_it_rejects_counts_that_are_none(counts):
    with pytest.raises(InvalidCovariateError):
        relative_difference(counts, [1])
    with pytest.raises(InvalidCovariateError):
        relative_difference([1], counts)


def test_it_rejects_a_negative_offset():
    with pytest.raises(InvalidCovariateError):
        relative_difference([1], [1], offset=-2)


def test_standardised_covariates_have_mean_zero_and_spread_one():
    columns = np.random.default_rng(1).normal(3, 2, (200, 2))

    result = standardised(columns)

    np.testing.assert_allclose(result.values.mean(axis=0), 0, atol=1e-12)
    np.testing.assert_allclose(result.values.std(axis=0), 1)
    np.testing.assert_allclose(result.values * result.scale + result.centre, columns)


def test_without_centring_only_the_sign_turns_with_the_sides():
    columns = np.array([[1.0], [4.0], [-2.0]])

    np.testing.assert_allclose(
        standardised(-columns, centred=False).values, -standardised(columns, centred=False).values
    )
    assert standardised(columns, centred=False).centre.tolist() == [0.0]


def test_no_comparisons_are_no_error():
    assert standardised(np.empty((0, 3))).values.shape == (0, 3)


def test_it_rejects_a_constant_column():
    with pytest.raises(CollinearCovariatesError, match="Covariate 1 is the same"):
        standardised([[1.0, 0.1], [2.0, 0.1], [3.0, 0.1]])


@pytest.mark.parametrize("table", [[1.0, 2.0], [[np.nan]]])
def test_it_rejects_what_is_no_table_of_numbers(table):
    with pytest.raises(InvalidCovariateError):
        standardised(table)


def test_it_rejects_features_that_cannot_be_computed_with():
    with pytest.raises(LengthMismatchError, match="one shape"):
        relative_difference([1, 2], [1, 2, 3])
    for wrong in ([["a"]], [[1e200]], [[np.nan]]):
        with pytest.raises(InvalidCovariateError):
            standardised(wrong)
        with pytest.raises(InvalidCovariateError):
            relative_difference(wrong, wrong)
