from celery import shared_task

from leaderboard import live


@shared_task
def refresh_live_board() -> None:
    """Beat, or the embedded ticker, calls this every few seconds; it is cheap when nobody has voted."""
    live.refresh_all()
