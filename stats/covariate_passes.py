"""One pass over comparisons with covariates: what a Newton step, or a variance, needs of them is added up by chunks.

Each comparison is a row z = (e_left - e_right, x). Nothing that is as long as the comparisons is kept: a chunk is
reduced to tables of items, pairs and covariates before the next one is read.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import reduce
from typing import Final, NamedTuple

import numpy as np
from scipy.sparse import csc_array
from scipy.special import expit

from stats.comparisons import BoolArray, Comparisons, FloatArray, IntArray, Outcome
from stats.errors import InvalidCovariateError, LengthMismatchError
from stats.workers import ROWS_PER_CHUNK, chunks, of_each_part

ROWS_WORTH_A_THREAD: Final = 2**14  # each of which takes some thirty times as long as to be counted
LARGEST_COVARIATE: Final = 1e100  # whose square is a number too
POINTS_OF_LEFT: Final = np.array([1.0, 0.0, 0.5, 0.5])  # in the order of Outcome


@dataclass(frozen=True, kw_only=True, eq=False)
class ControlledComparisons:
    """Comparisons and what else may have decided them: `covariates` has shape (n_comparisons, k), for the left side.

    A covariate adds to the log-odds that left wins: differences of features, such as those of `normalisation`. With
    `side` one more covariate follows, which is 1 throughout: the advantage of being shown on the left.
    """

    comparisons: Comparisons
    covariates: FloatArray
    side: bool = False

    def __post_init__(self) -> None:
        n_comparisons = len(self.comparisons.left)
        if not isinstance(self.covariates, np.ndarray) or self.covariates.dtype.kind not in "fiub":
            raise InvalidCovariateError("Covariates must be an array of real numbers.")
        if self.covariates.ndim != 2 or len(self.covariates) != n_comparisons:
            raise LengthMismatchError(
                f"{n_comparisons} comparisons need as many rows of covariates, not shape {self.covariates.shape}."
            )
        for rows in chunks(range(n_comparisons)):
            chunk = self.covariates[rows]
            least, most = float(chunk.min(initial=0)), float(chunk.max(initial=0))
            if not -LARGEST_COVARIATE <= least <= most <= LARGEST_COVARIATE:
                raise InvalidCovariateError(
                    f"A covariate must be a finite number up to {LARGEST_COVARIATE} throughout."
                )

    @property
    def n_coefficients(self) -> int:
        """How many parameters follow the strengths: the covariates, and the side if it is estimated."""
        return int(self.covariates.shape[1]) + self.side


class Rows(NamedTuple):
    """Comparisons that count, among rated items, which are renumbered from 0."""

    left: IntArray
    right: IntArray
    points: FloatArray  # of the left item: 1, 0 or a half
    weight: FloatArray
    covariates: FloatArray

    def residuals(self, parameters: FloatArray) -> FloatArray:
        """w (y - p) at these strengths and coefficients, shape (n_rows,)."""
        return self.weight * (self.points - expit(self.log_odds(parameters)))

    def ends(self, n_items: int) -> csc_array:
        """Column i is e_left - e_right of comparison i; shape (n_items, n_rows)."""
        n_rows = len(self.left)
        signs = np.tile([1.0, -1.0], n_rows)
        places = np.column_stack([self.left, self.right]).ravel()
        return csc_array((signs, places, np.arange(0, 2 * n_rows + 1, 2)), shape=(n_items, n_rows))

    def log_odds(self, parameters: FloatArray) -> FloatArray:
        """s_left - s_right + covariates @ coefficients, shape (n_rows,), in natural-log units."""
        n_items = len(parameters) - self.covariates.shape[1]
        return parameters[self.left] - parameters[self.right] + self.covariates @ parameters[n_items:]


@dataclass(frozen=True, kw_only=True, eq=False)
class Source:
    """Where rows come from: `rated` has shape (n_items,), `counted` (4,) which outcomes count."""

    data: ControlledComparisons
    rated: BoolArray
    counted: BoolArray

    @property
    def n_items(self) -> int:
        """The number of rated items."""
        return int(self.rated.sum())

    def n_sampled(self, every: int) -> int:
        """How many comparisons there are if every so manyth is taken."""
        return -(-len(self.data.comparisons.left) // every)

    def chunks(self, sampled: range, *, every: int = 1) -> Iterator[Rows]:
        """Those of `sampled`, which counts every so manyth comparison, ROWS_PER_CHUNK at a time."""
        for rows in chunks(sampled, size=ROWS_PER_CHUNK):
            yield self.rows(slice(rows.start * every, rows.stop * every, every))

    def rows(self, which: slice | IntArray) -> Rows:
        """Those of these comparisons that count and have weight."""
        comparisons = self.data.comparisons
        left, right, outcome = comparisons.left[which], comparisons.right[which], comparisons.outcome[which]
        weight, covariates = comparisons.weight[which], self.data.covariates[which]
        if not self._all_count:
            kept = self.kept(which)
            number = np.cumsum(self.rated) - 1
            left, right, outcome = number[left[kept]], number[right[kept]], outcome[kept]
            weight, covariates = weight[kept], covariates[kept]
        if self.data.side:
            covariates = np.column_stack([covariates, np.ones(len(left))])
        return Rows(left, right, POINTS_OF_LEFT[outcome], weight, covariates)

    def kept(self, which: slice | IntArray) -> BoolArray:
        """Which of these comparisons count and have weight."""
        comparisons = self.data.comparisons
        rated = self.rated[comparisons.left[which]] & self.rated[comparisons.right[which]]
        return np.asarray(rated & self.counted[comparisons.outcome[which]] & (comparisons.weight[which] > 0))

    @property
    def _all_count(self) -> bool:
        return bool(self.rated.all() and self.counted.all())


class Sums(NamedTuple):
    """Shapes (n_parameters,) and (n_parameters, n_parameters): items, then coefficients.

    `information` = sum of w p(1-p) zz', `meat` = sum of w^2 (y - p)^2 zz'; empty if they were not asked for.
    """

    gradient: FloatArray
    information: FloatArray
    meat: FloatArray

    def plus(self, other: "Sums") -> "Sums":
        """Those of both, in the memory of these."""
        for mine, its in zip(self, other, strict=True):
            mine += its
        return self


def one_pass(
    source: Source, parameters: FloatArray, *, information: bool = False, meat: bool = False, every: int = 1
) -> Sums:
    """`Sums` at `parameters`, strengths of the rated items and then coefficients, of all or every so manyth comparison.

    The gradient is sum of w (y - p) z, that of the logarithm of the (pseudo-)likelihood. Many comparisons are read by
    two threads.
    """
    n_items = len(parameters) - source.data.n_coefficients

    def of_part(sampled: range) -> Sums:
        return _sums(source.chunks(sampled, every=every), parameters, n_items, information=information, meat=meat)

    least = max(ROWS_WORTH_A_THREAD, n_items**2)
    return reduce(Sums.plus, of_each_part(of_part, source.n_sampled(every), least=least))


def _sums(several: Iterator[Rows], parameters: FloatArray, n_items: int, *, information: bool, meat: bool) -> Sums:
    n_coefficients = len(parameters) - n_items
    gradient = np.zeros(len(parameters))
    bend, spread = _Table(n_items, n_coefficients), _Table(n_items, n_coefficients)
    for rows in several:
        p = expit(rows.log_odds(parameters))
        residuals = rows.weight * (rows.points - p)
        ends = rows.ends(n_items)
        gradient += np.concatenate([ends @ residuals, rows.covariates.T @ residuals])
        if information:
            bend.add(rows, ends, weight=rows.weight * p * (1 - p))
        if meat:
            spread.add(rows, ends, weight=residuals**2)
    empty = np.empty((0, 0))
    return Sums(gradient, bend.matrix() if information else empty, spread.matrix() if meat else empty)


def mean_squares(source: Source, *, every: int = 1) -> FloatArray:
    """Of each covariate, shape (n_coefficients,), over all comparisons or every so manyth."""
    total, n_rows = np.zeros(source.data.n_coefficients), 0
    for rows in source.chunks(range(source.n_sampled(every)), every=every):
        total += (rows.covariates**2).sum(axis=0)
        n_rows += len(rows.left)
    return total / max(n_rows, 1)


class _Table:
    """Sum of weight * zz' as it grows."""

    def __init__(self, n_items: int, n_coefficients: int) -> None:
        self.of_pairs = np.zeros(n_items * n_items)
        self.crossed = np.zeros((n_items, n_coefficients))
        self.of_covariates = np.zeros((n_coefficients, n_coefficients))

    def add(self, rows: Rows, ends: csc_array, *, weight: FloatArray) -> None:
        n_items = len(self.crossed)
        self.of_pairs += np.bincount(rows.left * n_items + rows.right, weight, minlength=n_items * n_items)
        weighted = rows.covariates * weight[:, np.newaxis]
        self.crossed += ends @ weighted
        self.of_covariates += weighted.T @ rows.covariates

    def matrix(self) -> FloatArray:
        n_items = len(self.crossed)
        pairs = self.of_pairs.reshape(n_items, n_items)
        pairs = pairs + pairs.T
        items = np.diag(pairs.sum(axis=1)) - pairs
        return np.block([[items, self.crossed], [self.crossed.T, self.of_covariates]])


def counted_outcomes(half_wins: frozenset[Outcome]) -> BoolArray:
    """Shape (4,): the decided outcomes and those that are half a win for each side."""
    return np.array([outcome.value < Outcome.TIE or outcome in half_wins for outcome in Outcome], dtype=np.bool_)
