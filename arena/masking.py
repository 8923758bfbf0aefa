"""Hides the names that a model calls itself, while it is still writing. Pure: the names are passed in.

Two kinds of names. Those that can mean nothing else ("SmolLM2-135M-Instruct") are always hidden. Those that are also
ordinary words or well-known firms ("Orion", "Acme") are hidden only where the sentence speaks of its writer ("I was
trained by Acme"), because otherwise an honest answer about Acme would be spoiled.

A name is found whatever its case, and however its parts are set apart ("SmolLM2-135M", "smol lm 2 135m",
"**SmolLM** 2"), but only as a whole word, and never put together from others: "atom or ion" is no Orion.
"""

import functools
import html
import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import Enum
from html.entities import html5

MASK = "█████"
GAPS = frozenset(".:/'\"\u2212")
"""May stand between two parts of a name, as every blank and dash may: "Smol LM-2"."""
UNSEEN = frozenset("*_`~\\™®")
"""Mark-up and trade marks: may stand between any two letters of a name, as every character without width may."""
MAX_BETWEEN = 4
"""So many of both in a row."""
MIN_NAME_LENGTH = 3
"""Letters and digits. Shorter names are ordinary words too often."""
CUE_REACH = 80
"""Characters before an ordinary word in which the sentence must speak of its writer."""

_SELF_REFERENCE = re.compile(
    r"\b(?:i\sam|i['’]m|i\swas|my\sname|call\sme|as\san?\s(?:ai|language|large)"
    r"|(?:made|built|created|developed|trained|designed)\sby|(?:model|assistant)\s(?:by|from|of|named|called)"
    r"|ben\sbir|benim\sad\w*|adım|ismim|bana|ich\sbin|mein\sname|je\ssuis|je\sm['’]appelle|me\sllamo|soy)\b"
    r"|\bben(?:,|\W*$)|我是|我叫",
    re.IGNORECASE,
)
_CUES_AFTER = ("tarafından", "trained me", "made me", "built me", "created me", "developed me", "is my name")
"""What speaks of the writer, too, when it follows the name at once."""
_SENTENCE_END = re.compile(r"[.!?。\n]\s")
_WITHOUT_BLANKS = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1100-\u11ff\u1780-\u17ff\u3040-\u31ff\u3400-\u9fff\uac00-\ud7af\uff66-\uffdc"
    "\U00020000-\U0003ffff]"
)
"""Letters of scripts that set no blanks between words, or hang particles on names: Thai, Chinese, Japanese, Korean."""


_ENTITY = re.compile(r"&(?:#x([0-9a-f]{1,6})|#([0-9]{1,7})|([a-z][a-z0-9]{1,31}));", re.IGNORECASE)
_ENTITY_SO_FAR = re.compile(r"&(?:#(?:x[0-9a-f]{0,6}|[0-9]{0,7})|[a-z][a-z0-9]{0,31})?", re.IGNORECASE)
"""As the page's Markdown knows them: it shows `&#79;rion` as Orion."""


class Kind(Enum):
    ALWAYS = "always"
    OF_ITSELF = "of itself"
    CUE = "cue"
    """No name, but the end of what speaks of the writer, behind one."""


@dataclass(slots=True)
class _Node:
    children: dict[str, "_Node"] = field(default_factory=dict)
    kinds: set[Kind] = field(default_factory=set)
    """Not empty where a name may end."""
    ends_part: bool = False
    """Whether a gap may follow, as between "Smol" and "LM"."""


class Names:
    """A tree of the letters and digits of all names to hide. Built once, used by every stream."""

    def __init__(self, always: Iterable[str], of_itself: Iterable[str] = ()) -> None:
        self.root = _Node()
        for name in always:
            self._add(name, Kind.ALWAYS)
        for name in of_itself:
            if self._add(name, Kind.OF_ITSELF):
                for cue in _CUES_AFTER:
                    self._add(f"{name} {cue}", Kind.CUE)

    def _add(self, word: str, kind: Kind) -> bool:
        if sum(len(fold(character)) for character in word) < MIN_NAME_LENGTH:
            return False
        node, before = self.root, ""
        for character in word:
            if fold(character) and before and _begins_part(before, character):
                node.ends_part = True
            for letter in fold(character):
                node = node.children.setdefault(letter, _Node())
            before = character
        node.kinds.add(kind)
        return True


def _begins_part(before: str, character: str) -> bool:
    return not before.isalnum() or character.isupper() or before.isdigit() != character.isdigit()


@functools.lru_cache(maxsize=4096)
def fold(character: str) -> str:
    """The letters and digits that a character stands for; empty for everything else. `İ`, `ı` and `I` are one."""
    if not character.isalnum():
        return ""
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
    _in_word: bool = False

    def feed(self, piece: str) -> str:
        return self._release(self._pending + piece, is_end=False)

    def finish(self) -> str:
        """What was held back, now that the answer has come to its end. One that was interrupted is not finished: what
        is held back then may be half a name."""
        return self._release(self._pending, is_end=True)

    def _release(self, text: str, *, is_end: bool) -> str:
        shown: list[str] = []
        position = 0
        while position < len(text):
            end = None
            try:
                character, behind = _read(text, position, is_end=is_end)
                if fold(character) and not (self._in_word and _binds(character)):
                    end = self._end_of_name(text, position, shown, is_end=is_end)
            except _Undecided:
                break
            shown.append(MASK if end else text[position:behind])
            if end or not unicodedata.combining(character[-1]):
                self._in_word = not end and _binds(character)
            position = end or behind
        self._pending = text[position:]
        released = "".join(shown)
        self._shown_tail = (self._shown_tail + released)[-CUE_REACH:]
        return released

    def _end_of_name(self, text: str, start: int, shown: list[str], *, is_end: bool) -> int | None:
        """Where the longest name to hide ends that begins at `start`."""
        found = _walk(self.names.root, text, start, is_end=is_end)
        has_cue = any(Kind.CUE in kinds for _, kinds in found)
        ends = [
            end
            for end, kinds in found
            if Kind.ALWAYS in kinds or (Kind.OF_ITSELF in kinds and (has_cue or self._speaks_of_itself(shown)))
        ]
        return max(ends, default=None)

    def _speaks_of_itself(self, shown: list[str]) -> bool:
        context = (self._shown_tail + "".join(shown[-CUE_REACH:]))[-CUE_REACH:]
        sentence = _SENTENCE_END.split(html.unescape(context))[-1]
        return bool(_SELF_REFERENCE.search(sentence))


def _read(text: str, position: int, *, is_end: bool) -> tuple[str, int]:
    """The character that is shown for what stands here, and where the next one begins. Nothing at the end. Raises
    `_Undecided` where an entity may still be on its way."""
    character = text[position : position + 1]
    if character != "&":
        return character, position + 1
    if entity := _ENTITY.match(text, position):
        return _meant(entity), entity.end()
    so_far = _ENTITY_SO_FAR.match(text, position)
    if so_far and so_far.end() == len(text) and not is_end:
        raise _Undecided
    return character, position + 1


def _meant(entity: re.Match[str]) -> str:
    """One character, or the letters of a ligature. What is neither is no letter of a name: then it stands for the sign
    itself."""
    hexadecimal, decimal, name = entity.groups()
    if name:
        found = html5.get(f"{name};", "&")
        return found if len(found) == 1 or found.isalpha() else "&"
    code = int(hexadecimal, 16) if hexadecimal else int(decimal)
    return chr(code) if 0 < code <= 0x10FFFF else "&"


def _walk(root: _Node, text: str, start: int, *, is_end: bool) -> list[tuple[int, set[Kind]]]:
    """Every place where a known name that begins at `start` ends. Raises `_Undecided` while more text could matter."""
    found: list[tuple[int, set[Kind]]] = []
    node, position, n_between = root, start, 0
    while position < len(text):
        character, behind = _read(text, position, is_end=is_end)
        if letters := fold(character):
            descended = _descend(node, letters)
            if descended is None:
                return found
            node, n_between = descended, 0
            if node.kinds and behind == len(text) and not is_end:
                raise _Undecided
            if node.kinds and not _goes_on(character, _read(text, behind, is_end=is_end)[0]):
                found.append((behind, node.kinds))
        elif n_between < MAX_BETWEEN and _may_stand_inside(character, node):
            n_between += 1
        else:
            return found
        position = behind
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


def _may_stand_inside(character: str, node: _Node) -> bool:
    kind = unicodedata.category(character)
    if character in UNSEEN or kind == "Cf" or unicodedata.combining(character):
        return True
    return node.ends_part and (character in GAPS or kind in {"Zs", "Pd"})


def _goes_on(last: str, following: str) -> bool:
    """Whether the word goes on behind a character of it. "Orion3" is the word Orion and a number."""
    return _binds(last) and _binds(following) and last.isdigit() == following.isdigit()


def _binds(character: str) -> bool:
    """Whether it is one word with a letter beside it."""
    return character.isalnum() and not _WITHOUT_BLANKS.match(character)


def mask(text: str, names: Names, *, is_whole: bool = True) -> str:
    """All of a text at once. One that was interrupted is not whole: its end may be half a name, and is left out."""
    masker = Masker(names)
    shown = masker.feed(text)
    return shown + masker.finish() if is_whole else shown
