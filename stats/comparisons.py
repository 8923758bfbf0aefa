"""Comparisons as arrays, and their sufficient statistics: the sums per pair that every fit needs.

Items are numbered 0 to n_items - 1; who they are is the caller's business. Whatever is wrong with the numbers, or with
a question about them, is raised as one of:

StatsError
├── LengthMismatchError      arrays that belong together differ in length
├── ItemIndexError           an item number that is not one
├── SelfPairError            an item compared with itself
├── UnknownOutcomeError      an outcome outside `Outcome`, or of no use where it was given
├── InvalidWeightError       a weight or a count that is negative, infinite or not a number
├── InvalidLevelError        a confidence level, or a number of draws, outside its range
├── UnratedItemError         an item without a rating was asked to anchor the scale
├── InvalidCovariateError    a covariate that is not a number for every comparison
├── CollinearCovariatesError covariates that others, or the items themselves, already say
├── SeparatedCovariatesError covariates that tell every outcome, so that no coefficient is too large for them
└── IllConditionedError      weights so far apart in size that float64 cannot solve for the ratings
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Final, Self

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]


class StatsError(ValueError):
    """Anything this package refuses; the message is a sentence for whoever passed the numbers in."""


class LengthMismatchError(StatsError):
    pass


class ItemIndexError(StatsError):
    pass


class SelfPairError(StatsError):
    pass


class UnknownOutcomeError(StatsError):
    pass


class InvalidWeightError(StatsError):
    pass


class InvalidLevelError(StatsError):
    pass


class UnratedItemError(StatsError):
    pass


class InvalidCovariateError(StatsError):
    pass


class CollinearCovariatesError(StatsError):
    pass


class SeparatedCovariatesError(StatsError):
    pass


class IllConditionedError(StatsError):
    pass


class Outcome(IntEnum):
    """Who was better; also the column of the outcome in the tables of `PairCounts`."""

    LEFT = 0
    RIGHT = 1
    TIE = 2
    BOTH_BAD = 3


ONE: Final = np.float64(1.0)
ROWS_PER_CHUNK: Final = 2**17
LARGEST_TABLE: Final = 2**22  # entries that are worth having for few comparisons
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
        lefts = _whole_numbers(left, "left")
        return cls(
            left=lefts,
            right=_whole_numbers(right, "right"),
            outcome=_whole_numbers(outcome, "outcome", error=UnknownOutcomeError),
            weight=np.broadcast_to(ONE, lefts.shape) if weight is None else np.asarray(weight, dtype=np.float64),
            n_items=n_items,
        )

    def __post_init__(self) -> None:
        self._check_lengths()
        self._check_items()
        if (unknown := _outside(self.outcome, len(Outcome))) is not None:
            raise UnknownOutcomeError(f"{unknown} is no outcome; the outcomes are {_named(Outcome)}.")
        distinct = self.weight[:1] if self.is_plain else self.weight
        valid = np.isfinite(distinct) & (distinct >= 0)
        if not valid.all():
            raise InvalidWeightError(f"A weight or count must be finite and from 0 up, not {distinct[~valid][0]}.")

    @property
    def is_plain(self) -> bool:
        """Whether the comparisons were given without weights; one number then stands for all of them."""
        return self.weight.strides == (0,) and bool((self.weight[:1] == ONE).all())

    def _check_lengths(self) -> None:
        shapes = {name: getattr(self, name).shape for name in ("left", "right", "outcome", "weight")}
        if len(set(shapes.values())) > 1 or self.left.ndim != 1:
            raise LengthMismatchError(f"left, right, outcome and weight must be equally long lists, not {shapes}.")

    def _check_items(self) -> None:
        if self.n_items < 0:
            raise ItemIndexError(f"The number of items cannot be {self.n_items}.")
        for items in (self.left, self.right):
            if (stranger := _outside(items, self.n_items)) is not None:
                raise ItemIndexError(f"{stranger} is not the number of one of {self.n_items} items (0 is the first).")
        same = self.left == self.right
        if same.any():
            raise SelfPairError(f"Item {self.left[same][0]} was compared with itself, which says nothing about it.")


@dataclass(frozen=True, kw_only=True, eq=False)
class PairCounts:
    """What a fit needs to know of any number of comparisons: sums per pair of items and outcome.

    `left` and `right` have shape (n_pairs,): every pair that met, once, with left < right, in ascending order.
    `totals` and `squares` have shape (n_pairs, 4), one column per `Outcome`: the sum of the weights and the sum of the
    squared weights. Of plain votes both are the number of votes; they part when votes are weighted, and a variance
    needs the second. Made by `from_comparisons` or `from_cells`, which fold (i, j) and (j, i) into one pair with the
    outcome turned round.
    """

    left: IntArray
    right: IntArray
    totals: FloatArray
    squares: FloatArray
    n_items: int

    @classmethod
    def from_comparisons(cls, comparisons: Comparisons) -> Self:
        if comparisons.is_plain:
            comparisons = _counted(comparisons)
            return cls._fold(comparisons, squares=comparisons.weight)
        return cls._fold(comparisons, squares=comparisons.weight**2)

    @classmethod
    def from_cells(cls, cells: Iterable[tuple[int, int, int, float]], *, n_items: int) -> Self:
        """Take rows (left, right, outcome, n) as a database's GROUP BY gives them, in any order, repeated or not.

        `n` is a number of plain votes, so n votes weigh as n and vary as n. Raises StatsError.
        """
        rows = list(cells)
        left, right, outcome, n = zip(*rows, strict=True) if rows else ((), (), (), ())
        comparisons = Comparisons.from_arrays(left, right, outcome=outcome, weight=n, n_items=n_items)
        return cls._fold(comparisons, squares=comparisons.weight)

    @classmethod
    def from_weighted_cells(cls, cells: Iterable[tuple[int, int, int, float, float]], *, n_items: int) -> Self:
        """Take rows (left, right, outcome, sum of w, sum of w^2), in any order, repeated or not.

        With w = 1 / P these are the sums that make votes on unevenly drawn pairs count as if all had been drawn alike
        (Horvitz and Thompson 1952, "A generalization of sampling without replacement from a finite universe"), and
        the second is what the larger variance of such a fit is computed from. Raises StatsError.
        """
        rows = list(cells)
        left, right, outcome, total, squared = zip(*rows, strict=True) if rows else ((), (), (), (), ())
        comparisons = Comparisons.from_arrays(left, right, outcome=outcome, weight=total, n_items=n_items)
        squares = np.asarray(squared, dtype=np.float64)
        fitting = np.isfinite(squares) & (squares >= 0) & ((squares > 0) == (comparisons.weight > 0))
        if not fitting.all():
            raise InvalidWeightError(
                f"A sum of squared weights is finite, and above 0 where there is weight, not {squares[~fitting][0]}."
            )
        return cls._fold(comparisons, squares=squares)

    def with_pair_weights(self, weight: npt.ArrayLike) -> Self:
        """The same comparisons, those of a pair times its `weight` above 0, shape (n_pairs,). Raises StatsError."""
        factors = np.asarray(weight, dtype=np.float64)
        if factors.shape != self.left.shape:
            raise LengthMismatchError(f"There are {len(self.left)} pairs and weights of shape {factors.shape}.")
        valid = np.isfinite(factors) & (factors > 0)
        if not valid.all():
            raise InvalidWeightError(f"The weight of a pair must be finite and above 0, not {factors[~valid][0]}.")
        column = factors[:, np.newaxis]
        return replace(self, totals=self.totals * column, squares=self.squares * column**2)

    def with_equal_pairs(self, *, min_votes: float = 50.0) -> Self:
        """Every pair counts as one vote, however often it met, and proportionally less below `min_votes` comparisons.

        That is arena-rank's `reweighted`: each vote weighs 1 / max(n, min_votes) of its pair.
        """
        if not 0 < min_votes < math.inf:
            raise InvalidWeightError(f"The least number of votes of a full pair must be above 0, not {min_votes}.")
        return self.with_pair_weights(1 / np.maximum(self.totals.sum(axis=1), min_votes))

    def without_item(self, item: int) -> Self:
        """The comparisons that `item` took no part in, all items keeping their numbers. Raises ItemIndexError."""
        if not 0 <= item < self.n_items:
            raise ItemIndexError(f"{item} is not the number of one of {self.n_items} items (0 is the first).")
        kept = (self.left != item) & (self.right != item)
        return replace(
            self, left=self.left[kept], right=self.right[kept], totals=self.totals[kept], squares=self.squares[kept]
        )

    @classmethod
    def _fold(cls, comparisons: Comparisons, *, squares: FloatArray) -> Self:
        n_items = comparisons.n_items
        met = comparisons.weight > 0
        left, right, outcome = comparisons.left[met], comparisons.right[met], comparisons.outcome[met]
        outcome = np.where(left < right, outcome, TURNED_ROUND[outcome])
        keys = np.minimum(left, right) * n_items + np.maximum(left, right)
        seen = np.zeros(n_items**2, dtype=np.bool_)
        seen[keys] = True
        pairs = np.flatnonzero(seen)
        cells = (np.cumsum(seen) - 1)[keys] * len(Outcome) + outcome
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
        return self.totals[:, Outcome.LEFT]

    @property
    def wins_right(self) -> FloatArray:
        return self.totals[:, Outcome.RIGHT]

    @property
    def ties(self) -> FloatArray:
        return self.totals[:, Outcome.TIE]

    @property
    def both_bad(self) -> FloatArray:
        return self.totals[:, Outcome.BOTH_BAD]

    @property
    def n_comparisons(self) -> float:
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


def _counted(plain: Comparisons) -> Comparisons:
    """The distinct comparisons, each with how often it occurs for a weight; read by chunks, so in little memory."""
    n_items = plain.n_items
    n_cells = n_items * n_items * len(Outcome)
    if n_cells > max(len(plain.left), LARGEST_TABLE):
        return replace(plain, weight=np.ones(len(plain.left)))
    table = np.zeros(n_cells, dtype=np.int64)
    for start in range(0, len(plain.left), ROWS_PER_CHUNK):
        rows = slice(start, start + ROWS_PER_CHUNK)
        cells = plain.left[rows] * n_items
        cells += plain.right[rows]
        cells *= len(Outcome)
        cells += plain.outcome[rows]
        table += np.bincount(cells, minlength=n_cells)
    found = np.flatnonzero(table)
    pairs = found // len(Outcome)
    return Comparisons(
        left=pairs // max(n_items, 1),
        right=pairs % max(n_items, 1),
        outcome=found % len(Outcome),
        weight=table[found].astype(np.float64),
        n_items=n_items,
    )


def _whole_numbers(values: npt.ArrayLike, name: str, *, error: type[StatsError] = ItemIndexError) -> IntArray:
    array = np.asarray(values)
    if array.size and array.dtype.kind not in "iu":  # an empty list arrives as floats
        raise error(f"{name} must hold whole numbers, not {array.dtype}.")
    return array.astype(np.int64, copy=False)


def _outside(numbers: IntArray, end: int) -> int | None:
    """One of the numbers that does not lie in range(end), if any."""
    extremes = (int(numbers.min()), int(numbers.max())) if numbers.size else ()
    return next((number for number in extremes if not 0 <= number < end), None)


def _named(outcomes: Iterable[Outcome]) -> str:
    return ", ".join(f"{outcome.value} ({outcome.name})" for outcome in outcomes)
