"""What engines say, in the reader's language."""

from collections.abc import Mapping

from django.utils.formats import number_format
from django.utils.translation import gettext

from llms.sentences import Sentence

COUNTS = frozenset({"n", "total", "published", "of", "most", "needed"})
"""Names of values that are amounts, as are those with `n_` in front: other whole numbers may be a port or a status."""


def translated(text: str) -> str:
    """What is no sentence of ours, such as a library's own words, stays as it is."""
    if not isinstance(text, Sentence):
        return text
    return gettext(text.template) % _said(text.template, text.values)


def _said(template: str, values: Mapping[str, object]) -> dict[str, object]:
    return {
        name: _value(name, value) if f"%({name})s" in template else value  # `%d` needs the number itself
        for name, value in values.items()
    }


def _value(name: str, value: object) -> object:
    if isinstance(value, str):
        return translated(value)
    if isinstance(value, float):
        return number_format(value)
    if type(value) is int and (name in COUNTS or name.startswith("n_")):
        return number_format(value, force_grouping=True)
    return value
