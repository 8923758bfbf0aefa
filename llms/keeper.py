"""The one thread of a pool that loads engines, makes room for them, and closes those that must go.

Loading is slow and heavy, so it is done one after the other. What does not fit waits, and has its turn:

- Somebody waits for it at this moment, a voter in the middle of a battle or a run: then whatever is idle gives way,
  the least recently used first.
- Nobody does: then only what has been loaded for `TURN_SECONDS` gives way. What was put out is asked for again at the
  next draw and takes its place at the end of the line, so that the models of a small machine take turns.
- It would not fit even alone: then the load has failed, and says by how much.

Nothing that answers is ever put out.
"""

import gc
import json
import logging
import threading
import time
import traceback
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

from django.conf import settings

from llms import identification, room
from llms.devices import DeviceLocks
from llms.engines.base import Engine, EngineError, Footprint, LoadingFailed
from llms.engines.registry import engine_class
from llms.file_hashes import CHANGING
from llms.holdings import EngineKey, Entry, Holdings
from llms.room import Room
from llms.sentence_field import words_of
from llms.sentences import filled, mark

T = TypeVar("T")
logger = logging.getLogger(__name__)

TURN_SECONDS = 900.0
POLL_SECONDS = 0.5
"""How soon something that waits for memory, or for a device, is tried again."""
BEING_PREPARED = filled(mark("is being fetched and prepared"))
BEING_LOADED = filled(mark("is being loaded"))


class Keeper:
    """A daemon: a process that is told to end must not wait until the last load is done, which may take minutes."""

    def __init__(self, holdings: Holdings, free_space: Room) -> None:
        self._holdings = holdings
        self._room = free_space
        self._locks = DeviceLocks(settings.DATA_DIR / "devices")
        self._thread: threading.Thread | None = None

    def wake(self) -> None:
        """Called with the holdings held."""
        self._holdings.tell()
        if self._thread is None or not self._thread.is_alive():  # a process that was forked has no threads
            self._thread = threading.Thread(target=self._run, name="engine-keeper", daemon=True)
            self._thread.start()

    def _run(self) -> None:
        while True:
            with self._holdings.changed:
                seen, line = self._holdings.version, self._holdings.in_turn()
            has_closed = self._close_leaving()
            # `any` ends with the first that is done: whoever came meanwhile may be more urgent than the next.
            if not any(self._has_settled(entry) for entry in line) and not has_closed:
                self._wait(seen)

    def _wait(self, seen: int) -> None:
        with self._holdings.changed:
            is_idle = not self._holdings.line and not self._holdings.leaving
            self._holdings.changed.wait_for(
                lambda: self._holdings.version != seen, timeout=None if is_idle else POLL_SECONDS
            )

    # --- loading

    def _has_settled(self, entry: Entry) -> bool:
        """Whether the entry has left the line: loaded, failed or given up."""
        try:
            is_over = entry.future.done() or _guarded(
                lambda: self._is_admitted(entry) and self._is_loaded(entry), entry.key
            )
        except EngineError as error:
            is_over = True
            _fail(entry.future, error)
        if is_over:
            with self._holdings.changed:
                if entry in self._holdings.line:
                    self._holdings.line.remove(entry)
                self._holdings.tell()
            self.release_devices()
        return is_over

    def _is_admitted(self, entry: Entry) -> bool:
        """Whether it may take its memory now."""
        if not entry.is_prepared:
            entry.stage = BEING_PREPARED
            entry.footprint = _prepared(entry.key)
            entry.is_prepared = True
        footprint = entry.footprint
        return footprint is None or (self._has_device(entry, footprint) and self._has_room(entry, footprint))

    def _is_loaded(self, entry: Entry) -> bool:
        if not entry.future.set_running_or_notify_cancel():
            return True
        entry.stage = BEING_LOADED
        started = time.monotonic()
        logger.info("loading engine %s for %s", entry.key.engine, entry.key.source or "(no source)")
        engine, entry.identity = _brought_up(entry.key)
        logger.info("engine %s is ready after %.1f s", entry.key.engine, time.monotonic() - started)
        entry.future.set_result(engine)
        if engine.holds_weights:
            with self._holdings.changed:
                users = [user for user in entry.users if user is not None]
            identification.check_again(users)
        return True

    # --- room

    def _has_device(self, entry: Entry, footprint: Footprint) -> bool:
        if self._locks.take(footprint):
            return True
        words = mark("waits for the device %(device)s, which another process uses (%(holder)s)")
        entry.stage = filled(words, device=footprint.device, holder=self._locks.holder(footprint))
        return False

    def _has_room(self, entry: Entry, footprint: Footprint) -> bool:
        """Puts out what must and may give way. Raises `LoadingFailed` for what could never fit."""
        while True:
            with self._holdings.changed:
                loaded = self._holdings.loaded()
            if not loaded:
                self._room.note_empty()
            there = [other for other in loaded if room.is_on(other, footprint.device)]
            available = engine_class(entry.key.engine).available_memory(footprint.device)
            free = self._room.free(footprint.device, available, loaded)
            wanted = room.needed(footprint, there)
            if wanted <= free:
                return True
            if room.needed(footprint, []) > free + room.total(there):
                raise room.too_large(footprint, free + room.total(there))
            victims = room.by_dispensability(footprint, [other for other in there if self._may_go(other, entry)])
            if not room.would_fit(footprint, free, there, victims) or not self._put_out(victims[0]):
                entry.stage = room.waiting_words(footprint, free)
                return False

    def _may_go(self, other: Entry, newcomer: Entry) -> bool:
        return other.is_idle and (newcomer.n_holders > 0 or other.has_been_ready_for() >= TURN_SECONDS)

    def _put_out(self, entry: Entry) -> bool:
        """Whether it was still idle when it was taken off the shelf, which nobody can put it back on."""
        with self._holdings.changed:
            if not entry.is_idle or self._holdings.entries.get(entry.key) is not entry:
                return False
            del self._holdings.entries[entry.key]
        logger.info("engine %s for %s gives way", entry.key.engine, entry.key.source)
        self._close(entry)
        return True

    def _close_leaving(self) -> bool:
        with self._holdings.changed:
            done = [entry for entry in self._holdings.leaving if entry.is_idle or entry.has_failed_for() >= 0]
            self._holdings.leaving = [entry for entry in self._holdings.leaving if entry not in done]
        for entry in done:
            self._close(entry)
        return bool(done)

    def _close(self, entry: Entry) -> None:
        close(entry)
        self.release_devices()

    def release_devices(self) -> None:
        """Those on which nothing is loaded, nor is to be: a newcomer has its device before it has its room."""
        with self._holdings.changed:
            coming = [entry for entry in self._holdings.line if not entry.future.done()]
            users = [*self._holdings.loaded(), *coming]
        self._locks.keep_only([entry.footprint for entry in users if entry.footprint])


def close(entry: Entry) -> None:
    engine = entry.engine
    if engine:
        try:
            engine.close()
        except Exception:  # the engine boundary: what cannot be closed must not keep the others open
            logger.exception("engine %s for %s could not be closed", entry.key.engine, entry.key.source)


def _prepared(key: EngineKey) -> Footprint | None:
    return engine_class(key.engine).prepare(
        key.source, key.revision, json.loads(key.options), cache_dir=settings.MODELS_DIR, report=logger.info
    )


def _brought_up(key: EngineKey) -> tuple[Engine, str]:
    """With the identity of the weights that it has: that of the files both before and after they were read."""
    before = _identity(key)
    engine = engine_class(key.engine).from_options(
        key.source,
        key.revision,
        json.loads(key.options),
        cache_dir=settings.MODELS_DIR,
        connection=key.address.connection() if key.address else None,
    )
    if _identity(key) != before:
        engine.close()
        raise LoadingFailed(filled(CHANGING, file=key.source))
    return engine, before


def _identity(key: EngineKey) -> str:
    """Empty if nothing pins the weights, or their files cannot be read for it."""
    try:
        return identification.of_files(key.engine, key.source, key.revision, json.loads(key.options))
    except Exception:  # whatever it is: an engine that can be loaded must not fail for its papers
        logger.exception("the weights of %s could not be identified", key.source)
        return ""


def _fail(future: Future[Engine], error: EngineError) -> None:
    """Unless it was given up, or something broke only after it had succeeded."""
    if future.running() or (not future.done() and future.set_running_or_notify_cancel()):
        future.set_exception(error)


def _guarded(work: Callable[[], T], key: EngineKey) -> T:
    """Whatever goes wrong becomes an `EngineError` that keeps nothing of the attempt in memory."""
    try:
        return work()
    except EngineError as error:
        logger.exception("engine %s could not load %s", key.engine, key.source)
        _let_go(error)
        raise
    except Exception as error:  # the engine boundary: battles know engine errors only, whatever a library raises
        logger.exception("engine %s broke while it loaded %s", key.engine, key.source)
        _let_go(error)
        raise LoadingFailed(words_of(error) or type(error).__name__) from error


def _let_go(error: BaseException | None) -> None:
    """The frames that an error remembers hold whatever was loaded until then."""
    while error is not None:
        traceback.clear_frames(error.__traceback__)
        error = error.__cause__ or error.__context__
    gc.collect()
