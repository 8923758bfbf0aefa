"""Checks of the form of a response: lengths, parts, marks, beginning and end.

A response may be hostile: what would read the same blanks or brackets again and again, as the reference's patterns do,
is written so that it reads each once, and counts the same.
"""

import json
import re
from itertools import takewhile
from typing import Final

from evaluation.errors import BadRow
from evaluation.scoring.instructions.arguments import Arguments
from evaluation.scoring.instructions.english import n_sentences, n_words
from evaluation.scoring.instructions.verdicts import Amount, Check, Relation, Verdict, quoted
from llms.sentences import filled, mark

DIVIDER: Final = re.compile(r"\s?\*\*\*\s?")
BLANK_LINE: Final = "\n\n"
AFTER_FIRST_WORD: Final = frozenset(".,?!'\"")
BETWEEN_RESPONSES: Final = "******"
STARRED: Final = re.compile(r"(?:\A|\n)\s*+(\*[^*].*)?")
"""A bullet is a star at the beginning of a line, and something else after it, be it the line's end."""
DASHED: Final = re.compile(r"(?:\A|\n)\s*+(-.*)?")
HIGHLIGHT: Final = re.compile(r"\*[^\n*]*\*")
STRONG: Final = re.compile(r"\*\*[^\n*]*\*\*")
POSTSCRIPTS: Final = {"P.S.": re.compile(r"p\.\s?s\."), "P.P.S": re.compile(r"p\.\s?p\.\s?s")}
ALLOWED_ANSWERS: Final = ("My answer is yes.", "My answer is no.", "My answer is maybe.")
FENCES: Final = ("```json", "```Json", "```JSON", "```")
QUOTE: Final = '"'


# --- lengths


def number_sentences(given: Arguments) -> Check:
    amount = given.amount("num_sentences")
    return lambda text: amount.verdict(n_sentences(text), filled(mark("sentences")))


def number_words(given: Arguments) -> Check:
    amount = given.amount("num_words")
    return lambda text: amount.verdict(n_words(text), filled(mark("words")))


def number_paragraphs(given: Arguments) -> Check:
    """Between dividers of three stars; one at the beginning or the end has nothing outside it."""
    amount = given.exactly("num_paragraphs")

    def check(text: str) -> Verdict:
        paragraphs = DIVIDER.split(text)
        blank = [place for place, paragraph in enumerate(paragraphs) if not paragraph.strip()]
        inside = [place for place in blank if 0 < place < len(paragraphs) - 1]
        if inside:
            return Verdict(False, filled(mark("there is nothing between dividers %(n)s and the next"), n=inside[0]))
        return amount.verdict(len(paragraphs) - len(blank), filled(mark("paragraphs")))

    return check


def nth_paragraph_first_word(given: Arguments) -> Check:
    amount, place = given.exactly("num_paragraphs"), given.whole("nth_paragraph", at_least=1)
    wanted = given.text("first_word").lower()
    if place > amount.n:
        words = mark("there is no paragraph %(place)s of %(n)s")
        raise BadRow(filled(words, place=place, n=amount.n))

    def check(text: str) -> Verdict:
        paragraphs = text.split(BLANK_LINE)
        n = sum(1 for paragraph in paragraphs if paragraph.strip())
        counted = amount.verdict(n, filled(mark("paragraphs")))
        # Paragraphs are counted without the blank ones, but the place counts them: so does the reference.
        if place > n or not counted.is_followed:
            return Verdict(False, counted.reason)
        found = _first_word(paragraphs[place - 1])
        words = mark("paragraph %(place)s begins with “%(found)s”, and “%(wanted)s” is asked for")
        return Verdict(found == wanted, filled(words, place=place, found=found, wanted=wanted))

    return check


def _first_word(paragraph: str) -> str:
    word = next(iter(paragraph.split()), "").lstrip("'").lstrip(QUOTE)
    return "".join(letter.lower() for letter in takewhile(lambda letter: letter not in AFTER_FIRST_WORD, word))


# --- parts and marks


def number_placeholders(given: Arguments) -> Check:
    amount = given.at_least("num_placeholders")

    def check(text: str) -> Verdict:
        return amount.verdict(sum(map(_n_brackets, text.split("\n"))), filled(mark("placeholders in brackets")))

    return check


def _n_brackets(line: str) -> int:
    n, end = 0, 0
    while (start := line.find("[", end)) >= 0 and (end := line.find("]", start) + 1):
        n += 1
    return n


def postscript(given: Arguments) -> Check:
    marker = given.text("postscript_marker").strip()
    pattern = POSTSCRIPTS.get(marker, re.compile(re.escape(marker.lower())))

    def check(text: str) -> Verdict:
        found = pattern.search(text.lower())
        if found is None:
            return Verdict(False, filled(mark("there is no %(marker)s"), marker=marker))
        words = mark("%(marker)s is at character %(place)s")
        return Verdict(True, filled(words, marker=marker, place=found.start() + 1))

    return check


def number_bullet_lists(given: Arguments) -> Check:
    amount = given.exactly("num_bullets")

    def check(text: str) -> Verdict:
        n = sum(1 for pattern in (STARRED, DASHED) for found in pattern.finditer(text) if found[1])
        return amount.verdict(n, filled(mark("bullet points")))

    return check


def number_highlighted_sections(given: Arguments) -> Check:
    """What stands between two double stars counts as one with a single star as well, where the pairing falls so."""
    amount = given.at_least("num_highlights")

    def check(text: str) -> Verdict:
        single = sum(1 for found in HIGHLIGHT.findall(text) if found.strip("*").strip())
        double = sum(1 for found in STRONG.findall(text) if found[2:-2].strip())
        return amount.verdict(single + double, filled(mark("highlighted sections")))

    return check


def multiple_sections(given: Arguments) -> Check:
    splitter, amount = given.text("section_spliter").strip(), given.at_least("num_sections")
    pattern = re.compile(rf"\s?{re.escape(splitter)}\s?\d+\s?")
    what = filled(mark("“%(word)s” with a number"), word=splitter)
    return lambda text: amount.verdict(len(pattern.findall(text)), what)


def title(given: Arguments) -> Check:
    def check(text: str) -> Verdict:
        for line in text.split("\n"):
            start, end = line.find("<<"), line.rfind(">>")
            if start >= 0 and end > start + 2:
                name = line[start : end + 2].lstrip("<").rstrip(">").strip()
                if name:
                    return Verdict(True, filled(mark("the title is “%(name)s”"), name=name))
        return Verdict(False, filled(mark("there is no title in <<double angular brackets>>")))

    return check


def json_format(given: Arguments) -> Check:
    def check(text: str) -> Verdict:
        text = text.strip()
        for fence in FENCES:
            text = text.removeprefix(fence)
        try:
            json.loads(text.removesuffix("```").strip())
        except (ValueError, RecursionError) as error:
            return Verdict(False, filled(mark("it is no JSON: %(why)s"), why=error))
        return Verdict(True, filled(mark("it is JSON")))

    return check


def constrained_response(given: Arguments) -> Check:
    def check(text: str) -> Verdict:
        found = next((answer for answer in ALLOWED_ANSWERS if answer in text), None)
        if found is None:
            return Verdict(False, filled(mark("none is there: %(words)s"), words=" / ".join(ALLOWED_ANSWERS)))
        words, place = mark("“%(word)s” is at character %(place)s"), text.find(found) + 1
        return Verdict(True, filled(words, word=found, place=place))

    return check


# --- the whole


def two_responses(given: Arguments) -> Check:
    amount = Amount(Relation.EXACTLY, 2)

    def check(text: str) -> Verdict:
        parts = [part.strip() for part in text.split(BETWEEN_RESPONSES)]
        if not all(parts[1:-1]):
            return Verdict(False, filled(mark("there is an empty response between two separators")))
        responses = [part for part in parts if part]
        if len(responses) == 2 and responses[0] == responses[1]:
            return Verdict(False, filled(mark("both responses are the same")))
        return amount.verdict(len(responses), filled(mark("responses")))

    return check


def repeat_prompt(given: Arguments) -> Check:
    wanted = given.text("prompt_to_repeat").strip().lower()

    def check(text: str) -> Verdict:
        written = text.strip().lower()
        if written.startswith(wanted):
            return Verdict(True, filled(mark("it begins with the request")))
        pairs = zip(written, wanted, strict=False)
        place = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs)) + 1
        words = mark("it leaves the request's words at character %(place)s")
        return Verdict(False, filled(words, place=place))

    return check


def end_checker(given: Arguments) -> Check:
    """Blanks before the closing quotation marks stay: so does the reference."""
    wanted = given.text("end_phrase").strip()

    def check(text: str) -> Verdict:
        written = text.strip().strip(QUOTE)
        if written.lower().endswith(wanted.lower()):
            return Verdict(True, filled(mark("it ends with “%(wanted)s”"), wanted=wanted))
        words = mark("it ends with “%(found)s”, and “%(wanted)s” is asked for")
        return Verdict(False, filled(words, found=written[-len(wanted) :], wanted=wanted))

    return check


def quotation(given: Arguments) -> Check:
    def check(text: str) -> Verdict:
        written = text.strip()
        if len(written) > 1 and written[0] == written[-1] == QUOTE:
            return Verdict(True, filled(mark("it stands between double quotation marks")))
        words = mark("it begins with %(first)s and ends with %(last)s, not with double quotation marks")
        return Verdict(False, filled(words, first=quoted(written[0]), last=quoted(written[-1])))

    return check
