"""GAIA's quasi-exact match, after the scorer of its leaderboard (Mialon et al. 2023, arXiv:2311.12983, section 3.2; the
space gaia-benchmark/leaderboard, scorer.py).

The truth alone decides how an answer is compared:

    number    the truth is one, as Python's float reads it: $, % and commas are taken out of the answer, which then must
              be the same number, to the last digit
    list      it holds a comma or a semicolon: both sides are cut there, and there must be as many parts, each equal in
              its place: to a number as above, else in lower case and without white space, with all its punctuation
    string    anything else: equal in lower case, without white space and without ASCII punctuation

Faults of these rules are kept, because published scores have them: a unit after a number makes it wrong; "12,5" is read
as 125; a truth such as "1,234" is a list; an answer that is no number counts as infinite, so any words match the truth
"inf"; points and signs of a string are punctuation, so that "$15" matches the truth "$1.5", and an answer without a
letter or digit matches a truth without one, such as the "?" in place of the truths that are not published.

The whole answer is compared: whoever asks for "FINAL ANSWER: …" cuts off what stands before it.
"""

import math
import re
import string
from enum import StrEnum
from typing import Final

BORDERS: Final = re.compile(r"[,;]")
TAKEN_OUT_OF_NUMBERS: Final = str.maketrans("", "", "$%,")
PUNCTUATION: Final = str.maketrans("", "", string.punctuation)


class Kind(StrEnum):
    NUMBER = "number"
    LIST = "list"
    STRING = "string"


def kind_of(truth: str) -> Kind:
    if _number(truth) is not None:
        return Kind.NUMBER
    return Kind.LIST if BORDERS.search(truth) else Kind.STRING


def is_correct(answer: str, truth: str) -> bool:
    match kind_of(truth):
        case Kind.NUMBER:
            return _is_same_number(answer, float(truth))
        case Kind.LIST:
            return _is_same_list(BORDERS.split(answer), BORDERS.split(truth))
        case Kind.STRING:
            return normalised(answer) == normalised(truth)


def normalised(text: str) -> str:
    """As strings are compared: empty where only punctuation and white space was."""
    return _compact(text).translate(PUNCTUATION)


def _is_same_list(answers: list[str], truths: list[str]) -> bool:
    return len(answers) == len(truths) and all(map(_is_same_part, answers, truths))


def _is_same_part(answer: str, truth: str) -> bool:
    number = _number(truth)
    return _compact(answer) == _compact(truth) if number is None else _is_same_number(answer, number)


def _is_same_number(answer: str, truth: float) -> bool:
    found = _number(answer.translate(TAKEN_OUT_OF_NUMBERS))
    return (math.inf if found is None else found) == truth


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _compact(text: str) -> str:
    return "".join(text.split()).lower()
