"""A board as a table: rows in order, in words where there is no number, and as places on one scale for the eye."""

from dataclasses import dataclass
from typing import NamedTuple

from django.utils.translation import gettext_lazy as _
from typing_extensions import TypedDict  # pydantic reads it, and needs this one before Python 3.12

from leaderboard.models import LiveBoard, LiveRating
from llms.models import Visibility
from stats.connectivity import ItemStatus

STATUS_WORDS = {
    ItemStatus.NO_COMPARISONS: _("no votes yet"),
    ItemStatus.DISCONNECTED: _("no chain of battles links it with the rated models yet"),
    ItemStatus.ONLY_WON: _("has only won: its rating has no upper end yet"),
    ItemStatus.ONLY_LOST: _("has only lost: its rating has no lower end yet"),
    ItemStatus.SEPARATED_ABOVE: _("above the rated models, none of which has beaten or tied it yet"),
    ItemStatus.SEPARATED_BELOW: _("below the rated models, none of which it has beaten or tied yet"),
    ItemStatus.SEPARATED: _("its results allow an order, but no distance yet"),
}
MARGIN = 0.04
"""Of the scale's width, left free at both ends."""


class Whisker(NamedTuple):
    """In percent of the scale's width."""

    low: float
    point: float
    high: float


@dataclass(frozen=True)
class Row:
    line: LiveRating
    whisker: Whisker | None
    status_words: str
    win_rate: float | None
    """Percent; ties and both-bads are half."""

    @property
    def ranks(self) -> str:
        if self.line.rank_lower is None:
            return "–"
        if self.line.rank_lower == self.line.rank_upper:
            return str(self.line.rank_lower)
        return f"{self.line.rank_lower}–{self.line.rank_upper}"


class Table(NamedTuple):
    rows: list[Row]
    reference: float | None
    """Where the average rating lies on the scale, in percent."""


class ExportRow(TypedDict):
    """One row in the JSON and CSV exports. Empty where there is no rating; `status` says why."""

    model: str
    name: str
    organisation: str
    licence: str
    parameters: int | None
    rating: float | None
    lower: float | None
    upper: float | None
    rank_lower: int | None
    rank_upper: int | None
    n_votes: int
    win_rate: float | None
    status: str
    preliminary: bool


def lines_of(board: LiveBoard) -> list[LiveRating]:
    """Best first; below them, by number of votes, those without a rating. A model that has become internal is gone
    from the public board at once, and not only from the next one."""
    lines = board.ratings.select_related("llm")
    if board.audience == Visibility.PUBLIC:
        lines = lines.filter(llm__visibility=Visibility.PUBLIC)
    return sorted(lines, key=lambda line: (line.rating is None, -(line.rating or 0), -line.n_votes, line.llm.name))


def table_of(board: LiveBoard) -> Table:
    lines = lines_of(board)
    ends = [end for line in lines for end in (line.lower, line.upper) if end is not None]
    if not ends:
        return Table([_row(line, 0, 1) for line in lines], None)
    width = max(max(ends) - min(ends), 1.0)
    low, high = min(ends) - MARGIN * width, max(ends) + MARGIN * width
    return Table([_row(line, low, high) for line in lines], _percent(_mean_rating(lines), low, high))


def export_rows(board: LiveBoard) -> list[ExportRow]:
    return [_export(line) for line in lines_of(board)]


def _row(line: LiveRating, low: float, high: float) -> Row:
    whisker = None
    if line.rating is not None and line.lower is not None and line.upper is not None:
        whisker = Whisker(*(_percent(value, low, high) for value in (line.lower, line.rating, line.upper)))
    words = STATUS_WORDS.get(ItemStatus(line.status), "")
    return Row(line, whisker, str(words), _win_rate(line))


def _percent(value: float, low: float, high: float) -> float:
    return round(100 * (value - low) / (high - low), 2)


def _mean_rating(lines: list[LiveRating]) -> float:
    ratings = [line.rating for line in lines if line.rating is not None]
    return sum(ratings) / len(ratings)


def _win_rate(line: LiveRating) -> float | None:
    return 100 * line.points / line.n_votes if line.n_votes else None


def _export(line: LiveRating) -> ExportRow:
    return {
        "model": line.llm.slug,
        "name": line.llm.name,
        "organisation": line.llm.organisation,
        "licence": line.llm.licence,
        "parameters": line.llm.parameters,
        "rating": line.rating,
        "lower": line.lower,
        "upper": line.upper,
        "rank_lower": line.rank_lower,
        "rank_upper": line.rank_upper,
        "n_votes": line.n_votes,
        "win_rate": _win_rate(line),
        "status": line.status,
        "preliminary": line.preliminary,
    }
