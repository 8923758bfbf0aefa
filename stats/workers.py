"""Long arrays read by two threads at once: numpy's own loops let go of the interpreter, so each gets a processor.

The rows are cut the same way on every machine, and what the parts come to is put together in their order: how many
processors there are changes the time that it takes, and never a bit of the result.
"""

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Final, TypeVar

ROWS_PER_CHUNK: Final = 2**15  # a chunk, and the tables of 200 items, stay in the processor's cache
ROWS_WORTH_A_THREAD: Final = 2**18  # a part of so many takes ten times as long as a thread takes to start
MOST_PARTS: Final = 2  # and so the most threads: other work has a right to the rest of the machine

Found = TypeVar("Found")


def parts(n_rows: int, *, least: int = ROWS_WORTH_A_THREAD) -> list[range]:
    """range(n_rows) in as many consecutive parts as there are of `least` rows, up to MOST_PARTS; or one that is less.

    Whoever has a table to fill for each part says that a part must have as many rows as the table has entries, so that
    the tables take no more memory than the rows do.
    """
    n_parts = min(MOST_PARTS, max(1, n_rows // least))
    cuts = [n_rows * part // n_parts for part in range(n_parts + 1)]
    return [range(start, end) for start, end in pairwise(cuts)]


def chunks(rows: range, *, size: int = ROWS_PER_CHUNK) -> Iterator[slice]:
    """Consecutive rows in slices of `size`, the last of what is left."""
    return (slice(start, min(start + size, rows.stop)) for start in range(rows.start, rows.stop, size))


def of_each_part(work: Callable[[range], Found], n_rows: int, *, least: int = ROWS_WORTH_A_THREAD) -> list[Found]:
    """What `work` makes of each of the `parts`, in their order, at the same time where there are processors.

    An error of an earlier part comes before one of a later part, as if they had been read one after the other.
    """
    first, *others = parts(n_rows, least=least)
    if not others or n_processors() < MOST_PARTS:
        return [work(part) for part in (first, *others)]
    with ThreadPoolExecutor(len(others), thread_name_prefix="stats") as threads:
        waiting = [threads.submit(work, part) for part in others]
        return [work(first), *(each.result() for each in waiting)]


def n_processors() -> int:
    """How many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
