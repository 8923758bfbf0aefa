"""What `manage.py evaluate` leaves to a thread, and how it hears that it should stop."""

import contextlib
import logging
import signal
import threading
from collections.abc import Iterator
from typing import Any, NoReturn

import filelock
from django.conf import settings
from django.db import DatabaseError, connection

from evaluation import runs, tasks
from evaluation.models import Run

logger = logging.getLogger(__name__)
LOOK_SECONDS = 1.0


class Work(threading.Thread):
    """Scores a run until it is over. Where somebody else has it, waits, and takes it over should that one vanish."""

    def __init__(self, run: Run, *, only_waits: bool = False) -> None:
        super().__init__(name=f"evaluate-{run.pk}", daemon=True)
        self.only_waits = only_waits
        self.failure: DatabaseError | None = None
        """For who watches to raise."""
        self._run_id = run.pk
        self._held: tuple[int, int] | None = None
        """Number and epoch of the run while it is scored here."""

    def run(self) -> None:
        try:
            while self._is_under_way(Run.objects.get(pk=self._run_id)):
                pass
        except DatabaseError as error:
            self.failure = error
        except Exception:  # the edge of a thread
            logger.exception("run %s could not be scored", self._run_id)
        finally:
            connection.close()

    def give_up(self) -> None:
        """Pauses it without waiting for the batch at work, of which nothing is written any more."""
        if self._held:
            runs.pause_now(*self._held)

    def _is_under_way(self, run: Run) -> bool:
        if run.status == Run.Status.QUEUED and not self.only_waits:
            self._held = run.pk, run.epoch
            is_ours = runs.execute(run.pk, run.epoch)
            self._held = None
            if is_ours:
                return True
        if run.status in (Run.Status.QUEUED, Run.Status.RUNNING):
            tasks.reconcile_runs()
            threading.Event().wait(LOOK_SECONDS)
            return True
        return False


def is_served() -> bool:
    """Whether the one process of embedded mode runs on the same data: it takes every run that waits, and has its models
    loaded already."""
    if not settings.EMBEDDED:
        return False
    try:
        with filelock.FileLock(settings.SERVER_LOCK_FILE, timeout=0):
            return False
    except filelock.Timeout:
        return True


@contextlib.contextmanager
def quiet_log() -> Iterator[None]:
    """Who watches is told the same by the command, between its progress."""
    root = logging.getLogger()
    former = root.level
    if settings.LOG_LEVEL == "INFO":
        root.setLevel(logging.WARNING)
    try:
        yield
    finally:
        root.setLevel(former)


@contextlib.contextmanager
def terminated_as_interrupted() -> Iterator[None]:
    """A service manager's SIGTERM pauses as Ctrl+C does. Only the main thread may say so."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    former = signal.signal(signal.SIGTERM, _interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, former)


def _interrupt(*_: Any) -> NoReturn:
    raise KeyboardInterrupt
