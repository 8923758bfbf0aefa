"""A board as a table: rows in order, in words where there is no number, and as places on one scale for the eye."""

from dataclasses import dataclass
from typing import NamedTuple

from django.utils.translation import gettext_lazy as _
from typing_extensions import TypedDict  # pydantic reads it, and needs this one before Python 3.12

from arena.models import VoteExclusion
from leaderboard.models import BenchmarkColumn, BenchmarkScore, LiveBoard, LiveRating
from llms.models import LanguageModel, Visibility
from llms.translations import translated
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
LISTED_WORDS = _("only listed: known from imported results, not in battles")
MOST_COLUMNS = 6
"""Of benchmarks, unless the reader asks for all."""
MARGIN = 0.04
"""Of the scale's width, left free at both ends."""


class Whisker(NamedTuple):
    """In percent of the scale's width."""

    low: float
    point: float
    high: float


class Head(NamedTuple):
    column: BenchmarkColumn
    protocol: str
    """In one line, in the reader's language."""


class Cell(NamedTuple):
    """A score as it is shown: a share in percent."""

    score: BenchmarkScore
    value: float
    lower: float | None
    upper: float | None
    digits: int


@dataclass(frozen=True)
class Row:
    line: LiveRating
    whisker: Whisker | None
    status_words: str
    win_rate: float | None
    """Percent; ties and both-bads are half."""
    cells: tuple[Cell | None, ...] = ()
    """One for each column of benchmarks."""

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
    heads: list[Head]
    n_more_columns: int


class LeftOut(NamedTuple):
    """Votes that do not count, for one reason."""

    reason: str
    n: int


class ExportScore(TypedDict):
    benchmark: str
    metric: str
    fingerprint: str
    """Of the protocol: scores may be compared where it is the same."""
    protocol: str
    value: float
    lower: float | None
    upper: float | None
    n_samples: int
    run: int
    imported: bool


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
    benchmarks: list[ExportScore]


def table_of(board: LiveBoard, *, n_columns: int | None = MOST_COLUMNS) -> Table:
    scores = _scores_of(board)
    lines, columns = _lines_of(board, scores), list({score.column_id: score.column for score in scores}.values())
    shown = columns[:n_columns]
    cells = {(score.column_id, score.llm_id): _cell(score) for score in scores}
    ends = [end for line in lines for end in (line.lower, line.upper) if end is not None]
    width = max(max(ends) - min(ends), 1.0) if ends else 1.0
    low, high = (min(ends) - MARGIN * width, max(ends) + MARGIN * width) if ends else (0.0, 1.0)
    rows = [_row(line, low, high, tuple(cells.get((column.pk, line.llm_id)) for column in shown)) for line in lines]
    reference = _percent(_mean_rating(lines), low, high) if ends else None
    heads = [Head(column, translated(column.summary)) for column in shown]
    return Table(rows, reference, heads, len(columns) - len(shown))


def left_out_of(board: LiveBoard) -> list[LeftOut]:
    """Most votes first."""
    labels = dict(VoteExclusion.Reason.choices)
    counted = sorted(board.n_left_out.items(), key=lambda one: (-one[1], one[0]))
    return [LeftOut(str(labels.get(code, code)), n) for code, n in counted]


def export_rows(board: LiveBoard) -> list[ExportRow]:
    scores = _scores_of(board)
    scores_of: dict[int, list[ExportScore]] = {}
    for score in scores:
        scores_of.setdefault(score.llm_id, []).append(_exported(score))
    return [_export(line, scores_of.get(line.llm_id, [])) for line in _lines_of(board, scores)]


def _scores_of(board: LiveBoard) -> list[BenchmarkScore]:
    """Column by column."""
    scores = BenchmarkScore.objects.filter(column__board=board).select_related("column", "llm")
    return [score for score in scores.order_by("column_id", "pk") if _is_shown(board, score.llm)]


def _lines_of(board: LiveBoard, scores: list[BenchmarkScore]) -> list[LiveRating]:
    """Best first; below them, by number of votes, those without a rating, and those that only benchmarks know."""
    lines = [line for line in board.ratings.select_related("llm") if _is_shown(board, line.llm)]
    voted_on = {line.llm_id for line in lines}
    unrated = {score.llm_id: score.llm for score in scores if score.llm_id not in voted_on}
    lines += [_unrated(board, llm) for llm in unrated.values()]
    return sorted(lines, key=lambda line: (line.rating is None, -(line.rating or 0), -line.n_votes, line.llm.name))


def _is_shown(board: LiveBoard, llm: LanguageModel) -> bool:
    """A model that has become internal is gone from the public board at once, and not only from the next one."""
    return board.audience != Visibility.PUBLIC or llm.visibility == Visibility.PUBLIC


def _unrated(board: LiveBoard, llm: LanguageModel) -> LiveRating:
    """Not stored: nobody can have voted on it."""
    return LiveRating(
        board=board, llm=llm, status=ItemStatus.NO_COMPARISONS.value, n_votes=0, points=0.0, preliminary=True
    )


def _cell(score: BenchmarkScore) -> Cell:
    factor, digits = (100.0, 1) if score.column.is_share else (1.0, 3)
    lower, upper = (None if bound is None else factor * bound for bound in (score.lower, score.upper))
    return Cell(score, factor * score.value, lower, upper, digits)


def _row(line: LiveRating, low: float, high: float, cells: tuple[Cell | None, ...]) -> Row:
    whisker = None
    if line.rating is not None and line.lower is not None and line.upper is not None:
        whisker = Whisker(*(_percent(value, low, high) for value in (line.lower, line.rating, line.upper)))
    is_listed = line.llm.status == LanguageModel.Status.LISTED
    words = LISTED_WORDS if is_listed else STATUS_WORDS.get(ItemStatus(line.status), "")
    return Row(line, whisker, str(words), _win_rate(line), cells)


def _percent(value: float, low: float, high: float) -> float:
    return round(100 * (value - low) / (high - low), 2)


def _mean_rating(lines: list[LiveRating]) -> float:
    ratings = [line.rating for line in lines if line.rating is not None]
    return sum(ratings) / len(ratings)


def _win_rate(line: LiveRating) -> float | None:
    return 100 * line.points / line.n_votes if line.n_votes else None


def _export(line: LiveRating, scores: list[ExportScore]) -> ExportRow:
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
        "benchmarks": scores,
    }


def _exported(score: BenchmarkScore) -> ExportScore:
    column = score.column
    return {
        "benchmark": column.benchmark,
        "metric": column.metric,
        "fingerprint": column.fingerprint,
        "protocol": str(column.summary),
        "value": score.value,
        "lower": score.lower,
        "upper": score.upper,
        "n_samples": score.n,
        "run": score.run_id,
        "imported": score.was_imported,
    }
