"""A ratio of two sums over clusters, such as prompts, with its standard error.

What is asked in one prompt stands and falls together, so the clusters are what varies. With one thing in each it is the
standard deviation with n - 1 over the root of n; otherwise the linearised error of a ratio estimator (Cochran 1977,
"Sampling techniques", chapter 6).
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from stats.errors import InvalidWeightError, LengthMismatchError


class Ratio(NamedTuple):
    value: float
    standard_error: float | None
    """None for a single cluster."""
    n: float
    """The sum below the line."""


def ratio_of_sums(above: Sequence[float], below: Sequence[float]) -> Ratio:
    """Raises StatsError."""
    if len(above) != len(below):
        raise LengthMismatchError(f"{len(above)} sums cannot be divided by {len(below)}: give as many of each.")
    total = sum(below)
    if not total > 0:
        raise InvalidWeightError("Nothing is below the line: give at least one thing that was asked.")
    value, n = sum(above) / total, len(below)
    if n < 2:
        return Ratio(value, None, total)
    residuals = np.asarray(above, dtype=float) - value * np.asarray(below, dtype=float)
    return Ratio(value, math.sqrt(n / (n - 1) * float(residuals @ residuals)) / total, total)
