"""The ids of a request, a battle or a task go wherever its work goes, and nowhere else."""

import asyncio

import pytest
from asgiref.sync import async_to_sync, sync_to_async
from hypothesis import given
from hypothesis import strategies as st

from telemetry import context


@pytest.fixture(autouse=True)
def _nothing_before():
    with context.bound():
        yield
    assert dict(context.current()) == {}


def test_a_block_adds_its_ids_and_takes_them_away():
    with context.bound(request="r"):
        with context.bound(battle=7):
            assert dict(context.current()) == {"request": "r", "battle": "7"}
        assert dict(context.current()) == {"request": "r"}
    assert dict(context.current()) == {}


def test_none_takes_an_id_away():
    with context.bound(request="r", task="t"):
        context.bind(task=None, turn=3)
        assert dict(context.current()) == {"request": "r", "turn": "3"}


def test_a_block_that_fails_leaves_nothing():
    with pytest.raises(RuntimeError), context.bound(request="r"):
        raise RuntimeError
    assert dict(context.current()) == {}


async def test_they_follow_tasks_and_threads():
    with context.bound(request="r"):
        in_task = await asyncio.create_task(asyncio.sleep(0, dict(context.current())))
        assert in_task == {"request": "r"}
        assert dict(await asyncio.to_thread(context.current)) == {"request": "r"}
        assert dict(await sync_to_async(context.current)()) == {"request": "r"}


async def test_they_follow_from_a_thread_back_to_the_loop():
    async def innermost():
        return dict(context.current())

    def in_thread():
        with context.bound(battle="b"):
            return async_to_sync(innermost)()

    with context.bound(request="r"):
        assert await sync_to_async(in_thread)() == {"request": "r", "battle": "b"}
        assert dict(context.current()) == {"request": "r"}


async def test_what_a_task_binds_stays_in_it():
    async def work(name):
        context.bind(battle=name)
        await asyncio.sleep(0)
        return context.current()["battle"]

    assert await asyncio.gather(work("one"), work("two")) == ["one", "two"]
    assert dict(context.current()) == {}


@pytest.mark.parametrize("given_id", ["abcdefgh", "A-b_c.1234567", "0" * 64])
def test_an_id_that_is_fit_is_kept(given_id):
    assert context.request_id(given_id) == given_id


@given(st.text())
def test_any_other_is_replaced(text):
    found = context.request_id(text)
    assert found.isascii()
    assert 8 <= len(found) <= 64
    assert all(letter.isalnum() or letter in "._-" for letter in found)


@pytest.mark.parametrize("given_id", ["", "short", "0" * 65, "two\nlines", "abc defgh", "şşşşşşşş", "abcdefgh\n"])
def test_two_requests_never_share_a_new_id(given_id):
    assert context.request_id(given_id) != context.request_id(given_id) != given_id
