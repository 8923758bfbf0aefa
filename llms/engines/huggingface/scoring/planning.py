"""Decides what is computed together, by counting tokens.

Common beginnings are computed once, in one of two ways. A *row* packs several paths as the branches of a tree, each
token seeing its own ancestors only: cheap for an item and its answers, but the attention pays for all other branches.
A *stem* is a beginning that is computed beforehand and whose keys and values are then put before many rows: right for
few-shot examples, but each row pays for the copy.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from llms.engines.huggingface.scoring.paths import Paths

LONGEST_TREE = 4096
"""Tokens. The mask of a tree grows with the square of its length."""


class Costs(NamedTuple):
    """In tokens: the unit is what one token costs without attention."""

    per_seen: float
    """For a token to look at another one."""
    per_copied: float
    """To put one token of a stem before a row."""
    per_stem: float = 16.0
    """For a computation of its own, and for the smaller batches after it."""
    shortest_stem: int = 16
    widest_tree: float = 2.0
    """A tree that is so many times as large as its longest path is not worth looking at closely."""

    @classmethod
    def of_width(cls, hidden_size: int) -> "Costs":
        """A layer's weights grow with the square of its width, its keys and values only linearly. The factors were
        measured on a processor."""
        return cls(per_seen=0.5 / hidden_size, per_copied=4.0 / hidden_size)


EVERY_STEM = Costs(per_seen=0.0, per_copied=0.0, per_stem=-1e9, shortest_stem=1, widest_tree=0.0)
"""Shares as stems whatever can be shared so: for trials."""


class Row(NamedTuple):
    paths: tuple[int, ...]
    starts: tuple[int, ...]
    """How many tokens of each path are there already: in the stem, or in the path before it in this row."""
    n_tokens: int

    @property
    def is_plain(self) -> bool:
        """A single path, all of it."""
        return self.starts == (0,)


class Stem(NamedTuple):
    """A range of paths with a common beginning of `depth` tokens."""

    start: int
    end: int
    depth: int


class Plan(NamedTuple):
    rows: list[Row]
    stems: list[Stem]


def plan(paths: Paths, stem: Stem, costs: Costs) -> Plan:
    """What to compute after a stem: rows right after it, and longer stems."""
    loose: list[int] = []
    stems: list[Stem] = []
    pending = [(stem.start, stem.end)] if stem.end > stem.start else []
    while pending:
        start, end = pending.pop()
        if _fits_a_row(paths, start, end, stem.depth, costs):
            loose += range(start, end)
        elif longer := _worthwhile_stem(paths, start, end, stem.depth, costs):
            stems.append(longer)
        else:
            pending += reversed(paths.children(start, end))
    return Plan(_rows(paths, loose, stem.depth, costs), stems)


def plain_rows(paths: Paths) -> list[Row]:
    return [Row((place,), (0,), int(length)) for place, length in enumerate(paths.lengths)]


def _fits_a_row(paths: Paths, start: int, end: int, depth: int, costs: Costs) -> bool:
    """Whether a tree would hardly be larger than its longest path."""
    if end - start == 1:
        return True
    n_nodes = paths.n_nodes(start, end, depth)
    longest = int(paths.lengths[start:end].max()) - depth
    return n_nodes <= min(costs.widest_tree * longest, LONGEST_TREE)


def _worthwhile_stem(paths: Paths, start: int, end: int, depth: int, costs: Costs) -> Stem | None:
    """The common beginning as a stem, as long as nobody asks for a prediction inside it."""
    longer = min(paths.common(start, end), int(paths.first_asked[start:end].min()))
    if longer - depth < costs.shortest_stem:
        return None
    members = range(start, end)
    without = _cost(_rows(paths, members, depth, costs), depth, costs)
    with_it = _cost(_rows(paths, members, longer, costs), longer, costs)
    own = (longer - depth) * (1 + costs.per_seen * (longer + depth) / 2) + costs.per_stem
    return Stem(start, end, longer) if with_it + own < without else None


def _cost(rows: Sequence[Row], depth: int, costs: Costs) -> float:
    n_tokens = np.array([row.n_tokens for row in rows], np.float64)
    return float((n_tokens * (1 + costs.per_seen * (n_tokens + depth)) + costs.per_copied * depth).sum())


def _rows(paths: Paths, members: Sequence[int], depth: int, costs: Costs) -> list[Row]:
    """Paths in a row as long as it costs less to look past the others than to begin anew. `members` is in order."""
    rows: list[Row] = []
    inside: list[int] = []
    starts: list[int] = []
    n_tokens = 0
    for place in members:
        start = _start(paths, inside[-1], place, depth) if inside else depth
        n_new = int(paths.lengths[place]) - start
        again = start - depth + costs.per_copied * depth
        if inside and (n_new * n_tokens * costs.per_seen > again or n_tokens + n_new > LONGEST_TREE):
            rows.append(Row(tuple(inside), tuple(starts), n_tokens))
            inside, starts, n_tokens = [], [], 0
            start, n_new = depth, int(paths.lengths[place]) - depth
        inside.append(place)
        starts.append(start)
        n_tokens += n_new
    if inside:
        rows.append(Row(tuple(inside), tuple(starts), n_tokens))
    return rows


def _start(paths: Paths, before: int, place: int, depth: int) -> int:
    """Neighbours know how much they share. Between others lies at least one that belongs elsewhere."""
    return max(depth, paths.common(before, place + 1))
