"""Votes from files, in every public layout we know: who met whom, who won, and when and by whom where that is told.

Nothing is guessed. A row that says neither who met nor who won, in the words of its layout, is listed with its number
and the reason and left out; an unknown outcome is never a tie. Names are taken as they are written: one with a space
at its end is another name, and is pointed out in the notes.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np

from stats.comparisons import BoolArray, Comparisons, FloatArray, IntArray, Outcome
from stats.file_tables import (
    BadRow,
    Column,
    FileTable,
    MissingColumnError,
    UnknownLayoutError,
    UnreadableFileError,
    VoteFileError,
    open_table,
)

ARENA_WORDS: Final = {
    "model_a": Outcome.LEFT,
    "model_b": Outcome.RIGHT,
    "tie": Outcome.TIE,
    "both_bad": Outcome.BOTH_BAD,
    "tie (bothbad)": Outcome.BOTH_BAD,
}
SIDE_WORDS: Final = {"left": Outcome.LEFT, "right": Outcome.RIGHT, "tie": Outcome.TIE, "both_bad": Outcome.BOTH_BAD}
LETTER_WORDS: Final = {"a": Outcome.LEFT, "b": Outcome.RIGHT, "tie": Outcome.TIE, "both_bad": Outcome.BOTH_BAD}
FLAGS: Final = {"1": 1, "0": 0, "true": 1, "false": 0, "True": 1, "False": 0, "1.0": 1, "0.0": 0}


class ColumnNames(NamedTuple):
    """For files in no known layout: the columns of the two names, of the outcome and, if any, of the rest."""

    left: str
    right: str
    outcome: str
    voter: str | None = None
    prompt: str | None = None
    time: str | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class Votes:
    """What a file says. `comparisons` number the `names`, which are in alphabetical order.

    Arrays and columns have one entry per comparison, in the order of the file: `row_numbers`; `times` in seconds since
    1970 (UTC where no zone is told), NaN where a row has none; `voters`, `prompts`; and `left_texts`, `right_texts`,
    what the two models wrote. What the file lacks is None. `bad_rows` are in the order of the file.
    """

    layout: str
    names: tuple[str, ...]
    comparisons: Comparisons
    row_numbers: IntArray
    times: FloatArray | None = None
    voters: Column | None = None
    prompts: Column | None = None
    left_texts: tuple[str, ...] | None = None
    right_texts: tuple[str, ...] | None = None
    bad_rows: tuple[BadRow, ...] = ()
    notes: tuple[str, ...] = ()


class _Decision(NamedTuple):
    outcome: IntArray  # Outcome, or -1 where the row does not say
    reason: Callable[[int], str]  # why it does not


@dataclass(frozen=True, kw_only=True)
class _Layout:
    """Which columns make a layout, how they tell the outcome, and which others may be there, the best first."""

    name: str
    left: str
    right: str
    outcome: tuple[str, ...]
    decide: Callable[["_Layout", FileTable], _Decision]
    words: Mapping[str, Outcome] | None = None
    voter: tuple[str, ...] = ("judge", "voter", "evaluation_session_id")
    prompt: tuple[str, ...] = ("prompt", "question_id")
    time: tuple[str, ...] = ("timestamp", "tstamp")
    texts: tuple[str, str] = ("conversation_a", "conversation_b")

    @property
    def required(self) -> tuple[str, ...]:
        return (self.left, self.right, *self.outcome)


def _by_word(layout: _Layout, table: FileTable) -> _Decision:
    column = table.columns[layout.outcome[0]]
    words = layout.words or {}
    known = ", ".join(words)

    def reason(row: int) -> str:
        word = column.at(row)
        return f"the outcome {word!r} is none of {known}" if word else "no outcome"

    return _Decision(_looked_up(column, words), reason)


def _by_flags(layout: _Layout, table: FileTable) -> _Decision:
    columns = [table.columns[name] for name in layout.outcome]
    flags = np.column_stack([_looked_up(column, FLAGS) for column in columns])
    single = (flags >= 0).all(axis=1) & (flags.sum(axis=1) == 1)
    order = np.array([Outcome.LEFT, Outcome.RIGHT, Outcome.TIE])

    def reason(row: int) -> str:
        found = ", ".join(repr(column.at(row)) for column in columns)
        return f"one of {', '.join(layout.outcome)} must be 1 and the others 0, not {found}"

    return _Decision(np.where(single, order[flags.argmax(axis=1)], -1), reason)


def _by_chosen_name(layout: _Layout, table: FileTable) -> _Decision:
    """compar:IA names the chosen model, or says that both are equal: one of the two."""
    chosen, equal = (table.columns[name] for name in layout.outcome)
    sides = [table.columns[layout.left], table.columns[layout.right]]
    number = {name: i for i, name in enumerate({*chosen.values, *sides[0].values, *sides[1].values})}
    winner, left, right = (_looked_up(column, number) for column in (chosen, *sides))
    is_equal = _looked_up(equal, FLAGS)
    told = [(is_equal == 1) & (winner < 0)]
    told += [(is_equal != 1) & (winner >= 0) & (winner == side) for side in (left, right)]
    outcome = np.select(told, [Outcome.TIE, Outcome.LEFT, Outcome.RIGHT], default=-1)

    def reason(row: int) -> str:
        if not chosen.at(row):
            return "neither a chosen model nor two equal ones"
        if is_equal[row] == 1:
            return f"{chosen.at(row)!r} is chosen and both are called equal"
        return f"the chosen {chosen.at(row)!r} is none of the two"

    return _Decision(outcome, reason)


LAYOUTS: Final = (
    _Layout(
        name="one-hot",
        left="model_a",
        right="model_b",
        outcome=("winner_model_a", "winner_model_b", "winner_tie"),
        decide=_by_flags,
        prompt=("prompt",),
        texts=("response_a", "response_b"),
    ),
    _Layout(name="arena", left="model_a", right="model_b", outcome=("winner",), decide=_by_word, words=ARENA_WORDS),
    _Layout(
        name="hakem",
        left="model_a",
        right="model_b",
        outcome=("outcome",),
        decide=_by_word,
        words=LETTER_WORDS,
        voter=("voter",),
        prompt=("prompt",),
        time=("created_at",),
    ),
    _Layout(
        name="compar:IA",
        left="model_a_name",
        right="model_b_name",
        outcome=("chosen_model_name", "both_equal"),
        decide=_by_chosen_name,
        voter=("visitor_id", "session_hash"),
        prompt=("opening_msg",),
    ),
    _Layout(
        name="evalica",
        left="left",
        right="right",
        outcome=("winner",),
        decide=_by_word,
        words=SIDE_WORDS,
        voter=("voter", "worker"),
    ),
)


def read_votes(
    path: Path,
    *,
    columns: ColumnNames | None = None,
    words: Mapping[str, Outcome] | None = None,
    texts: bool = False,
) -> Votes:
    """Read a file in a known layout, or with its `columns` named; with `texts` what the models wrote too.

    With named columns the outcome may be in the words of any layout; `words` adds further ones. Raises VoteFileError,
    also for a file without a single usable row.
    """
    file = open_table(path)
    layout = _named_layout(columns) if columns else _recognised(path, file.names)
    if layout.words is not None:
        layout = replace(layout, words={**layout.words, **(words or {})})
    if missing := [name for name in layout.required if name not in file.names]:
        raise MissingColumnError(f"{path} has no column {missing[0]!r}; it has {_listed(file.names)}.")
    present = {name: _first_of(getattr(layout, name), file.names) for name in ("voter", "prompt", "time")}
    text_columns = [name for name in layout.texts if texts and name in file.names]
    wanted = dict.fromkeys([*layout.required, *filter(None, present.values()), *text_columns])
    return _votes(layout, file.read(tuple(wanted)), present, text_columns)


def _votes(layout: _Layout, table: FileTable, present: Mapping[str, str | None], texts: list[str]) -> Votes:
    decision = layout.decide(layout, table)
    left, right = table.columns[layout.left], table.columns[layout.right]
    names = sorted({*left.values, *right.values})
    number = {name: index for index, name in enumerate(names)}
    lefts, rights = _looked_up(left, number), _looked_up(right, number)
    good = (lefts >= 0) & (rights >= 0) & (lefts != rights) & (decision.outcome >= 0)
    bad_rows = _refused(layout, table, decision, good)
    if not good.any():
        first = f" Row {bad_rows[0].number}: {bad_rows[0].reason}." if bad_rows else ""
        raise UnreadableFileError(f"The file holds no vote that can be used.{first}")
    rows = np.flatnonzero(good)
    used, codes = np.unique(np.concatenate([lefts[rows], rights[rows]]), return_inverse=True)
    seen = tuple(names[index] for index in used)
    columns = {role: table.columns[name].rows(rows) for role, name in present.items() if name}
    sides = [tuple(_written(table.columns[name].at(row)) for row in rows.tolist()) for name in texts]
    times = _seconds(columns["time"]) if "time" in columns else None
    return Votes(
        layout=layout.name,
        names=seen,
        comparisons=Comparisons.from_arrays(
            codes[: len(rows)], codes[len(rows) :], outcome=decision.outcome[rows], n_items=len(seen)
        ),
        row_numbers=table.numbers[rows],
        times=times,
        voters=columns.get("voter"),
        prompts=columns.get("prompt"),
        left_texts=sides[0] if len(sides) == 2 else None,
        right_texts=sides[1] if len(sides) == 2 else None,
        bad_rows=bad_rows,
        notes=(*_lookalikes(seen), *_timeless(times)),
    )


def _refused(layout: _Layout, table: FileTable, decision: _Decision, good: BoolArray) -> tuple[BadRow, ...]:
    left, right = table.columns[layout.left], table.columns[layout.right]
    refused = list(table.bad_rows)
    for row in np.flatnonzero(~good).tolist():
        names = left.at(row), right.at(row)
        if not all(names):
            reason = f"no name in {layout.right if names[0] else layout.left}"
        elif names[0] == names[1]:
            reason = f"{names[0]!r} against itself"
        else:
            reason = decision.reason(row)
        refused.append(BadRow(int(table.numbers[row]), reason))
    return tuple(sorted(refused))


def _recognised(path: Path, names: tuple[str, ...]) -> _Layout:
    found = next((layout for layout in LAYOUTS if set(layout.required) <= set(names)), None)
    if found is None:
        raise UnknownLayoutError(
            f"{path} is in no known layout: it has the columns {_listed(names)}. "
            "Name those of the two models and of the outcome."
        )
    return found


def _named_layout(columns: ColumnNames) -> _Layout:
    return _Layout(
        name="named columns",
        left=columns.left,
        right=columns.right,
        outcome=(columns.outcome,),
        decide=_by_word,
        words=ARENA_WORDS | SIDE_WORDS | LETTER_WORDS,
        voter=(columns.voter,) if columns.voter else (),
        prompt=(columns.prompt,) if columns.prompt else (),
        time=(columns.time,) if columns.time else (),
    )


def _looked_up(column: Column, meanings: Mapping[str, int]) -> IntArray:
    """What each row's text means, -1 for a text without a meaning and for no text."""
    meaning = np.array([*(meanings.get(value, -1) for value in column.values), -1], dtype=np.int64)
    return np.asarray(meaning[column.codes])  # the code -1 of no text is the last entry


def _seconds(column: Column) -> FloatArray:
    seconds = np.array([*map(_second, column.values), np.nan])
    return np.asarray(seconds[column.codes])


def _second(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        pass
    try:
        time = datetime.fromisoformat(text)
        return (time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return float("nan")


def _written(text: str) -> str:
    """What the model wrote: the assistant's turns of a conversation in JSON, or the text itself."""
    try:
        turns = json.loads(text)
    except (ValueError, RecursionError):
        return text
    if not isinstance(turns, list):
        return text
    spoken = [turn.get("content") for turn in turns if isinstance(turn, dict) and turn.get("role") == "assistant"]
    plain = [turn for turn in turns if isinstance(turn, str)]
    return "\n\n".join(plain + [_content(content) for content in spoken])


def _content(content: Any) -> str:
    """A text, or a list of typed parts of which the texts are wanted."""
    if isinstance(content, list):
        return "\n".join(str(part.get("text") or "") for part in content if isinstance(part, dict))
    return content if isinstance(content, str) else ""


def _lookalikes(names: tuple[str, ...]) -> list[str]:
    """Names that somebody may have meant to be the same. They are not merged."""
    groups: dict[str, list[str]] = {}
    for name in names:
        groups.setdefault(" ".join(name.split()).casefold(), []).append(name)
    alike = [" and ".join(map(repr, group)) for group in groups.values() if len(group) > 1]
    spaced = [repr(name) for group in groups.values() if len(group) == 1 for name in group if name != name.strip()]
    return [f"{group} are different names and are rated apart." for group in alike] + [
        f"{name} has a space at its end or beginning, which is part of the name." for name in spaced
    ]


def _timeless(times: FloatArray | None) -> list[str]:
    n_missing = 0 if times is None else int(np.isnan(times).sum())
    return [f"{n_missing} votes have no time that can be read."] if n_missing else []


def _first_of(candidates: tuple[str, ...], names: tuple[str, ...]) -> str | None:
    return next((name for name in candidates if name in names), None)


def _listed(names: tuple[str, ...]) -> str:
    return ", ".join(map(repr, names)) or "no columns"


__all__ = ["LAYOUTS", "BadRow", "ColumnNames", "VoteFileError", "Votes", "read_votes"]
