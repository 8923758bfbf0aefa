"""Graph Laplacians: the shape that the second derivatives and the variances of paired comparisons share."""

import numpy as np
from scipy.linalg import LinAlgError, cho_factor, cho_solve

from stats.comparisons import FloatArray, IllConditionedError, IntArray


def laplacian(left: IntArray, right: IntArray, *, weight: FloatArray, n_items: int) -> FloatArray:
    """Sum of weight * (e_left - e_right)(e_left - e_right)' over distinct pairs; shape (n_items, n_items)."""
    matrix = np.zeros((n_items, n_items))
    matrix[left, right] = -weight
    matrix[right, left] = -weight
    np.fill_diagonal(matrix, -matrix.sum(axis=1))
    return matrix


def solve_grounded(matrix: FloatArray, right_side: FloatArray) -> FloatArray:
    """Solve a connected Laplacian with the item of the largest diagonal entry held at zero.

    A Laplacian says nothing about a constant added to every item, so one item has to be held somewhere. Deleting its
    row and column is exact, where adding a small number to the diagonal would bias every variance. `right_side` has
    shape (n_items,) or (n_items, k) and columns that sum to zero; the result has the same shape.
    Raises IllConditionedError.
    """
    others = np.arange(len(matrix)) != np.argmax(np.diagonal(matrix))
    try:
        factor = cho_factor(matrix[np.ix_(others, others)], lower=True, check_finite=False)
    except LinAlgError as error:
        raise IllConditionedError(
            "The weights of the comparisons differ by so many powers of ten that the ratings cannot be computed."
        ) from error
    solution = np.zeros(right_side.shape)
    solution[others] = cho_solve(factor, right_side[others], check_finite=False)
    return solution
