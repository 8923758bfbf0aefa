"""IFEval's 25 kinds of instructions, and whether a response follows those of a prompt, strictly and loosely.

Verdicts are those of the authors' checker (google-research/instruction_following_eval). lm-evaluation-harness copies it
and differs in two points, where it is a matter of luck: a “letter” that is none becomes a random one, and so does an
argument that is 0 or empty.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from evaluation.errors import BadRow
from evaluation.scoring.instructions import forms, words
from evaluation.scoring.instructions.arguments import Arguments
from evaluation.scoring.instructions.verdicts import Check, Verdict
from llms.sentences import filled, mark

MOST_CHARACTERS: Final = 200_000
"""Of a response: some checks take time that grows faster than the text."""

INSTRUCTIONS: Final[Mapping[str, Callable[[Arguments], Check]]] = {
    "change_case:capital_word_frequency": words.capital_word_frequency,
    "change_case:english_capital": words.english_capital,
    "change_case:english_lowercase": words.english_lowercase,
    "combination:repeat_prompt": forms.repeat_prompt,
    "combination:two_responses": forms.two_responses,
    "detectable_content:number_placeholders": forms.number_placeholders,
    "detectable_content:postscript": forms.postscript,
    "detectable_format:constrained_response": forms.constrained_response,
    "detectable_format:json_format": forms.json_format,
    "detectable_format:multiple_sections": forms.multiple_sections,
    "detectable_format:number_bullet_lists": forms.number_bullet_lists,
    "detectable_format:number_highlighted_sections": forms.number_highlighted_sections,
    "detectable_format:title": forms.title,
    "keywords:existence": words.existence,
    "keywords:forbidden_words": words.forbidden_words,
    "keywords:frequency": words.frequency,
    "keywords:letter_frequency": words.letter_frequency,
    "language:response_language": words.response_language,
    "length_constraints:nth_paragraph_first_word": forms.nth_paragraph_first_word,
    "length_constraints:number_paragraphs": forms.number_paragraphs,
    "length_constraints:number_sentences": forms.number_sentences,
    "length_constraints:number_words": forms.number_words,
    "punctuation:no_comma": words.no_comma,
    "startend:end_checker": forms.end_checker,
    "startend:quotation": forms.quotation,
}

WITHOUT_STARS: Final = mark("without its stars: %(reason)s")
CUT: Final = (
    mark("without its first line: %(reason)s"),
    mark("without its last line: %(reason)s"),
    mark("without its first and last lines: %(reason)s"),
)
CUT_WITHOUT_STARS: Final = (
    mark("without its first line and its stars: %(reason)s"),
    mark("without its last line and its stars: %(reason)s"),
    mark("without its first and last lines and its stars: %(reason)s"),
)


class Instruction(NamedTuple):
    kind: str
    check: Check


class Following(NamedTuple):
    """One verdict for each instruction of the prompt."""

    strict: tuple[Verdict, ...]
    loose: tuple[Verdict, ...]


def instructions_of(kinds: Sequence[str], arguments: Sequence[Mapping[str, Any]]) -> tuple[Instruction, ...]:
    """Raises BadRow."""
    if len(kinds) != len(arguments):
        sentence = mark("“instruction_id_list” has %(kinds)s entries, and “kwargs” has %(arguments)s")
        raise BadRow(filled(sentence, kinds=len(kinds), arguments=len(arguments)))
    unknown = [kind for kind in kinds if kind not in INSTRUCTIONS]
    if unknown:
        sentence = mark("no instruction is called “%(name)s”; known are %(known)s")
        raise BadRow(filled(sentence, name=unknown[0], known=", ".join(INSTRUCTIONS)))
    pairs = zip(kinds, arguments, strict=True)
    return tuple(Instruction(kind, INSTRUCTIONS[kind](Arguments(given))) for kind, given in pairs)


def followed(instructions: Sequence[Instruction], response: str) -> Following:
    """Raises BadRow for a response that no check should be asked about."""
    if len(response) > MOST_CHARACTERS:
        sentence = mark("the response has %(n)s characters, and at most %(most)s can be checked")
        raise BadRow(filled(sentence, n=len(response), most=MOST_CHARACTERS))
    strict = tuple(_strict(instruction.check, response) for instruction in instructions)
    variants = _variants(response)
    pairs = zip(instructions, strict, strict=True)
    return Following(strict, tuple(_loose(instruction.check, verdict, variants) for instruction, verdict in pairs))


def _strict(check: Check, response: str) -> Verdict:
    return check(response) if response.strip() else Verdict(False, filled(mark("the response is empty")))


def _loose(check: Check, strict: Verdict, variants: Mapping[str, str]) -> Verdict:
    if strict.is_followed:
        return strict
    for text, how in variants.items():
        verdict = check(text)
        if verdict.is_followed:
            return Verdict(True, filled(how, reason=verdict.reason))
    return strict


def _variants(response: str) -> dict[str, str]:
    """What is left of a response without what often surrounds an answer, with the words for how it came about."""
    lines = response.split("\n")
    cut = [("\n".join(part).strip()) for part in (lines[1:], lines[:-1], lines[1:-1])]
    found = {response.replace("*", ""): WITHOUT_STARS}
    for text, how in zip(cut, CUT, strict=True):
        found.setdefault(text, how)
    for text, how in zip(cut, CUT_WITHOUT_STARS, strict=True):
        found.setdefault(text.replace("*", ""), how)
    return {text: how for text, how in found.items() if text.strip() and text != response}
