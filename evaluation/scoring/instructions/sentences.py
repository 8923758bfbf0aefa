"""Where English sentences end, by the Punkt method (Kiss & Strunk 2006, Computational Linguistics 32).

A full stop ends a sentence unless the word before it is known as an abbreviation, an initial or a number, and what
follows does not look like a beginning. What is known comes from a package, as data. The rules are those of NLTK up to
3.9, with which the published scores were made: NLTK 3.10 takes curly quotes for an end, and counts other sentences.
"""

import re
import string
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import Final, NamedTuple

import punkt
from punkt import PunktParameters

NO_WORD: Final = r"[)\";}\]*:@'({\[?!]"
REPEATED: Final = r"(?:-{2,}|\.{2,}|(?:\.\s){2,}\.)"
WORD_END: Final = rf"\s|$|{NO_WORD}|{REPEATED}"
TOKEN: Final = re.compile(rf"{REPEATED}|(?=[^(\"`{{\[:;&#*@)}}\]\-,])\S+?(?={WORD_END}|,(?={WORD_END}))|\S")
POSSIBLE_END: Final = re.compile(rf"[.?!](?=(?P<after>{NO_WORD}|\s+(?P<next>\S+)))")
CLOSING: Final = re.compile(r"[\"')\]}]+?(?:\s+|(?=--)|$)", re.MULTILINE)
NUMBER: Final = re.compile(r"-?[.,]?\d[\d,.\-]*\.?")
NUMBER_TYPE: Final = "##number##"
INITIAL: Final = re.compile(r"[^\W\d]\.")
DOTS: Final = re.compile(r"\.\.+")
ENDS: Final = frozenset(".?!")
INSIDE: Final = frozenset(";:,.!?")

# How a word was seen when the parameters were learnt, as bits of a number.
BEGINS_UPPER, INSIDE_UPPER, SOMEWHERE_UPPER, BEGINS_LOWER, INSIDE_LOWER, SOMEWHERE_LOWER = (1 << n for n in range(1, 7))
UPPER: Final = BEGINS_UPPER | INSIDE_UPPER | SOMEWHERE_UPPER
LOWER: Final = BEGINS_LOWER | INSIDE_LOWER | SOMEWHERE_LOWER


def sentences(text: str) -> list[str]:
    """Without the blanks between them."""
    return [text[span.start : span.stop] for span in _spans(text)]


class _Span(NamedTuple):
    start: int
    stop: int


def _spans(text: str) -> Iterator[_Span]:
    """Quotes and brackets that close behind an end belong to the sentence that they close."""
    spans, moved = list(_rough_spans(text)), 0
    for span, following in zip(spans, [*spans[1:], None], strict=True):
        start = span.start + moved
        closing = following and CLOSING.match(text[following.start : following.stop])
        if following and closing:
            moved = closing.end()
            yield _Span(start, following.start + len(closing[0].rstrip()))
        else:
            moved = 0
            if start < span.stop:
                yield _Span(start, span.stop)


def _rough_spans(text: str) -> Iterator[_Span]:
    start = 0
    for end, context in _candidates(text):
        if _has_break(context):
            yield _Span(start, end.end())
            start = end.start("next") if end["next"] else end.end()
    yield _Span(start, len(text.rstrip()))


def _candidates(text: str) -> Iterator[tuple[re.Match[str], str]]:
    """Where a sentence may end, with the word before and what follows; of several places in one word the last."""
    previous: re.Match[str] | None = None
    start = stop = 0
    for found in POSSIBLE_END.finditer(text):
        blank = max(text.rfind(blank, stop, found.start()) for blank in string.whitespace)
        word = blank + 1 if blank > stop else start
        if previous and stop <= word:
            yield previous, text[start:stop] + previous[0] + previous["after"]
        previous, start, stop = found, word, found.start()
    if previous:
        yield previous, text[start:stop] + previous[0] + previous["after"]


# --- what the words say


@dataclass(slots=True)
class _Word:
    text: str
    type: str
    """In lower case, numbers alike."""
    is_end: bool = False
    is_abbreviation: bool = False

    @property
    def is_dots(self) -> bool:
        return DOTS.fullmatch(self.text) is not None

    @property
    def is_initial(self) -> bool:
        return INITIAL.fullmatch(self.text) is not None

    @property
    def type_without_stop(self) -> str:
        return self.type[:-1] if len(self.type) > 1 and self.type.endswith(".") else self.type

    @property
    def type_inside(self) -> str:
        return self.type_without_stop if self.is_end else self.type


def _has_break(context: str) -> bool:
    """Whether one of its words ends a sentence, and is not the last."""
    words = [_word(token) for line in context.split("\n") for token in TOKEN.findall(line)]
    for word, following in pairwise(words):
        if word.text.endswith("."):
            _reconsider(word, following)
        if word.is_end:
            return True
    return False


def _word(token: str) -> _Word:
    lowered = token.lower()
    word = _Word(token, NUMBER_TYPE if NUMBER.fullmatch(lowered) else lowered)
    if token in ENDS:
        word.is_end = True
    elif token.endswith(".") and not token.endswith(".."):
        known, stem = _parameters().abbrev_types, lowered[:-1]
        word.is_abbreviation = stem in known or stem.rpartition("-")[2] in known
        word.is_end = not word.is_abbreviation
    return word


def _reconsider(word: _Word, following: _Word) -> None:
    """The second look at a word with a full stop, which knows what comes next."""
    known, before, after = _parameters(), word.type_without_stop, following.type_inside
    if (before, after) in known.collocations:
        word.is_end = False
        return
    begins = _looks_like_a_beginning(following)
    if (word.is_abbreviation or word.is_dots) and not word.is_initial:
        is_known_start = following.text[0].isupper() and after in known.sent_starters
        if begins or is_known_start:
            word.is_end = True
            return
    if word.is_initial or before == NUMBER_TYPE:
        is_a_name = word.is_initial and following.text[0].isupper() and not known.ortho_context.get(after, 0) & LOWER
        if begins is False or (begins is None and is_a_name):
            word.is_end = False


def _looks_like_a_beginning(word: _Word) -> bool | None:
    """None where nothing is known."""
    if word.text in INSIDE:
        return False
    seen = _parameters().ortho_context.get(word.type_inside, 0)
    if word.text[0].isupper() and seen & LOWER and not seen & INSIDE_UPPER:
        return True
    if word.text[0].islower() and (seen & UPPER or not seen & BEGINS_LOWER):
        return False
    return None


@cache
def _parameters() -> PunktParameters:
    return punkt.load_model("english")
