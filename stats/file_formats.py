"""CSV, TSV, JSONL, JSON and Parquet files as tables of columns: the one place that knows a format."""

import csv
import gzip
import io
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute
import pyarrow.csv
import pyarrow.parquet

from stats.file_tables import (
    BadRow,
    Column,
    FileTable,
    GrowingColumn,
    MissingColumnError,
    SeveralFiles,
    TableFile,
    UnreadableFileError,
    as_text,
    coded,
)

BLOCK_BYTES: Final = 1 << 24  # the longest row that a CSV may have
ROWS_AT_ONCE: Final = 4096  # of nested values, which are large once they are Python's
TEXT_ENDINGS: Final = (".csv", ".tsv", ".jsonl", ".ndjson", ".json")
ENDINGS: Final = (*TEXT_ENDINGS, *(f"{ending}.gz" for ending in TEXT_ENDINGS), ".parquet")


def open_tables(paths: Sequence[Path]) -> TableFile:
    """One table of all files, each named once. Raises UnreadableFileError, MissingColumnError."""
    if len(paths) == 1:
        return open_table(paths[0])
    if not paths or len({path.resolve() for path in paths}) < len(paths):
        raise UnreadableFileError("Name the files of the votes, each of them once.")
    return SeveralFiles({str(path): open_table(path) for path in paths})


def open_table(path: Path) -> TableFile:
    """Look at the file's names. Raises UnreadableFileError, MissingColumnError."""
    if path.is_dir():
        raise UnreadableFileError(f"{path} is a folder: name the files in it, as in {path / '*.parquet'}.")
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
        raise _not_text(path) from error
    except (OSError, EOFError, pa.ArrowException) as error:
        raise _unreadable(path, error) from error


class CsvFile:
    """Comma, semicolon or tab, whichever the header has most of; quotes may hold line ends."""

    def __init__(self, path: Path) -> None:
        self._path = path
        with io.TextIOWrapper(_opened(path), encoding="utf-8-sig", newline="") as file:
            head = next((line for line in file if line.strip()), "")
        if "\0" in head:  # UTF-16 has one in every letter
            raise _not_text(path)
        self._delimiter = max(",;\t", key=head.count)
        self.names = tuple(next(csv.reader([head], delimiter=self._delimiter), []))
        if twice := sorted({name for name in self.names if self.names.count(name) > 1}):
            named = ", ".join(map(repr, twice))
            raise MissingColumnError(f"{path} has several columns named {named}: rename all but one.")

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
            raise _unreadable(self._path, error) from error


class ParquetFile:
    def __init__(self, path: Path) -> None:
        self._path = path
        schema = pa.parquet.read_schema(path)
        self._words = {field.name for field in schema if pa.types.is_string(field.type)}
        self.names = tuple(schema.names)
        if len(set(self.names)) < len(self.names):
            raise MissingColumnError(f"{path} has several columns of the same name: rename all but one.")

    def read(self, wanted: Sequence[str]) -> FileTable:
        try:
            with pa.parquet.ParquetFile(self._path, read_dictionary=sorted(self._words & set(wanted))) as file:
                table = file.read(columns=list(wanted))
            columns = {name: _without_blanks(_column(table[name])) for name in wanted}
        except (OSError, pa.ArrowException) as error:
            raise _unreadable(self._path, error) from error
        return FileTable(columns=columns, numbers=np.arange(1, table.num_rows + 1))


class JsonLinesFile:
    """One object per line. Read once for the names and again for the columns, so that no row has to be kept."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._numbers: list[int] = []
        self._bad_rows: list[BadRow] = []
        names: dict[str, None] = {}
        for number, value in enumerate(self._values(path), start=1):
            if isinstance(value, dict):
                self._numbers.append(number)
                if not value.keys() <= names.keys():
                    names.update(dict.fromkeys(value))
            else:
                self._bad_rows.append(BadRow(number, "not a JSON object"))
        self.names = tuple(names)

    @staticmethod
    def _values(path: Path) -> Iterable[Any]:
        with io.TextIOWrapper(_opened(path), encoding="utf-8-sig") as file:
            for line in filter(str.strip, file):
                yield _parsed(line)

    def read(self, wanted: Sequence[str]) -> FileTable:
        columns = {name: GrowingColumn() for name in wanted}
        for value in self._values(self._path):
            if isinstance(value, dict):
                for name, column in columns.items():
                    column.add(value.get(name))
        return FileTable(
            columns={name: column.grown() for name, column in columns.items()},
            numbers=np.array(self._numbers, dtype=np.int64),
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


def _unreadable(path: Path, error: Exception) -> UnreadableFileError:
    reason = str(error).strip().split("\n")[0].rstrip(".")
    return UnreadableFileError(
        f"{path} cannot be read: {reason}. See whether it came here whole, and is what its name says it is."
    )


def _not_text(path: Path) -> UnreadableFileError:
    return UnreadableFileError(f"{path} is not text in UTF-8: save it as that (spreadsheets call it CSV UTF-8).")


def _column(chunks: Any) -> Column:
    """Codes of any pyarrow column; nested values become the JSON that a JSON file would have held."""
    if pa.types.is_nested(chunks.type):
        return coded(_python_values(chunks))
    if pa.types.is_dictionary(chunks.type):
        encoded = chunks.unify_dictionaries().combine_chunks()
    else:
        encoded = pa.compute.cast(chunks, pa.string()).combine_chunks().dictionary_encode()
    codes = pa.compute.fill_null(encoded.indices, -1).to_numpy(zero_copy_only=False)
    values = tuple(as_text(value) or "" for value in encoded.dictionary.to_pylist())
    return Column(codes=codes.astype(np.int64), values=values)


def _python_values(chunks: Any) -> Iterator[Any]:
    for chunk in chunks.chunks:
        for start in range(0, len(chunk), ROWS_AT_ONCE):
            yield from chunk.slice(start, ROWS_AT_ONCE).to_pylist()


def _without_blanks(column: Column) -> Column:
    """An empty text is a missing one."""
    if "" not in column.values:
        return column
    blank = np.array([value == "" for value in column.values])
    return Column(codes=np.where((column.codes >= 0) & blank[column.codes], -1, column.codes), values=column.values)
