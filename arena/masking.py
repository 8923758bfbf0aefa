"""Hides the names that a model calls itself, while it is still writing. Pure: the names are passed in.

Two kinds of names. Those that can mean nothing else ("SmolLM2-135M-Instruct") are always hidden. Those that are also
ordinary words or well-known firms ("Orion", "Acme") are hidden only where the sentence speaks of its writer ("I was
trained by Acme"), because otherwise an honest answer about Acme would be spoiled.

A name is found whatever its case, and however its parts are set apart ("SmolLM2-135M", "smol lm 2 135m",
"**SmolLM** 2"), but only as a whole word.
"""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import NamedTuple

MASK = "█████"
SEPARATORS = frozenset(" -_.*`~:/\u00a0\u2010\u2011\u2012\u2013\u200b\u200c\u200d\u2060\ufeff'\"")
MAX_SEPARATORS = 4
"""So many in a row may stand between two parts of a name."""
MIN_NAME_LENGTH = 3
"""Letters and digits. Shorter names are ordinary words too often."""
CUE_REACH = 80
"""Characters before an ordinary word in which the sentence must speak of its writer."""

_SELF_REFERENCE = re.compile(
    r"\b(?:i am|i'm|i’m|i was|my name|call me|as an? (?:ai|language|large)"
    r"|(?:made|built|created|developed|trained|designed) by|(?:model|assistant) (?:by|from|of|named|called)"
    r"|ben bir|ben,|benim ad\w*|adım)\b",
    re.IGNORECASE,
)
_SENTENCE_END = re.compile(r"[.!?。\n]\s")


class Kind(Enum):
    ALWAYS = "always"
    OF_ITSELF = "of itself"


class _Node(NamedTuple):
    children: dict[str, "_Node"]
    kinds: set["Kind"]
    """Not empty where a name may end."""


class Names:
    """A tree of the letters and digits of all names to hide. Built once, used by every stream."""

    def __init__(self, always: Iterable[str], of_itself: Iterable[str] = ()) -> None:
        self.root = _Node({}, set())
        for kind, words in ((Kind.ALWAYS, always), (Kind.OF_ITSELF, of_itself)):
            for word in words:
                self._add(word, kind)

    def _add(self, word: str, kind: Kind) -> None:
        letters = [letter for character in word for letter in fold(character)]
        if len(letters) < MIN_NAME_LENGTH:
            return
        node = self.root
        for letter in letters:
            node = node.children.setdefault(letter, _Node({}, set()))
        node.kinds.add(kind)


def fold(character: str) -> str:
    """The letters and digits that a character stands for; empty for everything else. `İ`, `ı` and `I` are one."""
    folded = unicodedata.normalize("NFKD", character.replace("ı", "i")).casefold()
    return "".join(letter for letter in folded if letter.isalnum())


class _Undecided(Exception):
    """The text ends where a name may still go on."""


@dataclass
class Masker:
    """Feed it pieces of one answer; it gives back what may be shown, and holds back what may become a name."""

    names: Names
    _pending: str = ""
    _shown_tail: str = field(default="", repr=False)

    def feed(self, piece: str) -> str:
        return self._release(self._pending + piece, is_end=False)

    def finish(self) -> str:
        return self._release(self._pending, is_end=True)

    def _release(self, text: str, *, is_end: bool) -> str:
        shown: list[str] = []
        position, word_before = 0, self._ends_in_word()
        while position < len(text):
            if word_before or not fold(text[position]):
                word_before = bool(fold(text[position]))
                shown.append(text[position])
                position += 1
                continue
            try:
                end = self._end_of_name(text, position, is_end=is_end, before="".join(shown))
            except _Undecided:
                break
            if end:
                shown.append(MASK)
                position, word_before = end, False
            else:
                shown.append(text[position])
                position, word_before = position + 1, True
        self._pending = text[position:]
        released = "".join(shown)
        self._shown_tail = (self._shown_tail + released)[-CUE_REACH:]
        return released

    def _ends_in_word(self) -> bool:
        return bool(self._shown_tail) and bool(fold(self._shown_tail[-1]))

    def _end_of_name(self, text: str, start: int, *, is_end: bool, before: str) -> int | None:
        """Where the longest name to hide ends that begins at `start`."""
        ends = [
            end
            for end, kinds in _walk(self.names.root, text, start, is_end=is_end)
            if Kind.ALWAYS in kinds or self._speaks_of_itself(before)
        ]
        return max(ends, default=None)

    def _speaks_of_itself(self, before: str) -> bool:
        context = (self._shown_tail + before)[-CUE_REACH:]
        sentence = _SENTENCE_END.split(context)[-1]
        return bool(_SELF_REFERENCE.search(sentence))


def _walk(root: _Node, text: str, start: int, *, is_end: bool) -> list[tuple[int, set[Kind]]]:
    """Every place where a known name that begins at `start` ends. Raises `_Undecided` while more text could matter."""
    found: list[tuple[int, set[Kind]]] = []
    node, position, separators = root, start, 0
    while position < len(text):
        letters = fold(text[position])
        if letters:
            descended = _descend(node, letters)
            if descended is None:
                return found
            node, separators = descended, 0
            if node.kinds:
                if position + 1 == len(text) and not is_end:
                    raise _Undecided
                if position + 1 == len(text) or not fold(text[position + 1]):
                    found.append((position + 1, node.kinds))
        elif unicodedata.combining(text[position]) or (text[position] in SEPARATORS and separators < MAX_SEPARATORS):
            separators += 1
        else:
            return found
        position += 1
    if node.children and not is_end:
        raise _Undecided
    return found


def _descend(node: _Node, letters: Sequence[str]) -> _Node | None:
    for letter in letters:
        child = node.children.get(letter)
        if child is None:
            return None
        node = child
    return node


def mask(text: str, names: Names) -> str:
    """The whole of a text that is already complete."""
    masker = Masker(names)
    return masker.feed(text) + masker.finish()
