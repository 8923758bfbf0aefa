"""Sentences for administrators: written in English by modules that know no Django, said in any language at the edge.

`filled(mark("There is no file %(path)s."), path=path)` is that English sentence; it remembers what it was made of, so
that `llms.translations.translated` can say it again in the reader's language.
"""

from collections.abc import Mapping
from typing import Self


def mark(message: str) -> str:
    """Mark a sentence for the translators (`makemessages` knows this name) without translating it here."""
    return message


class Sentence(str):
    __slots__ = ("template", "values")

    template: str
    values: Mapping[str, object]

    def __new__(cls, template: str, values: Mapping[str, object]) -> Self:
        self = super().__new__(cls, template % values)
        self.template, self.values = template, values
        return self

    def __getnewargs__(self) -> tuple[str, Mapping[str, object]]:  # type: ignore[override]  # what our own __new__ takes
        """How it is made again by `pickle`, as in a cache."""
        return self.template, self.values


def filled(template: str, **values: object) -> Sentence:
    """Values may be sentences themselves."""
    return Sentence(template, values)
