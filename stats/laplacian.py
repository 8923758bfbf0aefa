"""Graph Laplacians: the shape that the second derivatives and the variances of paired comparisons share."""

import numpy as np
from scipy.linalg import LinAlgError, cho_factor, cho_solve

from stats.comparisons import FloatArray, IllConditionedError, IntArray


def laplacian(left: IntArray, right: IntArray, *, weight: FloatArray, n_items: int) -> FloatArray:
    """Sum of weight * (e_left - e_right)(e_left - e_right)' over distinct pairs; shape (n_items, n_items)."""
    entries = np.zeros(n_items * n_items)
    entries[left * n_items + right] = -weight
    matrix = entries.reshape(n_items, n_items)
    matrix += matrix.T
    np.fill_diagonal(matrix, -matrix.sum(axis=1))
    return matrix


def solve_grounded(matrix: FloatArray, right_side: FloatArray, *, n_items: int | None = None) -> FloatArray:
    """Solve a connected Laplacian with the item of the largest diagonal entry held at zero.

    A Laplacian says nothing about a constant added to every item, so one item has to be held somewhere. Leaving out its
    row and column is exact, where adding a small number to the diagonal would bias every variance. `right_side` has
    shape (n_rows,) or (n_rows, k) and columns that sum to zero over the items; the result has the same shape. Rows
    from `n_items` on belong to other parameters (a tie parameter, coefficients), which are never held.
    Raises IllConditionedError.
    """
    return Grounded(matrix, n_items=n_items).solve(right_side)


class Grounded:
    """A connected Laplacian made ready for any number of right sides, as in `solve_grounded`."""

    def __init__(self, matrix: FloatArray, *, n_items: int | None = None) -> None:
        self._held = int(np.argmax(np.diagonal(matrix)[:n_items]))
        rest = matrix.copy()
        rest[self._held] = rest[:, self._held] = 0.0
        rest[self._held, self._held] = 1.0
        self._factor = _factor(rest)

    def solve(self, right_side: FloatArray) -> FloatArray:
        known = right_side.copy()
        known[self._held] = 0.0
        return _solved(self._factor, known)


def solve_positive(matrix: FloatArray, right_side: FloatArray) -> FloatArray:
    """Solve a symmetric positive definite system. Raises IllConditionedError."""
    return _solved(_factor(matrix.copy()), right_side.copy())


def inverse_squeezed(bread: FloatArray, meat: FloatArray, *, n_items: int | None = None) -> FloatArray:
    """H^- B H^- for symmetric H and B, shape (n_rows, n_rows); H is grounded as in `solve_grounded`."""
    grounded = Grounded(bread, n_items=n_items)
    return grounded.solve(grounded.solve(meat).T)


_Factor = tuple[FloatArray, bool]


def _factor(matrix: FloatArray) -> _Factor:
    """Of a symmetric matrix, which is overwritten: seen as its transpose, it is in the order that LAPACK reads."""
    try:
        factor, lower = cho_factor(matrix.T, lower=True, overwrite_a=True, check_finite=False)
    except LinAlgError as error:
        raise IllConditionedError(
            "The weights of the comparisons differ by so many powers of ten that the ratings cannot be computed."
        ) from error
    return factor, lower


def _solved(factor: _Factor, right_side: FloatArray) -> FloatArray:
    """The right side is overwritten."""
    return np.asarray(cho_solve(factor, right_side, overwrite_b=True, check_finite=False))


def in_gauge(covariance: FloatArray, gauge_weights: FloatArray) -> FloatArray:
    """The covariance once the average of the items under `gauge_weights` is held at zero, exactly symmetric.

    Rows from len(gauge_weights) on belong to other parameters, which no gauge moves.
    """
    n_items = len(gauge_weights)
    centred = covariance.copy()
    centred[:n_items] -= gauge_weights @ covariance[:n_items]
    centred[:, :n_items] -= (centred[:, :n_items] @ gauge_weights)[:, np.newaxis]
    return (centred + centred.T) / 2
