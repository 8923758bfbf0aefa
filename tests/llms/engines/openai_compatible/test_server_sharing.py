"""All models of a server share its line and its connections; with the last of them both are gone, and so is its key."""

import asyncio

import pytest

from llms.chat import SamplingParams
from llms.engines.base import GenerationFailed
from llms.engines.openai_compatible import server as server_module
from llms.engines.openai_compatible.connection import Connection
from llms.engines.openai_compatible.engine import OpenAICompatibleEngine
from llms.engines.openai_compatible.server import close_connections
from llms.models import Endpoint
from llms.pool import Pool
from tests.helpers.model_server import LOOPBACK, Script, model_server
from tests.helpers.waiting import eventually
from tests.llms.engines.tiny import user


@pytest.fixture
def server():
    with model_server() as server:
        server.scripts["orion"] = server.scripts["lyra"] = Script()
        yield server


@pytest.fixture
def start(server, tmp_path):
    def start(name="orion", key="sk-old"):
        reached = Connection(server.url, api_key=key, allowed_networks=LOOPBACK)
        return OpenAICompatibleEngine.from_options(name, "", {}, cache_dir=tmp_path, connection=reached)

    return start


@pytest.fixture(autouse=True)
async def _nothing_is_left():
    yield
    await close_connections()


def kept():
    """Keys of ours: other tests may have left models of theirs loaded."""
    return {connection.api_key for connection in server_module._servers if connection.api_key.startswith("sk-")}


async def answer_of(engine):
    return [event async for event in engine.stream(user("hello"), SamplingParams(max_new_tokens=4))]


async def test_two_models_share_it_until_both_are_closed(start):
    one, other = start("orion"), start("lyra")
    assert one._server is other._server
    await answer_of(one)
    one.close()
    one.close()  # twice is once
    assert kept() == {"sk-old"}
    assert await answer_of(other)
    other.close()
    assert kept() == set()


async def test_with_the_last_one_its_connections_are_closed(start):
    engine = start()
    await answer_of(engine)
    shared = engine._server
    assert len(shared._loops) == 1
    engine.close()
    await eventually(lambda: len(shared._loops) == 0)


async def test_another_key_is_another_server(start):
    old, new = start(key="sk-old"), start(key="sk-new")
    assert old._server is not new._server
    old.close()
    assert kept() == {"sk-new"}
    new.close()


async def test_a_stream_that_runs_ends_when_its_engine_is_closed(server, start):
    server.scripts["orion"] = Script(delay=0.05)
    engine = start()
    stream = engine.stream(user("hello"), SamplingParams(max_new_tokens=400))
    await anext(stream)
    assert engine.n_running == 1
    await asyncio.to_thread(engine.close)
    with pytest.raises(GenerationFailed):
        async for _ in stream:
            pass
    assert engine.n_running == 0


@pytest.mark.django_db(transaction=True)
def test_an_endpoint_that_was_edited_leaves_nothing_of_its_former_key(server, register, settings):
    settings.ENDPOINT_NETWORKS = LOOPBACK
    endpoint = Endpoint.objects.create(name="GPU", base_url=server.url)
    llm = register("Orion", engine="openai_compatible", endpoint=endpoint, source="orion")
    pool = Pool()
    old = pool.load(llm).result(5)
    endpoint.max_concurrent = 3
    new = pool.load(llm).result(5)
    assert new is not old
    asyncio.run(eventually(lambda: old._is_closed))
    assert [connection.max_concurrent for connection in server_module._servers] == [3]
    pool.close()
    assert not server_module._servers
