"""Runs in the background. A message says no more than "something waits": the rows say what."""

import logging
import threading
from typing import Any

from celery import shared_task, signals
from django.conf import settings
from kombu.exceptions import OperationalError

from evaluation import examinations, runs
from evaluation.models import Run

logger = logging.getLogger(__name__)
_stopping = threading.Event()


@signals.worker_shutting_down.connect
def _stop_between_batches(**_: Any) -> None:
    """What is under way goes back into the queue."""
    _stopping.set()


@shared_task
def execute_waiting(*, queue: str) -> None:
    """Delivered twice, it finds nothing the second time, or something else that waits."""
    runs.work_off(queue, stopping=_stopping.is_set)


@shared_task
def reconcile_runs() -> None:
    """Beat, or the embedded ticker, calls this: no run is lost with its worker, nor with a broker's message."""
    for run in runs.reconcile():
        announce(run)


@shared_task
def examine_private_sets() -> None:
    """Called by beat, and at once after an upload. Two at the same time do not examine the same set."""
    examinations.examine_due()


def announce_examination() -> None:
    """That a private set is due, once it is committed. A broker that is away costs as little: beat asks by itself."""
    try:
        examine_private_sets.delay()
    except OperationalError as error:
        logger.warning("no worker could be told of a private set to examine, which beat will do: %s", error)


def announce(run: Run) -> None:
    """Tell the workers that it waits; call it once the row is committed. Embedded mode's own thread looks by itself.
    A broker that is away costs nothing: the row is there, and the reconciler tells of it again."""
    if settings.EMBEDDED:
        return
    try:
        execute_waiting.apply_async(kwargs={"queue": run.queue}, queue=run.queue, expires=2 * runs.HINT_SECONDS)
    except OperationalError as error:
        logger.warning("no worker could be told of run %s, which will be tried again: %s", run.pk, error)
