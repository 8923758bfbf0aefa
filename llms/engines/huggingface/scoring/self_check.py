"""Compares the two ways to compute scores on the machine at hand."""

import math
import time
from collections.abc import Callable, Sequence

from llms.engines.base import ContinuationScore, LoglikelihoodRequest, SelfCheck
from llms.engines.huggingface.scoring.scorer import Scorer
from llms.sentences import filled, mark


def compare(scorer: Scorer, requests: Sequence[LoglikelihoodRequest], stopping: Callable[[], bool]) -> SelfCheck | None:
    """Falls back to plain rows where the fast scores are further off than rounding explains."""
    fast, seconds_fast = _scored(scorer, requests, stopping, is_plain=False)
    plain, seconds_plain = _scored(scorer, requests, stopping, is_plain=True)
    if len(fast) < len(requests) or len(plain) < len(requests):
        return None
    pairs = [pair for index in plain for pair in zip(fast[index], plain[index], strict=True)]
    check = SelfCheck(
        len(requests),
        max((_difference(*pair) for pair in pairs), default=0.0),
        sum(_first(fast[index]) != _first(plain[index]) for index in plain),
        seconds_fast,
        seconds_plain,
        # Rounding errors of tokens are independent of each other.
        all(_difference(*pair) <= scorer.tolerance * math.sqrt(pair[1].n_tokens) for pair in pairs),
    )
    if not check.has_passed:
        words = mark("in the self-check the scores were off by %(nats)s nats")
        scorer.fall_back(filled(words, nats=float(f"{check.largest_difference:.3g}")))
    return check


def _scored(
    scorer: Scorer, requests: Sequence[LoglikelihoodRequest], stopping: Callable[[], bool], *, is_plain: bool
) -> tuple[dict[int, tuple[ContinuationScore, ...]], float]:
    """Not all of them where it was told to stop."""
    began, found = time.perf_counter(), {}
    answers = scorer.loglikelihoods(requests, is_plain=is_plain)
    while not stopping() and (answer := next(answers, None)) is not None:
        found[answer.index] = answer.scores
    answers.close()
    return found, time.perf_counter() - began


def _difference(left: ContinuationScore, right: ContinuationScore) -> float:
    """Two impossible continuations are equally impossible, and what is no number is infinitely far from any."""
    one, other = left.log_probability, right.log_probability
    if one == other or (math.isnan(one) and math.isnan(other)):
        return 0.0
    return math.inf if math.isnan(one - other) else abs(one - other)


def _first(scores: Sequence[ContinuationScore]) -> int:
    return max(range(len(scores)), key=lambda place: scores[place].log_probability, default=-1)
