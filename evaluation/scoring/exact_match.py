"""Whether what a model wrote is the answer, after rules that a benchmark names.

The rules are applied to both sides, in this order:

    answer_line   keep what follows the last "answer is", "answer:" or "####", up to the end of that line
    case          compare in lower case (Unicode case folding)
    punctuation   drop punctuation, but the sign and the point of a number
    articles      drop the English articles a, an, the
    numbers       read 1,000.0 as 1000, where the whole answer is a number
    spaces        one space between words, none around them
"""

import re
import unicodedata
from collections.abc import Callable, Collection, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Final

ANSWER_MARK: Final = re.compile(r"\banswer(?:\s+is\b\s*:?|\s*:)|####", re.IGNORECASE)
ARTICLES: Final = re.compile(r"\b(?:a|an|the)\b", re.IGNORECASE)
INSIDE_NUMBER: Final = re.compile(r"(?<=\d)[.,](?=\d)")
NUMBER: Final = re.compile(r"[+-]?(?:\d{1,3}(?:,\d{3})+|\d+)?(?:\.\d+)?\.?")
MOST_DIGITS: Final = 50
DEFAULT_RULES: Final = ("answer_line", "case", "punctuation", "articles", "numbers", "spaces")


def matches(answer: str, targets: Sequence[str], *, rules: Collection[str] = DEFAULT_RULES) -> bool:
    """An answer that is empty once the rules are through matches nothing."""
    written = normalised(answer, rules)
    # A target is an answer already: it may contain the words that lead to one.
    of_targets = [rule for rule in rules if rule != "answer_line"]
    return bool(written) and any(written == normalised(target, of_targets) for target in targets)


def normalised(text: str, rules: Collection[str] = DEFAULT_RULES) -> str:
    unknown = set(rules) - RULES.keys()
    if unknown:
        raise ValueError(f"no rule is called {', '.join(sorted(unknown))}; known are {', '.join(RULES)}")
    for name, rule in RULES.items():
        if name in rules:
            text = rule(text)
    return text


def _answer_line(text: str) -> str:
    end_of_mark = max((found.end() for found in ANSWER_MARK.finditer(text)), default=0)
    lines = text[end_of_mark:].strip().splitlines() if end_of_mark else []
    return lines[0] if lines else text


def _without_punctuation(text: str) -> str:
    kept = []
    for place, character in enumerate(text):
        is_sign = (
            character in "+-−"
            and text[place + 1 : place + 2].isdigit()
            and not text[max(place - 1, 0) : place].isalnum()
        )
        if is_sign or INSIDE_NUMBER.match(text, place) or not unicodedata.category(character).startswith("P"):
            kept.append("-" if character == "−" else character)
        elif character in "-–—/":
            kept.append(" ")
    return "".join(kept)


def _as_number(text: str) -> str:
    written = text.strip().removeprefix("$").strip()
    if len(written) > MOST_DIGITS or not re.search(r"\d", written) or not NUMBER.fullmatch(written):
        return text
    try:
        value = Decimal(written.rstrip(".").replace(",", ""))
    except InvalidOperation:
        return text
    return f"{value.normalize():f}" if value else "0"


RULES: Final[Mapping[str, Callable[[str], str]]] = {
    "answer_line": _answer_line,
    "case": lambda text: unicodedata.normalize("NFC", text).casefold(),
    "punctuation": _without_punctuation,
    "articles": lambda text: ARTICLES.sub(" ", text),
    "numbers": _as_number,
    "spaces": lambda text: " ".join(text.split()),
}
