"""A server that cannot begin says so, in place of serving without its beginning."""

import asyncio

import pytest

from config import lifespan


@pytest.fixture
def talk(settings):
    """What the server is told when it asks the application to begin."""
    settings.EMBEDDED = False

    async def talk():
        told = []
        questions = asyncio.Queue()
        await questions.put({"type": "lifespan.startup"})

        async def send(message):
            told.append(message)

        await asyncio.wait_for(lifespan.Lifespan()({"type": "lifespan"}, questions.get, send), 5)
        return told

    return talk


async def test_without_a_database_it_refuses_to_begin(talk, monkeypatch, caplog):
    async def fail(_):
        raise ConnectionError("no such table: llms_languagemodel")

    monkeypatch.setattr(lifespan.Lifespan, "_start", fail)
    assert await talk() == [{"type": "lifespan.startup.failed", "message": "no such table: llms_languagemodel"}]
    assert "cannot begin" in caplog.text
