"""The layouts in which votes are published: which columns say who met whom and who won, and in what words.

Nothing is guessed: a row that does not say who won, in the words of its layout, has no outcome, and the reason is told.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final, NamedTuple

import numpy as np

from stats.comparisons import IntArray, Outcome
from stats.file_tables import Column, FileTable, UnknownLayoutError, VoteFileError

MOST_NAMES: Final = 20
LONGEST_NAME: Final = 40
ARENA_WORDS: Final = {
    "model_a": Outcome.LEFT,
    "model_b": Outcome.RIGHT,
    "tie": Outcome.TIE,
    "both_bad": Outcome.BOTH_BAD,
    "tie (bothbad)": Outcome.BOTH_BAD,
}
SIDE_WORDS: Final = {"left": Outcome.LEFT, "right": Outcome.RIGHT, "tie": Outcome.TIE, "both_bad": Outcome.BOTH_BAD}
LETTER_WORDS: Final = {"a": Outcome.LEFT, "b": Outcome.RIGHT, "tie": Outcome.TIE, "both_bad": Outcome.BOTH_BAD}
TURN_WORDS: Final = {
    "a_better": Outcome.LEFT,
    "b_better": Outcome.RIGHT,
    "both_good": Outcome.TIE,
    "both_bad": Outcome.BOTH_BAD,
}
FLAGS: Final = {"1": 1, "0": 0, "true": 1, "false": 0, "True": 1, "False": 0, "1.0": 1, "0.0": 0}


class ColumnNames(NamedTuple):
    """For files in no known layout: the columns of the two names, of the outcome and, if any, of the rest."""

    left: str
    right: str
    outcome: str
    voter: str | None = None
    prompt: str | None = None
    time: str | None = None


class Decision(NamedTuple):
    outcome: IntArray  # Outcome, or -1 where the row does not say
    reason: Callable[[int], str]  # why it does not


@dataclass(frozen=True, kw_only=True)
class Layout:
    """Which columns make a layout, how they tell the outcome, and which others may be there, the best first."""

    name: str
    left: str
    right: str
    outcome: tuple[str, ...]
    decide: Callable[["Layout", FileTable], Decision]
    words: Mapping[str, Outcome] | None = None
    voter: tuple[str, ...] = ("judge", "judge_hash", "voter", "evaluation_session_id")
    prompt: tuple[str, ...] = ("prompt", "question_id")
    time: tuple[str, ...] = ("timestamp", "tstamp")
    texts: tuple[tuple[str, str], ...] = (("conversation_a", "conversation_b"), ("response_a", "response_b"))
    metadata: str = "conv_metadata"

    @property
    def required(self) -> tuple[str, ...]:
        return (self.left, self.right, *self.outcome)

    def text_columns(self, names: tuple[str, ...]) -> tuple[str, str] | None:
        return next((pair for pair in self.texts if set(pair) <= set(names)), None)

    def with_words(self, words: Mapping[str, Outcome]) -> "Layout":
        """Raises VoteFileError where the outcome is not told by words."""
        if words and self.words is None:
            raise VoteFileError(f"The {self.name} layout tells the outcome by no word, so that none can be added.")
        return replace(self, words={**self.words, **words}) if self.words is not None else self


def looked_up(column: Column, meanings: Mapping[str, int]) -> IntArray:
    """What each row's text means, -1 for a text without a meaning and for no text."""
    meaning = np.array([*(meanings.get(value, -1) for value in column.values), -1], dtype=np.int64)
    return np.asarray(meaning[column.codes])  # the code -1 of no text is the last entry


def by_word(layout: Layout, table: FileTable) -> Decision:
    column = table.columns[layout.outcome[0]]
    words = layout.words or {}
    known = ", ".join(words)

    def reason(row: int) -> str:
        word = column.at(row)
        return f"the outcome {word!r} is none of {known}" if word else "no outcome"

    return Decision(looked_up(column, words), reason)


def by_flags(layout: Layout, table: FileTable) -> Decision:
    columns = [table.columns[name] for name in layout.outcome]
    flags = np.column_stack([looked_up(column, FLAGS) for column in columns])
    single = (flags >= 0).all(axis=1) & (flags.sum(axis=1) == 1)
    order = np.array([Outcome.LEFT, Outcome.RIGHT, Outcome.TIE])

    def reason(row: int) -> str:
        found = ", ".join(repr(column.at(row)) for column in columns)
        return f"one of {', '.join(layout.outcome)} must be 1 and the others 0, not {found}"

    return Decision(np.where(single, order[flags.argmax(axis=1)], -1), reason)


def by_chosen_name(layout: Layout, table: FileTable) -> Decision:
    """compar:IA names the chosen model, or says that both are equal: one of the two."""
    chosen, equal = (table.columns[name] for name in layout.outcome)
    sides = [table.columns[layout.left], table.columns[layout.right]]
    number = {name: i for i, name in enumerate({*chosen.values, *sides[0].values, *sides[1].values})}
    winner, left, right = (looked_up(column, number) for column in (chosen, *sides))
    is_equal = looked_up(equal, FLAGS)
    told = [(is_equal == 1) & (winner < 0)]
    told += [(is_equal != 1) & (winner >= 0) & (winner == side) for side in (left, right)]
    outcome = np.select(told, [Outcome.TIE, Outcome.LEFT, Outcome.RIGHT], default=-1)

    def reason(row: int) -> str:
        if equal.at(row) and is_equal[row] < 0:
            return f"{layout.outcome[1]} is {equal.at(row)!r}, neither true nor false"
        if not chosen.at(row):
            return "neither a chosen model nor two equal ones"
        if is_equal[row] == 1:
            return f"{chosen.at(row)!r} is chosen and both are called equal"
        return f"the chosen {chosen.at(row)!r} is none of the two"

    return Decision(np.where((is_equal < 0) & (equal.codes >= 0), -1, outcome), reason)


LAYOUTS: Final = (
    Layout(
        name="one-hot",
        left="model_a",
        right="model_b",
        outcome=("winner_model_a", "winner_model_b", "winner_tie"),
        decide=by_flags,
        prompt=("prompt",),
    ),
    Layout(name="arena", left="model_a", right="model_b", outcome=("winner",), decide=by_word, words=ARENA_WORDS),
    Layout(
        name="hakem",
        left="model_a",
        right="model_b",
        outcome=("outcome",),
        decide=by_word,
        words=LETTER_WORDS,
        voter=("voter",),
        prompt=("prompt",),
        time=("created_at",),
    ),
    Layout(
        name="compar:IA",
        left="model_a_name",
        right="model_b_name",
        outcome=("chosen_model_name", "both_equal"),
        decide=by_chosen_name,
        voter=("visitor_id", "session_hash"),
        prompt=("opening_msg",),
    ),
    Layout(
        name="compar:IA turns",  # comparia-fr-arena: one row per turn, most of them without a choice
        left="model_a",
        right="model_b",
        outcome=("choice",),
        decide=by_word,
        words=TURN_WORDS,
        texts=(("response_a", "response_b"),),
    ),
    Layout(
        name="evalica",
        left="left",
        right="right",
        outcome=("winner",),
        decide=by_word,
        words=SIDE_WORDS,
        voter=("voter", "worker"),
    ),
)


def recognised(where: object, names: tuple[str, ...]) -> Layout:
    """The layout of a file with these columns. Raises UnknownLayoutError."""
    found = next((layout for layout in LAYOUTS if set(layout.required) <= set(names)), None)
    if found is None:
        raise UnknownLayoutError(
            f"{where}: no known layout has the columns {listed(names)}. "
            "Name those of the two models and of the outcome (--left, --right, --outcome)."
        )
    return found


def named_layout(columns: ColumnNames) -> Layout:
    return Layout(
        name="named columns",
        left=columns.left,
        right=columns.right,
        outcome=(columns.outcome,),
        decide=by_word,
        words=ARENA_WORDS | SIDE_WORDS | LETTER_WORDS,
        voter=(columns.voter,) if columns.voter else (),
        prompt=(columns.prompt,) if columns.prompt else (),
        time=(columns.time,) if columns.time else (),
    )


def listed(names: tuple[str, ...]) -> str:
    """Names in quotes, as many and as much of each as a reader wants to see."""
    shown = [repr(name if len(name) <= LONGEST_NAME else f"{name[:LONGEST_NAME]}…") for name in names[:MOST_NAMES]]
    more = [f"{len(names) - MOST_NAMES} more"] if len(names) > MOST_NAMES else []
    return ", ".join([*shown, *more]) or "(none)"
