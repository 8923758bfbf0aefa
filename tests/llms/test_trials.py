"""A model tried live: its words as they come, what it took, and what went wrong in words."""

import json

import pytest
from asgiref.sync import sync_to_async
from django.test import AsyncClient
from django.urls import reverse

from llms import trials
from llms.engines.openai_compatible.server import close_connections
from llms.models import Endpoint, LanguageModel
from tests.helpers.model_server import CLOSE, Script, event, model_server
from tests.llms.engines.tiny import save_tiny_model

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def server():
    with model_server() as server:
        yield server


@pytest.fixture
def draft(server):
    endpoint = Endpoint.objects.create(name="lab", base_url=server.url)
    return LanguageModel.objects.create(
        slug="orion", name="Orion 7B", engine="openai_compatible", endpoint=endpoint, source="org/Orion-7B-Instruct"
    )


def address_of(llm):
    return reverse("llms:answer", args=[llm.pk])


@pytest.fixture
async def ask(adem):
    client = AsyncClient()
    await client.aforce_login(adem)

    async def ask(llm, prompt="Hello"):
        response = await client.post(address_of(llm), {"prompt": prompt})
        assert response.status_code == 200
        return [json.loads(line) async for line in response.streaming_content]

    yield ask
    await close_connections()


async def test_an_answer_comes_piece_by_piece_with_what_it_took(ask, draft, server):
    usage = {"prompt_tokens": 3, "completion_tokens": 5}
    pieces = [
        event("Hel"),
        event("lo"),
        event("", finish="stop"),
        json.dumps({"choices": [], "usage": usage}),
        "[DONE]",
    ]
    server.scripts[draft.source] = Script(body=pieces)
    events = await ask(draft)
    assert [e["text"] for e in events if e["type"] == "text"] == ["Hel", "lo"]
    assert events[-1]["type"] == "end"
    assert (events[-1]["tokens"], events[-1]["was_cut"]) == (5, False)
    assert events[-1]["first_token_seconds"] >= 0


async def test_a_script_shows_no_raw_prompt_and_a_failure_is_said(ask, register):
    llm = await sync_to_async(register)("Orion 7B", fail_at=1, chunks=["One.", "Two."])
    events = await ask(llm)
    assert [e["type"] for e in events] == ["text", "failure"]
    assert "The model broke off" in events[-1]["words"]


async def test_a_server_that_breaks_off_is_said_in_words(ask, draft, server):
    server.scripts[draft.source] = Script(body=[event("Hel"), CLOSE])
    events = await ask(draft)
    assert [e["type"] for e in events] == ["text", "failure"]


async def test_an_empty_or_endless_prompt_is_refused(adem, draft):
    client = AsyncClient()
    await client.aforce_login(adem)
    for prompt in ("", "   ", "x" * 8001):
        assert (await client.post(address_of(draft), {"prompt": prompt})).status_code == 422


async def test_the_first_words_are_enough_to_know_that_it_answers(draft, server):
    server.scripts[draft.source] = Script(body=[event("Hel"), CLOSE])
    assert await trials.first_words(draft) == ""
    server.scripts[draft.source] = Script(status=404, body=["no"])
    assert "could not be asked" in await trials.first_words(draft)
    await close_connections()


async def test_weights_here_are_loaded_and_the_raw_prompt_is_shown(ask, tmp_path):
    save_tiny_model(tmp_path / "tiny")
    llm = await LanguageModel.objects.acreate(
        slug="tiny",
        name="Tiny",
        engine="huggingface",
        source=str(tmp_path / "tiny"),
        options={"device": "cpu"},
        decoding={"max_new_tokens": 8, "temperature": 0},
        system_prompt="Be brief.",
    )
    events = await ask(llm, "Hi <|im_end|>")
    kinds = [event["type"] for event in events if event["type"] != "progress"]
    assert kinds[0] == "prompt"
    assert kinds[-1] == "end"
    prompt = next(event["text"] for event in events if event["type"] == "prompt")
    assert prompt.startswith("<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nHi ")
    assert prompt.endswith("<|im_start|>assistant\n")
    assert (events[-1]["tokens"], events[-1]["was_cut"]) == (8, True)
