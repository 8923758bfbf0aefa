"""What a check says: whether the instruction is followed, and why, in words."""

import operator
from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Final, NamedTuple

from llms.sentences import Sentence, filled, mark


class Verdict(NamedTuple):
    is_followed: bool
    reason: Sentence


Check = Callable[[str], Verdict]
"""An instruction with its numbers and words filled in, asked about a text that is not blank."""


class Relation(StrEnum):
    LESS_THAN = "less than"
    AT_LEAST = "at least"
    EXACTLY = "exactly"


ASKED: Final = {
    Relation.LESS_THAN: mark("fewer than %(n)s"),
    Relation.AT_LEAST: mark("at least %(n)s"),
    Relation.EXACTLY: mark("exactly %(n)s"),
}

HOLDS: Final[Mapping[Relation, Callable[[int, int], bool]]] = {
    Relation.LESS_THAN: operator.lt,
    Relation.AT_LEAST: operator.ge,
    Relation.EXACTLY: operator.eq,
}


class Amount(NamedTuple):
    """How many of something are asked for."""

    relation: Relation
    n: int

    @property
    def asked(self) -> Sentence:
        return filled(ASKED[self.relation], n=self.n)

    def verdict(self, found: int, what: Sentence) -> Verdict:
        words = mark("%(what)s: %(found)s found, %(asked)s asked for")
        return Verdict(HOLDS[self.relation](found, self.n), filled(words, what=what, found=found, asked=self.asked))


def quoted(word: str) -> Sentence:
    return filled(mark("“%(word)s”"), word=word)
