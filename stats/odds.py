"""From log-odds to probabilities."""

from typing import NamedTuple

import numpy as np

from stats.comparisons import FloatArray


class Chances(NamedTuple):
    """How probably the left item wins, p = 1 / (1 + exp(-log_odds)), and how probably the right one does, 1 - p."""

    left: FloatArray
    right: FloatArray


def chances(log_odds: FloatArray) -> Chances:
    """Both to full relative precision, however small; of the same shape, NaN where the log-odds are NaN."""
    small = np.exp(-np.abs(log_odds))
    large = 1 / (1 + small)
    small *= large
    ahead = log_odds >= 0
    return Chances(np.where(ahead, large, small), np.where(ahead, small, large))
