"""Verdicts read from what a judge wrote, by the rules of the published scores.

MT-Bench (FastChat's `llm_judge`): the first number in double brackets, else the first in single ones, is the grade; of
A, B and C in double brackets the first of the three letters that is there at all. So a judge that quotes an answer with
a verdict in it can be misread: `is_ambiguous` says where a text holds verdicts that differ, for a person to look at.
AlpacaEval: how likely the judge's first token was “m” rather than “M”.
"""

import math
import re
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any, Final, NamedTuple

GRADE: Final = re.compile(r"\[\[([0-9]+\.?[0-9]*)\]\]")
GRADE_IN_SINGLE_BRACKETS: Final = re.compile(r"\[([0-9]+\.?[0-9]*)\]")
LOWEST_GRADE, HIGHEST_GRADE = 1, 10
PUBLISHED_CATEGORIES: Final = (
    "writing", "roleplay", "reasoning", "math", "coding", "extraction", "stem", "humanities",
)  # fmt: skip
FIRST_QUESTION, QUESTIONS_A_CATEGORY = 81, 10


class Grade(NamedTuple):
    value: float | None
    """None where the judge gave none; the authors store -1, and leave it out of every mean."""
    is_ambiguous: bool

    @property
    def is_outside(self) -> bool:
        """Of the scale from 1 to 10. Such a grade counts as it is: so it does in the published scores."""
        return self.value is not None and not LOWEST_GRADE <= self.value <= HIGHEST_GRADE


class Winner(StrEnum):
    FIRST = "model_1"
    SECOND = "model_2"
    TIE = "tie"
    NONE = "error"
    """The judge gave no verdict."""


class Preference(NamedTuple):
    winner: Winner
    is_ambiguous: bool


def grade(judgement: str) -> Grade:
    """Single-answer grading."""
    found = GRADE.findall(judgement) or GRADE_IN_SINGLE_BRACKETS.findall(judgement)
    values = [float(number) for number in found]
    return Grade(values[0] if values else None, len(set(values)) > 1)


def preference(judgement: str, *, is_swapped: bool = False) -> Preference:
    """Of two answers. Swapped, the second model's answer was shown as A."""
    first, second = (Winner.SECOND, Winner.FIRST) if is_swapped else (Winner.FIRST, Winner.SECOND)
    meanings = {"[[A]]": first, "[[B]]": second, "[[C]]": Winner.TIE}
    found = [winner for mark, winner in meanings.items() if mark in judgement]
    return Preference(found[0] if found else Winner.NONE, len(found) > 1)


def of_both_orders(one: Winner, other: Winner) -> Winner:
    """Verdicts of the same pair in both orders: a judge that changes its mind with the order sees a tie."""
    if Winner.NONE in (one, other):
        return Winner.NONE
    return one if one == other else Winner.TIE


def published_category(question_id: int) -> str | None:
    """Of one of the 80 published questions."""
    place = (question_id - FIRST_QUESTION) // QUESTIONS_A_CATEGORY
    return PUBLISHED_CATEGORIES[place] if 0 <= place < len(PUBLISHED_CATEGORIES) else None


def share_of_first(log_probabilities: Mapping[str, float], *, first: str = "m", second: str = "M") -> float | None:
    """Of two tokens the probability of the first, given that it is one of them; one that is not listed has none. None
    where neither is listed: the judge has not answered the question."""
    listed = [log_probabilities[token] for token in (first, second) if token in log_probabilities]
    if not listed or max(listed) == -math.inf:
        return None
    highest = max(listed)
    total = sum(math.exp(one - highest) for one in listed)
    return math.exp(log_probabilities.get(first, -math.inf) - highest) / total


def first_token(completion: Mapping[str, Any]) -> dict[str, float]:
    """Log-probabilities of the likeliest first tokens, from a choice as an OpenAI-compatible server returns it. Empty
    where there are none."""
    content = (completion.get("logprobs") or {}).get("content") or [{}]
    listed: Sequence[Mapping[str, Any]] = content[0].get("top_logprobs") or []
    return {str(one["token"]): float(one["logprob"]) for one in listed}
