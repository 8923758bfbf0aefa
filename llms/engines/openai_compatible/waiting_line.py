"""A server answers so many at once; the others stand in line, and know where."""

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncGenerator

from llms.engines.base import EngineOverloaded
from telemetry.metrics import WAITING

HEARTBEAT_SECONDS = 2.0
"""Whoever waits hears so often where they stand. Only the first is woken when a place is free."""


class WaitingLine:
    """For one event loop. First come, first served."""

    def __init__(self, n_places: int, max_waiting: int) -> None:
        self._n_free = n_places
        self._max_waiting = max_waiting
        self._line: deque[asyncio.Event] = deque()

    async def stand(self) -> AsyncGenerator[int]:
        """How many are before one, every few seconds; ends when it is one's turn. Then, and only then, one
        must `leave`. Raises `EngineOverloaded` when the line is full."""
        if self._n_free > 0 and not self._line:
            self._n_free -= 1
            return
        if len(self._line) >= self._max_waiting:
            raise EngineOverloaded(f"{len(self._line)} wait already")
        moved = asyncio.Event()
        self._line.append(moved)
        WAITING.inc()
        try:
            while not (self._line[0] is moved and self._n_free > 0):
                moved.clear()
                yield self._line.index(moved)
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(HEARTBEAT_SECONDS):
                        await moved.wait()
            self._n_free -= 1  # no pause between this and the end: nobody is cancelled in between
        finally:
            self._line.remove(moved)
            WAITING.dec()
            self._call_the_first()

    def leave(self) -> None:
        self._n_free += 1
        self._call_the_first()

    def _call_the_first(self) -> None:
        if self._line and self._n_free > 0:
            self._line[0].set()
