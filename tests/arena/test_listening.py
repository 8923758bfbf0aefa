"""A reader who is slow gets the same in fewer pieces."""

import asyncio

from arena.listening import Listener, MoreText, NewState
from arena.protocol import AnswerState


def text(side, words, attempt=1):
    return MoreText(0, side, attempt, words)


def state(side, to, attempt=1):
    return NewState(0, side, attempt, to, "", False)


async def test_text_that_waits_is_joined_side_by_side():
    listener = Listener()
    for side, words in (("a", "one "), ("b", "eins "), ("a", "two"), ("b", "zwei")):
        listener.add_text(text(side, words))
    assert await listener.next() == [text("a", "one two"), text("b", "eins zwei")]


async def test_nothing_is_joined_across_a_change_of_state():
    listener = Listener()
    listener.add_text(text("a", "one"))
    listener.add_state(state("b", AnswerState.COMPLETE))
    listener.add_text(text("a", "two"))
    assert await listener.next() == [text("a", "one"), state("b", AnswerState.COMPLETE), text("a", "two")]


async def test_nothing_is_joined_across_attempts():
    listener = Listener()
    listener.add_text(text("a", "one"))
    listener.add_text(text("a", "two", attempt=2))
    assert await listener.next() == [text("a", "one"), text("a", "two", attempt=2)]


async def test_what_came_before_the_end_is_told_before_the_end():
    listener = Listener()
    listener.add_text(text("a", "one"))
    listener.end()
    assert await listener.next() == [text("a", "one")]
    assert await listener.next() is None
    assert await listener.next() is None


async def test_an_end_with_nothing_before_it_is_the_end():
    listener = Listener()
    listener.end()
    assert await listener.next() is None


async def test_it_waits_for_what_is_to_come():
    listener = Listener()
    waiting = asyncio.ensure_future(listener.next())
    await asyncio.sleep(0)
    assert not waiting.done()
    listener.add_text(text("b", "at last"))
    assert await waiting == [text("b", "at last")]
