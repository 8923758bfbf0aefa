"""A wait that lasts too long is ended; what is slow, but comes, is not."""

import asyncio

import pytest

from llms.engines.openai_compatible.silence import within_patience


async def test_a_wait_without_end_is_ended():
    async def wait_for_ever():
        async with within_patience(0.02) as waiting:
            waiting.begins()
            await asyncio.sleep(10)

    with pytest.raises(TimeoutError):
        await wait_for_ever()


async def test_whoever_does_not_wait_is_left_alone():
    async with within_patience(0.02) as waiting:
        waiting.begins()
        waiting.ends()
        await asyncio.sleep(0.1)


async def test_nothing_is_left_behind():
    async with within_patience(0.02) as waiting:
        pass
    assert waiting._next_look.cancelled()
