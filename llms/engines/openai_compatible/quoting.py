"""What a server said, as it may be shown and stored: short, and without the key that it was sent."""

from itertools import takewhile

from llms.sentences import Sentence, filled
from llms.storable import storable

SHOWN_OF_A_REPLY = 300
TELLING_CHARACTERS = 8
"""Of a key. A shorter beginning may be a word like any other."""


def quoted(said: str, key: str = "") -> str:
    """Its beginning. The key goes first: of one that is cut in two nobody would know the first half."""
    return storable(without_key(said, key))[:SHOWN_OF_A_REPLY]


def without_key(text: str, key: str) -> str:
    """Servers repeat in their errors what they were sent, and some cut it off in the middle of the key."""
    if not key:
        return text
    if isinstance(text, Sentence):
        plain = {name: without_key(value, key) for name, value in text.values.items() if isinstance(value, str)}
        return filled(text.template, **{**text.values, **plain})
    text = text.replace(key, "…")
    return _without_beginnings(text, key) if len(key) > TELLING_CHARACTERS else text


def _without_beginnings(text: str, key: str) -> str:
    beginning, rest = key[:TELLING_CHARACTERS], key[TELLING_CHARACTERS:]
    first, *others = text.split(beginning)
    return "…".join([first, *(other[_n_alike(other, rest) :] for other in others)])


def _n_alike(one: str, other: str) -> int:
    """Characters that both begin with."""
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False)))
