"""Language models to loaded engines: each set of weights once per process, shared by everybody who needs it.

Several registered models that differ only in decoding or system prompt share one engine. How engines are loaded, and
which give way when memory runs short, is in `llms.keeper`.
"""

import contextlib
import functools
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, wait
from enum import StrEnum
from typing import NamedTuple

from django.conf import settings

from llms.engines.base import Engine, LoadingFailed
from llms.engines.registry import UnknownEngine, engine_class
from llms.holdings import Clock, EngineKey, Entry, Holdings
from llms.keeper import Keeper, close
from llms.models import LanguageModel
from llms.room import Room, total
from llms.sentences import Sentence, filled, mark

__all__ = ["EngineKey", "Held", "Pool", "Progress", "Readiness", "holds_weights", "pool"]

RETRY_AFTER_SECONDS = 120
"""A load that failed is tried again only after a while, so that every battle does not pay for it."""
CLOSING_SECONDS = 3.0
"""How long the end of the process waits for a load that is under way. It holds nothing that could be lost."""
NOT_HERE = filled(
    mark(
        "The web processes of this installation load no weights (LOADS_WEIGHTS). Start a model server for it, for "
        "example vLLM, and register the model at that endpoint."
    )
)


class Readiness(StrEnum):
    COLD = "cold"
    WARMING = "warming"
    READY = "ready"
    FAILED = "failed"
    BARRED = "barred"
    """This process loads no weights."""


class Progress(NamedTuple):
    """Of a load that is not done."""

    words: Sentence
    seconds: float
    """Since it was asked for."""
    n_bytes: int | None
    """That it will take, once that is known."""


class Held(NamedTuple):
    """An engine in this process, for whoever watches over its memory."""

    engine: str
    source: str
    device: str
    n_bytes: int
    is_idle: bool


class Pool:
    """Safe from any thread."""

    def __init__(self, *, clock: Clock = time.monotonic, room: Room | None = None) -> None:
        self._clock = clock
        self._holdings = Holdings()
        self._key_of: dict[int, EngineKey] = {}
        """What each registered model was loaded as last. Edited, it leaves its former engine behind."""
        self._keeper = Keeper(self._holdings, room or Room())

    def load(self, llm: LanguageModel) -> Future[Engine]:
        """The engine of a model, sooner or later. Fails with an `EngineError`. Whoever will use it takes `hold`."""
        if is_barred(llm):
            return _failed(LoadingFailed(NOT_HERE))
        with self._holdings.changed:
            return self._entry_for(llm).future

    @contextlib.contextmanager
    def hold(self, llm: LanguageModel) -> Iterator[Future[Engine]]:
        """The same, for as long as an answer or a run takes: meanwhile the engine does not give way to another, and as
        long as it is waited for, others do to it."""
        if is_barred(llm):
            yield _failed(LoadingFailed(NOT_HERE))
            return
        with self._holdings.changed:
            entry = self._entry_for(llm)
            entry.n_holders += 1
            self._holdings.tell()
        try:
            yield entry.future
        finally:
            with self._holdings.changed:
                entry.n_holders -= 1
                entry.touch()
                self._holdings.tell()

    def expect(self, llm: LanguageModel, identity: str) -> bool:
        """Whether its engine, if it is loaded, has the weights that are there now. One that was loaded before the files
        changed, or from files that nobody could identify then, leaves: whoever holds the model next waits for the new
        one."""
        with self._holdings.changed:
            key = EngineKey.of(llm)
            entry = self._holdings.entries.get(key)
            if entry is None or entry.engine is None or not identity or entry.identity == identity:
                return True
            del self._holdings.entries[key]
            self._holdings.leaving.append(entry)
            self._keeper.wake()
            return False

    def warm_up(self, llms: Iterable[LanguageModel]) -> None:
        for llm in llms:
            self.load(llm)

    def drawable(self, llms: Iterable[LanguageModel]) -> list[LanguageModel]:
        """Those that can answer at once: what computes here must be ready, what is elsewhere need not be tried before.
        Sees to it that the others are loaded."""
        return [llm for llm in llms if self._can_answer(llm)]

    def failure(self, llm: LanguageModel) -> str:
        """Why the last try to load it failed; empty if it did not."""
        entry = self._find(llm)
        if is_barred(llm):
            return NOT_HERE
        if entry is None or not entry.future.done() or entry.future.cancelled():
            return ""
        error = entry.future.exception()
        if error and error.args and isinstance(error.args[0], Sentence):
            return error.args[0]
        return str(error or "")

    def readiness(self, llm: LanguageModel) -> Readiness:
        entry = self._find(llm)
        if is_barred(llm):
            return Readiness.BARRED
        if entry is None:
            return Readiness.COLD
        if not entry.future.done():
            return Readiness.WARMING
        return Readiness.READY if entry.engine else Readiness.FAILED

    def progress(self, llm: LanguageModel) -> Progress | None:
        entry = self._find(llm)
        if entry is None or entry.future.done():
            return None
        size = entry.footprint.own + entry.footprint.base if entry.footprint else None
        return Progress(entry.stage, self._clock() - entry.began_at, size)

    def held(self) -> list[Held]:
        """What is loaded here and takes memory."""
        with self._holdings.changed:
            loaded = self._holdings.loaded()
        return [
            Held(entry.key.engine, entry.key.source, entry.footprint.device, total([entry]), entry.is_idle)
            for entry in loaded
            if entry.footprint
        ]

    def close(self) -> None:
        """Close every engine and forget it. For the end of the process, and for tests."""
        with self._holdings.changed:
            entries = [*self._holdings.entries.values(), *self._holdings.leaving]
            self._holdings.entries, self._holdings.leaving, self._key_of = {}, [], {}
        begun = [entry for entry in entries if not entry.future.cancel()]  # all of them, before waiting for one
        for entry in begun:
            entry.future.add_done_callback(functools.partial(_close_after_all, entry))
        wait([entry.future for entry in begun], CLOSING_SECONDS)
        self._keeper.release_devices()

    # --- called with the holdings held

    def _entry_for(self, llm: LanguageModel) -> Entry:
        key = EngineKey.of(llm)
        self._leave_former(llm, key)
        entry = self._holdings.entries.get(key)
        if entry is None or entry.has_failed_for() > RETRY_AFTER_SECONDS:
            entry = self._holdings.entries[key] = Entry(key, self._clock)
            self._holdings.line.append(entry)
            self._keeper.wake()
        entry.users.add(llm.pk)
        entry.touch()
        return entry

    def _leave_former(self, llm: LanguageModel, key: EngineKey) -> None:
        """A model or endpoint that was edited has another engine now. The former one closes when it is idle."""
        if not llm.pk:
            return
        former = self._key_of.get(llm.pk, key)
        self._key_of[llm.pk] = key
        entry = self._holdings.entries.get(former)
        if former == key or entry is None:
            return
        entry.users.discard(llm.pk)
        if not entry.users:
            del self._holdings.entries[former]
            if not entry.future.cancel():
                self._holdings.leaving.append(entry)
            self._keeper.wake()

    # --- helpers

    def _find(self, llm: LanguageModel) -> Entry | None:
        return self._holdings.entries.get(EngineKey.of(llm))

    def _can_answer(self, llm: LanguageModel) -> bool:
        if is_barred(llm):
            return False
        entry = self._find(llm)
        if entry is None:
            if not holds_weights(llm):
                return True
            self.load(llm)
            return False
        if entry.has_failed_for() > RETRY_AFTER_SECONDS:
            self.load(llm)
            return False
        if holds_weights(llm):
            return entry.engine is not None
        return not entry.future.done() or entry.engine is not None


def holds_weights(llm: LanguageModel) -> bool:
    """Whether it computes in the process that loads it. An engine that nobody knows fails when it is asked."""
    try:
        return engine_class(llm.engine).holds_weights
    except UnknownEngine:
        return False


def is_barred(llm: LanguageModel) -> bool:
    """Whether this process would have to load weights for it, and must not."""
    return not settings.LOADS_WEIGHTS and holds_weights(llm)


def _close_after_all(entry: Entry, _: Future[Engine]) -> None:
    close(entry)


def _failed(error: LoadingFailed) -> Future[Engine]:
    future: Future[Engine] = Future()
    future.set_exception(error)
    return future


pool = Pool()
