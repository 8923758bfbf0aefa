"""Waiting for what must happen soon."""

import asyncio
import time
from collections.abc import Awaitable, Callable

SECONDS = 10.0


async def eventually(condition: Callable[[], object | Awaitable[object]], seconds: float = SECONDS) -> None:
    """Ask again and again until it is true. The condition may be a coroutine function."""
    async with asyncio.timeout(seconds):
        while True:
            answer = condition()
            if await answer if isinstance(answer, Awaitable) else answer:
                return
            await asyncio.sleep(0.01)


def eventually_in_thread(condition: Callable[[], object], seconds: float = SECONDS) -> None:
    end_at = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end_at, f"it did not happen in {seconds} seconds"
        time.sleep(0.05)
