"""The server dies in the middle of ten streaming battles, and comes back."""

import asyncio
import signal
import time

import pytest

from tests.helpers.network import begun, new_visitor, open_page
from tests.helpers.server import Server, free_port

pytestmark = pytest.mark.slow

ANSWER = "".join(f"word-{n:04d} " for n in range(600))
CHARACTERS_PER_SECOND = 10 / 0.04


@pytest.fixture
def server(tmp_path):
    server = Server(tmp_path, free_port())
    server.run("from django.core.management import call_command; call_command('migrate', verbosity=0)")
    for name in ("Orion 7B", "Lyra 13B"):
        server.register(name, options={"reply": ANSWER, "chunk_size": 10, "delay": 0.04})
    server.start()
    yield server
    server.stop()


async def streaming_battles(server, n):
    visitors = [await asyncio.to_thread(new_visitor, server.url) for _ in range(n)]
    pages = await asyncio.gather(*(begun(server.url, one, f"Prompt {i}") for i, one in enumerate(visitors)))
    await asyncio.gather(*(page.until(lambda page: len(page.texts()["a"]) > 400, 40) for page in pages))
    return visitors, pages


async def test_after_kill_nine_each_battle_has_its_prompt_and_all_but_the_last_second(server):
    visitors, pages = await streaming_battles(server, 10)
    seen = [page.texts() for page in pages]
    await asyncio.to_thread(server.stop, signal.SIGKILL)
    await asyncio.gather(*(page.close() for page in pages))
    await asyncio.to_thread(server.start)
    for number, (visitor, before) in enumerate(zip(visitors, seen, strict=True)):
        page = await open_page(server.url, visitor, pages[number].battle["id"])
        await page.until_phase("stuck", 20)
        assert page.battle["turns"][0]["prompt"] == f"Prompt {number}"
        assert page.states() == {"a": "cut_off", "b": "cut_off"}
        for side in ("a", "b"):
            after = page.answer(side)["text"]
            assert ANSWER.startswith(after), "something was doubled or lost in the middle"
            assert len(after) > len(before[side]) - 2 * CHARACTERS_PER_SECOND
        await page.close()
    page = await open_page(server.url, visitors[0], pages[0].battle["id"])
    await page.until_phase("stuck")
    await page.ask("retry")
    await page.until_phase("voting", 60)
    await page.ask("vote", outcome="tie")
    await page.until_phase("revealed")
    await page.close()
    assert server.run("from arena import ledger; print(ledger.differences())").strip() == "[]"


async def test_a_clean_stop_is_quick_and_cuts_off_at_once(server):
    _, pages = await streaming_battles(server, 2)
    began = time.monotonic()
    await asyncio.to_thread(server.stop, signal.SIGTERM)
    assert time.monotonic() - began < 15
    await asyncio.gather(*(page.close() for page in pages))
    states = server.run("from arena.models import Answer; print(set(Answer.objects.values_list('state', flat=True)))")
    assert states.strip() == "{'cut_off'}"
