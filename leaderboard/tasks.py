from celery import shared_task

from leaderboard import benchmarks, live


@shared_task
def refresh_live_board() -> None:
    """Beat, or the embedded ticker, calls this every few seconds; it is cheap when nothing has happened."""
    live.refresh_all()
    benchmarks.refresh_all()
