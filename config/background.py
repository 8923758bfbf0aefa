"""Background work inside the one process of embedded mode: the same Celery application and the same tasks as
everywhere, on a broker in memory, with a worker thread, a ticker in place of beat, and a thread for runs."""

import logging
import threading
import time
from typing import Any

from celery.worker import WorkController, state
from django.db import connection

from config.celery import app
from evaluation import runs

logger = logging.getLogger(__name__)
JOIN_SECONDS = 1
RESTART_SECONDS = 1
EVALUATE_SECONDS = 1


class Background:
    def __init__(self) -> None:
        self._stopping = threading.Event()
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        state.should_stop = None
        for work in (self._work, self._tick, self._evaluate):
            thread = threading.Thread(target=work, name=f"background{work.__name__}", daemon=True)
            thread.start()
            self._threads.append(thread)

    def stop(self) -> None:
        self._stopping.set()
        state.should_stop = 0  # type: ignore[assignment]  # an exit code, whatever its type says
        for thread in self._threads:
            thread.join(JOIN_SECONDS)

    def _work(self) -> None:
        """Not `celery.apps.worker.Worker`: that one would take the signals that the web server needs."""
        while not self._stopping.is_set():
            try:
                WorkController(
                    app=app,
                    pool="threads",
                    concurrency=2,
                    without_heartbeat=True,
                    without_mingle=True,
                    without_gossip=True,
                ).start()
            except Exception:
                logger.exception("the background worker broke")
            if not self._stopping.wait(RESTART_SECONDS):
                logger.error("the background worker ended by itself; starting it again")

    def _evaluate(self) -> None:
        """A thread of its own, because a run may take hours and the others must not wait for it. It reads the rows
        themselves: they say what waits, and another process may have asked for it."""
        while not self._stopping.wait(EVALUATE_SECONDS):
            try:
                runs.work_off(stopping=self._stopping.is_set)
            except Exception:
                logger.exception("runs could not be executed; trying again soon")
            finally:
                connection.close()

    def _tick(self) -> None:
        due = dict.fromkeys(app.conf.beat_schedule, 0.0)
        while not self._stopping.wait(0.2):
            now = time.monotonic()
            for name, entry in app.conf.beat_schedule.items():
                if now >= due[name]:
                    due[name] = now + float(entry["schedule"])
                    self._send(entry)

    def _send(self, entry: dict[str, Any]) -> None:
        try:
            app.send_task(entry["task"], **entry.get("options", {}))
        except Exception:
            logger.exception("%s could not be queued; it is due again soon", entry["task"])
