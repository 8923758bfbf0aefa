"""How differently two answers are written, as the covariates of a style-controlled fit."""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from stats.comparisons import BoolArray, FloatArray
from stats.errors import LengthMismatchError
from stats.normalisation import relative_difference, standardised
from stats.text_features import markdown_counts

FEATURES: Final = ("length", "headers", "bold", "lists")
METADATA_COUNTS: Final = ("header_count", "bold_count", "list_count")


class StyleCounts(NamedTuple):
    """How much of each of `FEATURES` the two answers of each comparison have; shapes (n_comparisons, 4)."""

    left: FloatArray
    right: FloatArray


class StyleCovariates(NamedTuple):
    """`values` (n_comparisons, k) in standard deviations; `constant` are the features without any."""

    names: tuple[str, ...]
    values: FloatArray
    constant: tuple[str, ...]


class Style(NamedTuple):
    """`differences` (n_comparisons, k): (left - right) / (left + right) of each feature."""

    names: tuple[str, ...]
    differences: FloatArray

    def covariates(self, rows: BoolArray) -> StyleCovariates:
        """Of some comparisons, standardised over these: a feature that never differs among them is left out."""
        differences = self.differences[rows]
        varied = np.ptp(differences, axis=0) > 0 if len(differences) else np.zeros(len(self.names), dtype=np.bool_)
        return StyleCovariates(
            tuple(name for name, kept in zip(self.names, varied, strict=True) if kept),
            standardised(differences[:, varied]).values,
            tuple(name for name, kept in zip(self.names, varied, strict=True) if not kept),
        )


def style_of(left: npt.ArrayLike, right: npt.ArrayLike) -> Style:
    """Of counts of `FEATURES`, shape (n_comparisons, 4) each. Raises LengthMismatchError, InvalidCovariateError."""
    sides = [np.asarray(side, dtype=np.float64).reshape(-1, len(FEATURES)) for side in (left, right)]
    if len(sides[0]) != len(sides[1]):
        raise LengthMismatchError(f"There are {len(sides[0])} answers on the left and {len(sides[1])} on the right.")
    return Style(FEATURES, relative_difference(*sides))


def counts_of_text(text: str) -> tuple[int, ...]:
    """`FEATURES` of one text, its length in words and marks."""
    counts = markdown_counts(text)
    return counts.n_tokens, counts.n_headers, counts.n_bold, counts.n_ordered_items + counts.n_unordered_items


def counts_of_metadata(metadata: Mapping[str, Any], side: str) -> tuple[float, ...] | None:
    """`FEATURES` of the answer on side "a" or "b" as LMArena's `conv_metadata` has them; None without its length.

    Headers, bold and lists are counted by kind there. As in arena-rank, those that are not there are none.
    """
    length = _number(metadata.get(f"sum_assistant_{side}_tokens"))
    if length is None:
        return None
    return length, *(_sum_of_kinds(metadata.get(f"{name}_{side}")) for name in METADATA_COUNTS)


def _sum_of_kinds(counts: Any) -> float:
    kinds = counts.values() if isinstance(counts, Mapping) else [counts]
    return sum(_number(count) or 0.0 for count in kinds)


def _number(value: Any) -> float | None:
    usable = isinstance(value, int | float) and 0 <= value < np.inf
    return float(value) if usable else None
