"""With a real server: `transformers serve` and the small real model, on this machine."""

import asyncio
import contextlib

import pytest

from llms import local_servers, probing
from llms.chat import SamplingParams
from llms.endpoints import Address
from llms.engines.base import FinishReason, LoglikelihoodRequest, NotSupported, StreamEnd, TextDelta
from llms.engines.openai_compatible.engine import OpenAICompatibleEngine
from llms.models import Capability, Endpoint
from tests.helpers.model_server import LOOPBACK
from tests.helpers.transformers_server import transformers_server
from tests.llms.engines.tiny import text_of, user

pytestmark = [pytest.mark.models, pytest.mark.slow, pytest.mark.django_db]


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    with transformers_server(tmp_path_factory.mktemp("transformers")) as server:
        yield server


@pytest.fixture
def endpoint(running, settings):
    settings.ENDPOINT_NETWORKS = LOOPBACK
    return Endpoint.objects.create(name="here", base_url=running.base_url)


@pytest.fixture
async def engine(running, settings, tmp_path):
    settings.ENDPOINT_NETWORKS = LOOPBACK
    address = Address(running.base_url, "", 4)
    engine = OpenAICompatibleEngine.from_options(
        running.served_name, "", {}, cache_dir=tmp_path, connection=address.connection()
    )
    yield engine
    engine.close()
    await engine._server.close()


async def test_it_answers(engine):
    sampling = SamplingParams(temperature=0, max_new_tokens=48)
    events = [event async for event in engine.stream(user("What is the capital of France?"), sampling)]
    assert "Paris" in text_of(events)
    assert isinstance(events[-1], StreamEnd)
    assert events[-1].finish_reason is FinishReason.STOP
    assert events[-1].usage.completion_tokens > 0


async def test_whoever_leaves_stops_it(engine, running):
    sampling = SamplingParams(temperature=0, max_new_tokens=4000)
    async with contextlib.aclosing(engine.stream(user("Write a long story about the sea."), sampling)) as events:
        async for event in events:
            if isinstance(event, TextDelta):
                break
    for _ in range(60):  # until it computes nothing for half a second: with 4000 tokens it would for minutes
        before = running.cpu_seconds()
        await asyncio.sleep(0.5)
        if running.cpu_seconds() - before < 0.1:
            return
    pytest.fail("the server went on writing for nobody")


def test_a_probe_tells_what_it_can_do(endpoint, running):
    probing.probe(endpoint, running.served_name)
    found = probing.findings(endpoint, running.served_name)
    assert {capability.value: result.verdict for capability, result in found.items()} == {
        "chat": "yes",
        "tools": "no",
        "generated_log_probabilities": "no",
        "prompt_log_probabilities": "no",
        "token_ids": "no",
        "no_new_tokens": "no",
        "tokenization": "no",
        "context_length": "unknown",
    }
    assert "without [DONE]" in found[Capability.CHAT].evidence
    assert f"“{running.served_name}@main”" in found[Capability.CHAT].evidence
    assert "ignored, with status 200" in found[Capability.PROMPT_LOG_PROBABILITIES].evidence
    endpoint.refresh_from_db()
    assert endpoint.server == "transformers serve"
    assert probing.stated_identity(endpoint, running.served_name) == ""  # a branch pins nothing


def test_it_is_refused_as_a_server_of_scores(running, settings, tmp_path):
    settings.ENDPOINT_NETWORKS = LOOPBACK
    address = Address(running.base_url, "", 4)
    engine = OpenAICompatibleEngine.from_options(
        running.served_name, "", {}, cache_dir=tmp_path, connection=address.connection()
    )

    with contextlib.closing(engine), pytest.raises(NotSupported) as refused:
        engine.loglikelihoods([LoglikelihoodRequest("The capital of France is", (" Paris",))])

    assert str(refused.value).startswith("transformers serve cannot score given answers: log-probabilities of what")
    assert "ignored, with status 200" in str(refused.value)


def test_it_is_found_on_this_machine(endpoint, running):
    port = int(running.base_url.rpartition(":")[2].partition("/")[0])
    (found,) = local_servers.find([port])
    assert (found.base_url, found.server) == (running.base_url, "transformers serve")
    assert found.models == (running.served_name,)
