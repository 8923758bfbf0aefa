"""The last resort against a server that hangs, at no cost for each piece of an answer: a timer for each would cost more
than the piece itself."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

LOOKS = 4
"""So many times within the patience one looks whether anything came."""


class Waiting:
    """Tell it when a wait begins, and when it ends. In between it may be ended from outside."""

    def __init__(self, seconds: float) -> None:
        self._loop = asyncio.get_running_loop()
        self._seconds = seconds
        self._since: float | None = None
        self.timeout = asyncio.timeout(None)
        self._next_look = self._loop.call_later(seconds / LOOKS, self._look)

    def begins(self) -> None:
        self._since = self._loop.time()

    def ends(self) -> None:
        self._since = None

    def close(self) -> None:
        self._next_look.cancel()

    def _look(self) -> None:
        if self._since is not None and self._loop.time() - self._since >= self._seconds:
            self.timeout.reschedule(self._loop.time())
        else:
            self._next_look = self._loop.call_later(self._seconds / LOOKS, self._look)


@contextlib.asynccontextmanager
async def within_patience(seconds: float) -> AsyncIterator[Waiting]:
    """Raises `TimeoutError` out of a wait that lasts longer, by no more than a quarter."""
    waiting = Waiting(seconds)
    try:
        async with waiting.timeout:
            yield waiting
    finally:
        waiting.close()
