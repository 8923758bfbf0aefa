"""Comparisons as arrays, and their sufficient statistics: the sums per pair that every fit needs.

Items are numbered 0 to n_items - 1; who they are is the caller's business. Whatever is wrong with the numbers is raised
as a `StatsError` of `stats.errors`.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Final, Self

import numpy as np
import numpy.typing as npt

from stats.errors import (
    InvalidWeightError,
    LengthMismatchError,
    SelfPairError,
    UnknownOutcomeError,
)
from stats.number_checks import (
    as_int64,
    as_numbers,
    as_whole_numbers,
    check_item,
    check_numbering,
    check_sums,
    check_weights,
)
from stats.pair_tables import AnyIntArray, CountArray, Triple, distinct, outside, table, worth_a_table

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]


class Outcome(IntEnum):
    """Who was better; also the column of the outcome in the tables of `PairCounts`."""

    LEFT = 0
    RIGHT = 1
    TIE = 2
    BOTH_BAD = 3


ONE: Final = np.float64(1.0)
SELF_PAIR: Final = "Item {} was compared with itself, which says nothing about it."
TURNED_ROUND: Final = np.array([Outcome.RIGHT, Outcome.LEFT, Outcome.TIE, Outcome.BOTH_BAD])


@dataclass(frozen=True, kw_only=True, eq=False)
class Comparisons:
    """One entry per comparison, all arrays of shape (n_comparisons,).

    `left` and `right` are item numbers, `outcome` holds `Outcome` values and `weight` says for how many comparisons
    each one stands: 1 for a plain vote, 1 / P for a vote on a pair that was drawn with probability P.
    """

    left: IntArray
    right: IntArray
    outcome: IntArray
    weight: FloatArray
    n_items: int

    @classmethod
    def from_arrays(
        cls,
        left: npt.ArrayLike,
        right: npt.ArrayLike,
        *,
        outcome: npt.ArrayLike,
        n_items: int,
        weight: npt.ArrayLike | None = None,
    ) -> Self:
        """Take anything numpy can read; without `weight` every comparison counts once. Raises StatsError."""
        lefts = as_int64(left, "left")
        return cls(
            left=lefts,
            right=as_int64(right, "right"),
            outcome=as_int64(outcome, "outcome", error=UnknownOutcomeError),
            weight=np.broadcast_to(ONE, lefts.shape) if weight is None else as_numbers(weight),
            n_items=n_items,
        )

    def __post_init__(self) -> None:
        shapes = {name: getattr(self, name).shape for name in ("left", "right", "outcome", "weight")}
        if len(set(shapes.values())) > 1 or self.left.ndim != 1:
            raise LengthMismatchError(f"left, right, outcome and weight must be equally long lists, not {shapes}.")
        check_numbering(self.n_items, self.left, self.right)
        if (same := self.left == self.right).any():
            raise SelfPairError(SELF_PAIR.format(self.left[same][0]))
        _check_outcomes(self.outcome)
        if not self.is_plain:
            check_weights(self.weight)

    @property
    def is_plain(self) -> bool:
        """Whether the comparisons were given without weights; one number then stands for all of them."""
        return self.weight.strides == (0,) and bool((self.weight[:1] == ONE).all())

    def part(self, which: slice | IntArray) -> Self:
        """Some of the comparisons, or all of them in another order."""
        left, right, outcome = self.left[which], self.right[which], self.outcome[which]
        return replace(self, left=left, right=right, outcome=outcome, weight=self.weight[which])


@dataclass(frozen=True, kw_only=True, eq=False)
class PairCounts:
    """What a fit needs to know of any number of comparisons: sums per pair of items and outcome.

    `left` and `right` have shape (n_pairs,): every pair that met, once, with left < right, in ascending order.
    `totals` and `squares` have shape (n_pairs, 4), one column per `Outcome`: the sum of the weights and the sum of the
    squared weights. Of plain votes both are the number of votes; they part when votes are weighted, and a variance
    needs the second. Made by the class methods, which fold (i, j) and (j, i) into one pair with the outcome turned
    round; made by hand they are checked.
    """

    left: IntArray
    right: IntArray
    totals: FloatArray
    squares: FloatArray
    n_items: int

    def __post_init__(self) -> None:
        shapes = {"right": self.left.shape, "totals": (*self.left.shape, 4), "squares": (*self.left.shape, 4)}
        if any(getattr(self, name).shape != shape for name, shape in shapes.items()):
            raise LengthMismatchError(f"Of {len(self.left)} pairs the arrays must have the shapes {shapes}.")
        check_numbering(self.n_items, self.left, self.right)
        if (self.left >= self.right).any() or (np.diff(self.left * self.n_items + self.right) <= 0).any():
            raise SelfPairError("Pairs must be given once each, in ascending order, the lower item number on the left.")
        check_sums(self.totals, self.squares)

    @classmethod
    def from_arrays(cls, left: npt.ArrayLike, right: npt.ArrayLike, *, outcome: npt.ArrayLike, n_items: int) -> Self:
        """Count plain votes as `from_comparisons` does, but in one reading of the arrays. Raises StatsError."""
        check_numbering(n_items)
        columns = np.asarray(left), np.asarray(right), np.asarray(outcome)
        unequal = len({column.shape for column in columns}) > 1 or columns[0].ndim != 1
        if unequal or not worth_a_table(n_items, columns[0].size):
            return cls.from_comparisons(Comparisons.from_arrays(left, right, outcome=outcome, n_items=n_items))
        counted = table(lambda rows: _checked([column[rows] for column in columns], n_items), columns[0].size, n_items)
        if (same := np.flatnonzero(np.diagonal(counted, axis1=1, axis2=2).any(axis=0))).size:
            raise SelfPairError(SELF_PAIR.format(same[0]))
        return cls._of_table(counted)

    @classmethod
    def from_comparisons(cls, comparisons: Comparisons) -> Self:
        """Add up weights and squared weights, those of (i, j) and of (j, i) as one pair."""
        if not comparisons.is_plain:
            return cls._fold(comparisons, squares=comparisons.weight**2)
        left, right, outcome = comparisons.left, comparisons.right, comparisons.outcome
        if not worth_a_table(comparisons.n_items, left.size):
            return cls.from_repeated(comparisons)
        counted = table(lambda rows: (left[rows], right[rows], outcome[rows]), left.size, comparisons.n_items)
        return cls._of_table(counted)

    @classmethod
    def from_repeated(cls, comparisons: Comparisons) -> Self:
        """Take comparisons that stand for `weight` plain votes each, which weigh as so many and vary as so many."""
        return cls._fold(comparisons, squares=comparisons.weight)

    @classmethod
    def from_cells(cls, cells: Iterable[tuple[int, int, int, float]], *, n_items: int) -> Self:
        """Take rows (left, right, outcome, n plain votes) in any order, as GROUP BY gives them. Raises StatsError."""
        left, right, outcome, n = _columns(cells, n_columns=4)
        return cls.from_repeated(Comparisons.from_arrays(left, right, outcome=outcome, weight=n, n_items=n_items))

    @classmethod
    def from_weighted_cells(cls, cells: Iterable[tuple[int, int, int, float, float]], *, n_items: int) -> Self:
        """Take rows (left, right, outcome, sum of w, sum of w^2), in any order, repeated or not.

        With w = 1 / P these are the sums that make votes on unevenly drawn pairs count as if all had been drawn alike
        (Horvitz and Thompson 1952, "A generalization of sampling without replacement from a finite universe"), and
        the second is what the larger variance of such a fit is computed from. Raises StatsError."""
        left, right, outcome, total, squared = _columns(cells, n_columns=5)
        comparisons = Comparisons.from_arrays(left, right, outcome=outcome, weight=total, n_items=n_items)
        return cls.from_sums(comparisons, squares=squared)

    @classmethod
    def from_sums(cls, comparisons: Comparisons, *, squares: npt.ArrayLike) -> Self:
        """Take sums of weights for comparisons, and of squared weights, shape (n_comparisons,). Raises StatsError."""
        numbers = as_numbers(squares)
        if numbers.shape != comparisons.weight.shape:
            raise LengthMismatchError(f"There are {len(comparisons.weight)} sums and squares of shape {numbers.shape}.")
        check_sums(comparisons.weight, numbers)
        return cls._fold(comparisons, squares=numbers)

    def with_pair_weights(self, weight: npt.ArrayLike) -> Self:
        """The same comparisons, those of a pair times its `weight` above 0, shape (n_pairs,). Raises StatsError."""
        factors = as_numbers(weight)
        if factors.shape != self.left.shape:
            raise LengthMismatchError(f"There are {len(self.left)} pairs and weights of shape {factors.shape}.")
        valid = np.isfinite(factors) & (factors > 0)
        if not valid.all():
            raise InvalidWeightError(f"The weight of a pair must be finite and above 0, not {factors[~valid][0]}.")
        column = factors[:, np.newaxis]
        with np.errstate(over="ignore", invalid="ignore"):  # what is no number then is refused
            return replace(self, totals=self.totals * column, squares=self.squares * column**2)

    def with_equal_pairs(self, *, min_votes: float = 50.0) -> Self:
        """Each vote weighs 1 / max(n, min_votes), n being the votes on its pair: arena-rank's `reweighted`."""
        if not 0 < min_votes < math.inf:
            raise InvalidWeightError(f"The least number of votes of a full pair must be above 0, not {min_votes}.")
        return self.with_pair_weights(1 / np.maximum(self.totals.sum(axis=1), min_votes))

    def without_item(self, item: int) -> Self:
        """The comparisons that `item` took no part in, all items keeping their numbers. Raises ItemIndexError."""
        check_item(item, self.n_items)
        return self._of_pairs((self.left != item) & (self.right != item))

    def among(self, chosen: BoolArray) -> Self:
        """The comparisons between chosen items, which are renumbered from 0 in their order; `chosen` is (n_items,)."""
        if chosen.all():
            return self
        inside = self._of_pairs(chosen[self.left] & chosen[self.right])
        number = np.cumsum(chosen) - 1
        return replace(inside, left=number[inside.left], right=number[inside.right], n_items=int(chosen.sum()))

    def _of_pairs(self, kept: BoolArray) -> Self:
        return replace(
            self, left=self.left[kept], right=self.right[kept], totals=self.totals[kept], squares=self.squares[kept]
        )

    @classmethod
    def _of_table(cls, counted: CountArray) -> Self:
        """From `pair_tables.table`, of which (i, j) and (j, i) are one pair."""
        n_items = counted.shape[1]
        met = np.bitwise_or.reduce(counted, axis=0)
        cells = np.flatnonzero(np.triu(met | met.T, 1))
        left = cells // max(n_items, 1)
        right = cells - left * n_items
        turned_round = right * n_items + left
        totals = np.empty((len(left), len(Outcome)))
        for outcome in Outcome:
            there, back = counted[outcome].ravel(), counted[TURNED_ROUND[outcome]].ravel()
            np.add(there.take(cells), back.take(turned_round), out=totals[:, outcome])
        return cls(left=left, right=right, totals=totals, squares=totals, n_items=n_items)

    @classmethod
    def _fold(cls, comparisons: Comparisons, *, squares: FloatArray) -> Self:
        n_items = comparisons.n_items
        met = comparisons.weight > 0
        left, right, outcome = comparisons.left[met], comparisons.right[met], comparisons.outcome[met]
        outcome = np.where(left < right, outcome, TURNED_ROUND[outcome])
        pairs, number = distinct(np.minimum(left, right) * n_items + np.maximum(left, right), end=n_items**2)
        cells = number * len(Outcome) + outcome
        shape = (len(pairs), len(Outcome))
        return cls(
            left=pairs // max(n_items, 1),
            right=pairs % max(n_items, 1),
            totals=sums_at(cells, comparisons.weight[met], length=math.prod(shape)).reshape(shape),
            squares=sums_at(cells, squares[met], length=math.prod(shape)).reshape(shape),
            n_items=n_items,
        )

    @property
    def wins_left(self) -> FloatArray:
        """Sum of the weights of what the left item won, shape (n_pairs,)."""
        return self.totals[:, Outcome.LEFT]

    @property
    def wins_right(self) -> FloatArray:
        """Sum of the weights of what the right item won, shape (n_pairs,)."""
        return self.totals[:, Outcome.RIGHT]

    @property
    def ties(self) -> FloatArray:
        """Sum of the weights of the ties, shape (n_pairs,)."""
        return self.totals[:, Outcome.TIE]

    @property
    def both_bad(self) -> FloatArray:
        """Sum of the weights of what both lost, shape (n_pairs,)."""
        return self.totals[:, Outcome.BOTH_BAD]

    @property
    def n_comparisons(self) -> float:
        """Sum of all weights: of plain votes, how many there are."""
        return float(self.totals.sum())

    def comparisons_per_item(self) -> FloatArray:
        """Shape (n_items,): how many comparisons each item took part in."""
        met = self.totals.sum(axis=1)
        return sums_at(self.left, met, length=self.n_items) + sums_at(self.right, met, length=self.n_items)

    def points_per_item(self) -> FloatArray:
        """Shape (n_items,): wins, and half of the undecided comparisons."""
        halves = (self.ties + self.both_bad) / 2
        left = sums_at(self.left, self.wins_left + halves, length=self.n_items)
        return left + sums_at(self.right, self.wins_right + halves, length=self.n_items)


def sums_at(index: IntArray, values: FloatArray, *, length: int) -> FloatArray:
    """Add up the values that share an index; shape (length,)."""
    return np.bincount(index, values, minlength=length).astype(np.float64, copy=False)


def _checked(part: list[npt.NDArray[np.generic]], n_items: int) -> Triple:
    """Left, right and outcome of some plain votes, which may still name an item twice. Raises StatsError."""
    left, right = as_whole_numbers(part[0], "left"), as_whole_numbers(part[1], "right")
    outcome = as_whole_numbers(part[2], "outcome", error=UnknownOutcomeError)
    check_numbering(n_items, left, right)
    _check_outcomes(outcome)
    return left, right, outcome


def _columns(rows: Iterable[tuple[float, ...]], *, n_columns: int) -> list[tuple[float, ...]]:
    listed = list(rows)
    if any(len(row) != n_columns for row in listed):
        raise LengthMismatchError(f"Every row must have {n_columns} entries.")
    return list(zip(*listed, strict=True)) if listed else [()] * n_columns


def _check_outcomes(outcome: AnyIntArray) -> None:
    if (unknown := outside(outcome, len(Outcome))) is not None:
        named = ", ".join(f"{each.value} ({each.name})" for each in Outcome)
        raise UnknownOutcomeError(f"{unknown} is no outcome; the outcomes are {named}.")
