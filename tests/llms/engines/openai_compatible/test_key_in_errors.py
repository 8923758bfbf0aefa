"""Servers and libraries repeat what they were sent: the key is in none of the words that are shown or stored."""

import asyncio

import pytest

from llms.chat import SamplingParams
from llms.engines.base import AccessRefused, EngineError, EngineUnreachable, GenerationFailed
from llms.sentences import Sentence
from tests.helpers.model_server import Script, event
from tests.llms.engines.tiny import user

LONG = "sk-proj-0123456789abcdef"


async def answer_of(engine):
    return [event async for event in engine.stream(user("hello there"), SamplingParams(max_new_tokens=8))]


@pytest.mark.parametrize(
    "script",
    [
        Script(401, body=[b'{"error": "wrong key sk-secret"}']),
        Script(500, body=[b"I was sent sk-secret"]),
        Script(body=[event("x"), '{"error": "sk-secret is out of money"}']),
        Script(body=[event("x"), "{sk-secret"]),
    ],
)
async def test_a_server_that_repeats_the_key_does_not_spread_it(script, engine_for):
    with pytest.raises(EngineError) as failure:
        await answer_of(engine_for(script, api_key="sk-secret"))
    assert "sk-secret" not in str(failure.value)
    assert "…" in str(failure.value)


async def test_a_key_that_cannot_be_sent_is_not_shown_either(engine_for):
    """From before keys were looked at."""
    with pytest.raises(EngineUnreachable) as failure:
        await answer_of(engine_for(Script(), api_key="sk-secret\nand more"))
    assert str(failure.value) == "LocalProtocolError"


async def test_nor_a_key_in_what_is_no_http(engine_for):
    async def answer(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"sk-secret is no key of mine\r\n\r\n")
        writer.close()

    listening = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = listening.sockets[0].getsockname()[1]
    engine = engine_for(Script(), base_url=f"http://127.0.0.1:{port}/v1", api_key="sk-secret")
    async with listening:
        with pytest.raises(EngineUnreachable, match=r"RemoteProtocolError.*… is no key of mine"):
            await answer_of(engine)


@pytest.mark.parametrize(
    "script",
    [
        Script(401, body=[b'{"error": "' + b"x" * 290 + LONG.encode() + b'"}']),
        Script(401, body=[b"no: sk-proj-0123456"]),
        Script(401, body=[b'{"detail": [{"input": "' + LONG.encode() + b'"}]}']),
        Script(body=[event("x"), "{" + "x" * 290 + LONG]),
        Script(body=[event("x"), '{"error": "' + "x" * 290 + LONG + '"}']),
    ],
)
async def test_nor_does_one_that_cuts_it_off_or_is_cut_off_in_it(script, engine_for):
    with pytest.raises(EngineError) as failure:
        await answer_of(engine_for(script, api_key=LONG))
    assert "sk-" not in str(failure.value)
    assert "…" in str(failure.value)


async def test_what_follows_a_part_of_the_key_stays(engine_for):
    script = Script(401, body=[b"wrong key: sk-proj-01234*******cdef, see https://example.org"])
    with pytest.raises(AccessRefused, match=r"wrong key: …\*+cdef, see https://example\.org"):
        await answer_of(engine_for(script, api_key=LONG))


async def test_nor_does_what_it_breaks_off_with_and_the_sentence_stays_one(engine_for):
    script = Script(body=[event("Hello"), b'data: {"error": "sk-secret expired"}\n\n'])
    with pytest.raises(GenerationFailed, match="broke off: … expired") as failed:
        await answer_of(engine_for(script, api_key="sk-secret"))
    said = failed.value.args[0]
    assert isinstance(said, Sentence)
    assert "sk-secret" not in str(said.values)


async def test_the_key_is_in_no_representation(engine_for):
    engine = engine_for(Script(), api_key="sk-secret")
    assert "sk-secret" not in repr(engine._server.connection)
