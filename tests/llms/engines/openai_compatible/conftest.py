"""An engine at a server that plays what it is told to."""

import pytest

from llms.engines.openai_compatible import engine as engine_module
from llms.engines.openai_compatible.connection import Connection
from llms.engines.openai_compatible.engine import OpenAICompatibleEngine
from llms.engines.openai_compatible.server import close_connections
from tests.helpers.model_server import LOOPBACK, model_server


@pytest.fixture(scope="module")
def running():
    with model_server() as server:
        yield server


@pytest.fixture
def server(running, monkeypatch):
    running.scripts.clear()
    running.asked.clear()
    monkeypatch.setattr(engine_module, "LONGEST_PAUSE_SECONDS", 2.0)
    return running


@pytest.fixture
async def engine_for(server, tmp_path):
    engines = []

    def engine_for(script, *, options=None, **connection):
        server.scripts["orion"] = script
        reached = Connection(**{"base_url": server.url, "allowed_networks": LOOPBACK, **connection})
        engine = OpenAICompatibleEngine.from_options("orion", "", options or {}, cache_dir=tmp_path, connection=reached)
        engines.append(engine)
        return engine

    yield engine_for
    for engine in engines:
        engine.close()
    await close_connections()
