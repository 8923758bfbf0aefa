"""Columns of CSV, TSV, JSONL, JSON and Parquet files as whole-number codes: the one place that knows a file format.

Rows are numbered from 1, the first after a header (empty lines are no rows). A row that cannot be taken apart is
listed with its number and the reason, and the rest is read.

VoteFileError (a StatsError)
├── UnreadableFileError      no such file, not of the format that its name says, or an unknown ending
├── MissingColumnError       a column that was asked for is not there, or is there twice
└── UnknownLayoutError       columns of no known layout (see `vote_files`)
"""

import csv
import gzip
import io
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute
import pyarrow.csv
import pyarrow.parquet

from stats.comparisons import IntArray, StatsError

BLOCK_BYTES: Final = 1 << 24  # the longest row that a CSV may have
TEXT_ENDINGS: Final = (".csv", ".tsv", ".jsonl", ".ndjson", ".json")
ENDINGS: Final = (*TEXT_ENDINGS, *(f"{ending}.gz" for ending in TEXT_ENDINGS), ".parquet")


class VoteFileError(StatsError):
    """A file that cannot be used; the message is a sentence for whoever named it."""


class UnreadableFileError(VoteFileError):
    pass


class MissingColumnError(VoteFileError):
    pass


class UnknownLayoutError(VoteFileError):
    pass


class BadRow(NamedTuple):
    number: int
    reason: str


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
    """The columns that were asked for. `numbers` (n_rows,) says which row of the file each row is."""

    columns: Mapping[str, Column]
    numbers: IntArray
    bad_rows: tuple[BadRow, ...]


class TableFile(Protocol):
    """A file whose column names are known and whose columns can be read."""

    @property
    def names(self) -> tuple[str, ...]: ...

    def read(self, wanted: Sequence[str]) -> FileTable: ...


def open_table(path: Path) -> TableFile:
    """Look at the file's names. Raises UnreadableFileError, MissingColumnError."""
    name = path.name.lower()
    ending = next((ending for ending in sorted(ENDINGS, key=len, reverse=True) if name.endswith(ending)), None)
    if ending is None:
        raise UnreadableFileError(f"{path} does not end in one of {', '.join(ENDINGS)}.")
    if not path.is_file():
        raise UnreadableFileError(f"There is no file {path}.")
    kind = OPENERS[ending.removesuffix(".gz")]
    try:
        return kind(path)
    except UnicodeDecodeError as error:
        raise UnreadableFileError(f"{path} is not text in UTF-8.") from error
    except (OSError, EOFError, pa.ArrowException) as error:
        raise UnreadableFileError(f"{path} cannot be read: {_sentence(error)}") from error


class CsvFile:
    """Comma, semicolon or tab, whichever the header has most of; quotes may hold line ends."""

    def __init__(self, path: Path) -> None:
        self._path = path
        with io.TextIOWrapper(_opened(path), encoding="utf-8-sig", newline="") as file:
            head = next((line for line in file if line.strip()), "")
        self._delimiter = max(",;\t", key=head.count)
        self.names = tuple(next(csv.reader([head], delimiter=self._delimiter), []))
        if twice := sorted({name for name in self.names if self.names.count(name) > 1}):
            raise MissingColumnError(f"{path} has several columns named {', '.join(map(repr, twice))}.")

    def read(self, wanted: Sequence[str]) -> FileTable:
        skipped: list[BadRow] = []
        table = self._table(wanted, skipped, use_threads=True)
        if skipped:  # the numbers of skipped rows are known only to a single thread
            skipped.clear()
            table = self._table(wanted, skipped, use_threads=False)
        numbers = np.arange(1, table.num_rows + len(skipped) + 1)
        return FileTable(
            columns={name: _without_blanks(_column(table[name])) for name in wanted},
            numbers=np.delete(numbers, [row.number - 1 for row in skipped]),
            bad_rows=tuple(skipped),
        )

    def _table(self, wanted: Sequence[str], skipped: list[BadRow], *, use_threads: bool) -> Any:
        def skip(row: Any) -> str:
            reason = f"{row.actual_columns} fields, and the header has {row.expected_columns}"
            skipped.append(BadRow((row.number or 2) - 1, reason))  # pyarrow counts the header as row 1
            return "skip"

        text = pa.dictionary(pa.int32(), pa.string())
        try:
            with _opened(self._path) as file:
                return pa.csv.read_csv(
                    file,
                    pa.csv.ReadOptions(use_threads=use_threads, block_size=BLOCK_BYTES),
                    pa.csv.ParseOptions(delimiter=self._delimiter, newlines_in_values=True, invalid_row_handler=skip),
                    pa.csv.ConvertOptions(column_types=dict.fromkeys(wanted, text), include_columns=list(wanted)),
                )
        except (OSError, EOFError, pa.ArrowException) as error:
            raise UnreadableFileError(f"{self._path} cannot be read: {_sentence(error)}") from error


class ParquetFile:
    def __init__(self, path: Path) -> None:
        self._path = path
        schema = pa.parquet.read_schema(path)
        self._words = {field.name for field in schema if pa.types.is_string(field.type)}
        self.names = tuple(schema.names)
        if len(set(self.names)) < len(self.names):
            raise MissingColumnError(f"{path} has several columns of the same name.")

    def read(self, wanted: Sequence[str]) -> FileTable:
        try:
            with pa.parquet.ParquetFile(self._path, read_dictionary=sorted(self._words & set(wanted))) as file:
                table = file.read(columns=list(wanted))
        except (OSError, pa.ArrowException) as error:
            raise UnreadableFileError(f"{self._path} cannot be read: {_sentence(error)}") from error
        return FileTable(
            columns={name: _without_blanks(_column(table[name])) for name in wanted},
            numbers=np.arange(1, table.num_rows + 1),
            bad_rows=(),
        )


class JsonLinesFile:
    """One object per line."""

    def __init__(self, path: Path) -> None:
        self._rows: list[tuple[int, dict[str, Any]]] = []
        self._bad_rows: list[BadRow] = []
        for number, value in enumerate(self._values(path), start=1):
            if isinstance(value, dict):
                self._rows.append((number, value))
            else:
                self._bad_rows.append(BadRow(number, "not a JSON object"))
        self.names = tuple(dict.fromkeys(name for _, row in self._rows for name in row))

    @staticmethod
    def _values(path: Path) -> Iterable[Any]:
        with io.TextIOWrapper(_opened(path), encoding="utf-8-sig") as file:
            for line in filter(str.strip, file):
                yield _parsed(line)

    def read(self, wanted: Sequence[str]) -> FileTable:
        return FileTable(
            columns={name: _coded(_as_text(row.get(name)) for _, row in self._rows) for name in wanted},
            numbers=np.array([number for number, _ in self._rows], dtype=np.int64),
            bad_rows=tuple(self._bad_rows),
        )


class JsonFile(JsonLinesFile):
    """One list of objects."""

    @staticmethod
    def _values(path: Path) -> Iterable[Any]:
        with io.TextIOWrapper(_opened(path), encoding="utf-8-sig") as file:
            value = _parsed(file.read())
        if not isinstance(value, list):
            raise UnreadableFileError(f"{path} does not hold a JSON list of objects, one per vote.")
        return value


OPENERS: Final[Mapping[str, Callable[[Path], TableFile]]] = {
    ".csv": CsvFile,
    ".tsv": CsvFile,
    ".jsonl": JsonLinesFile,
    ".ndjson": JsonLinesFile,
    ".json": JsonFile,
    ".parquet": ParquetFile,
}


def _opened(path: Path) -> Any:
    return gzip.open(path, "rb") if path.suffix.lower() == ".gz" else path.open("rb")


def _parsed(text: str) -> Any:
    """What JSON stands for; None, which is no row, for what is no JSON."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _sentence(error: Exception) -> str:
    return str(error).strip().split("\n")[0].rstrip(".") + "."


def _column(chunks: Any) -> Column:
    """Codes of any pyarrow column; nested values become the JSON that a JSON file would have held."""
    if pa.types.is_nested(chunks.type):
        return _coded(_as_text(value) for value in chunks.to_pylist())
    if pa.types.is_dictionary(chunks.type):
        encoded = chunks.unify_dictionaries().combine_chunks()
    else:
        encoded = pa.compute.cast(chunks, pa.string()).combine_chunks().dictionary_encode()
    codes = pa.compute.fill_null(encoded.indices, -1).to_numpy(zero_copy_only=False)
    values = tuple(_as_text(value) or "" for value in encoded.dictionary.to_pylist())
    return Column(codes=codes.astype(np.int64), values=values)


def _without_blanks(column: Column) -> Column:
    """An empty text is a missing one."""
    if "" not in column.values:
        return column
    blank = np.array([value == "" for value in column.values])
    return Column(codes=np.where((column.codes >= 0) & blank[column.codes], -1, column.codes), values=column.values)


def _coded(texts: Iterable[str | None]) -> Column:
    numbers: dict[str, int] = {}
    codes = [numbers.setdefault(text, len(numbers)) if text else -1 for text in texts]
    return Column(codes=np.array(codes, dtype=np.int64), values=tuple(numbers))


def _as_text(value: Any) -> str | None:
    """Numbers and truth values as JSON writes them, 1.0 as 1; half a surrogate pair, no text, as its escape."""
    if value is None:
        return None
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return json.dumps(value, default=str)
