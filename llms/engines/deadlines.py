"""How long somebody who reads a stream is kept waiting."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from concurrent.futures import Future
from dataclasses import dataclass

from llms.engines.base import (
    DeadlineExceeded,
    Engine,
    FirstTokenTimeout,
    LoadingTimeout,
    Queued,
    StalledStream,
    StreamEvent,
    TotalTimeout,
)
from llms.sentences import filled, mark

NOT_LOADED = mark("not loaded after %(seconds)s s")


@dataclass(frozen=True, slots=True)
class Deadlines:
    """How long a stream may keep its reader waiting, in seconds."""

    first_token: float = 60.0
    between_tokens: float = 20.0
    total: float = 300.0


async def loaded(loading: Future[Engine], seconds: float) -> Engine:
    """Whoever stops waiting, or loses patience, does not stop the load: somebody else may profit from it.

    Not by `asyncio.wait_for`: if the load ends in the moment of a cancellation, Python 3.11's loses it, and a turn
    that its voter stopped would wait for ever for a model's first word.
    """
    try:
        async with asyncio.timeout(seconds):
            return await asyncio.shield(asyncio.wrap_future(loading))
    except TimeoutError:
        raise LoadingTimeout(filled(NOT_LOADED, seconds=seconds)) from None


async def within_deadlines(stream: AsyncGenerator[StreamEvent], deadlines: Deadlines) -> AsyncGenerator[StreamEvent]:
    """The same stream, which fails when it keeps its reader waiting. Time in a waiting line does not count: a line that
    moves says so. Closes the inner stream in any case."""
    loop = asyncio.get_running_loop()
    end_at = loop.time() + deadlines.total
    patience: float = deadlines.first_token
    too_slow: type[DeadlineExceeded] = FirstTokenTimeout
    async with contextlib.aclosing(stream):
        while True:
            remaining = end_at - loop.time()
            try:
                async with asyncio.timeout(min(patience, remaining)):
                    event = await anext(stream)
            except StopAsyncIteration:
                return
            except TimeoutError:
                words = filled(mark("no word for %(seconds)s s"), seconds=f"{min(patience, remaining):.1f}")
                raise (too_slow if patience < remaining else TotalTimeout)(words) from None
            yield event
            if isinstance(event, Queued):
                end_at = loop.time() + deadlines.total
            else:
                patience, too_slow = deadlines.between_tokens, StalledStream
