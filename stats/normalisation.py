"""Counts of two texts as a covariate of their comparison: relative differences, standardised.

The reference (FastChat's and arena-rank's style control) takes (left - right) / (left + right) of each count and
standardises it over the comparisons that are fitted; a coefficient then is the effect of one standard deviation.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from stats.comparisons import FloatArray
from stats.covariate_passes import LARGEST_COVARIATE
from stats.errors import CollinearCovariatesError, InvalidCovariateError, LengthMismatchError


class Standardised(NamedTuple):
    """`values` of shape (n_comparisons, k); they were divided by `scale` after `centre` was taken off, both (k,)."""

    values: FloatArray
    centre: FloatArray
    scale: FloatArray


def relative_difference(left: npt.ArrayLike, right: npt.ArrayLike, *, offset: float = 0.0) -> FloatArray:
    """(left - right) / (left + right + offset), between -1 and 1, and 0 where neither text has any of it.

    FastChat's code has offset=1; its description, and arena-rank, have none. Raises InvalidCovariateError for counts
    that are negative or not finite.
    """
    lefts, rights = _table(left), _table(right)
    if lefts.shape != rights.shape:
        raise LengthMismatchError(
            f"The features of both sides must have one shape, not {lefts.shape} and {rights.shape}."
        )
    if (lefts < 0).any() or (rights < 0).any() or not 0 <= offset <= LARGEST_COVARIATE:
        raise InvalidCovariateError("Counts of features, and what is added to them, must be finite and from 0 up.")
    total = lefts + rights + offset
    return np.asarray(np.divide(lefts - rights, total, out=np.zeros_like(total), where=total > 0))


def standardised(covariates: npt.ArrayLike, *, centred: bool = True) -> Standardised:
    """Each column over its population standard deviation; shape (n_comparisons, k) in and out.

    `centred` takes the mean off, as the reference does. That gives a covariate whose mean is not zero a part in the
    advantage of a side; without centring, swapping the sides of a comparison only turns its sign.
    Raises InvalidCovariateError, and CollinearCovariatesError for a column that is the same throughout.
    """
    columns = _table(covariates)
    if columns.ndim != 2:
        raise InvalidCovariateError("Covariates must be a table with one row per comparison.")
    scale = columns.std(axis=0) if len(columns) else np.ones(columns.shape[1])
    # Rounding leaves a constant column a spread of about 1e-16 of its size.
    constant = np.flatnonzero(scale <= 1e-12 * np.abs(columns).max(axis=0, initial=0.0))
    if constant.size:
        raise CollinearCovariatesError(f"Covariate {constant[0]} is the same in every comparison (0 is the first).")
    centre = columns.mean(axis=0) if centred and len(columns) else np.zeros(columns.shape[1])
    return Standardised((columns - centre) / scale, centre, scale)


def _table(values: npt.ArrayLike) -> FloatArray:
    array = np.asarray(values)
    if array.size and array.dtype.kind not in "fiub":
        raise InvalidCovariateError(f"Features must be real numbers, not {array.dtype}.")
    if not (np.abs(array) <= LARGEST_COVARIATE).all():
        raise InvalidCovariateError(f"Features must be finite numbers, of a size up to {LARGEST_COVARIATE}.")
    return array.astype(np.float64, copy=False)
