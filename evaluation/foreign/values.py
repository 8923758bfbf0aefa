"""Strangers' JSON, read without believing any of it."""

import contextlib
import hashlib
import json
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

import orjson

from evaluation.benchmarks.rows import shown
from evaluation.foreign.results import BadFile
from llms.sentences import filled, mark
from llms.storable import storable

DIGEST_LENGTH: Final = 16
LARGEST_COUNT: Final = 10_000_000
LONGEST_NAME: Final = 300


def parsed(data: bytes) -> Any:
    """Raises BadFile."""
    with contextlib.suppress(orjson.JSONDecodeError):  # which is quick, and knows neither NaN nor where an error is
        return orjson.loads(data)
    try:
        return json.loads(data.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        words = mark("It is not UTF-8 (byte %(place)s): copy it again, without changing its encoding.")
        raise BadFile(filled(words, place=error.start)) from None
    except json.JSONDecodeError as error:
        words = mark("It is not whole JSON (line %(line)s, character %(place)s: %(why)s): copy it again.")
        raise BadFile(filled(words, line=error.lineno, place=error.colno, why=error.msg)) from None
    except (ValueError, RecursionError):
        words = mark(
            "It is JSON that cannot be read: it is nested too deeply or has huge numbers. Use the file as its tool"
            " wrote it."
        )
        raise BadFile(filled(words)) from None


def lines(data: bytes) -> list[Mapping[str, Any]]:
    """Of JSON lines. Raises BadFile, which names the line."""
    found = []
    for number, line in enumerate(data.split(b"\n"), start=1):
        if not line.strip():
            continue
        try:
            found.append(an_object(parsed(line), "a line"))
        except BadFile as error:
            raise BadFile(filled(mark("Line %(n)s: %(why)s"), n=number, why=error.user_message)) from None
    return found


def an_object(value: Any, what: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise BadFile(filled(mark("“%(what)s” must be an object, not %(value)s."), what=what, value=shown(value)))
    return value


def object_at(parent: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """Empty where there is none."""
    value = parent.get(key)
    return {} if value is None else an_object(value, key)


def list_at(parent: Mapping[str, Any], key: str) -> list[Any]:
    value = parent.get(key)
    if value is None:
        return []
    if not isinstance(value, list):
        raise BadFile(filled(mark("“%(what)s” must be a list, not %(value)s."), what=key, value=shown(value)))
    return value


def number(value: Any, what: str) -> float:
    """A finite one. Raises BadFile."""
    if not _is_finite(value):
        words = mark("“%(what)s” is %(value)s and no number: evaluate again, or take the task out of the file.")
        raise BadFile(filled(words, what=what, value=shown(value)))
    return float(value)


def number_or_none(value: Any) -> float | None:
    """Standard errors of a single row are NaN or “N/A”: nobody knows them."""
    return float(value) if _is_finite(value) else None


def _is_finite(value: Any) -> bool:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return is_number and abs(value) <= sys.float_info.max


def count(value: Any, what: str, *, at_least: int = 0) -> int:
    found = number(value, what)
    if found != int(found) or not at_least <= found <= LARGEST_COUNT:
        words = mark("“%(what)s” must be a whole number from %(least)s on, not %(value)s.")
        raise BadFile(filled(words, what=what, least=at_least, value=shown(value)))
    return int(found)


def name(value: Any, what: str) -> str:
    if not isinstance(value, str) or not value.strip() or len(value) > LONGEST_NAME or not value.isprintable():
        words = mark("“%(what)s” must be a name on one line, not %(value)s.")
        raise BadFile(filled(words, what=what, value=shown(value)))
    return value.strip()


def text(value: Any) -> str:
    """For show: whatever it is, as text that can be kept."""
    return "" if value is None else storable(str(value))


def moment(value: Any) -> datetime | None:
    """From seconds since 1970 or ISO 8601; None for what is neither."""
    try:
        if isinstance(value, int | float) and not isinstance(value, bool):
            return datetime.fromtimestamp(value, UTC)
        found = datetime.fromisoformat(value)
    except (TypeError, ValueError, OverflowError, OSError):
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def digest_of(value: Any) -> str:
    written = json.dumps(value, sort_keys=True, ensure_ascii=True, default=str)
    return hashlib.sha256(written.encode()).hexdigest()[:DIGEST_LENGTH]


def digest_of_files(*contents: bytes, name: str) -> str:
    digest = hashlib.sha256(name.encode())
    for content in contents:
        digest.update(hashlib.sha256(content).digest())
    return digest.hexdigest()
