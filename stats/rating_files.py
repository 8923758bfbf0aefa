"""A table of ratings as text for a terminal, and as JSON, CSV or Parquet."""

import csv
import json
import unicodedata
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.parquet

from stats.file_tables import UnreadableFileError
from stats.rating_tables import RatingRow, RatingTable

COLUMNS: Final = ("name", "rating", "lower", "upper", "rank_lower", "rank_upper", "n_battles")
NOTHING: Final = "–"


def as_text(table: RatingTable) -> str:
    """Aligned columns: rank range, name, rating, interval, votes, and words for what has no rating."""
    head = ("rank", "model", "rating", f"{percent(table.confidence_level)} interval", "votes", "")
    lines = [head, *(_cells(row) for row in table.rows)]
    widths = [max(_width(line[column]) for line in lines) for column in range(len(head))]
    texts = []
    for line in lines:
        padded = [
            _padded(cell, width, left=column in (1, 5))
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        ]
        texts.append("  ".join(padded).rstrip())
    return "\n".join(texts)


def percent(level: float) -> str:
    return f"{100 * level:.6g} %"


def _cells(row: RatingRow) -> tuple[str, ...]:
    rank = NOTHING if row.rank_lower is None else f"{row.rank_lower}–{row.rank_upper}"
    interval = NOTHING if row.lower is None or row.upper is None else f"{row.lower:.1f} … {row.upper:.1f}"
    rating = NOTHING if row.rating is None else f"{row.rating:.1f}"
    alone = f"{row.rank_lower}" if row.rank_lower is not None and row.rank_lower == row.rank_upper else rank
    return alone, _printable(row.name), rating, interval, str(row.n_battles), row.status


def _printable(name: str) -> str:
    """A name cannot move the cursor or colour the terminal."""
    return "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in name)


def _width(text: str) -> int:
    """Columns of a terminal: wide letters take two, marks that sit on another letter none."""
    return sum(
        0 if unicodedata.combining(letter) else 1 + (unicodedata.east_asian_width(letter) in "WF") for letter in text
    )


def _padded(text: str, width: int, *, left: bool) -> str:
    blanks = " " * (width - _width(text))
    return text + blanks if left else blanks + text


def write(table: RatingTable, path: Path) -> None:
    """Write the rows as the ending says. Raises UnreadableFileError."""
    writer = WRITERS.get(path.suffix.lower())
    if writer is None:
        raise UnreadableFileError(f"{path} does not end in one of {', '.join(WRITERS)}.")
    try:
        writer(table, path)
    except OSError as error:
        raise UnreadableFileError(f"{path} cannot be written: {error.strerror or error}.") from error


def _records(table: RatingTable) -> list[dict[str, str | float | int | None]]:
    return [{name: getattr(row, name) for name in COLUMNS} for row in table.rows]


def _write_json(table: RatingTable, path: Path) -> None:
    path.write_text(json.dumps(_records(table), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def _write_csv(table: RatingTable, path: Path) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(_records(table))


def _write_parquet(table: RatingTable, path: Path) -> None:
    kinds = (pa.string(), *(pa.float64(),) * 3, *(pa.int64(),) * 3)
    schema = pa.schema(list(zip(COLUMNS, kinds, strict=True)))
    pa.parquet.write_table(pa.Table.from_pylist(_records(table), schema=schema), path)


WRITERS: Final[Mapping[str, Callable[[RatingTable, Path], None]]] = {
    ".json": _write_json,
    ".csv": _write_csv,
    ".parquet": _write_parquet,
}
