"""Counting by tables: what many comparisons of few items are reduced to in one reading, and in little memory."""

from collections.abc import Callable, Iterable
from typing import Final

import numpy as np
import numpy.typing as npt

from stats.workers import ROWS_PER_CHUNK, chunks

N_OUTCOMES: Final = 4
SMALL_TABLE: Final = 2**18  # entries that are worth having for few comparisons

IntArray = npt.NDArray[np.int64]
AnyIntArray = npt.NDArray[np.integer]
CountArray = npt.NDArray[np.unsignedinteger]
Triple = tuple[AnyIntArray, AnyIntArray, AnyIntArray]  # left, right and outcome, of one length


def worth_a_table(n_items: int, n_comparisons: int) -> bool:
    """Whether there are comparisons enough for a table of all the cells that they may fall into."""
    return N_OUTCOMES * n_items**2 <= max(n_comparisons, SMALL_TABLE)


def table(triple_at: Callable[[slice], Triple], n_rows: int, n_items: int) -> CountArray:
    """How often each outcome, left and right item come together in so many rows; shape (4, n_items, n_items).

    `triple_at` is asked for one chunk of rows after the other. By one thread: `add.at` keeps the interpreter to itself,
    so that two threads took longer than one.
    """
    numbers = np.uint32 if n_rows <= np.iinfo(np.uint32).max else np.uint64  # half the memory is half the time
    counted = _counted((triple_at(chunk) for chunk in chunks(range(n_rows))), n_items, np.dtype(numbers))
    return counted.reshape(N_OUTCOMES, n_items, n_items)


def _counted(several: Iterable[Triple], n_items: int, numbers: np.dtype[np.unsignedinteger]) -> CountArray:
    """Shape (4 * n_items ** 2,), of this type."""
    n_cells = N_OUTCOMES * n_items**2
    narrow = np.uint32 if n_cells <= np.iinfo(np.uint32).max else np.uint64
    # Memory that is used again and again: to get new pages from the system takes longer than to count.
    counted, one = np.zeros(n_cells, dtype=numbers), numbers.type(1)
    cells, scratch = np.empty(ROWS_PER_CHUNK, dtype=np.int64), np.empty((2, ROWS_PER_CHUNK), dtype=narrow)
    for left, right, outcome in several:
        its_cells, its_number, its_digit = cells[: left.size], scratch[0, : left.size], scratch[1, : left.size]
        if left.dtype == right.dtype == outcome.dtype == np.int64:
            np.multiply(outcome, n_items, out=its_cells)
            its_cells += left
            its_cells *= n_items
            its_cells += right
        else:
            np.copyto(its_number, outcome, casting="unsafe")
            for item in (left, right):
                np.copyto(its_digit, item, casting="unsafe")
                its_number *= n_items
                its_number += its_digit
            its_cells[:] = its_number
        np.add.at(counted, its_cells, one)
    return counted


def distinct(keys: IntArray, *, end: int) -> tuple[IntArray, IntArray]:
    """The distinct keys, all from range(end), in ascending order; and for each key which of them it is."""
    if end > max(keys.size, SMALL_TABLE):
        return np.unique(keys, return_inverse=True)
    seen = np.zeros(end, dtype=np.bool_)
    seen[keys] = True
    return np.flatnonzero(seen), (np.cumsum(seen) - 1)[keys]


def outside(numbers: AnyIntArray, end: int) -> int | None:
    """One of the numbers that does not lie in range(end), if any."""
    unsigned = numbers.view(f"u{numbers.itemsize}")  # where a negative number is a large one
    if not numbers.size or int(unsigned.max()) < min(end, np.iinfo(numbers.dtype).max + 1):
        return None
    return next(number for number in (int(numbers.min()), int(numbers.max())) if not 0 <= number < end)
