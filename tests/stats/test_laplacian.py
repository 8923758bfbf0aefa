import numpy as np
import pytest

from stats.errors import IllConditionedError
from stats.laplacian import laplacian, solve_grounded


def test_it_is_the_sum_of_outer_products():
    left, right, weight = np.array([0, 0, 1]), np.array([1, 2, 2]), np.array([2.0, 3.0, 5.0])
    expected = np.zeros((3, 3))
    for i, j, value in zip(left, right, weight, strict=True):
        z = np.eye(3)[i] - np.eye(3)[j]
        expected += value * np.outer(z, z)

    np.testing.assert_array_equal(laplacian(left, right, weight=weight, n_items=3), expected)


def test_it_solves_up_to_a_constant_with_the_heaviest_item_at_zero():
    matrix = laplacian(np.array([0, 0, 1]), np.array([1, 2, 2]), weight=np.array([2.0, 3.0, 5.0]), n_items=3)
    right_side = np.array([1.0, 2.0, -3.0])

    solution = solve_grounded(matrix, right_side)

    np.testing.assert_allclose(matrix @ solution, right_side, atol=1e-14)
    assert solution[2] == 0.0


def test_it_solves_for_several_right_sides_at_once():
    matrix = laplacian(np.array([0, 0]), np.array([1, 2]), weight=np.array([2.0, 3.0]), n_items=3)
    right_sides = np.array([[1.0, 0.0], [-1.0, 2.0], [0.0, -2.0]])

    np.testing.assert_allclose(matrix @ solve_grounded(matrix, right_sides), right_sides, atol=1e-14)


def test_it_says_so_when_the_weights_are_too_far_apart():
    chain = laplacian(np.array([0, 1, 2]), np.array([1, 2, 3]), weight=np.array([1e20, 1.0, 1e20]), n_items=4)

    with pytest.raises(IllConditionedError, match="powers of ten"):
        solve_grounded(chain, np.array([1.0, -1.0, 0.0, 0.0]))
