"""The leaderboard, and the same rows as a file."""

import csv

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.cache import patch_vary_headers
from django.views.decorators.http import require_safe

from leaderboard.models import LiveBoard
from leaderboard.tables import ExportRow, export_rows, table_of

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n")


@require_safe
def board(request: HttpRequest) -> HttpResponse:
    """The page; with `?fragment` only the part that follows the votes."""
    found = LiveBoard.objects.for_reader(request.user)
    context = {
        "board": found,
        "table": table_of(found) if found else None,
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
    writer = csv.DictWriter(response, fieldnames=list(ExportRow.__annotations__))
    writer.writeheader()
    writer.writerows(
        {key: _as_cell(value) for key, value in row.items()} for row in (export_rows(found) if found else [])
    )
    return response


def _as_cell(value: object) -> object:
    """A name that begins like a formula would be computed by a spreadsheet."""
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA_STARTS) else value
