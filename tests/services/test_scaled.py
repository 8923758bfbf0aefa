"""Battle, vote and rating on PostgreSQL, Redis or RabbitMQ, and Celery: the same code, told by environment variables."""

import asyncio
import json
import os
import subprocess
import sys
import urllib.request

import pytest

from tests.helpers.network import new_visitor, open_page
from tests.helpers.server import ROOT
from tests.services.conftest import wait_until

BOARD_SECONDS = 5
PATIENCE = 20.0


def votes_on_the_board(site):
    with urllib.request.urlopen(site.webs[0].url + "/api/v1/leaderboard", timeout=10) as answer:
        return json.load(answer)["n_votes"]


@pytest.mark.parametrize("broker", ["redis", "rabbitmq"])
async def test_a_vote_is_on_the_board_within_five_seconds(broker, make_site):
    site = await asyncio.to_thread(make_site, broker)
    visitor = new_visitor(site.webs[0].url)
    page = await open_page(site.webs[0].url, visitor)
    await page.start("Hello")
    await page.until_phase("voting", PATIENCE)
    await page.ask("vote", outcome="a")
    await page.until_phase("revealed", PATIENCE)
    # a little more than promised: the machine that tests is busy with the testing, too
    await asyncio.to_thread(wait_until, lambda: votes_on_the_board(site) == 1, 2 * BOARD_SECONDS)
    await page.close()


async def test_another_web_process_follows_and_stops_a_running_turn(make_site):
    site = await asyncio.to_thread(make_site, "redis", 2)
    here, there = (web.url for web in site.webs)
    visitor = new_visitor(here)
    first = await open_page(here, visitor)
    await first.start("Hello")
    await first.until(lambda page: bool(page.texts()["a"]), PATIENCE)
    second = await open_page_elsewhere(there, here, visitor, first.battle["id"])
    await second.until(lambda page: len(page.texts()["a"]) > 20, PATIENCE)
    assert second.battle["phase"] == "answering"
    await second.ask("stop")
    await first.until_phase("voting", PATIENCE)
    await second.until_phase("voting", PATIENCE)
    await second.ask("vote", outcome="tie")
    await first.until_phase("revealed", PATIENCE)
    assert first.texts() == {side: first.answer(side)["text"] for side in ("a", "b")}
    await asyncio.gather(first.close(), second.close())


async def open_page_elsewhere(url, origin, visitor, battle_id):
    """Through a proxy both processes have one name; here only the origin says so."""
    from websockets.asyncio.client import connect

    from tests.helpers.pages import NetworkSocket, Page

    connection = await connect(
        f"{url.replace('http', 'ws', 1)}/ws/battle/{battle_id}/",
        origin=origin,
        additional_headers={"Cookie": visitor.cookies},
    )
    return Page(NetworkSocket(connection))


def test_a_thousand_votes_at_once_on_postgresql(database_url, tmp_path):
    code = (
        "from django.core.management import call_command; call_command('migrate', verbosity=0);"
        "from tests.helpers.votes import a_thousand_votes_at_once; a_thousand_votes_at_once(print)"
    )
    environment = {**os.environ, "DATABASE_URL": database_url, "HAKEM_DATA_DIR": str(tmp_path)}
    command = [sys.executable, "manage.py", "shell", "--no-imports", "--command", code]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "1000 votes, 250 stored", done.stderr
