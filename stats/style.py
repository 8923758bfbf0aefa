"""How differently two answers are written, as the covariates of a style-controlled fit."""

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np

from stats.comparisons import FloatArray, LengthMismatchError
from stats.normalisation import relative_difference, standardised
from stats.text_features import TextFeatures, text_features

FEATURES: Final = ("length", "headers", "bold", "lists")


class Style(NamedTuple):
    """`covariates` (n_comparisons, k): (left - right) / (left + right) of each feature, in standard deviations."""

    names: tuple[str, ...]
    covariates: FloatArray


def style_of(left_texts: Sequence[str], right_texts: Sequence[str]) -> Style:
    """The four features that the arenas control for. One that is the same in all pairs of answers is left out.

    Raises LengthMismatchError.
    """
    if len(left_texts) != len(right_texts):
        raise LengthMismatchError(f"There are {len(left_texts)} texts on the left and {len(right_texts)} on the right.")
    counts = [np.array([_counts(text_features(text)) for text in texts]) for texts in (left_texts, right_texts)]
    left, right = (side.reshape(-1, len(FEATURES)) for side in counts)
    differences = relative_difference(left, right)
    varied = np.ptp(differences, axis=0) > 0 if len(differences) else np.zeros(len(FEATURES), dtype=np.bool_)
    names = tuple(name for name, kept in zip(FEATURES, varied, strict=True) if kept)
    return Style(names, standardised(differences[:, varied]).values)


def _counts(features: TextFeatures) -> tuple[int, ...]:
    lists = features.n_ordered_items + features.n_unordered_items
    return features.n_tokens, features.n_headers, features.n_bold, lists
