"""What real servers do wrong, played by a scripted one: each time a sentence for the voter, and nothing lost."""

import asyncio
import contextlib
import json

import pytest

from llms.chat import SamplingParams
from llms.engines.base import (
    AccessRefused,
    EngineOverloaded,
    EngineUnreachable,
    FinishReason,
    GenerationFailed,
    PromptTooLong,
    Queued,
    ReasoningDelta,
    RequestRejected,
    StreamEnd,
    TextDelta,
    TotalTimeout,
    Usage,
)
from llms.engines.deadlines import Deadlines
from llms.engines.openai_compatible import engine as engine_module
from llms.engines.openai_compatible import server as server_module
from llms.engines.openai_compatible.connection import Connection
from llms.engines.openai_compatible.engine import OpenAICompatibleEngine
from llms.engines.openai_compatible.scoring.wire import Wire
from llms.engines.openai_compatible.server import Server
from tests.helpers.model_server import CLOSE, HANG, LOOPBACK, Script, event
from tests.helpers.waiting import eventually
from tests.llms.engines.tiny import text_of, user

GREEDY = SamplingParams(temperature=0, max_new_tokens=8)


async def answer_of(engine, sampling=GREEDY):
    return [event async for event in engine.stream(user("hello there"), sampling)]


# --- what goes well, in the many ways of doing it


async def test_a_plain_answer(engine_for, server):
    *deltas, end = await answer_of(engine_for(Script(), api_key="sk-secret"))
    assert text_of(deltas) == "".join(f"word{n} " for n in range(8))
    assert end == StreamEnd(FinishReason.LENGTH, Usage(2, 8))
    (asked,) = server.asked
    assert asked.headers["authorization"] == "Bearer sk-secret"
    assert asked.body == {
        "model": "orion",
        "messages": [{"role": "user", "content": "hello there"}],
        "stream": True,
        "stream_options": {"include_usage": True},
        "max_tokens": 8,
        "temperature": 0,
    }


async def test_decoding_is_passed_on(engine_for, server):
    sampling = SamplingParams(temperature=0.5, top_p=0.9, top_k=40, stop=("END",), seed=3, max_new_tokens=4)
    options = {"token_limit_field": "max_completion_tokens", "send_temperature": False, "reasoning_effort": "low"}
    await answer_of(engine_for(Script(), options=options), sampling)
    sent = server.asked[0].body
    wanted = {
        "max_completion_tokens": 4,
        "top_p": 0.9,
        "top_k": 40,
        "stop": ["END"],
        "seed": 3,
        "reasoning_effort": "low",
    }
    assert {name: sent[name] for name in wanted} == wanted
    assert not {"max_tokens", "temperature"} & set(sent)


@pytest.mark.parametrize(
    "body",
    [
        [event("Hel"), event("lo"), event(finish="stop")],  # no [DONE], as `transformers serve`
        [event("Hel"), event("lo", finish="stop"), "[DONE]"],
        [event("Hello", finish="eos"), " [DONE] "],
        [event("Hello"), "[DONE]"],
        [b"\xef\xbb\xbfdata:" + event("Hello", finish="stop").encode() + b"\r\n\r\n"],
        [b": a comment\nevent: message\nid: 7\ndata: " + event("Hello", finish="stop").encode() + b"\n\n"],
        [b"data: " + event("Hello", finish="stop").encode()],  # the last line has no end
        [event("", role="assistant"), '{"choices": []}', event("Hello"), '{"choices": null}', event(finish="stop")],
        ['{"choices": [{"delta": {"content": [{"type": "text", "text": "Hello"}]}, "finish_reason": "stop"}]}'],
        [bytes([byte]) for byte in b"data: " + event("Hello", finish="stop").encode() + b"\r\r"],
    ],
)
async def test_every_dialect_is_understood(body, engine_for):
    *deltas, end = await answer_of(engine_for(Script(body=body)))
    assert text_of(deltas) == "Hello"
    assert end == StreamEnd(FinishReason.STOP, Usage(None, None))


@pytest.mark.parametrize("name", ["reasoning_content", "reasoning"])
async def test_thoughts_are_kept_apart(name, engine_for):
    thought = f'{{"choices": [{{"delta": {{"{name}": "Let me see."}}}}]}}'
    events = await answer_of(engine_for(Script(body=[thought, event("Four.", finish="stop")])))
    assert events[:2] == [ReasoningDelta("Let me see."), TextDelta("Four.")]


async def test_a_filter_is_no_end_like_others(engine_for):
    assert (await answer_of(engine_for(Script(body=[event("I", finish="content_filter")]))))[
        -1
    ].finish_reason == "content_filter"


async def test_a_server_that_ignores_stop_strings_is_stopped(engine_for, server):
    body = [event("One. E"), event("ND. Two."), HANG]
    events = await answer_of(engine_for(Script(body=body)), SamplingParams(stop=("END",)))
    assert (text_of(events[:-1]), events[-1].finish_reason) == ("One. ", FinishReason.STOP)
    await eventually(lambda: server.n_active == 0)


# --- what goes wrong


@pytest.mark.parametrize(
    ("script", "error", "words"),
    [
        (Script(400, body=[b'{"error": {"message": "maximum context length is 2048 tokens"}}']), PromptTooLong, "2048"),
        (Script(400, body=[b'{"error": {"type": "exceed_context_size_error"}}']), PromptTooLong, "exceed"),
        (Script(413, body=[b"prompt is too long"]), PromptTooLong, "too long"),
        (Script(401, body=[b'{"detail": "bad key"}']), AccessRefused, "bad key"),
        (Script(404, body=[b"<html>nginx</html>"]), RequestRejected, "404"),
        (Script(302, {"Location": "http://169.254.169.254/"}, [b""]), AccessRefused, "redirects are not followed"),
        (Script(429, {"Retry-After": "600"}, [b'{"error": "slow down"}']), EngineOverloaded, "slow down"),
        (Script(200, body=[event("Hello"), CLOSE]), GenerationFailed, "RemoteProtocolError"),
        (Script(200, body=[event("Hello")]), GenerationFailed, "without saying why"),
        (Script(200, body=[event("Hello"), "{broken"]), GenerationFailed, "no JSON"),
        (Script(200, body=[event("Hello"), "[1, 2]"]), GenerationFailed, "no object"),
        (Script(200, body=[event("Hello"), '{"error": {"message": "CUDA out of memory"}}']), GenerationFailed, "CUDA"),
        (
            Script(200, body=[event("Hello"), b"data: " + b"x" * 10_000_000]),
            GenerationFailed,
            "more than 2000000 bytes",
        ),
    ],
)
async def test_each_fault_has_its_error(script, error, words, engine_for):
    with pytest.raises(error, match=words):
        await answer_of(engine_for(script))


async def test_what_is_no_utf_8_is_shown_as_such(engine_for):
    body = [b'data: {"choices": [{"delta": {"content": "caf\xe9"}, "finish_reason": "stop"}]}\n\n']
    assert text_of((await answer_of(engine_for(Script(body=body))))[:-1]) == "caf\ufffd"


@pytest.mark.parametrize("status", [429, 500, 502, 503])
async def test_before_the_first_word_it_tries_again(status, engine_for, server):
    engine = engine_for(Script(status, {"Retry-After": "0"}, [b'{"error": "later"}'], fails_first=2))
    assert isinstance((await answer_of(engine))[-1], StreamEnd)
    assert len(server.asked) == 3


async def test_but_not_for_ever(engine_for, server):
    with pytest.raises(EngineUnreachable, match="500"):
        await answer_of(engine_for(Script(500, body=[b"no"])))
    assert len(server.asked) == engine_module.ATTEMPTS


async def test_after_the_first_word_it_does_not(engine_for, server):
    with pytest.raises(GenerationFailed):
        await answer_of(engine_for(Script(body=[event("Hello"), CLOSE])))
    assert len(server.asked) == 1


async def test_a_server_that_is_not_there(engine_for, tmp_path):
    reached = Connection("http://127.0.0.1:1023/v1", allowed_networks=LOOPBACK)
    engine = OpenAICompatibleEngine.from_options("orion", "", {}, cache_dir=tmp_path, connection=reached)
    with pytest.raises(EngineUnreachable, match="Nobody answers there"):
        await answer_of(engine)


async def test_an_address_that_is_not_allowed(server, tmp_path):
    engine = OpenAICompatibleEngine.from_options("orion", "", {}, cache_dir=tmp_path, connection=Connection(server.url))
    with pytest.raises(EngineUnreachable, match="ENDPOINT_NETWORKS"):
        await answer_of(engine)
    assert not server.asked


@pytest.mark.parametrize("n", [2**31, 10**400, -1], ids=["large", "huge", "negative"])
async def test_a_number_of_tokens_that_cannot_be_is_none(n, engine_for):
    body = [event("x", finish="stop", usage={"prompt_tokens": n, "completion_tokens": n})]
    assert (await answer_of(engine_for(Script(body=body))))[-1].usage == Usage(None, None)


async def test_its_errors_hold_no_character_that_cannot_be_stored(engine_for):
    body = [event("x"), '{"error": "a\\u0000b\\ud83d"}']
    with pytest.raises(GenerationFailed, match="broke off: a\ufffdb\ufffd"):
        await answer_of(engine_for(Script(body=body)))


async def test_many_at_once_who_are_refused_to_be_counted_for(engine_for, server):
    """All of them were sent before the first was refused."""
    engine = engine_for(Script(400, body=[b'{"error": "unknown field stream_options"}'], fails_first=4))
    answers = await asyncio.gather(*(answer_of(engine) for _ in range(4)))
    assert all(isinstance(answer[-1], StreamEnd) for answer in answers)


async def test_a_server_that_refuses_to_count_is_asked_without(engine_for, server):
    script = Script(400, body=[b'{"error": "unknown field stream_options"}'], fails_first=1)
    engine = engine_for(script)
    await answer_of(engine)
    await answer_of(engine)
    assert ["stream_options" in asked.body for asked in server.asked] == [True, False, False]


# --- who asks for many answers, and reads none himself


async def written(engine):
    """As a run of a benchmark asks: from a thread without a loop."""
    (completion,) = await asyncio.to_thread(engine.generate, [user("hello there")], GREEDY)
    return completion


@pytest.mark.parametrize("delta", [{"content": "x" * 60}, {"reasoning_content": "x" * 60}])
async def test_an_answer_without_end_is_cut_off(delta, engine_for, server, monkeypatch):
    monkeypatch.setattr(engine_module, "MOST_CHARACTERS", 100)
    piece = json.dumps({"choices": [{"delta": delta}]})
    completion = await written(engine_for(Script(body=[piece, piece, HANG])))
    assert completion.finish_reason is FinishReason.LENGTH
    assert completion.text == ("x" * 100 if "content" in delta else "")
    await eventually(lambda: server.n_active == 0)


async def test_an_answer_that_trickles_is_given_up(engine_for, server, monkeypatch):
    monkeypatch.setattr(engine_module, "PATIENCE", Deadlines(total=0.3))
    with pytest.raises(TotalTimeout):
        await written(engine_for(Script(body=[event("x"), 0.05] * 100)))
    await eventually(lambda: server.n_active == 0)


async def test_a_reply_in_one_piece_that_trickles_is_given_up(server, monkeypatch):
    monkeypatch.setattr(server_module, "REPLY_SECONDS", 0.3)
    server.scripts["orion"] = Script(body=[b" ", 0.05] * 100)
    wire = Wire(Server(Connection(server.url, allowed_networks=LOOPBACK)), lambda: False)
    with pytest.raises(TotalTimeout, match="did not answer in time"):
        await wire.post("/completions", {"model": "orion"})
    assert len(server.asked) == 1
    await wire.close()


# --- leaving, and standing in line


async def test_whoever_leaves_stops_the_server(engine_for, server):
    stream = engine_for(Script(delay=0.02)).stream(user("hello"), SamplingParams(max_new_tokens=2000))
    async with contextlib.aclosing(stream):
        await anext(stream)
        assert server.n_active == 1
    await eventually(lambda: server.n_active == 0)


async def test_the_others_stand_in_line_and_hear_where(engine_for):
    engine = engine_for(Script(delay=0.02), max_concurrent=1)
    first = engine.stream(user("one"), SamplingParams(max_new_tokens=20))
    assert isinstance(await anext(first), TextDelta)
    second, third = (engine.stream(user(who), GREEDY) for who in ("two", "three"))
    assert (await anext(second), await anext(third)) == (Queued(0), Queued(1))
    leaving = asyncio.create_task(anext(second))
    await asyncio.sleep(0)
    leaving.cancel()
    await asyncio.gather(leaving, return_exceptions=True)
    await second.aclose()
    assert await asyncio.wait_for(anext(third), 5) == Queued(0)
    rest = [event async for event in first]
    assert isinstance(rest[-1], StreamEnd)
    assert isinstance([event async for event in third][-1], StreamEnd)


async def test_a_line_has_an_end(engine_for):
    engine = engine_for(Script(body=[event("x"), HANG]), max_concurrent=1, max_waiting=1)
    async with contextlib.AsyncExitStack() as stack:
        for _ in range(2):
            stream = await stack.enter_async_context(contextlib.aclosing(engine.stream(user("hi"), GREEDY)))
            await anext(stream)
        with pytest.raises(EngineOverloaded, match="1 wait already"):
            await answer_of(engine)


async def test_a_closed_engine_ends_its_streams(engine_for):
    engine = engine_for(Script(delay=0.01))
    stream = engine.stream(user("hello"), SamplingParams(max_new_tokens=2000))
    await anext(stream)
    engine.close()
    with pytest.raises(GenerationFailed, match="closed"):
        async for _ in stream:
            pass
