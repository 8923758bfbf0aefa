import asyncio
import time
from pathlib import Path
from typing import Any

import pytest

from llms.chat import Message, Role, SamplingParams
from llms.engines import base
from llms.engines.base import FinishReason, GenerationFailed, LoadingFailed, StreamEnd, TextDelta, Usage
from llms.engines.echo import EchoEngine
from tests.llms.engines.tiny import events_of, text_of, user


def echo(**options: Any) -> EchoEngine:
    return EchoEngine.from_options("", "", options, cache_dir=Path())


async def test_without_a_script_it_repeats_what_was_said() -> None:
    assert text_of(await events_of(echo(), "Is it you?")) == "Is it you?"


async def test_the_prompt_takes_its_place_in_the_reply_literally() -> None:
    events = await events_of(echo(reply="You said: {prompt}. {0} {{x}}"), "{prompt} {reply!r} {")

    assert text_of(events) == "You said: {prompt} {reply!r} {. {0} {{x}}"


async def test_chunks_come_exactly_as_they_were_cut() -> None:
    events = await events_of(echo(chunks=["I am Or", "ion", ", made by Or", "ion Labs"]), "Who?")

    assert events == [
        TextDelta("I am Or"),
        TextDelta("ion"),
        TextDelta(", made by Or"),
        TextDelta("ion Labs"),
        StreamEnd(FinishReason.STOP, Usage(1, 4)),
    ]


async def test_a_reply_is_cut_by_size() -> None:
    events = await events_of(echo(reply="abcdefgh", chunk_size=3), "Hi")

    assert [event.text for event in events if isinstance(event, TextDelta)] == ["abc", "def", "gh"]


async def test_replies_are_settled_by_the_conversation() -> None:
    engine = echo(replies=["one", "two", "three"])
    answers = {text: text_of(await events_of(engine, text)) for text in map(str, range(30))}

    assert set(answers.values()) == {"one", "two", "three"}
    again = echo(replies=["one", "two", "three"])
    assert {text: text_of(await events_of(again, text)) for text in answers} == answers
    in_context = [Message(Role.USER, "0"), Message(Role.ASSISTANT, "one"), Message(Role.USER, "0")]
    assert engine.generate([in_context], SamplingParams()) == again.generate([in_context], SamplingParams())


async def test_it_fails_where_it_was_told_to() -> None:
    stream = echo(chunks=["a", "b", "c"], fail_at=1).stream(user("Hi"), SamplingParams())

    assert await anext(stream) == TextDelta("a")
    with pytest.raises(GenerationFailed):
        await anext(stream)


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("not_supported", base.NotSupported),
        ("loading_failed", base.LoadingFailed),
        ("prompt_too_long", base.PromptTooLong),
        ("overloaded", base.EngineOverloaded),
        ("generation_failed", base.GenerationFailed),
        ("first_token_timeout", base.FirstTokenTimeout),
        ("stalled", base.StalledStream),
        ("total_timeout", base.TotalTimeout),
    ],
)
async def test_it_fails_with_any_error_of_the_tree(code: str, error: type[base.EngineError]) -> None:
    with pytest.raises(error):
        await events_of(echo(fail_at=0, fail_with=code), "Hi")


async def test_it_fails_a_number_of_times_and_then_works() -> None:
    engine = echo(reply="fine", fail_times=2)

    for _ in range(2):
        with pytest.raises(GenerationFailed):
            await events_of(engine, "Hi")
    for _ in range(2):
        assert text_of(await events_of(engine, "Hi")) == "fine"


async def test_it_hangs_until_it_is_left() -> None:
    engine = echo(chunks=["a", "b"], hang_at=1)
    stream = engine.stream(user("Hi"), SamplingParams())
    assert await anext(stream) == TextDelta("a")

    with pytest.raises(TimeoutError):
        await asyncio.wait_for(anext(stream), 0.05)

    assert engine.n_running == 0


async def test_delays_are_kept() -> None:
    started = time.monotonic()
    times = []
    async for _ in echo(chunks=["a", "b", "c"], first_delay=0.1, delay=0.05).stream(user("Hi"), SamplingParams()):
        times.append(time.monotonic() - started)

    assert times[0] >= 0.1
    assert times[1] - times[0] >= 0.045


async def test_the_end_follows_the_last_chunk_without_delay() -> None:
    await asyncio.wait_for(events_of(echo(chunks=["a"], delay=60), "Hi"), 10)


async def test_a_stop_string_may_lie_across_chunks() -> None:
    events = await events_of(echo(chunks=["one E", "N", "D two"]), "Hi", stop=("END",))

    assert text_of(events) == "one "
    assert events[-1] == StreamEnd(FinishReason.STOP, Usage(1, 3))


async def test_it_can_pretend_to_have_been_cut() -> None:
    events = await events_of(echo(reply="done", finish_reason="length"), "Hi")

    assert events[-1] == StreamEnd(FinishReason.LENGTH, Usage(1, 1))


async def test_an_empty_reply_is_an_answer_without_text() -> None:
    assert await events_of(echo(reply=""), "Hi") == [StreamEnd(FinishReason.STOP, Usage(1, 0))]


def test_a_batch_fails_where_its_script_does() -> None:
    for options in ({"fail_at": 0}, {"hang_at": 0}):
        with pytest.raises(GenerationFailed):
            echo(**options).generate([user("Hi")], SamplingParams())


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"repply": "x"}, "repply"),
        ({"reply": 7}, "reply must be text or null"),
        ({"reply": "x", "chunks": ["x"]}, "reply cannot stand beside chunks"),
        ({"chunks": ["x", ""]}, "empty text"),
        ({"chunks": "xyz"}, "a list of text"),
        ({"chunk_size": 0}, "chunk_size"),
        ({"delay": -1}, "negative"),
        ({"delay": float("nan")}, "a number"),
        ({"fail_at": True}, "a whole number"),
        ({"fail_with": "boredom"}, "one of 'not_supported'"),
    ],
)
def test_a_bad_script_is_refused_loudly(options: dict[str, Any], complaint: str) -> None:
    with pytest.raises(LoadingFailed, match=complaint):
        echo(**options)
    (problem,) = EchoEngine.problems("", "", options)
    assert complaint in problem


def test_an_unknown_option_lists_the_known_ones() -> None:
    (problem,) = EchoEngine.problems("", "", {"repply": "x"})

    assert "reply, replies, chunks" in problem
