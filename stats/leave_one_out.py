"""What each item does to the ratings of the others: the fit without it."""

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np

from stats.bradley_terry import HALF_WINS, BradleyTerryFit, fit
from stats.comparisons import FloatArray, Outcome, PairCounts


@dataclass(frozen=True, kw_only=True, eq=False)
class LeaveOneItemOut:
    """Row i of `ratings`, shape (n_items, n_items), holds the ratings without item i, NaN where there is none.

    Each row is shifted to the level of `whole`, averaged under its gauge weights over the items that both rate: the
    level of a board is a convention, and what an item does to the others is seen in their differences alone.
    """

    whole: BradleyTerryFit
    ratings: FloatArray

    @property
    def shifts(self) -> FloatArray:
        """Entry (i, j) is by how many points item j would move without item i."""
        return self.ratings - self.whole.ratings

    @property
    def largest_shifts(self) -> FloatArray:
        """Shape (n_items,): the most points that any other item moves without item i; NaN if nothing is left."""
        moved = np.nan_to_num(np.abs(self.shifts), nan=-1.0).max(axis=1, initial=-1.0)
        return np.where(moved < 0, np.nan, moved)


def leave_one_item_out(counts: PairCounts, *, half_wins: Collection[Outcome] = HALF_WINS) -> LeaveOneItemOut:
    """Fit the counts without each item in turn, n_items fits in all. Raises StatsError as `bradley_terry.fit` does."""
    whole = fit(counts, half_wins=half_wins)
    rows = [_without(counts, item, whole=whole) for item in range(counts.n_items)]
    return LeaveOneItemOut(whole=whole, ratings=np.array(rows).reshape(counts.n_items, counts.n_items))


def _without(counts: PairCounts, item: int, *, whole: BradleyTerryFit) -> FloatArray:
    rest = fit(counts.without_item(item), half_wins=whole.half_wins)
    common = rest.rated & whole.rated
    weights = whole.gauge_weights[common] / (whole.gauge_weights[common].sum() or 1.0)
    return rest.ratings + weights @ (whole.ratings - rest.ratings)[common]
