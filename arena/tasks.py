from celery import shared_task

from arena import battles


@shared_task
def cut_off_abandoned_turns() -> None:
    """Beat calls this; running it twice does nothing twice."""
    battles.cut_off_abandoned()
