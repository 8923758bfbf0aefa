"""What must hold of numbers from outside before they are computed with; each check says which number it refuses."""

from typing import Final

import numpy as np
import numpy.typing as npt

from stats.errors import InvalidWeightError, ItemIndexError, StatsError, TooManyItemsError
from stats.pair_tables import AnyIntArray, IntArray, outside

FloatArray = npt.NDArray[np.float64]

LARGEST_WEIGHT: Final = 1e100  # its square is a number too; 1 / LARGEST_WEIGHT is the smallest above 0
MOST_ITEMS: Final = 2**24
MOST_RATED: Final = 10_000  # a table of so many items and items takes 0.8 GB, and a fit needs a few


def check_item(item: int, n_items: int) -> None:
    """Raise ItemIndexError unless `item` is the number of one of `n_items` items."""
    if not isinstance(item, int | np.integer) or not 0 <= item < n_items:
        raise ItemIndexError(f"{item} is not the number of one of {n_items} items (0 is the first).")


def check_square(n_items: int) -> None:
    """Raise TooManyItemsError for more items than a fit, or a covariance, can hold tables of all pairs of."""
    if n_items > MOST_RATED:
        raise TooManyItemsError(
            f"{n_items} models are more than can be rated together ({MOST_RATED}): leave out those with few votes."
        )


def as_numbers(values: npt.ArrayLike) -> FloatArray:
    """Weights or counts of any shape as floats. Raises InvalidWeightError."""
    try:
        return np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InvalidWeightError(f"Weights and counts must be numbers: {error}.") from error


def check_weights(weight: FloatArray) -> None:
    """Raise InvalidWeightError unless all are 0, or above it and such that their squares are numbers; any shape."""
    valid = (weight == 0) | ((weight >= 1 / LARGEST_WEIGHT) & (weight <= LARGEST_WEIGHT))
    if not valid.all():
        raise InvalidWeightError(
            f"A weight or count is 0 or between {1 / LARGEST_WEIGHT} and {LARGEST_WEIGHT}, not {weight[~valid][0]}."
        )


def check_sums(totals: FloatArray, squares: FloatArray) -> None:
    """Raise InvalidWeightError unless these may be sums of weights and of squared weights, of one shape."""
    finite = np.isfinite(totals) & np.isfinite(squares)
    valid = finite & (totals >= 0) & (squares >= 0) & ((totals > 0) == (squares > 0))
    if not valid.all():
        raise InvalidWeightError(
            "Sums of weights and of squared weights must be finite and from 0 up, and either both 0 or neither, "
            f"not {totals[~valid][0]} and {squares[~valid][0]}."
        )


def check_numbering(n_items: int, *sides: AnyIntArray) -> None:
    """Raise ItemIndexError unless there can be so many items, and every entry is the number of one of them."""
    if not isinstance(n_items, int | np.integer) or not 0 <= n_items <= MOST_ITEMS:
        raise ItemIndexError(f"The number of items cannot be {n_items}.")
    for items in sides:
        if (stranger := outside(items, n_items)) is not None:
            check_item(stranger, n_items)


def as_int64(values: npt.ArrayLike, name: str, *, error: type[StatsError] = ItemIndexError) -> IntArray:
    """As `as_whole_numbers`, in numpy's own width."""
    return as_whole_numbers(values, name, error=error).astype(np.int64, copy=False)


def as_whole_numbers(values: npt.ArrayLike, name: str, *, error: type[StatsError] = ItemIndexError) -> AnyIntArray:
    """Integers of any width, as they are; `name` is what the error, of the kind that is asked for, calls them."""
    array = np.asarray(values)
    if array.size and array.dtype.kind not in "iu":  # an empty list arrives as floats
        raise error(f"{name} must hold whole numbers, not {array.dtype}.")
    return array if array.size else array.astype(np.int64)
