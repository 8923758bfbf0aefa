"""A table of ratings as text for a terminal, and as JSON, CSV or Parquet."""

import csv
import json
import unicodedata
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.parquet

from stats.file_tables import UnreadableFileError
from stats.rating_tables import RatingRow, RatingTable

COLUMNS: Final = ("name", "rating", "lower", "upper", "rank_lower", "rank_upper", "n_battles")
NOTHING: Final = "–"
TERMINAL_WIDTH: Final = 80
LONGEST_NAME: Final = 60  # that is shown; files hold names as they are
FORMULA_STARTS: Final = ("=", "+", "-", "@", "\t", "\r", "\n")


def as_text(table: RatingTable) -> str:
    """Aligned columns: rank range, name, rating, interval, votes, and words for what has no rating.

    Words that would make a line too long for a terminal stand on a line of their own.
    """
    head = ("rank", "model", "rating", f"{percent(table.confidence_level)} interval", "votes")
    lines = [head, *(_cells(row) for row in table.rows)]
    widths = [max(display_width(line[column]) for line in lines) for column in range(len(head))]
    texts = [_aligned(head, widths)]
    for row, line in zip(table.rows, lines[1:], strict=True):
        texts.append(_aligned(line, widths))
        if row.status and display_width(texts[-1]) + 2 + len(row.status) <= TERMINAL_WIDTH:
            texts[-1] += f"  {row.status}"
        elif row.status:
            texts.append(f"{' ' * widths[0]}  {row.status}")
    return "\n".join(texts)


def percent(level: float) -> str:
    return f"{100 * level:.6g} %"


def plain(text: str) -> str:
    """For a terminal, whose cursor and colours no name in it can change."""
    return "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in text)


def _cells(row: RatingRow) -> tuple[str, ...]:
    rank = NOTHING if row.rank_lower is None else f"{row.rank_lower}–{row.rank_upper}"
    interval = NOTHING if row.lower is None or row.upper is None else f"{row.lower:.1f} … {row.upper:.1f}"
    rating = NOTHING if row.rating is None else f"{row.rating:.1f}"
    alone = f"{row.rank_lower}" if row.rank_lower is not None and row.rank_lower == row.rank_upper else rank
    return alone, _clipped(plain(row.name)), rating, interval, str(row.n_battles)


def _clipped(name: str) -> str:
    return name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 1]}…"


def _aligned(line: Sequence[str], widths: Sequence[int]) -> str:
    cells = [
        _padded(cell, width, left=column == 1) for column, (cell, width) in enumerate(zip(line, widths, strict=True))
    ]
    return "  ".join(cells).rstrip()


def display_width(text: str) -> int:
    """Columns of a terminal: wide letters take two, marks that sit on another letter none."""
    return sum(
        0 if unicodedata.combining(letter) else 1 + (unicodedata.east_asian_width(letter) in "WF") for letter in text
    )


def _padded(text: str, width: int, *, left: bool) -> str:
    blanks = " " * (width - display_width(text))
    return text + blanks if left else blanks + text


def check_writable(path: Path, endings: Iterable[str], *, inputs: Collection[Path] = ()) -> None:
    """Raises UnreadableFileError for what can be known to fail, or to destroy a file that is read."""
    if path.suffix.lower() not in (known := tuple(endings)):
        raise UnreadableFileError(f"{path} does not end in {' or '.join(known)}.")
    if path.is_dir():
        raise UnreadableFileError(f"{path} is a folder.")
    if not path.parent.is_dir():
        raise UnreadableFileError(f"{path} cannot be written: there is no folder {path.parent}.")
    if path.resolve() in {one.resolve() for one in inputs}:
        raise UnreadableFileError(f"{path} holds the votes, and will not be written over.")


def write(table: RatingTable, path: Path) -> None:
    """Write the rows as the ending says. Raises UnreadableFileError."""
    check_writable(path, WRITERS)
    try:
        WRITERS[path.suffix.lower()](table, path)
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
        writer.writerows({**record, "name": _as_cell(str(record["name"]))} for record in _records(table))


def _as_cell(name: str) -> str:
    """A name that begins like a formula would be computed by a spreadsheet."""
    return f"'{name}" if name.startswith(FORMULA_STARTS) else name


def _write_parquet(table: RatingTable, path: Path) -> None:
    kinds = (pa.string(), *(pa.float64(),) * 3, *(pa.int64(),) * 3)
    schema = pa.schema(list(zip(COLUMNS, kinds, strict=True)))
    pa.parquet.write_table(pa.Table.from_pylist(_records(table), schema=schema), path)


WRITERS: Final[Mapping[str, Callable[[RatingTable, Path], None]]] = {
    ".json": _write_json,
    ".csv": _write_csv,
    ".parquet": _write_parquet,
}
