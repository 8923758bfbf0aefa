"""On a phone one answer is on the screen at a time, and it is the one that the reader chose."""

import re

import pytest
from playwright.sync_api import expect

from tests.e2e.battle_page import BattlePage, wait_until

pytestmark = pytest.mark.e2e

NAMES = {"Orion 7B Instruct, quantised to eight bits", "Orion 7B Instruct, as it was released"}
PHONE = {"width": 390, "height": 844}


@pytest.fixture(scope="module")
def server(make_server):
    server = make_server()
    for name in sorted(NAMES):
        slug = name.lower().replace(" ", "-").replace(",", "")
        server.register(name, slug=slug, options={"reply": "A good answer, said in a few words. " * 3})
    server.start()
    return server


@pytest.fixture
def page(server, open_page):
    return open_page(server, viewport=PHONE, has_touch=True, is_mobile=True)


@pytest.fixture
def battle(page):
    return BattlePage(page)


def tab(page, side):
    return page.locator(f"[data-show-side={side}]")


def side_on_screen(page):
    """Which of the last turn's answers is where a reader sees it."""
    left = page.locator("[data-side=b]").last.evaluate("node => node.getBoundingClientRect().left")
    return "b" if left < PHONE["width"] / 2 else "a"


def is_on(page, side):
    expect(tab(page, side)).to_have_attribute("aria-pressed", "true")
    wait_until(lambda: side_on_screen(page) == side, f"answer {side} was on the screen")


def test_a_phone_has_to_look_at_both_answers_first(page, battle):
    battle.ask()
    hint = page.locator("[data-vote-hint]")
    expect(hint).to_have_text("Look at answer B before you vote.", timeout=30_000)
    expect(battle.vote_button("Tie")).to_have_attribute("aria-disabled", "true")
    tab(page, "b").click()
    battle.wait_for_votes()
    battle.vote("Tie")
    expect(battle.verdict).to_have_text("You called it a tie.")
    assert page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") <= 0


def test_the_vote_leaves_the_reader_where_they_were_and_the_tabs_say_who_it_is(page, battle):
    battle.ask()
    expect(tab(page, "b")).to_contain_text("Model B")
    tab(page, "b").click()
    battle.wait_for_votes()
    battle.vote("B is better")
    expect(battle.verdict).to_have_text("You preferred B.")
    is_on(page, "b")
    assert {page.locator(f"[data-side-name={side}]").inner_text() for side in "ab"} == NAMES
    page.reload()
    expect(tab(page, "a")).to_contain_text(re.compile("Orion"))


def test_turning_the_phone_keeps_the_side(page, battle):
    battle.ask()
    tab(page, "b").click()
    battle.wait_for_votes()
    page.set_viewport_size({"width": 844, "height": 390})
    page.wait_for_timeout(300)
    page.set_viewport_size(PHONE)
    is_on(page, "b")


def test_the_next_turn_is_on_the_same_side(page, battle):
    battle.ask()
    tab(page, "b").click()
    battle.wait_for_votes()
    battle.go_on("And then?")
    expect(page.locator("[data-turn-count]")).to_have_text("Turn 2 of 5")
    is_on(page, "b")
