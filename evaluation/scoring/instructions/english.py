"""Words, sentences and the language of a text, as the reference checker finds them.

The language is langdetect's guess, which draws random numbers: with a seed, and the languages loaded by name, the same
text always gets the same answer.
"""

import re
from functools import cache
from pathlib import Path
from typing import Final

from langdetect import DetectorFactory, LangDetectException
from langdetect.detector_factory import PROFILES_DIRECTORY

from evaluation.scoring.instructions.sentences import sentences

ENGLISH: Final = "en"
SEED: Final = 0
WORD: Final = re.compile(r"\w+")
APART: Final = tuple(
    (re.compile(pattern), replacement)
    for pattern, replacement in (
        (r"([«“‘„]|`+)", r" \1 "),
        (r'^"', "``"),
        (r"(``)", r" \1 "),
        (r"([ (\[{<])(\"|'{2})", r"\1 `` "),
        (r"(?i)(')(?!re|ve|ll|m|t|s|d|n)(\w)\b", r"\1 \2"),
        (r"([^.])(\.)([\])}>\"'»”’ ]*+)\s*$", r"\1 \2 \3 "),
        (r"([:,])([^\d])", r" \1 \2"),
        (r"([:,])$", r" \1 "),
        (r"(\.{2,}|[;@#$%&])", r" \1 "),
        (r"([^.])(\.)([\])}>\"']*+)\s*$", r"\1 \2\3 "),
        (r"([?!])", r" \1 "),
        (r"([^'])' ", r"\1 ' "),
        (r"([*\]\[(){}<>])", r" \1 "),
        (r"--", " -- "),
        (r"^|$", " "),
        (r"([»”’])", r" \1 "),
        (r"''|\"", " '' "),
        (r"\s+", " "),
        (r"([^' ])('[sS]|'[mM]|'[dD]|') ", r"\1 \2 "),
        (r"([^' ])('ll|'LL|'re|'RE|'ve|'VE|n't|N'T) ", r"\1 \2 "),
        (r"(?i)\b(can)(not)\b", r" \1 \2 "),
        (r"(?i)\b(d)('ye)\b", r" \1 \2 "),
        (r"(?i)\b(gim)(me)\b", r" \1 \2 "),
        (r"(?i)\b(gon)(na)\b", r" \1 \2 "),
        (r"(?i)\b(got)(ta)\b", r" \1 \2 "),
        (r"(?i)\b(lem)(me)\b", r" \1 \2 "),
        (r"(?i)\b(more)('n)\b", r" \1 \2 "),
        (r"(?i)\b(wan)(na)(?=\s)", r" \1 \2 "),
        (r"(?i) ('t)(is|was)\b", r" \1 \2 "),
    )
)
"""How NLTK up to 3.9 parts the words of a sentence (the conventions of the Penn Treebank), rule after rule."""


def n_words(text: str) -> int:
    """Runs of letters, digits and underscores: “don't” is two."""
    return sum(1 for _ in WORD.finditer(text))


def n_sentences(text: str) -> int:
    return len(sentences(text))


def n_capital_words(text: str) -> int:
    """Words of which all letters are capitals; one with a hyphen is one word, a single “I” is one too."""
    return sum(word.isupper() for sentence in sentences(text) for word in words(sentence))


def words(sentence: str) -> list[str]:
    """With punctuation and clitics as words of their own."""
    for pattern, replacement in APART:
        sentence = pattern.sub(replacement, sentence)
    return sentence.split()


def language_of(text: str) -> str | None:
    """The code of ISO 639-1 (Chinese has two with a region); None where there are no letters to tell by."""
    detector = _languages().create()
    detector.append(text)
    try:
        return str(detector.detect())
    except LangDetectException:
        return None


@cache
def _languages() -> DetectorFactory:
    """langdetect's own has no seed, takes the languages in the order of the disk, and is found half loaded by a second
    thread."""
    factory = DetectorFactory()
    profiles = sorted(path for path in Path(PROFILES_DIRECTORY).iterdir() if path.is_file() and path.name[0] != ".")
    factory.load_json_profile([profile.read_text(encoding="utf-8") for profile in profiles])
    factory.set_seed(SEED)
    return factory
