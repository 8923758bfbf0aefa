"""Everybody votes at once: one vote for each battle, and nobody is told of a locked database."""

import asyncio

import pytest

from tests.helpers.network import new_visitor, open_page
from tests.helpers.server import Server, free_port
from tests.helpers.votes import a_thousand_votes_at_once

pytestmark = pytest.mark.slow

N_BATTLES = 40


@pytest.mark.django_db(transaction=True)
def test_a_thousand_votes_at_once_are_one_for_each_battle():
    """On SQLite, in a file, as embedded mode runs; nobody is told that a database is locked."""
    a_thousand_votes_at_once()


@pytest.fixture
def server(tmp_path):
    server = Server(tmp_path, free_port())
    server.run("from django.core.management import call_command; call_command('migrate', verbosity=0)")
    for name in ("Orion 7B", "Lyra 13B"):
        server.register(name, options={"reply": "Hello"})
    server.start()
    yield server
    server.stop()


async def two_tabs(url):
    """Two pages of one visitor, both about to vote on the same battle."""
    visitor = await asyncio.to_thread(new_visitor, url)
    page = await open_page(url, visitor)
    await page.start("Hello")
    battle = await page.until_phase("voting", 60)
    other = await open_page(url, visitor, battle["id"])
    await other.until_phase("voting", 60)
    return page, other


async def codes_until_revealed(page):
    """What the page was refused on the way to the names."""
    codes = []
    while page.battle["phase"] != "revealed":
        frame = await page.next(60)
        codes += [frame["code"]] if frame["type"] == "error" else []
    return codes + [frame["code"] for frame in await page.frames_of(1.0) if frame["type"] == "error"]


async def test_two_tabs_of_many_battles_vote_at_once_through_their_sockets(server):
    pairs = await asyncio.gather(*(two_tabs(server.url) for _ in range(N_BATTLES)))
    tabs = [tab for pair in pairs for tab in pair]
    await asyncio.gather(
        *(tab.ask("vote", outcome=outcome) for pair in pairs for tab, outcome in zip(pair, "ab", strict=True))
    )
    refusals = await asyncio.gather(*map(codes_until_revealed, tabs))
    assert sorted(code for codes in refusals for code in codes) == ["already_voted"] * N_BATTLES
    for one, other in pairs:
        assert one.battle["vote"] == other.battle["vote"]
    await asyncio.gather(*(tab.close() for tab in tabs))
    counted = (
        "from arena import ledger; from arena.models import Vote; print(Vote.objects.count(), ledger.differences())"
    )
    assert server.run(counted).strip() == f"{N_BATTLES} []"
    assert "locked" not in (server.data_dir / "server.log").read_text()
