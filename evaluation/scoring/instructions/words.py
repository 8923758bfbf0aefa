"""Checks of single words, letters and the language. Each reads its arguments once, and returns the check."""

import re
from collections import Counter
from collections.abc import Callable
from typing import Final

from evaluation.scoring.instructions.arguments import Arguments
from evaluation.scoring.instructions.english import ENGLISH, language_of, n_capital_words
from evaluation.scoring.instructions.verdicts import Check, Verdict, quoted
from llms.sentences import Sentence, filled, mark

COMMA: Final = ","


def existence(given: Arguments) -> Check:
    """Anywhere, as part of another word as well."""
    keywords = given.texts("keywords")

    def check(text: str) -> Verdict:
        for keyword in keywords:
            if not re.search(re.escape(keyword), text, re.IGNORECASE):
                return Verdict(False, filled(mark("“%(word)s” is missing"), word=keyword))
        return Verdict(True, filled(mark("all are there: %(words)s"), words=", ".join(keywords)))

    return check


def frequency(given: Arguments) -> Check:
    keyword, amount = given.text("keyword").strip(), given.amount("frequency")

    def check(text: str) -> Verdict:
        return amount.verdict(len(re.findall(re.escape(keyword), text, re.IGNORECASE)), quoted(keyword))

    return check


def forbidden_words(given: Arguments) -> Check:
    """As whole words only."""
    words = given.texts("forbidden_words")

    def check(text: str) -> Verdict:
        for word in words:
            found = re.search(rf"\b{re.escape(word)}\b", text, re.IGNORECASE)
            if found:
                reason = filled(mark("“%(word)s” is at character %(place)s"), word=word, place=found.start() + 1)
                return Verdict(False, reason)
        return Verdict(True, filled(mark("none is there: %(words)s"), words=", ".join(words)))

    return check


def letter_frequency(given: Arguments) -> Check:
    """Taken at its word where the “letter” is none: two published rows ask for # and !."""
    letter, amount = given.letter("letter").lower(), given.amount("let_frequency", "let_relation")

    def check(text: str) -> Verdict:
        return amount.verdict(Counter(text.lower())[letter], quoted(letter))

    return check


def response_language(given: Arguments) -> Check:
    wanted = given.text("language")
    return lambda text: _language(text, wanted)


def english_capital(given: Arguments) -> Check:
    """Letters without a capital form do not matter, but there must be one with."""

    def check(text: str) -> Verdict:
        if text.isupper():
            return _language(text, ENGLISH)
        return Verdict(False, _odd_letter(text, str.islower, mark("“%(letter)s” at character %(place)s is no capital")))

    return check


def english_lowercase(given: Arguments) -> Check:
    def check(text: str) -> Verdict:
        if text.islower():
            return _language(text, ENGLISH)
        return Verdict(False, _odd_letter(text, str.isupper, mark("“%(letter)s” at character %(place)s is a capital")))

    return check


def capital_word_frequency(given: Arguments) -> Check:
    amount = given.amount("capital_frequency", "capital_relation")
    return lambda text: amount.verdict(n_capital_words(text), filled(mark("words in capitals")))


def no_comma(given: Arguments) -> Check:
    def check(text: str) -> Verdict:
        n, place = text.count(COMMA), text.find(COMMA) + 1
        match n:
            case 0:
                return Verdict(True, filled(mark("no comma found")))
            case 1:
                return Verdict(False, filled(mark("found 1 comma, at character %(place)s"), place=place))
            case _:
                words = mark("found %(n)s commas, first at character %(place)s")
                return Verdict(False, filled(words, n=n, place=place))

    return check


def _language(text: str, wanted: str) -> Verdict:
    found = language_of(text)
    if found is None:
        return Verdict(True, filled(mark("no language can be told, which counts as followed")))
    words = mark("the language reads as “%(found)s”, and “%(wanted)s” is asked for")
    return Verdict(found == wanted, filled(words, found=found, wanted=wanted))


def _odd_letter(text: str, is_odd: Callable[[str], bool], words: str) -> Sentence:
    for place, letter in enumerate(text, start=1):
        if is_odd(letter):
            return filled(words, letter=letter, place=place)
    return filled(mark("there is no letter that has a capital and a small form"))
