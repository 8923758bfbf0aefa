import asyncio
import contextlib
from collections.abc import AsyncGenerator
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest

from llms.chat import SamplingParams
from llms.engines.base import (
    DeadlineExceeded,
    Engine,
    FirstTokenTimeout,
    LoadingTimeout,
    StalledStream,
    StreamEvent,
    TotalTimeout,
)
from llms.engines.deadlines import Deadlines, loaded, within_deadlines
from llms.engines.echo import EchoEngine
from tests.llms.engines.tiny import text_of, user


def echo(**options: Any) -> EchoEngine:
    return EchoEngine.from_options("", "", options, cache_dir=Path())


def limited(engine: EchoEngine, **deadlines: float) -> AsyncGenerator[StreamEvent]:
    return within_deadlines(engine.stream(user("Hi"), SamplingParams()), Deadlines(**deadlines))


@pytest.mark.parametrize(
    ("script", "deadlines", "error"),
    [
        ({"chunks": ["a", "b"], "hang_at": 0}, {"first_token": 0.05}, FirstTokenTimeout),
        ({"chunks": ["a", "b"], "hang_at": 1}, {"between_tokens": 0.05}, StalledStream),
        ({"chunks": ["a"] * 50, "delay": 0.01}, {"total": 0.1}, TotalTimeout),
        ({"chunks": ["a"], "hang_at": 0}, {"first_token": 5.0, "total": 0.05}, TotalTimeout),
    ],
)
async def test_a_stream_that_is_too_slow_fails_and_is_closed(
    script: dict[str, Any], deadlines: dict[str, float], error: type[DeadlineExceeded]
) -> None:
    engine = echo(**script)

    with pytest.raises(error):
        async for _ in limited(engine, **deadlines):
            pass

    assert engine.n_running == 0


async def test_a_quick_stream_passes_unchanged() -> None:
    events = [event async for event in limited(echo(chunks=["a", "b"], first_delay=0.01, delay=0.01))]

    assert text_of(events) == "ab"
    assert len(events) == 3


async def test_each_piece_gets_the_whole_of_its_time() -> None:
    stream = limited(echo(chunks=["a"] * 6, delay=0.03), between_tokens=0.15)

    assert text_of([event async for event in stream]) == "aaaaaa"


async def test_leaving_closes_the_stream_inside() -> None:
    engine = echo(chunks=["a"] * 50, delay=0.01)
    stream = limited(engine)
    await anext(stream)
    assert engine.n_running == 1

    await stream.aclose()

    assert engine.n_running == 0


async def test_cancelling_the_reader_closes_the_stream_inside() -> None:
    engine = echo(chunks=["a", "b"], hang_at=1)

    async def read() -> None:
        async for _ in limited(engine):
            pass

    reader = asyncio.create_task(read())
    await asyncio.sleep(0.05)
    assert engine.n_running == 1

    reader.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reader

    assert engine.n_running == 0


async def test_a_load_that_takes_too_long_is_given_up_and_goes_on() -> None:
    loading: Future[Engine] = Future()
    with pytest.raises(LoadingTimeout, match=r"not loaded after 0\.01 s"):
        await loaded(loading, 0.01)
    assert not loading.cancelled()


async def test_a_cancellation_in_the_moment_in_which_the_load_ends_is_not_lost() -> None:
    """At whichever step of the loop it comes."""
    for n_steps in range(6):
        loading: Future[Engine] = Future()
        waiting = asyncio.create_task(loaded(loading, 60))
        await asyncio.sleep(0)
        loading.set_result(echo())
        for _ in range(n_steps):
            await asyncio.sleep(0)
        is_in_time = waiting.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await waiting
        assert waiting.cancelled() == is_in_time
