"""Graph Laplacians: the shape that the second derivatives and the variances of paired comparisons share."""

import numpy as np
from scipy.linalg.blas import dsymm
from scipy.linalg.lapack import dpotrf, dpotri, dpotrs

from stats.comparisons import FloatArray, IntArray
from stats.errors import IllConditionedError


def laplacian(left: IntArray, right: IntArray, *, weight: FloatArray, n_items: int) -> FloatArray:
    """Sum of weight * (e_left - e_right)(e_left - e_right)' over distinct pairs; shape (n_items, n_items)."""
    entries = np.zeros(n_items * n_items)
    entries[left * n_items + right] = entries[right * n_items + left] = -weight
    matrix = entries.reshape(n_items, n_items)
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
    return Grounded(matrix.copy(), n_items=n_items).solve(right_side)


class Grounded:
    """A connected Laplacian, which is overwritten, made ready for any number of right sides, as in `solve_grounded`."""

    def __init__(self, matrix: FloatArray, *, n_items: int | None = None) -> None:
        self._held = int(np.argmax(np.diagonal(matrix)[:n_items]))
        matrix[self._held] = matrix[:, self._held] = 0.0
        matrix[self._held, self._held] = 1.0
        self._factor = _factor(matrix)

    def solve(self, right_side: FloatArray) -> FloatArray:
        """Shape (n_rows,) or (n_rows, k), as the right side, which is left as it is."""
        grounded = np.array(right_side, order="F")
        grounded[self._held] = 0.0
        return _solved(self._factor, grounded)

    def squeezed(self, meat: FloatArray) -> FloatArray:
        """H^- B H^- for a symmetric B, shape (n_rows, n_rows): two products with the inverse are half the time of
        solving twice for as many right sides. The factor is overwritten, so nothing can be solved afterwards."""
        inverse, _ = dpotri(self._factor, lower=True, overwrite_c=True)  # the lower half of it
        inverse[self._held, self._held] = 0.0
        once = dsymm(1.0, inverse, meat.T, lower=True)  # of a symmetric matrix the transpose is in Fortran's order
        return np.asarray(dsymm(1.0, inverse, once, lower=True, side=1))


def solve_positive(matrix: FloatArray, right_side: FloatArray) -> FloatArray:
    """Solve a symmetric positive definite system. Raises IllConditionedError."""
    return _solved(_factor(matrix.copy()), np.array(right_side, order="F"))


def inverse_squeezed(bread: FloatArray, meat: FloatArray, *, n_items: int | None = None) -> FloatArray:
    """H^- B H^- for symmetric H, which is overwritten, and B, shapes (n_rows, n_rows); H as in `solve_grounded`."""
    return Grounded(bread, n_items=n_items).squeezed(meat)


def _factor(matrix: FloatArray) -> FloatArray:
    """Cholesky's, of a symmetric matrix, which is overwritten: its transpose is in the order that LAPACK reads."""
    factor, failed = dpotrf(matrix.T, lower=True, overwrite_a=True, clean=False)
    if failed:
        raise IllConditionedError(
            "The weights of the comparisons differ by so many powers of ten that the ratings cannot be computed."
        )
    return np.asarray(factor)


def _solved(factor: FloatArray, right_side: FloatArray) -> FloatArray:
    """The right side, in Fortran's order, is overwritten."""
    solution, _ = dpotrs(factor, right_side, lower=True, overwrite_b=True)
    return np.asarray(solution)


def in_gauge(covariance: FloatArray, gauge_weights: FloatArray) -> FloatArray:
    """The covariance once the average of the items under `gauge_weights` is held at zero, exactly symmetric.

    Rows from len(gauge_weights) on belong to other parameters, which no gauge moves.
    """
    n_items = len(gauge_weights)
    centred = covariance.copy()
    centred[:n_items] -= gauge_weights @ covariance[:n_items]
    centred[:, :n_items] -= (centred[:, :n_items] @ gauge_weights)[:, np.newaxis]
    symmetric = centred + centred.T
    symmetric /= 2
    return symmetric
