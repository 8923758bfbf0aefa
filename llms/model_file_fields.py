"""What may stand in `models.yaml`, and of which type each field must be."""

import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from llms.yaml_lines import Located


class Problem(NamedTuple):
    line: int
    words: str


class Kind(NamedTuple):
    fits: Callable[[Any], bool]
    words: str | Promise


class Entry(NamedTuple):
    """One endpoint or model of the file."""

    name: str
    line: int
    values: Mapping[str, Any]
    lines: Mapping[str, int]


MOST = 2**63 - 1
"""No database keeps a larger whole number."""


def _can_be_stored(value: Any) -> bool:
    """What YAML can say, databases may refuse: NaN, NUL, halves of characters, dates, huge numbers."""
    if isinstance(value, dict):
        return all(map(_can_be_stored, (*value, *value.values())))
    if isinstance(value, list):
        return all(map(_can_be_stored, value))
    if isinstance(value, str):
        return "\0" not in value and not any("\ud800" <= letter <= "\udfff" for letter in value)
    if isinstance(value, float):
        return math.isfinite(value)
    return value is None or (isinstance(value, int) and abs(value) <= MOST)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


TEXT = Kind(lambda value: isinstance(value, str), gettext_lazy("text, in quotes if need be"))
TEXT_OR_NULL = Kind(lambda value: value is None or isinstance(value, str), gettext_lazy("text or null"))
WHOLE = Kind(_is_whole, gettext_lazy("a whole number"))
WHOLE_OR_NULL = Kind(lambda value: value is None or _is_whole(value), gettext_lazy("a whole number or null"))
NUMBER = Kind(_is_number, gettext_lazy("a number"))
TEXTS = Kind(
    lambda value: isinstance(value, list) and all(isinstance(item, str) for item in value),
    gettext_lazy("a list of texts"),
)
OBJECT = Kind(lambda value: isinstance(value, dict), gettext_lazy("names with values, or {}"))

ENDPOINT_FIELDS: dict[str, Kind] = {
    "name": TEXT,
    "base_url": TEXT,
    "api_key_env": TEXT_OR_NULL,
    "max_concurrent": WHOLE,
}
MODEL_FIELDS: dict[str, Kind] = {
    "slug": TEXT,
    "name": TEXT,
    "organisation": TEXT,
    "licence": TEXT,
    "parameters": WHOLE_OR_NULL,
    "stage": TEXT,
    "parent": TEXT_OR_NULL,
    "aliases": TEXTS,
    "engine": TEXT,
    "endpoint": TEXT_OR_NULL,
    "source": TEXT,
    "revision": TEXT,
    "options": OBJECT,
    "decoding": OBJECT,
    "system_prompt": TEXT,
    "status": TEXT,
    "battle_weight": NUMBER,
    "visibility": TEXT,
}
SECTIONS = ("endpoints", "models")


def entries(found: Located, section: str, key: str, fields: Mapping[str, Kind], problems: list[Problem]) -> list[Entry]:
    """The entries of a section. What is wrong with them goes to `problems`."""
    if not isinstance(found.value, dict):
        problems.append(Problem(found.line, _("The file must hold “endpoints:” and “models:”, each with a list.")))
        return []
    problems += [
        Problem(item.line, _unknown(name, SECTIONS)) for name, item in found.value.items() if name not in SECTIONS
    ]
    listed = found.value.get(section)
    if listed is None or listed.value is None:
        return []
    if not isinstance(listed.value, list):
        problems.append(Problem(listed.line, _("“%(section)s” must be a list.") % {"section": section}))
        return []
    read = [_entry(item, key, fields, problems) for item in listed.value]
    kept = [entry for entry in read if entry is not None]
    problems += _twice(kept, key)
    return kept


def _entry(item: Located, key: str, fields: Mapping[str, Kind], problems: list[Problem]) -> Entry | None:
    if not isinstance(item.value, dict):
        problems.append(Problem(item.line, _("An entry must be names with values.")))
        return None
    for name, value in item.value.items():
        if name not in fields:
            problems.append(Problem(value.line, _unknown(name, fields)))
        elif not (_can_be_stored(value.plain()) and fields[name].fits(value.plain())):
            words = _("%(name)s must be %(kind)s.") % {"name": name, "kind": fields[name].words}
            problems.append(Problem(value.line, words))
    named = item.value.get(key)
    if named is None or not isinstance(named.value, str) or not named.value.strip():
        if named is None:
            problems.append(Problem(item.line, _("This entry lacks its %(key)s.") % {"key": key}))
        return None
    values = {name: value.plain() for name, value in item.value.items()}
    return Entry(named.value, item.line, values, {name: value.line for name, value in item.value.items()})


def _unknown(name: str, known: Any) -> str:
    words = _("%(name)s is not known here; known are %(known)s.")
    return words % {"name": name, "known": ", ".join(known)}


def _twice(read: list[Entry], key: str) -> list[Problem]:
    first: dict[str, int] = {}
    found = []
    for entry in read:
        if entry.name in first:
            words = _("The %(key)s %(name)s stands twice, first on line %(line)s: take one away.")
            found.append(Problem(entry.line, words % {"key": key, "name": entry.name, "line": first[entry.name]}))
        first.setdefault(entry.name, entry.line)
    return found
