"""Rows of a file that somebody recorded elsewhere: JSON lines, a JSON list or CSV, each also with .gz.

A line that is no row stays in its place, as the sentence that says what is wrong with it.
"""

import csv
import gzip
import io
import json
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from evaluation.benchmarks.rows import Row
from evaluation.errors import DataMissing, DataUnreadable
from llms.sentences import Sentence, filled, mark

MOST_BYTES: Final = 1_000_000_000
"""Unpacked: a small .gz can hold terabytes."""
MOST_FIELD_CHARACTERS: Final = 2**24

RecordedRow = Row | Sentence


def recorded_rows(path: Path) -> Sequence[RecordedRow]:
    """Raises DataMissing, DataUnreadable."""
    text = _text(path)
    if _kind(path) == ".csv":
        return _table(text)
    return _json_list(text, path) if text.lstrip().startswith("[") else _json_lines(text)


def table_rows(path: Path) -> list[dict[str, str]]:
    """Of a CSV file. Raises DataMissing, DataUnreadable."""
    return _table(_text(path))


def _kind(path: Path) -> str:
    return Path(path.stem).suffix if path.suffix == ".gz" else path.suffix


def _text(path: Path) -> str:
    if not path.is_file():
        raise DataMissing(filled(mark("There is no file %(path)s: check the path."), path=path))
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            data = file.read(MOST_BYTES + 1)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise DataUnreadable(filled(mark("%(file)s is no whole .gz file: copy it again."), file=path.name)) from error
    if len(data) > MOST_BYTES:
        words = mark("%(file)s is larger than %(most)s MB unpacked: split it.")
        raise DataUnreadable(filled(words, file=path.name, most=MOST_BYTES // 1_000_000))
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        words = mark("%(file)s is not text in UTF-8 (byte %(place)s): convert it.")
        raise DataUnreadable(filled(words, file=path.name, place=error.start)) from error


def _json_list(text: str, path: Path) -> list[RecordedRow]:
    try:
        rows = json.loads(text)
    except (ValueError, RecursionError) as error:
        words = mark("%(file)s begins as a JSON list and is none (%(why)s): write it again.")
        raise DataUnreadable(filled(words, file=path.name, why=error)) from error
    return [_object(row, number) for number, row in enumerate(rows, start=1)]


def _json_lines(text: str) -> list[RecordedRow]:
    rows: list[RecordedRow] = []
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            try:
                rows.append(_object(json.loads(line), number))
            except (ValueError, RecursionError) as error:
                rows.append(filled(mark("line %(number)s is no JSON: %(why)s"), number=number, why=error))
    return rows


def _object(value: Any, number: int) -> RecordedRow:
    if isinstance(value, dict):
        return value
    return filled(mark("row %(number)s is no JSON object with fields"), number=number)


def _table(text: str) -> list[dict[str, str]]:
    csv.field_size_limit(MOST_FIELD_CHARACTERS)
    return [
        {name: value or "" for name, value in row.items() if name is not None}
        for row in csv.DictReader(io.StringIO(text))
    ]
