"""What `python -m stats` and `manage.py rate` share: the options of a rating, and the files that it is written to."""

import argparse
import math
from collections.abc import Collection
from pathlib import Path

from stats.comparisons import Outcome
from stats.rating_files import WRITERS, check_writable, write
from stats.rating_methods import check_options
from stats.rating_plot import PICTURES, plot
from stats.rating_tables import METHODS, NamedAnchor, RatingOptions, RatingTable
from stats.style import Style


def add_rating_options(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
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
    add("--confidence", type=_level, default=0.95, metavar="LEVEL", help="of the intervals (0.95)")
    add("--out", type=Path, metavar="FILE", help=f"write the rows to {', '.join(WRITERS)}")
    add("--plot", type=Path, metavar="FILE", help=f"draw them to {PICTURES[0]} (or {PICTURES[1]}, with cairosvg)")
    add("--title", help="of the plot")


def check(asked: argparse.Namespace, *, inputs: Collection[Path] = ()) -> None:
    """Before any work is done. Raises UnsupportedOptionError, UnreadableFileError."""
    check_options(asked.method, options_of(asked, None), style=asked.style)
    for path, endings in ((asked.out, WRITERS), (asked.plot, PICTURES)):
        if path:
            check_writable(path, endings, inputs=inputs)


def options_of(asked: argparse.Namespace, style: Style | None) -> RatingOptions:
    counted = {Outcome.TIE: asked.ties, Outcome.BOTH_BAD: asked.both_bad}
    return RatingOptions(
        undecided=frozenset(outcome for outcome, how in counted.items() if how == "half"),
        anchor=asked.anchor,
        confidence_level=asked.confidence,
        both_bad_loses=asked.both_bad == "loss",
        style=style,
    )


def save(table: RatingTable, asked: argparse.Namespace, *, subject: str) -> None:
    """Write and draw what was asked for. Raises UnreadableFileError."""
    if asked.out:
        write(table, asked.out)
    if asked.plot:
        method = f"{asked.method}, style-controlled" if asked.style else asked.method
        plot(table, asked.plot, title=asked.title or f"{subject}: {method}")


def counted(n: int, noun: str) -> str:
    return f"{n} {noun}{'s' * (n != 1)}"


def _anchor(text: str) -> NamedAnchor:
    name, sign, rating = text.rpartition("=")
    try:
        number = float(rating)
    except ValueError:
        number = math.nan
    if not sign or not name or not math.isfinite(number):
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=RATING, as in gpt-4=1200")
    return NamedAnchor(name, number)


def _level(text: str) -> float:
    try:
        level = float(text)
    except ValueError:
        level = math.nan
    if not 0 < level < 1:
        raise argparse.ArgumentTypeError(f"{text!r} lies not between 0 and 1, as 0.95 does")
    return level
