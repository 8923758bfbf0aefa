"""`python -m stats VOTES`: ratings with intervals from a file of votes, in a terminal.

Exit codes: 0 the ratings were printed, 1 the votes or a file cannot be used (one sentence says why), 2 the command
itself is wrong.
"""

import argparse
import io
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from stats.comparisons import Outcome
from stats.errors import StatsError
from stats.file_tables import BadRow, MissingColumnError
from stats.rating_command import add_rating_options, check, counted, options_of, save
from stats.rating_files import as_text, plain
from stats.rating_tables import RatingTable, rate
from stats.style import Style, style_of
from stats.vote_files import ColumnNames, Votes, Wanted, read_votes

SHOWN_BAD_ROWS: Final = 20
OUTCOME_WORDS: Final = {
    "left": Outcome.LEFT,
    "right": Outcome.RIGHT,
    "tie": Outcome.TIE,
    "both-bad": Outcome.BOTH_BAD,
}


def main(arguments: Sequence[str] | None = None) -> int:
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a terminal that knows no dashes is no reason to fail
    parser = _parser()
    asked = parser.parse_args(arguments)
    if bool(asked.left) + bool(asked.right) + bool(asked.outcome) in (1, 2):
        parser.error("name all three of --left, --right and --outcome, or none")
    others = f" and {len(asked.votes) - 1} more" if len(asked.votes) > 1 else ""
    try:
        table = _answer(asked)
        _print(f"{as_text(table)}\n")
        save(table, asked, subject=f"{asked.votes[0].name}{others}")
    except StatsError as error:
        _tell([str(error)])
        return 1
    return 0


def _answer(asked: argparse.Namespace) -> RatingTable:
    check(asked, inputs=asked.votes)
    columns = ColumnNames(asked.left, asked.right, asked.outcome) if asked.left else None
    wanted = Wanted(about=False, style=asked.style)
    votes = read_votes(asked.votes, columns=columns, words=dict(asked.word), wanted=wanted)
    _tell(_what_was_read(votes, every_bad_row=asked.bad_rows))
    style = _style(asked, votes) if asked.style else None
    table = rate(votes.names, votes.comparisons, method=asked.method, options=options_of(asked, style))
    _tell(table.notes)
    return table


def _style(asked: argparse.Namespace, votes: Votes) -> Style:
    if votes.style is None:
        raise MissingColumnError(f"{asked.votes[0]} does not hold the answers, whose style was to be controlled for.")
    return style_of(votes.style.left, votes.style.right)


def _what_was_read(votes: Votes, *, every_bad_row: bool) -> Iterator[str]:
    """What the reader should know beside the table: how much was read, and what was not."""
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


def _tell(lines: Iterator[str] | Sequence[str]) -> None:
    sys.stderr.write("".join(f"{plain(line)}\n" for line in lines))


def _print(text: str) -> None:
    """A reader that goes away early, as `head` does, is no error."""
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m stats", description="Rate models by votes on pairs of them.", allow_abbrev=False
    )
    files = "CSV, TSV, JSONL, JSON (also .gz) or Parquet, in any known layout; several files are read as one"
    parser.add_argument("votes", type=Path, nargs="+", metavar="VOTES", help=files)
    add_rating_options(parser)
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
    return parser


def _word(text: str) -> tuple[str, Outcome]:
    word, _, outcome = text.rpartition("=")
    if not word or outcome not in OUTCOME_WORDS:
        raise argparse.ArgumentTypeError(f"{text!r} is not WORD=OUTCOME, as in draw=tie")
    return word, OUTCOME_WORDS[outcome]


if __name__ == "__main__":
    sys.exit(main())
