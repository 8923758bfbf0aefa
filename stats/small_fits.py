"""Bradley-Terry fits of very many very small boards at once, for searches that try everything."""

from typing import Final, NamedTuple

import numpy as np
from scipy.special import expit

from stats.bradley_terry import MAX_LOG_ODDS_STEP
from stats.comparisons import BoolArray, FloatArray, IntArray

MAX_ITERATIONS: Final = 60
TOLERANCE: Final = 1e-11  # log-odds


class PointsOfBoards(NamedTuple):
    """Points of both sides of every pair, shapes (n_boards, n_pairs); the pairs (n_pairs,) are the same on all."""

    left: IntArray
    right: IntArray
    left_points: FloatArray
    right_points: FloatArray
    n_items: int


def differences(boards: PointsOfBoards, pair: tuple[int, int]) -> FloatArray:
    """Strength of the first of two items less that of the second, on every board; shape (n_boards,).

    Each board is fitted among the items that beat or tied their way to and from the first; NaN if the second is none.
    """
    one, other = pair
    inside = _tied_to(boards, one)
    held = inside[:, boards.left] & inside[:, boards.right]
    won, lost = boards.left_points * held, boards.right_points * held
    sides = np.zeros((len(boards.left), boards.n_items))
    sides[np.arange(len(sides)), boards.left] = 1.0
    sides[np.arange(len(sides)), boards.right] = -1.0
    outer = (sides[:, :, np.newaxis] * sides[:, np.newaxis, :]).reshape(len(sides), -1)
    ground = np.eye(boards.n_items) * ~inside[:, np.newaxis, :]  # nothing is known of the others: let them be
    ground[:, one, one] = 1.0  # strengths have no level: hold the first
    strengths = np.zeros(inside.shape)
    for _ in range(MAX_ITERATIONS):
        log_odds = strengths @ sides.T
        p, q = expit(log_odds), expit(-log_odds)
        gradient = (won * q - lost * p) @ sides
        information = (((won + lost) * p * q) @ outer).reshape(ground.shape) + ground
        step = np.linalg.solve(information, gradient[:, :, np.newaxis])[:, :, 0]
        largest = np.abs(step @ sides.T).max(axis=1, initial=0.0)
        strengths = strengths + step * (MAX_LOG_ODDS_STEP / np.maximum(largest, MAX_LOG_ODDS_STEP))[:, np.newaxis]
        if largest.max(initial=0.0) < TOLERANCE:
            break
    return np.where(inside[:, other], strengths[:, one] - strengths[:, other], np.nan)


def _tied_to(boards: PointsOfBoards, item: int) -> BoolArray:
    """Which items have a way to the item and back along "beat or tied with", shape (n_boards, n_items)."""
    n_items = boards.n_items
    reached = np.broadcast_to(np.eye(n_items), (len(boards.left_points), n_items, n_items)).copy()
    reached[:, boards.left, boards.right] = boards.left_points > 0
    reached[:, boards.right, boards.left] = boards.right_points > 0
    for _ in range(n_items.bit_length()):
        reached = ((reached @ reached) > 0).astype(np.float64)
    return np.asarray((reached[:, item, :] > 0) & (reached[:, :, item] > 0))
