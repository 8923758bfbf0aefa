"""What all commands share that read files of votes: the options of the reading, and what there is to say about it."""

import argparse
from collections.abc import Iterator
from typing import Final

from stats.comparisons import Outcome
from stats.file_tables import BadRow
from stats.rating_command import counted
from stats.vote_files import ColumnNames, Votes

KNOWN_FILES: Final = "CSV, TSV, JSONL, JSON (also .gz) or Parquet, in any known layout"
ALL_OR_NONE: Final = "name all three of --left, --right and --outcome, or none"
SHOWN_BAD_ROWS: Final = 20
OUTCOME_WORDS: Final = {
    "left": Outcome.LEFT,
    "right": Outcome.RIGHT,
    "tie": Outcome.TIE,
    "both-bad": Outcome.BOTH_BAD,
}


def add_reading_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--bad-rows", action="store_true", help="list every row that was left out")
    names = parser.add_argument_group("columns of a file in no known layout")
    for side in ("left", "right", "outcome"):
        names.add_argument(f"--{side}", metavar="COLUMN")
    names.add_argument(
        "--word",
        type=_word,
        action="append",
        default=[],
        metavar="WORD=OUTCOME",
        help=f"a further word for one of {', '.join(OUTCOME_WORDS)}",
    )


def names_all_or_none(asked: argparse.Namespace) -> bool:
    return len({bool(asked.left), bool(asked.right), bool(asked.outcome)}) == 1


def columns_of(asked: argparse.Namespace) -> ColumnNames | None:
    return ColumnNames(asked.left, asked.right, asked.outcome) if asked.left else None


def what_was_read(votes: Votes, *, every_bad_row: bool) -> Iterator[str]:
    """What the reader should know beside the result: how much was read, and what was not."""
    yield f"{counted(len(votes.comparisons.left), 'vote')} on {len(votes.names)} models ({votes.layout} layout)."
    if votes.bad_rows:
        shown = votes.bad_rows if every_bad_row else votes.bad_rows[:SHOWN_BAD_ROWS]
        yield f"{counted(len(votes.bad_rows), 'row')} left out (row 1 is the first after a header):"
        yield from map(_bad_row, shown)
        if len(shown) < len(votes.bad_rows):
            yield f"  and {len(votes.bad_rows) - len(shown)} more; --bad-rows lists them all"
    yield from votes.notes


def _bad_row(row: BadRow) -> str:
    file = f"{row.file}, " if row.file else ""
    return f"  {file}row {row.number}: {row.reason}"


def _word(text: str) -> tuple[str, Outcome]:
    word, _, outcome = text.rpartition("=")
    if not word or outcome not in OUTCOME_WORDS:
        raise argparse.ArgumentTypeError(f"{text!r} is not WORD=OUTCOME, as in draw=tie")
    return word, OUTCOME_WORDS[outcome]
