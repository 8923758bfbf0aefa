"""Columns of files as whole-number codes, whatever the format, and several files as one.

Rows are numbered from 1, the first after a header (empty lines are no rows). A row that cannot be taken apart is
listed with its number and the reason, and the rest is read.

VoteFileError (a StatsError)
├── UnreadableFileError      no such file, not of the format that its name says, or an unknown ending
├── MissingColumnError       a column that was asked for is not there, or is there twice
└── UnknownLayoutError       columns of no known layout (see `vote_layouts`)
"""

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np

from stats.comparisons import IntArray
from stats.errors import StatsError


class VoteFileError(StatsError):
    """A file that cannot be used; the message is a sentence for whoever named it."""


class UnreadableFileError(VoteFileError):
    pass


class MissingColumnError(VoteFileError):
    pass


class UnknownLayoutError(VoteFileError):
    pass


class BadRow(NamedTuple):
    """`file` is empty where only one was read."""

    number: int
    reason: str
    file: str = ""


@dataclass(frozen=True, kw_only=True, eq=False)
class Column:
    """`values[codes[row]]` is what stands in a row, as text; a code of -1 says that nothing does. codes: (n_rows,)."""

    codes: IntArray
    values: tuple[str, ...]

    def at(self, row: int) -> str:
        code = int(self.codes[row])
        return "" if code < 0 else self.values[code]

    def rows(self, chosen: IntArray) -> "Column":
        return Column(codes=self.codes[chosen], values=self.values)


@dataclass(frozen=True, kw_only=True, eq=False)
class FileTable:
    """The columns that were asked for. `numbers` and `places` (n_rows,) say which row of which of `files` each row is.

    `bad_rows` are those that could not be taken apart, in the order of the files.
    """

    columns: Mapping[str, Column]
    numbers: IntArray
    bad_rows: tuple[BadRow, ...] = ()
    files: tuple[str, ...] = ("",)
    places: IntArray | None = None

    def bad_row(self, row: int, reason: str) -> BadRow:
        place = 0 if self.places is None else int(self.places[row])
        return BadRow(int(self.numbers[row]), reason, self.files[place])

    def in_order(self, bad_rows: Iterable[BadRow]) -> tuple[BadRow, ...]:
        position = {file: index for index, file in enumerate(self.files)}
        return tuple(sorted(bad_rows, key=lambda bad: (position[bad.file], bad.number)))


class TableFile(Protocol):
    """A file whose column names are known and whose columns can be read."""

    @property
    def names(self) -> tuple[str, ...]: ...

    def read(self, wanted: Sequence[str]) -> FileTable: ...


class SeveralFiles:
    """The rows of one file after those of another, with the columns that all of them have."""

    def __init__(self, files: Mapping[str, TableFile]) -> None:
        self._files = files
        every = list(files.values())
        self.names = tuple(name for name in every[0].names if all(name in file.names for file in every))

    def read(self, wanted: Sequence[str]) -> FileTable:
        tables = [file.read(wanted) for file in self._files.values()]
        labels = tuple(self._files)
        bad = [row._replace(file=label) for label, table in zip(labels, tables, strict=True) for row in table.bad_rows]
        return FileTable(
            columns={name: _end_to_end([table.columns[name] for table in tables]) for name in wanted},
            numbers=np.concatenate([table.numbers for table in tables]),
            bad_rows=tuple(bad),
            files=labels,
            places=np.repeat(np.arange(len(tables)), [len(table.numbers) for table in tables]),
        )


def _end_to_end(columns: Sequence[Column]) -> Column:
    numbers: dict[str, int] = {}
    codes = []
    for column in columns:
        meaning = [numbers.setdefault(value, len(numbers)) for value in column.values]
        codes.append(np.array([*meaning, -1], dtype=np.int64)[column.codes])
    return Column(codes=np.concatenate(codes), values=tuple(numbers))


class GrowingColumn:
    """Values of any kind, one after the other. An empty text is a missing one."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}
        self._codes: list[int] = []

    def add(self, value: Any) -> None:
        code = self._numbers.get(value) if isinstance(value, str) else None
        if code is None:
            text = as_text(value)
            code = self._numbers.setdefault(text, len(self._numbers)) if text else -1
        self._codes.append(code)

    def grown(self) -> Column:
        return Column(codes=np.array(self._codes, dtype=np.int64), values=tuple(self._numbers))


def coded(values: Iterable[Any]) -> Column:
    column = GrowingColumn()
    for value in values:
        column.add(value)
    return column.grown()


def as_text(value: Any) -> str | None:
    """Numbers and truth values as JSON writes them, 1.0 as 1; half a surrogate pair, no text, as its escape.

    A number that is none (NaN) is how tables of numbers say that nothing is there.
    """
    if value is None:
        return None
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, float) and (math.isnan(value) or value.is_integer()):
        return None if math.isnan(value) else str(int(value))
    return json.dumps(value, default=str)
