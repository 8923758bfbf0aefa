"""Language models to loaded engines: each set of weights once per process, shared by everybody who needs it.

Loading is slow and heavy, so one thread does it, one engine after the other. Several registered models that differ
only in decoding or system prompt share one engine.
"""

import json
import logging
import math
import queue
import threading
import time
from collections.abc import Iterable
from concurrent.futures import Future, wait
from enum import StrEnum
from typing import NamedTuple, Self

from django.conf import settings

from llms.endpoints import Address
from llms.engines.base import Engine, EngineError, LoadingFailed
from llms.engines.registry import engine_class
from llms.models import LanguageModel

logger = logging.getLogger(__name__)

RETRY_AFTER_SECONDS = 120
"""A load that failed is tried again only after a while, so that every battle does not pay for it."""
CLOSING_SECONDS = 3.0
"""How long the end of the process waits for a load that is under way. It holds nothing that could be lost."""


class EngineKey(NamedTuple):
    """What decides whether two registered models can share an engine."""

    engine: str
    source: str
    revision: str
    options: str
    address: Address | None = None

    @classmethod
    def of(cls, llm: LanguageModel) -> Self:
        address = Address.of(llm.endpoint) if llm.endpoint else None
        return cls(llm.engine, llm.source, llm.revision, json.dumps(llm.options, sort_keys=True), address)


class Readiness(StrEnum):
    COLD = "cold"
    WARMING = "warming"
    READY = "ready"
    FAILED = "failed"


class _Entry:
    """A load, and when it failed if it did."""

    def __init__(self, future: Future[Engine]) -> None:
        self.future = future
        self.failed_at = math.inf
        future.add_done_callback(self._note_failure)

    def is_worth_another_try(self) -> bool:
        return time.monotonic() - self.failed_at > RETRY_AFTER_SECONDS

    def _note_failure(self, future: Future[Engine]) -> None:
        if future.cancelled():
            self.failed_at = -math.inf
        elif future.exception():
            self.failed_at = time.monotonic()


class Pool:
    """Safe from any thread."""

    def __init__(self) -> None:
        self._entries: dict[EngineKey, _Entry] = {}
        self._lock = threading.Lock()
        self._loader = _Loader()

    def load(self, llm: LanguageModel) -> Future[Engine]:
        """The engine of a model, sooner or later. Fails with an `EngineError`."""
        key = EngineKey.of(llm)
        with self._lock:
            entry = self._entries.get(key)
            if entry is None or entry.is_worth_another_try():
                entry = self._entries[key] = _Entry(self._loader.submit(key))
            return entry.future

    def warm_up(self, llms: Iterable[LanguageModel]) -> None:
        for llm in llms:
            self.load(llm)

    def failure(self, llm: LanguageModel) -> str:
        """Why the last try to load it failed; empty if it did not."""
        entry = self._entries.get(EngineKey.of(llm))
        if entry is None or not entry.future.done() or entry.future.cancelled():
            return ""
        return str(entry.future.exception() or "")

    def readiness(self, llm: LanguageModel) -> Readiness:
        entry = self._entries.get(EngineKey.of(llm))
        if entry is None:
            return Readiness.COLD
        if not entry.future.done():
            return Readiness.WARMING
        return Readiness.FAILED if entry.future.cancelled() or entry.future.exception() else Readiness.READY

    def close(self) -> None:
        """Close every engine and forget it. For the end of the process, and for tests."""
        with self._lock:
            entries, self._entries = list(self._entries.values()), {}
        begun = [entry.future for entry in entries if not entry.future.cancel()]  # all of them, before waiting for one
        for future in begun:
            future.add_done_callback(_close_engine)
        wait(begun, CLOSING_SECONDS)


class _Loader:
    """Carries out loads in their order. A daemon: `ThreadPoolExecutor` would keep a process that is told to end until
    its last load is done, and large weights take minutes."""

    def __init__(self) -> None:
        self._wanted: queue.SimpleQueue[tuple[Future[Engine], EngineKey]] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None

    def submit(self, key: EngineKey) -> Future[Engine]:
        """Called under the pool's lock."""
        future: Future[Engine] = Future()
        self._wanted.put((future, key))
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="engine-loader", daemon=True)
            self._thread.start()
        return future

    def _run(self) -> None:
        while True:
            future, key = self._wanted.get()
            if future.set_running_or_notify_cancel():
                try:
                    engine = _bring_up(key)
                except EngineError as error:
                    future.set_exception(error)
                else:
                    future.set_result(engine)


def _close_engine(future: Future[Engine]) -> None:
    if not future.cancelled() and not future.exception():
        future.result().close()


def _bring_up(key: EngineKey) -> Engine:
    started = time.monotonic()
    logger.info("loading engine %s for %s", key.engine, key.source or "(no source)")
    try:
        engine = engine_class(key.engine).from_options(
            key.source,
            key.revision,
            json.loads(key.options),
            cache_dir=settings.MODELS_DIR,
            connection=key.address.connection() if key.address else None,
        )
    except EngineError:
        logger.exception("engine %s could not load %s", key.engine, key.source)
        raise
    except Exception as error:  # the engine boundary: battles know engine errors only, whatever a library raises
        logger.exception("engine %s broke while it loaded %s", key.engine, key.source)
        raise LoadingFailed(str(error) or type(error).__name__) from error
    logger.info("engine %s is ready after %.1f s", key.engine, time.monotonic() - started)
    return engine


pool = Pool()
