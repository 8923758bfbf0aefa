"""Online Elo ratings, for contrast: a running average of surprises, which depends on the order of the comparisons.

For opponents that do not change, Bradley-Terry uses the same votes better and in any order (see `bradley_terry`). Elo
is here to show by how much the two differ, and to reproduce boards that were made with it.
"""

import math
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

import numpy as np

from stats.bradley_terry import ANCHOR_RATING, HALF_WINS, RATING_BASE, RATING_SCALE, checked_half_wins
from stats.comparisons import Comparisons, FloatArray, IntArray, Outcome
from stats.errors import InvalidLevelError, InvalidWeightError

LARGEST_POWER: Final = 300.0  # beyond it the probability is 0 in float64, and the power no number
K_FACTOR: Final = 4.0  # the most points that one comparison can move


@dataclass(frozen=True, kw_only=True, eq=False)
class EloRatings:
    """Shapes (n_items,), in the order of the items: ratings in points, and how many comparisons moved each of them.

    An item that was in none has the initial rating, which says nothing about it. The same comparisons in another order
    give other ratings: `order_matters` says so wherever these are shown beside ratings that do not depend on it.
    """

    ratings: FloatArray
    n_comparisons: IntArray
    k_factor: float
    order_matters: bool = True


def elo(
    comparisons: Comparisons,
    *,
    k_factor: float = K_FACTOR,
    initial_rating: float = ANCHOR_RATING,
    half_wins: Collection[Outcome] = HALF_WINS,
) -> EloRatings:
    """Play the comparisons through in their order: R_left += K w (y - p), R_right -= the same.

    p = 1 / (1 + 10 ** ((R_right - R_left) / 400)), y = 1, 0, or a half for the outcomes in `half_wins`; undecided
    outcomes that are not in it are skipped. w is the weight of the comparison. (Elo 1978, "The Rating of Chessplayers,
    Past and Present"; scale, K and start are those of FastChat and evalica.) Raises StatsError.
    """
    if not 0 < k_factor < float("inf"):
        raise InvalidWeightError(f"The K factor must be finite and above 0, not {k_factor}.")
    if not math.isfinite(initial_rating):
        raise InvalidLevelError(f"The initial rating must be finite, not {initial_rating}.")
    points = {Outcome.LEFT: 1.0, Outcome.RIGHT: 0.0} | dict.fromkeys(checked_half_wins(half_wins), 0.5)
    counted = np.isin(comparisons.outcome, list(points)) & (comparisons.weight > 0)
    left, right = comparisons.left[counted], comparisons.right[counted]
    score_of = np.array([points.get(outcome, np.nan) for outcome in Outcome])
    ratings = [float(initial_rating)] * comparisons.n_items
    plays = zip(
        left.tolist(),
        right.tolist(),
        score_of[comparisons.outcome[counted]].tolist(),
        (k_factor * comparisons.weight[counted]).tolist(),
        strict=True,
    )
    for one, other, score, at_stake in plays:
        odds_against = RATING_BASE ** min((ratings[other] - ratings[one]) / RATING_SCALE, LARGEST_POWER)
        gained = at_stake * (score - 1 / (1 + odds_against))
        ratings[one] += gained
        ratings[other] -= gained
    return EloRatings(
        ratings=np.array(ratings, dtype=np.float64),
        n_comparisons=np.bincount(np.concatenate([left, right]), minlength=comparisons.n_items),
        k_factor=k_factor,
    )
