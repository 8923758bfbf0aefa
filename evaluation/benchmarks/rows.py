"""Fields of a data set's row, read so that a row of another form is told from one with a wrong value."""

from collections.abc import Mapping, Sequence
from typing import Any

from evaluation.errors import BadRow
from llms.sentences import filled, mark

Row = Mapping[str, Any]


def text(row: Row, field: str) -> str:
    """A text with something in it."""
    value = _present(row, field)
    if not isinstance(value, str):
        raise BadRow(filled(mark("“%(field)s” must be a text, not %(value)s"), field=field, value=shown(value)))
    if not value.strip():
        raise BadRow(filled(mark("“%(field)s” is empty"), field=field))
    return _encodable(value, field)


def text_or_empty(row: Row, field: str) -> str:
    value = row.get(field)
    return "" if value is None or value == "" else text(row, field)


def texts(row: Row, field: str, *, at_least: int = 2, at_most: int = 26) -> tuple[str, ...]:
    """A list of texts, none of them empty."""
    values = _present(row, field)
    if isinstance(values, str | bytes) or not isinstance(values, Sequence):
        raise BadRow(filled(mark("“%(field)s” must be a list, not %(value)s"), field=field, value=shown(values)))
    if not at_least <= len(values) <= at_most:
        if at_least == at_most:
            words = mark("“%(field)s” must have %(least)s entries, not %(n)s")
        else:
            words = mark("“%(field)s” must have %(least)s to %(most)s entries, not %(n)s")
        raise BadRow(filled(words, field=field, least=at_least, most=at_most, n=len(values)))
    for place, value in enumerate(values, start=1):
        if not isinstance(value, str) or not value.strip():
            words = mark("entry %(place)s of “%(field)s” must be a text that is not empty, not %(value)s")
            raise BadRow(filled(words, place=place, field=field, value=shown(value)))
        _encodable(value, field)
    return tuple(values)


def one_of(row: Row, field: str, allowed: Sequence[str]) -> int:
    """Where among the allowed values the field's is. Numbers count as their digits: labels are stored as either."""
    value = _present(row, field)
    written = str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""
    if written not in allowed:
        words = mark("“%(field)s” must be one of %(allowed)s, not %(value)s")
        raise BadRow(filled(words, field=field, allowed=", ".join(allowed), value=shown(value)))
    return allowed.index(written)


def shown(value: object, most: int = 40) -> str:
    """A value of a stranger's file, short enough for a sentence."""
    written = repr(value)
    return written if len(written) <= most else f"{written[: most - 1]}…"


def _present(row: Row, field: str) -> Any:
    if row.get(field) is None:
        raise BadRow(filled(mark("“%(field)s” is missing"), field=field))
    return row[field]


def _encodable(value: str, field: str) -> str:
    """Half of a pair of surrogates is valid in JSON, and no text."""
    try:
        value.encode()
    except UnicodeEncodeError:
        raise BadRow(filled(mark("“%(field)s” holds half of a character (a lone surrogate)"), field=field)) from None
    return value
