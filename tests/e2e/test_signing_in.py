"""Somebody signs in, or changes the language, in the middle of a battle, and goes on where they were."""

import pytest
from playwright.sync_api import expect

from tests.e2e.battle_page import BattlePage, wait_until

pytestmark = pytest.mark.e2e

LONG = "This answer goes on for quite a while, sentence after sentence. " * 6


@pytest.fixture(scope="module")
def server(make_server):
    server = make_server()
    for name in ("Orion 7B", "Lyra 13B"):
        server.register(name, options={"reply": LONG, "delay": 0.02, "chunk_size": 4})
    server.run("from django.contrib.auth.models import User; User.objects.create_user('vera', password='vera')")
    server.start()
    return server


def sign_in(page):
    page.get_by_role("link", name="Sign in").click()
    expect(page.get_by_text("That page is for people who are signed in.")).to_be_hidden()
    page.get_by_label("Username").fill("vera")
    page.get_by_label("Password").fill("vera")
    page.get_by_role("button", name="Sign in").click()


def test_a_battle_goes_on_after_signing_in(server, open_page):
    page = open_page(server)
    battle = BattlePage(page)
    battle.ask()
    wait_until(lambda: len(battle.text("a")) > 30, "some text was there")
    address = page.url
    sign_in(page)
    page.wait_for_url(address)
    battle.wait_for_votes()
    assert battle.text("a").count("quite a while") == 6
    battle.vote("Tie")
    expect(battle.verdict).to_have_text("You called it a tie.")
    page.get_by_role("button", name="Sign out").click()
    page.goto(address)
    expect(battle.verdict).to_have_text("A visitor called it a tie.")


def test_a_battle_goes_on_in_another_language(server, open_page):
    page = open_page(server)
    battle = BattlePage(page)
    battle.ask()
    battle.wait_for_votes()
    address = page.url
    page.get_by_role("button", name="TR, Türkçe").click()
    expect(page.locator("html")).to_have_attribute("lang", "tr")
    assert page.url == address
    page.get_by_role("button", name="Berabere").click()
    expect(battle.verdict).to_have_text("Berabere dediniz.")
