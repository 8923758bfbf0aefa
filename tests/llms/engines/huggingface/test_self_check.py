"""How far the two ways to compute scores are apart, also where one of them gives no number."""

import math

import pytest

from llms.engines.base import ContinuationScore
from llms.engines.huggingface.scoring import self_check


@pytest.mark.parametrize(
    ("fast", "plain", "apart"),
    [
        (-1.5, -1.0, 0.5),
        (-math.inf, -math.inf, 0.0),
        (-math.inf, -1.0, math.inf),
        (math.nan, -1.0, math.inf),
        (-1.0, math.nan, math.inf),
        (math.nan, math.nan, 0.0),
    ],
)
def test_what_is_no_number_is_infinitely_far_from_any(fast: float, plain: float, apart: float) -> None:
    scores = [ContinuationScore(value, is_greedy=False, n_tokens=1, was_truncated=False) for value in (fast, plain)]

    assert self_check._difference(*scores) == apart
