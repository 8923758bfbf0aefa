"""The numbers and words of an instruction, read from a row of the data set.

The reference draws what is missing at random, so that its verdict is a matter of luck; here such a row is refused. It
also reads keywords as patterns; here they are words, which for every word of the published rows is the same.
"""

from collections.abc import Mapping
from typing import Any, Final

from evaluation.benchmarks.rows import shown, text, texts
from evaluation.errors import BadRow
from evaluation.scoring.instructions.verdicts import Amount, Relation
from llms.sentences import filled, mark

MOST_WORDS: Final = 1000
GIVEN_RELATIONS: Final = (Relation.LESS_THAN, Relation.AT_LEAST)


class Arguments:
    """Every reader raises BadRow."""

    def __init__(self, given: Mapping[str, Any]) -> None:
        self._given = given

    def text(self, name: str) -> str:
        return text(self._given, name)

    def texts(self, name: str) -> tuple[str, ...]:
        return texts(self._given, name, at_least=1, at_most=MOST_WORDS)

    def letter(self, name: str) -> str:
        value = self.text(name)
        if len(value) != 1:
            words = mark("“%(field)s” must be a single letter, not %(value)s")
            raise BadRow(filled(words, field=name, value=shown(value)))
        return value

    def whole(self, name: str, *, at_least: int = 0) -> int:
        """Tables in which other rows lack the number store it as a fraction: 3.0 is 3."""
        value = self._given.get(name)
        if isinstance(value, bool) or not isinstance(value, int | float) or value % 1 != 0 or value < at_least:
            words = mark("“%(field)s” must be a whole number from %(least)s on, not %(value)s")
            raise BadRow(filled(words, field=name, least=at_least, value=shown(value)))
        return int(value)

    def amount(self, number: str, relation: str = "relation") -> Amount:
        value = self._given.get(relation)
        if value not in GIVEN_RELATIONS:
            words = mark("“%(field)s” must be one of %(allowed)s, not %(value)s")
            raise BadRow(filled(words, field=relation, allowed=", ".join(GIVEN_RELATIONS), value=shown(value)))
        return Amount(Relation(value), self.whole(number))

    def at_least(self, number: str) -> Amount:
        return Amount(Relation.AT_LEAST, self.whole(number))

    def exactly(self, number: str) -> Amount:
        return Amount(Relation.EXACTLY, self.whole(number))
