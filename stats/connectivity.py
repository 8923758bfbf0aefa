"""Which items the comparisons can rate together, and why the others cannot be rated.

A Bradley-Terry rating exists, and is one number, exactly for items that can be reached from each other along "beat or
tied with" (Ford 1957, "Solution of a ranking problem from binary comparisons"). That is a question about a graph, so it
is answered before any fit: a fit that runs regardless returns wherever its iterations happened to stop.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array
from scipy.sparse.csgraph import breadth_first_order, connected_components

from stats.comparisons import BoolArray, FloatArray, IntArray, sums_at
from stats.pair_tables import SMALL_TABLE

MOST_STEPS: Final = 3
LabelArray = npt.NDArray[np.int32]  # what scipy numbers components with


class ItemStatus(StrEnum):
    """Why an item has a rating, or has none, in the order in which the reasons are looked for."""

    NO_COMPARISONS = "no_comparisons"  # nothing that counts has been said about it
    RATED = "rated"  # it and the other rated items have all beaten or tied each other, if by way of others
    DISCONNECTED = "disconnected"  # no chain of comparisons, however long, links it with the rated items
    ONLY_WON = "only_won"  # it won whatever counted: no rating is too high for it
    ONLY_LOST = "only_lost"  # it lost whatever counted: no rating is too low for it
    SEPARATED_ABOVE = "separated_above"  # it leads down to the rated items, which never beat or tied their way up to it
    SEPARATED_BELOW = "separated_below"  # the rated items lead down to it, and it never beat or tied its way up
    SEPARATED = "separated"  # it won and lost, but nothing leads there and back: an order perhaps, a distance never


@dataclass(frozen=True, kw_only=True, eq=False)
class Connectivity:
    """Shapes (n_items,). Items of one `group` can be rated together; items of one `component` were at least compared.

    Group 0 is the rated one if it has two or more items, and lies in component 0. Groups are numbered by size, then by
    the weight of the comparisons inside, then by their lowest item number; only this last, arbitrary rule depends on
    how the caller numbered the items, and it decides only between groups that are alike in both other respects.
    Components are numbered in the order of their first group.
    """

    statuses: tuple[ItemStatus, ...]
    groups: IntArray
    components: IntArray

    @property
    def rated(self) -> BoolArray:
        """Shape (n_items,)."""
        return np.array([status is ItemStatus.RATED for status in self.statuses], dtype=np.bool_)


@dataclass(frozen=True, kw_only=True, eq=False)
class PairPoints:
    """What each side scored in the comparisons of a pair, a win being one point; arrays of shape (n_pairs,)."""

    left: IntArray
    right: IntArray
    left_points: FloatArray
    right_points: FloatArray
    n_items: int

    @property
    def total(self) -> FloatArray:
        """The points of both sides: how many comparisons counted, shape (n_pairs,)."""
        return self.left_points + self.right_points

    def at_items(self, left: FloatArray, right: FloatArray) -> FloatArray:
        """Add up what each pair gives to its two items, shapes (n_pairs,); shape (n_items,)."""
        return sums_at(self.left, left, length=self.n_items) + sums_at(self.right, right, length=self.n_items)

    def total_per_item(self) -> FloatArray:
        """The points of all pairs of each item, both sides', shape (n_items,)."""
        total = self.total
        return self.at_items(total, total)

    def among(self, chosen: BoolArray) -> "PairPoints":
        """The pairs between chosen items, which are renumbered from 0 in their order."""
        if chosen.all():
            return self
        number = np.cumsum(chosen) - 1
        inside = chosen[self.left] & chosen[self.right]
        return PairPoints(
            left=number[self.left[inside]],
            right=number[self.right[inside]],
            left_points=self.left_points[inside],
            right_points=self.right_points[inside],
            n_items=int(chosen.sum()),
        )


def connectivity(points: PairPoints) -> Connectivity:
    """Group the items and say of each whether it can be rated."""
    if points.n_items > 1 and _soon_reach_each_other(points):
        return _all_rated(points.n_items)
    beats = _beat_or_tied(points)
    n_groups, labels = connected_components(beats, connection="strong")
    if n_groups == 1 and points.n_items > 1:
        return _all_rated(points.n_items)
    groups = _numbered_groups(points, labels)
    components = _numbered_components(groups, connected_components(beats, connection="weak")[1])
    rated = (groups == 0) & (np.count_nonzero(groups == 0) > 1)
    won, lost = _points_per_item(points)
    conditions = {
        ItemStatus.NO_COMPARISONS: won + lost == 0,
        ItemStatus.RATED: rated,
        ItemStatus.DISCONNECTED: rated.any() & (components != 0),
        ItemStatus.ONLY_WON: lost == 0,
        ItemStatus.ONLY_LOST: won == 0,
        ItemStatus.SEPARATED_ABOVE: _reached(csr_array(beats.T), rated),
        ItemStatus.SEPARATED_BELOW: _reached(beats, rated),
        ItemStatus.SEPARATED: np.ones(points.n_items, dtype=np.bool_),
    }
    first_true = np.argmax(np.column_stack(list(conditions.values())), axis=1)
    statuses = tuple(list(conditions)[reason] for reason in first_true)
    return Connectivity(statuses=statuses, groups=groups, components=components)


def _all_rated(n_items: int) -> Connectivity:
    together = np.zeros(n_items, dtype=np.int64)
    return Connectivity(statuses=(ItemStatus.RATED,) * n_items, groups=together, components=together)


def _soon_reach_each_other(points: PairPoints) -> bool:
    """Whether item 0 reaches all others, and they reach it, in MOST_STEPS: the usual case, in a fraction of the time.

    If not, or if the table would be large, nothing is said.
    """
    n_items = points.n_items
    if n_items**2 > SMALL_TABLE:
        return False
    beats = np.zeros(n_items**2, dtype=np.bool_)
    beats[points.left * n_items + points.right] = points.left_points > 0
    beats[points.right * n_items + points.left] = points.right_points > 0
    table = beats.reshape(n_items, n_items)
    return _reaches_all(table) and _reaches_all(table.T.copy())


def _reaches_all(table: BoolArray) -> bool:
    reached = np.arange(len(table)) == 0
    for _ in range(MOST_STEPS):
        reached |= table[reached].any(axis=0)
    return bool(reached.all())


def _beat_or_tied(points: PairPoints) -> csr_array:
    """The graph with an edge from each item to every item it took a point from."""
    left_scored, right_scored = points.left_points > 0, points.right_points > 0
    n_items = points.n_items
    down = (points.left * n_items + points.right)[left_scored]
    up = (points.right * n_items + points.left)[right_scored]
    edges = np.sort(np.concatenate([down, up]))  # sorted they are the matrix, which scipy builds slowly from pairs
    rows = np.searchsorted(edges, np.arange(n_items + 1) * n_items)
    return csr_array((np.ones(len(edges)), edges % max(n_items, 1), rows), shape=(n_items, n_items))


def _points_per_item(points: PairPoints) -> tuple[FloatArray, FloatArray]:
    """Points won and points given away, each of shape (n_items,)."""
    left, right = points.left_points, points.right_points
    return points.at_items(left, right), points.at_items(right, left)


def _numbered_groups(points: PairPoints, labels: LabelArray) -> IntArray:
    """Renumber the groups: larger first, then more comparisons inside, then the one with the lowest item number."""
    n_groups = len(np.unique(labels))
    inside = labels[points.left] == labels[points.right]
    weight = sums_at(labels[points.left[inside]], points.total[inside], length=n_groups)
    size = np.bincount(labels, minlength=n_groups)
    lowest_item = np.unique(labels, return_index=True)[1]
    order = np.lexsort((lowest_item, -weight, -size))
    return np.argsort(order)[labels]


def _numbered_components(groups: IntArray, labels: LabelArray) -> IntArray:
    """Renumber the components in the order of the lowest group number in each."""
    first_group = np.full(len(np.unique(labels)), len(groups))
    np.minimum.at(first_group, labels, groups)
    return np.argsort(np.argsort(first_group))[labels]


def _reached(graph: csr_array, rated: BoolArray) -> BoolArray:
    """Which items can be reached from the rated ones, which all reach each other."""
    reached = np.zeros(len(rated), dtype=np.bool_)
    if rated.any():
        reached[breadth_first_order(graph, int(np.argmax(rated)), return_predecessors=False)] = True
    return reached
