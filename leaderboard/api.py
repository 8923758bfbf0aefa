"""The leaderboard for programs."""

from datetime import datetime

from django.http import HttpRequest
from ninja import Router, Schema

from leaderboard.models import LiveBoard
from leaderboard.tables import ExportRow, export_rows

router = Router(tags=["leaderboard"])


class Board(Schema):
    audience: str
    computed_at: datetime | None
    n_votes: int
    n_left_out: dict[str, int]
    """Votes that do not count, by the reason's code."""
    converged: bool
    rows: list[ExportRow]


@router.get("/leaderboard", response=Board)
def leaderboard(request: HttpRequest) -> dict[str, object]:
    """The live board: ratings with their intervals, best first; models without a rating last, with the reason."""
    found = LiveBoard.objects.for_reader(request.user)
    if found is None:
        return {
            "audience": "public",
            "computed_at": None,
            "n_votes": 0,
            "n_left_out": {},
            "converged": True,
            "rows": [],
        }
    return {
        "audience": found.audience,
        "computed_at": found.computed_at,
        "n_votes": found.n_votes,
        "n_left_out": found.n_left_out,
        "converged": found.converged,
        "rows": export_rows(found),
    }
