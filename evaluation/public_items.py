"""What public benchmarks ask, as plain texts: for finding a private set's questions among them."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from evaluation.benchmarks.base import Method
from evaluation.benchmarks.registry import BENCHMARKS, benchmark
from evaluation.benchmarks.rows import Row
from evaluation.choices_only import Item
from evaluation.datasets import rows_here
from evaluation.errors import DataUnreadable

LABELS: Final = frozenset(
    {"id", "ind", "key", "subject", "activity_label", "source_id", "answer", "answerKey", "label"}
    | {"instruction_id_list", "kwargs"}
)
"""Columns that are no part of what is asked."""


def items_here(folder: Path | None, cache_dir: Path, *, with_choices: bool) -> dict[str, list[Item]]:
    """By benchmark, of the rows on this machine. What is not here, or cannot be read, is left out."""
    found: dict[str, list[Item]] = {}
    for name in BENCHMARKS:
        chosen = benchmark(name)
        if chosen.method is Method.TOKEN_STATISTICS:
            continue
        try:
            rows = rows_here(chosen, folder, cache_dir)
        except DataUnreadable:
            continue
        if rows:
            found[name] = [_item(row, chosen.fields, with_choices=with_choices) for row in rows]
    return found


def _item(row: Row, fields: tuple[str, ...], *, with_choices: bool) -> Item:
    """Texts of the row are its question, texts in lists its choices."""
    asked = [row.get(field) for field in fields if field not in LABELS]
    question = " ".join(value for value in asked if isinstance(value, str))
    choices = tuple(text for value in asked if not isinstance(value, str) for text in _texts(value))
    return Item("", question, choices if with_choices else (), 0)


def _texts(value: Any) -> Iterator[str]:
    """Single letters are the names of choices."""
    if isinstance(value, str) and len(value) > 1:
        yield value
    elif isinstance(value, dict):
        for part in value.values():
            yield from _texts(part)
    elif isinstance(value, list):
        for part in value:
            yield from _texts(part)
