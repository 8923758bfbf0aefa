"""The leaderboard, and the same rows as a file."""

import csv
from typing import Final

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.cache import patch_vary_headers
from django.views.decorators.http import require_safe

from leaderboard.models import LiveBoard
from leaderboard.tables import MOST_COLUMNS, ExportRow, export_rows, left_out_of, table_of

SCORE_PARTS: Final = (("", "value"), ("/lower", "lower"), ("/upper", "upper"), ("/n", "n_samples"), ("/run", "run"))
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n")


@require_safe
def board(request: HttpRequest) -> HttpResponse:
    """The page; with `?fragment` only the part that follows the votes."""
    found = LiveBoard.objects.for_reader(request.user)
    all_columns = request.GET.get("columns") == "all"
    context = {
        "board": found,
        "table": table_of(found, n_columns=None if all_columns else MOST_COLUMNS) if found else None,
        "left_out": left_out_of(found) if found else [],
        "query": "columns=all&fragment" if all_columns else "fragment",
        "preliminary_votes": settings.PRELIMINARY_VOTES,
    }
    template = "leaderboard/_board.html" if "fragment" in request.GET else "leaderboard/board.html"
    response = render(request, template, context)
    patch_vary_headers(response, ["Cookie"])
    return response


@require_safe
def board_csv(request: HttpRequest) -> HttpResponse:
    found = LiveBoard.objects.for_reader(request.user)
    response = HttpResponse(
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": 'attachment; filename="hakem-leaderboard.csv"'},
    )
    rows = export_rows(found) if found else []
    flat = [{**row, **_score_cells(row)} for row in rows]
    names = [name for name in ExportRow.__annotations__ if name != "benchmarks"]
    names += dict.fromkeys(name for row in rows for name in _score_cells(row))
    writer = csv.DictWriter(response, fieldnames=names, extrasaction="ignore")
    writer.writeheader()
    writer.writerows({key: _as_cell(value) for key, value in row.items()} for row in flat)
    return response


def _score_cells(row: ExportRow) -> dict[str, object]:
    """A column each for the score, its interval and its run; the fingerprint keeps unlike protocols apart."""
    return {
        f"{score['benchmark']}/{score['metric']}/{score['fingerprint']}{part}": dict(score)[name]
        for score in row["benchmarks"]
        for part, name in SCORE_PARTS
    }


def _as_cell(value: object) -> object:
    """A name that begins like a formula would be computed by a spreadsheet."""
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA_STARTS) else value
