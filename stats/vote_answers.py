"""What the answers in a file of votes are: their texts, and how they are written."""

import ast
import json
import warnings
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from stats.comparisons import FloatArray, IntArray
from stats.file_tables import Column
from stats.style import FEATURES, StyleCounts, counts_of_metadata, counts_of_text

Turns = list[Any]


def texts_of(column: Column, rows: IntArray, *, conversation: bool) -> Iterator[str | None]:
    """What the model wrote in each of `rows`; None where that cannot be told."""
    return (written(column.at(row), conversation=conversation) for row in rows.tolist())


def written(text: str, *, conversation: bool) -> str | None:
    """The assistant's turns of a conversation, the turns of a list of texts, or, of no conversation, the text."""
    turns = _turns(text)
    if turns is None:
        return None if conversation else text
    spoken = [
        _content(turn.get("content")) if isinstance(turn, dict) else turn
        for turn in turns
        if isinstance(turn, str) or (isinstance(turn, dict) and turn["role"] == "assistant")
    ]
    return "\n\n".join(spoken)


def counted_texts(texts: Iterable[str | None]) -> FloatArray:
    """Counts of `FEATURES`, shape (n, 4); NaN for None."""
    unknown = (np.nan,) * len(FEATURES)
    counts = [unknown if text is None else counts_of_text(text) for text in texts]
    return np.array(counts, dtype=np.float64).reshape(-1, len(FEATURES))


def counted_metadata(column: Column, rows: IntArray) -> StyleCounts:
    """The counts that came with the votes; NaN where a row has none for both sides."""
    unknown = (np.nan,) * len(FEATURES)
    used, place = np.unique(column.codes[rows], return_inverse=True)
    sides: dict[str, list[Sequence[float]]] = {"a": [], "b": []}
    for code in used.tolist():
        metadata = _parsed(column.values[code]) if code >= 0 else None
        known = metadata if isinstance(metadata, dict) else {}
        for side, counts in sides.items():
            counts.append(counts_of_metadata(known, side) or unknown)
    left, right = (np.array(counts, dtype=np.float64).reshape(-1, len(FEATURES))[place] for counts in sides.values())
    return StyleCounts(left, right)


def _turns(text: str) -> Turns | None:
    """A list of texts (None is an empty one) or of turns with their roles, and nothing else."""
    turns = _parsed(text) if text.startswith("[") else None
    if not isinstance(turns, list):
        return None
    return turns if all(_is_turn(turn) for turn in turns) else None


def _is_turn(turn: Any) -> bool:
    return turn is None or isinstance(turn, str) or (isinstance(turn, dict) and "role" in turn)


def _parsed(text: str) -> Any:
    """JSON, or what Python prints in its place, as in a CSV that pandas wrote."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        pass
    try:
        with warnings.catch_warnings(action="ignore", category=Warning):
            return ast.literal_eval(text)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return None


def _content(content: Any) -> str:
    """A text, or a list of typed parts of which the texts are wanted."""
    if isinstance(content, list):
        return "\n".join(str(part.get("text") or "") for part in content if isinstance(part, dict))
    return content if isinstance(content, str) else ""
