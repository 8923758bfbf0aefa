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


def solve_grounded(matrix: FloatArray, right_side: FloatArray, *, n_items: int | None = None) -> FloatArray:
    """Solve a connected Laplacian with the item of the largest diagonal entry held at zero.

    A Laplacian says nothing about a constant added to every item, so one item has to be held somewhere. Deleting its
    row and column is exact, where adding a small number to the diagonal would bias every variance. `right_side` has
    shape (n_rows,) or (n_rows, k) and columns that sum to zero over the items; the result has the same shape. Rows
    from `n_items` on belong to other parameters (a tie parameter, coefficients), which are never held.
    Raises IllConditionedError.
    """
    others = np.arange(len(matrix)) != np.argmax(np.diagonal(matrix)[:n_items])
    solution = np.zeros(right_side.shape)
    solution[others] = solve_positive(matrix[np.ix_(others, others)], right_side[others])
    return solution


def solve_positive(matrix: FloatArray, right_side: FloatArray) -> FloatArray:
    """Solve a symmetric positive definite system. Raises IllConditionedError."""
    try:
        factor = cho_factor(matrix, lower=True, check_finite=False)
    except LinAlgError as error:
        raise IllConditionedError(
            "The weights of the comparisons differ by so many powers of ten that the ratings cannot be computed."
        ) from error
    return np.asarray(cho_solve(factor, right_side, check_finite=False))


def in_gauge(covariance: FloatArray, gauge_weights: FloatArray) -> FloatArray:
    """The covariance once the average of the items under `gauge_weights` is held at zero, exactly symmetric.

    Rows from len(gauge_weights) on belong to other parameters, which no gauge moves.
    """
    n_items = len(gauge_weights)
    centred = covariance.copy()
    centred[:n_items] -= gauge_weights @ covariance[:n_items]
    centred[:, :n_items] -= (centred[:, :n_items] @ gauge_weights)[:, np.newaxis]
    return (centred + centred.T) / 2
