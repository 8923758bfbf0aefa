"""Which choice a model finds likeliest, and whether that is the right one.

`acc` takes the largest log-probability, `acc_norm` the largest per character of the choice, `acc_bytes` per byte of it
in UTF-8; the delimiter before it does not count. Of equal ones the first is taken. (So does lm-evaluation-harness,
whose documentation says bytes where its `acc_norm` counts characters: published scores are per character.)
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Final, NamedTuple

from llms.engines.base import ContinuationScore

LENGTHS: Final[Mapping[str, Callable[[str], int]]] = {
    "acc": lambda choice: 1,
    "acc_norm": len,
    "acc_bytes": lambda choice: len(choice.encode()),
}


class Verdict(NamedTuple):
    prediction: int
    is_right: bool


def verdicts(
    choices: Sequence[str], scores: Sequence[ContinuationScore], *, target: int, metrics: Sequence[str]
) -> dict[str, Verdict]:
    """One per metric. No score may be NaN."""
    found = {}
    for metric in metrics:
        length = LENGTHS[metric]
        values = [score.log_probability / length(choice) for choice, score in zip(choices, scores, strict=True)]
        prediction = values.index(max(values))
        found[metric] = Verdict(prediction, prediction == target)
    return found


def are_numbers(scores: Sequence[ContinuationScore]) -> bool:
    """Whether the scores can be compared. Minus infinity can: a probability that is too small to be told from zero."""
    return not any(math.isnan(score.log_probability) or score.log_probability == math.inf for score in scores)
