"""Counting by tables: what many comparisons of few items are reduced to in one reading, and in little memory."""

from collections.abc import Iterable, Iterator
from typing import Final

import numpy as np
import numpy.typing as npt

N_OUTCOMES: Final = 4
ROWS_PER_CHUNK: Final = 2**16  # a chunk stays in the processor's cache
SMALL_TABLE: Final = 2**18  # entries that are worth having for few comparisons

IntArray = npt.NDArray[np.int64]
Triple = tuple[IntArray, IntArray, IntArray]  # left, right and outcome, of one length


def worth_a_table(n_items: int, n_comparisons: int) -> bool:
    """Whether there are comparisons enough for a table of all the cells that they may fall into."""
    return N_OUTCOMES * n_items**2 <= max(n_comparisons, SMALL_TABLE)


def chunks(n_rows: int) -> Iterator[slice]:
    """range(n_rows) in slices of ROWS_PER_CHUNK."""
    return (slice(start, start + ROWS_PER_CHUNK) for start in range(0, n_rows, ROWS_PER_CHUNK))


def table(several: Iterable[Triple], n_items: int) -> IntArray:
    """How often each outcome, left and right item come together in these `chunks`; shape (4, n_items, n_items)."""
    counted = np.zeros(N_OUTCOMES * n_items**2, dtype=np.int64)
    cells = np.empty(ROWS_PER_CHUNK, dtype=np.int64)  # used again, as new memory is what takes longest
    for left, right, outcome in several:
        its = cells[: left.size]
        np.multiply(outcome, n_items, out=its)
        its += left
        its *= n_items
        its += right
        np.add.at(counted, its, 1)
    return counted.reshape(N_OUTCOMES, n_items, n_items)


def distinct(keys: IntArray, *, end: int) -> tuple[IntArray, IntArray]:
    """The distinct keys, all from range(end), in ascending order; and for each key which of them it is."""
    if end > max(keys.size, SMALL_TABLE):
        return np.unique(keys, return_inverse=True)
    seen = np.zeros(end, dtype=np.bool_)
    seen[keys] = True
    return np.flatnonzero(seen), (np.cumsum(seen) - 1)[keys]


def outside(numbers: IntArray, end: int) -> int | None:
    """One of the numbers that does not lie in range(end), if any."""
    if not numbers.size or int(numbers.view(np.uint64).max()) < end:  # there a negative number is a very large one
        return None
    return next(number for number in (int(numbers.min()), int(numbers.max())) if not 0 <= number < end)
