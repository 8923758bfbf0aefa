"""The board's columns of benchmarks: stored anew whenever a run has ended, so that no page has to compute them."""

from django.db import transaction

from leaderboard.models import BenchmarkColumn, BenchmarkScore, LiveBoard
from leaderboard.sources import runs
from leaderboard.sources.runs import RunColumn
from llms.models import Visibility


def refresh(audience: Visibility) -> bool:
    """Whether there was something new. Of two at once the one that finds the board moved on leaves it alone."""
    board, _ = LiveBoard.objects.get_or_create(audience=audience)
    mark = runs.mark(audience)
    if mark == board.runs_mark:
        return False
    columns = runs.read(audience)
    with transaction.atomic():
        if not LiveBoard.objects.filter(pk=board.pk, runs_mark=board.runs_mark).update(runs_mark=mark):
            return False
        board.columns.all().delete()
        _store(board, columns)
    return True


def refresh_all() -> int:
    return sum(refresh(audience) for audience in Visibility)


def _store(board: LiveBoard, columns: list[RunColumn]) -> None:
    rows = [
        BenchmarkColumn(
            board=board,
            fingerprint=column.fingerprint,
            metric=column.metric,
            benchmark=column.benchmark,
            title=column.title,
            n_shots=column.n_shots,
            summary=column.summary,
            is_share=column.is_share,
            n_llms=len(column.scores),
        )
        for column in columns
    ]
    BenchmarkColumn.objects.bulk_create(rows)
    BenchmarkScore.objects.bulk_create(
        BenchmarkScore(column=row, **score._asdict())
        for row, column in zip(rows, columns, strict=True)
        for score in column.scores
    )
