"""A picture of a table of ratings: a dot for each rating and a whisker for its interval, the best on top.

The SVG is written here, so that it needs no plotting library; a PNG is drawn from it if `cairosvg` is installed.
"""

import math
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Final, NamedTuple
from xml.sax.saxutils import escape

from stats.file_tables import UnreadableFileError
from stats.rating_files import check_writable, display_width, percent
from stats.rating_tables import RatingRow, RatingTable

PICTURES: Final = (".svg", ".png")
ROW_HEIGHT: Final = 22
PLOT_WIDTH: Final = 520
MARGIN: Final = 24
LETTER_WIDTH: Final = 7.2  # of a 13-pixel sans serif, on the wide side
LONGEST_NAME: Final = 48
TOP: Final = 64
BOTTOM: Final = 44
N_TICKS: Final = 6


class _Axis(NamedTuple):
    """Rating points to pixels from the left."""

    lower: float
    upper: float
    start: float

    def at(self, rating: float) -> float:
        return self.start + (rating - self.lower) / (self.upper - self.lower) * PLOT_WIDTH

    def ticks(self) -> list[float]:
        step = _round_step((self.upper - self.lower) / N_TICKS)
        first = math.ceil(self.lower / step)
        return [number * step for number in range(first, math.floor(self.upper / step) + 1)]


def plot(table: RatingTable, path: Path, *, title: str) -> None:
    """Draw to .svg or .png. Raises UnreadableFileError."""
    check_writable(path, PICTURES)
    picture = svg(table, title=title).encode()
    content = picture if path.suffix.lower() == PICTURES[0] else _png(picture)
    try:
        path.write_bytes(content)
    except OSError as error:
        raise UnreadableFileError(f"{path} cannot be written: {error.strerror or error}.") from error


def _png(picture: bytes) -> bytes:
    try:
        draw: Callable[..., bytes] = import_module("cairosvg").svg2png
    except (ImportError, OSError) as error:  # OSError: the package is there and its C library is not
        raise UnreadableFileError("A PNG needs the package cairosvg; write an .svg instead, or install it.") from error
    return draw(bytestring=picture, scale=2)


def svg(table: RatingTable, *, title: str) -> str:
    """The picture as text: dark on white, no script, no font or file from elsewhere."""
    rows = table.rated
    names = [_shortened(row.name) for row in rows]
    start = MARGIN + LETTER_WIDTH * max(map(display_width, [*names, ""]))
    axis = _axis(rows, start)
    width, height = start + PLOT_WIDTH + MARGIN, TOP + ROW_HEIGHT * len(rows) + BOTTOM
    caption = (
        f"rating points, with {percent(table.confidence_level)} intervals" if _has_intervals(rows) else "rating points"
    )
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height}" width="{width:.0f}" '
        f'height="{height}" role="img" font-family="system-ui, sans-serif" font-size="13" fill="#1b1f24">',
        f"<title>{_text(title)}</title>",
        '<rect width="100%" height="100%" fill="#ffffff"/>',
        f'<text x="{MARGIN}" y="28" font-size="17" font-weight="600">{_text(title)}</text>',
        *(_tick(axis, rating, height - BOTTOM) for rating in axis.ticks()),
        *(_dot_and_whisker(axis, row, i) for i, row in enumerate(rows)),
        *(
            f'<text x="{start - 10:.1f}" y="{_middle(i) + 4.5:.1f}" text-anchor="end">{_text(name)}</text>'
            for i, name in enumerate(names)
        ),
        f'<text x="{start + PLOT_WIDTH / 2:.1f}" y="{height - 8}" text-anchor="middle" fill="#57606a">{caption}</text>',
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _axis(rows: tuple[RatingRow, ...], start: float) -> _Axis:
    ends = [end for row in rows for end in (row.lower, row.rating, row.upper) if end is not None] or [0.0]
    margin = max((max(ends) - min(ends)) * 0.03, 1.0)
    return _Axis(min(ends) - margin, max(ends) + margin, start)


def _tick(axis: _Axis, rating: float, bottom: float) -> str:
    x = axis.at(rating)
    return (
        f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{TOP - 12}" y2="{bottom:.1f}" stroke="#d8dee4"/>'
        f'<text x="{x:.1f}" y="{bottom + 18:.1f}" text-anchor="middle" fill="#57606a">{rating:g}</text>'
    )


def _dot_and_whisker(axis: _Axis, row: RatingRow, position: int) -> str:
    y = _middle(position)
    whisker = ""
    if row.lower is not None and row.upper is not None:
        whisker = (
            f'<line x1="{axis.at(row.lower):.1f}" x2="{axis.at(row.upper):.1f}" y1="{y}" y2="{y}" '
            'stroke="#0969da" stroke-width="2" stroke-linecap="round"/>'
        )
    return f'<g>{whisker}<circle cx="{axis.at(row.rating or 0.0):.1f}" cy="{y}" r="4" fill="#0a3069"/></g>'


def _middle(position: int) -> float:
    return TOP + ROW_HEIGHT * (position + 0.5)


def _has_intervals(rows: tuple[RatingRow, ...]) -> bool:
    return any(row.lower is not None for row in rows)


def _round_step(step: float) -> float:
    """The next of 1, 2 and 5 times a power of ten."""
    power = 10.0 ** math.floor(math.log10(step))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= step * (1 - 1e-9))


def _shortened(name: str) -> str:
    return name if len(name) <= LONGEST_NAME else name[: LONGEST_NAME - 1] + "…"


def _text(text: str) -> str:
    """XML knows no control characters, not even escaped ones, and no halves of surrogate pairs."""
    return escape("".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text))
