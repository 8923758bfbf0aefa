"""Votes from files, in every public layout we know: who met whom, who won, and when and by whom where that is told.

A row that says neither who met nor who won, in the words of its layout, is listed with its number and the reason and
left out; an unknown outcome is never a tie. Names are taken as they are written: one with a space at its end is
another name, and is pointed out in the notes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np

from stats.comparisons import BoolArray, Comparisons, FloatArray, IntArray, Outcome
from stats.file_formats import open_tables
from stats.file_tables import BadRow, Column, FileTable, MissingColumnError, UnreadableFileError, VoteFileError
from stats.style import StyleCounts
from stats.vote_answers import counted_metadata, counted_texts, texts_of
from stats.vote_layouts import LAYOUTS, ColumnNames, Decision, Layout, listed, looked_up, named_layout, recognised

WEIGHTS: Final = frozenset({"weight", "weights", "count", "n"})
LENGTH_IN_WORDS: Final = "Length is counted in words and marks, since the file counts no tokens."


@dataclass(frozen=True, kw_only=True, eq=False)
class Votes:
    """What a file says. `comparisons` number the `names`, which are in alphabetical order.

    Arrays and columns have one entry per comparison, in the order of the file: `row_numbers`; `times` in seconds since
    1970 (UTC where no zone is told), NaN where a row has none; `voters`, `prompts`; `left_texts`, `right_texts`, what
    the two models wrote; and `style`. What the file lacks, or was not asked for, is None. `bad_rows` are in the order
    of the file.
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
    style: StyleCounts | None = None
    bad_rows: tuple[BadRow, ...] = ()
    notes: tuple[str, ...] = ()


class Wanted(NamedTuple):
    """What to read beside who met whom and who won. `about` is who voted on what, and when."""

    about: bool = True
    texts: bool = False
    style: bool = False


@dataclass(frozen=True)
class _Source:
    """A layout, and which of the columns that it may have are there and wanted."""

    layout: Layout
    about: Mapping[str, str]
    texts: tuple[str, str] | None
    metadata: str | None

    @classmethod
    def of(cls, layout: Layout, names: tuple[str, ...], wanted: Wanted) -> "_Source":
        roles = ("voter", "prompt", "time") if wanted.about else ()
        candidates = {role: [name for name in getattr(layout, role) if name in names] for role in roles}
        metadata = layout.metadata if wanted.style and layout.metadata in names else None
        read_texts = wanted.texts or (wanted.style and metadata is None)
        texts = layout.text_columns(names) if read_texts else None
        return cls(layout, {role: found[0] for role, found in candidates.items() if found}, texts, metadata)

    @property
    def columns(self) -> tuple[str, ...]:
        answers = [*(self.texts or ()), *filter(None, [self.metadata])]
        return tuple(dict.fromkeys([*self.layout.required, *self.about.values(), *answers]))


class _Answers(NamedTuple):
    """Of `rows`: those that say who met whom and who won, but for the ones that are refused for lack of an answer."""

    rows: IntArray
    refused: tuple[BadRow, ...] = ()
    texts: tuple[tuple[str, ...], ...] = ()  # of left and of right
    style: StyleCounts | None = None


class _Meetings(NamedTuple):
    """Per row of the table: who met whom, as numbers in `names`, and whether the row tells all that is needed."""

    names: list[str]
    left: IntArray
    right: IntArray
    decision: Decision

    @property
    def told(self) -> BoolArray:
        told = (self.left >= 0) & (self.right >= 0) & (self.left != self.right) & (self.decision.outcome >= 0)
        return np.asarray(told)


def read_votes(
    path: Path | Sequence[Path],
    *,
    columns: ColumnNames | None = None,
    words: Mapping[str, Outcome] | None = None,
    wanted: Wanted | None = None,
) -> Votes:
    """Read a file in a known layout, or with its `columns` named; or several files with the same columns, as one.

    With named columns the outcome may be in the words of any layout; `words` adds further ones. Where texts or style
    are `wanted` and the file has them, a row without is left out; where it has none, they are None. Raises
    VoteFileError, also for a file without a single usable row.
    """
    wanted = wanted or Wanted()
    paths = [path] if isinstance(path, Path) else list(path)
    file = open_tables(paths)
    where = " and ".join(map(str, paths))
    layout = named_layout(columns) if columns else recognised(where, file.names)
    layout = layout.with_words(words or {})
    if missing := [name for name in layout.required if name not in file.names]:
        raise MissingColumnError(f"{where} has no column {missing[0]!r}; it has {listed(file.names)}.")
    source = _Source.of(layout, file.names, wanted)
    votes = _votes(source, file.read(source.columns), wanted)
    return replace(votes, notes=(*votes.notes, *_unused_weights(file.names)))


def _votes(source: _Source, table: FileTable, wanted: Wanted) -> Votes:
    met = _meetings(source.layout, table)
    told = met.told
    answers = _answers(source, table, np.flatnonzero(told), wanted)
    bad_rows = table.in_order([*table.bad_rows, *_refused(source.layout, table, met, told), *answers.refused])
    rows = answers.rows
    if not len(rows):
        first = f" Row {bad_rows[0].number}: {bad_rows[0].reason}." if bad_rows else " Below its header it is empty."
        raise UnreadableFileError(f"The file holds no vote that can be used.{first}")
    used, codes = np.unique(np.concatenate([met.left[rows], met.right[rows]]), return_inverse=True)
    left, right = np.split(codes, 2)
    names = tuple(met.names[index] for index in used)
    about = {role: table.columns[name].rows(rows) for role, name in source.about.items()}
    times = _seconds(about["time"]) if "time" in about else None
    counted_here = answers.style is not None and source.metadata is None
    return Votes(
        layout=source.layout.name,
        names=names,
        comparisons=Comparisons.from_arrays(left, right, outcome=met.decision.outcome[rows], n_items=len(names)),
        row_numbers=table.numbers[rows],
        times=times,
        voters=about.get("voter"),
        prompts=about.get("prompt"),
        left_texts=answers.texts[0] if wanted.texts and answers.texts else None,
        right_texts=answers.texts[1] if wanted.texts and answers.texts else None,
        style=answers.style,
        bad_rows=bad_rows,
        notes=(*_lookalikes(names), *_timeless(times), *([LENGTH_IN_WORDS] if counted_here else [])),
    )


def _meetings(layout: Layout, table: FileTable) -> _Meetings:
    left, right = table.columns[layout.left], table.columns[layout.right]
    names = sorted({*left.values, *right.values})
    number = {name: index for index, name in enumerate(names)}
    return _Meetings(names, looked_up(left, number), looked_up(right, number), layout.decide(layout, table))


def _answers(source: _Source, table: FileTable, rows: IntArray, wanted: Wanted) -> _Answers:
    usable = np.ones(len(rows), dtype=np.bool_)
    texts: list[list[str | None]] = []
    style, lacking = None, ""
    for name in source.texts or ():
        texts.append(list(texts_of(table.columns[name], rows, conversation=name.startswith("conversation"))))
        usable &= np.array([text is not None for text in texts[-1]], dtype=np.bool_)
        lacking = f"no conversation that can be read in {' or '.join(source.texts or ())}"
    if source.metadata:
        style = counted_metadata(table.columns[source.metadata], rows)
        usable &= np.isfinite(style.left).all(axis=1) & np.isfinite(style.right).all(axis=1)
        lacking = f"no counts of tokens in {source.metadata}"
    elif texts and wanted.style:
        style = StyleCounts(*(counted_texts(side) for side in texts))
    kept = np.flatnonzero(usable)
    return _Answers(
        rows=rows[kept],
        refused=tuple(table.bad_row(row, lacking) for row in rows[~usable].tolist()),
        texts=tuple(tuple(side[index] or "" for index in kept.tolist()) for side in texts),
        style=style and StyleCounts(style.left[kept], style.right[kept]),
    )


def _refused(layout: Layout, table: FileTable, met: _Meetings, told: BoolArray) -> list[BadRow]:
    left, right = table.columns[layout.left], table.columns[layout.right]
    refused = []
    for row in np.flatnonzero(~told).tolist():
        names = left.at(row), right.at(row)
        if not all(names):
            reason = f"no name in {layout.right if names[0] else layout.left}"
        elif names[0] == names[1]:
            reason = f"{names[0]!r} against itself"
        else:
            reason = met.decision.reason(row)
        refused.append(table.bad_row(row, reason))
    return refused


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


def _unused_weights(names: tuple[str, ...]) -> list[str]:
    weights = [name for name in names if name.strip().casefold() in WEIGHTS]
    return [f"The column {name!r} is not used: every row counts as one vote." for name in weights]


def _timeless(times: FloatArray | None) -> list[str]:
    n_missing = 0 if times is None else int(np.isnan(times).sum())
    return [f"{n_missing} votes have no time that can be read."] if n_missing else []


__all__ = ["LAYOUTS", "BadRow", "ColumnNames", "VoteFileError", "Votes", "Wanted", "read_votes"]
