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

from stats.errors import StatsError
from stats.file_tables import MissingColumnError
from stats.rating_command import add_rating_options, check, options_of, save
from stats.rating_files import as_text, plain
from stats.rating_tables import RatingTable, rate
from stats.style import Style, style_of
from stats.vote_files import Votes, Wanted, read_votes
from stats.vote_options import (
    ALL_OR_NONE,
    KNOWN_FILES,
    add_reading_options,
    columns_of,
    names_all_or_none,
    what_was_read,
)


def main(arguments: Sequence[str] | None = None) -> int:
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a terminal that knows no dashes is no reason to fail
    parser = _parser()
    asked = parser.parse_args(arguments)
    if not names_all_or_none(asked):
        parser.error(ALL_OR_NONE)
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
    wanted = Wanted(about=False, style=asked.style)
    votes = read_votes(asked.votes, columns=columns_of(asked), words=dict(asked.word), wanted=wanted)
    _tell(what_was_read(votes, every_bad_row=asked.bad_rows))
    style = _style(asked, votes) if asked.style else None
    table = rate(votes.names, votes.comparisons, method=asked.method, options=options_of(asked, style))
    _tell(table.notes)
    return table


def _style(asked: argparse.Namespace, votes: Votes) -> Style:
    if votes.style is None:
        raise MissingColumnError(f"{asked.votes[0]} does not hold the answers, whose style was to be controlled for.")
    return style_of(votes.style.left, votes.style.right)


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
    parser.add_argument(
        "votes", type=Path, nargs="+", metavar="VOTES", help=f"{KNOWN_FILES}; several files are read as one"
    )
    add_rating_options(parser)
    add_reading_options(parser)
    return parser


if __name__ == "__main__":
    sys.exit(main())
