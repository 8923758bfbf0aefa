"""`python -m stats VOTES`: ratings with intervals from a file of votes, in a terminal.

Exit codes: 0 the ratings were printed, 1 the votes or a file cannot be used (one sentence says why), 2 the command
itself is wrong.
"""

import argparse
import io
import math
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from stats.comparisons import Outcome, StatsError
from stats.file_tables import MissingColumnError
from stats.rating_files import WRITERS, as_text, write
from stats.rating_plot import plot
from stats.rating_tables import METHODS, NamedAnchor, RatingOptions, RatingTable, rate
from stats.style import style_of
from stats.vote_files import ColumnNames, Votes, read_votes

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
    try:
        table = _answer(asked)
    except StatsError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return _print(f"{as_text(table)}\n")


def _answer(asked: argparse.Namespace) -> RatingTable:
    columns = None
    if asked.left:
        columns = ColumnNames(asked.left, asked.right, asked.outcome)
    votes = read_votes(asked.votes, columns=columns, words=dict(asked.word), texts=asked.style)
    table = rate(votes.names, votes.comparisons, method=asked.method, options=_options(asked, votes))
    if asked.out:
        write(table, asked.out)
    if asked.plot:
        plot(table, asked.plot, title=asked.title or f"{asked.votes.name}: {asked.method}")
    sys.stderr.write(_remarks(votes, table, every_bad_row=asked.bad_rows))
    return table


def _options(asked: argparse.Namespace, votes: Votes) -> RatingOptions:
    style = None
    if asked.style:
        if votes.left_texts is None or votes.right_texts is None:
            raise MissingColumnError(f"{asked.votes} does not hold the answers, whose style was to be controlled for.")
        style = style_of(votes.left_texts, votes.right_texts)
    counted = {Outcome.TIE: asked.ties, Outcome.BOTH_BAD: asked.both_bad}
    undecided = frozenset(outcome for outcome, how in counted.items() if how == "half")
    return RatingOptions(
        undecided=undecided,
        anchor=asked.anchor,
        confidence_level=asked.confidence,
        both_bad_loses=asked.both_bad == "loss",
        style=style,
    )


def _remarks(votes: Votes, table: RatingTable, *, every_bad_row: bool) -> str:
    """What the reader should know beside the table: how much was read, and what was not."""
    n_votes = len(votes.comparisons.left)
    lines = [f"{n_votes} votes on {len(votes.names)} models ({votes.layout} layout)."]
    if votes.bad_rows:
        shown = votes.bad_rows if every_bad_row else votes.bad_rows[:SHOWN_BAD_ROWS]
        lines.append(f"{len(votes.bad_rows)} rows were left out (row 1 is the first after a header):")
        lines += [f"  row {number}: {reason}" for number, reason in shown]
        if len(shown) < len(votes.bad_rows):
            lines.append(f"  and {len(votes.bad_rows) - len(shown)} more; --bad-rows lists them all")
    lines += [*votes.notes, *table.notes]
    return "".join(f"{_plain(line)}\n" for line in lines)


def _plain(line: str) -> str:
    return "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in line)


def _print(text: str) -> int:
    """A reader that goes away early, as `head` does, is no error."""
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m stats", description="Rate models by votes on pairs of them.", allow_abbrev=False
    )
    add = parser.add_argument
    add("votes", type=Path, metavar="VOTES", help="CSV, TSV, JSONL, JSON (also .gz) or Parquet, in any known layout")
    add("--method", choices=METHODS, default="bradley-terry")
    add(
        "--ties",
        choices=("half", "drop"),
        default="half",
        help="half a win for each side (or a tie, for the models of ties), or left out",
    )
    add(
        "--both-bad",
        choices=("half", "drop", "loss"),
        default="half",
        help="the same for votes that both are bad, or a loss of both against a bar",
    )
    add("--style", action="store_true", help="control for length, headers, bold and lists of the answers")
    add("--anchor", type=_anchor, metavar="NAME=RATING", help="the model that has this rating; else the mean is 1000")
    add("--confidence", type=float, default=0.95, metavar="LEVEL")
    add("--out", type=Path, metavar="FILE", help=f"write the rows to {', '.join(WRITERS)}")
    add("--plot", type=Path, metavar="FILE", help="draw them to .svg (or .png, with cairosvg)")
    add("--title", help="of the plot")
    add("--bad-rows", action="store_true", help="list every row that was left out")
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


def _anchor(text: str) -> NamedAnchor:
    name, sign, rating = text.rpartition("=")
    try:
        number = float(rating)
    except ValueError:
        number = math.nan
    if not sign or not name or not math.isfinite(number):
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=RATING, as in gpt-4=1200")
    return NamedAnchor(name, number)


def _word(text: str) -> tuple[str, Outcome]:
    word, _, outcome = text.rpartition("=")
    if not word or outcome not in OUTCOME_WORDS:
        raise argparse.ArgumentTypeError(f"{text!r} is not WORD=OUTCOME, as in draw=tie")
    return word, OUTCOME_WORDS[outcome]


if __name__ == "__main__":
    sys.exit(main())
