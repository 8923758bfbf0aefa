"""A battle from the first prompt to the reveal, in a real browser, with models that answer by a script."""

import re
import signal
import time

import pytest
from playwright.sync_api import expect

from tests.e2e.battle_page import BattlePage, wait_until

pytestmark = pytest.mark.e2e

LONG = "This answer goes on for quite a while, sentence after sentence. " * 6
NAMES = ("Orion", "orion-7b", "Lyra", "lyra-13b", "Northlab", "Blue Peak")


@pytest.fixture(scope="module")
def server(make_server):
    """Two models that introduce themselves, at different speeds."""
    server = make_server()
    introduction = "I am {name}, made by {firm}. " + LONG
    server.register(
        "Orion 7B",
        organisation="Northlab",
        licence="MIT",
        parameters=7_000_000_000,
        options={
            "reply": introduction.replace("{name}", "Orion-7B").replace("{firm}", "Northlab"),
            "delay": 0.002,
            "chunk_size": 3,
        },
    )
    server.register(
        "Lyra 13B",
        organisation="Blue Peak",
        options={
            "reply": introduction.replace("{name}", "**Lyra** 13b").replace("{firm}", "Blue Peak"),
            "delay": 0.01,
            "chunk_size": 5,
        },
    )
    server.start()
    return server


def test_the_whole_way_from_prompt_to_leaderboard(server, open_page):
    page = open_page(server)
    battle = BattlePage(page)
    battle.ask()
    wait_until(lambda: battle.text("a") and battle.text("b"), "both answers began")
    expect(battle.vote_button("A is better")).to_have_attribute("aria-disabled", "true")
    battle.wait_for_votes()
    assert re.search(r"/battle/[0-9a-f-]{36}/$", page.url)
    seen = battle.everything()
    assert not [name for name in NAMES if name.lower() in seen.lower()]
    battle.vote("A is better")
    expect(battle.verdict).to_have_text("You preferred A.")
    expect(battle.verdict).to_be_focused()
    expect(page.locator("[data-contenders]")).to_contain_text("Orion 7B")
    expect(page.locator("[data-contenders]")).to_contain_text("Lyra 13B")
    page.goto(server.url + "/leaderboard/")
    expect(page.locator(".board-facts")).to_contain_text("vote", timeout=8_000)
    expect(page.get_by_role("row", name="Orion 7B")).to_contain_text(re.compile("only won|only lost|[0-9]"))


@pytest.mark.parametrize(
    ("button", "outcome", "verdict"),
    [
        ("A is better", "a", "You preferred A."),
        ("Tie", "tie", "You called it a tie."),
        ("Both are bad", "both_bad", "You found both bad."),
        ("B is better", "b", "You preferred B."),
    ],
)
def test_each_vote_is_stored_as_what_it_says(button, outcome, verdict, server, open_page):
    page = open_page(server)
    battle = BattlePage(page)
    battle.ask()
    battle.wait_for_votes()
    battle.vote(button)
    expect(battle.verdict).to_have_text(verdict)
    battle_id = page.url.rstrip("/").rsplit("/", 1)[-1]
    stored = server.run(f"from arena.models import Vote; print(Vote.objects.get(battle_id={battle_id!r}).outcome)")
    assert stored.strip() == outcome


def test_a_double_click_votes_once(server, open_page):
    page = open_page(server)
    battle = BattlePage(page)
    battle.ask()
    battle.wait_for_votes()
    battle.vote_button("Tie").dblclick()
    expect(battle.verdict).to_have_text("You called it a tie.")
    assert sum('"vote"' in frame for frame in page.watch.sent) == 1


def test_keys_alone_are_enough(server, open_page):
    page = open_page(server)
    battle = BattlePage(page)
    page.keyboard.type("1 2 3 4")
    assert page.get_by_label("Your prompt", exact=True).input_value() == "1 2 3 4"
    page.keyboard.press("Enter")
    battle.wait_for_votes()
    page.get_by_label("Your next prompt to both models").focus()
    page.keyboard.type("2")
    expect(battle.verdict).to_be_hidden()
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("Control+2")
    expect(battle.verdict).to_be_hidden()
    page.keyboard.press("2")
    expect(battle.verdict).to_have_text("You called it a tie.")
    page.keyboard.press("n")
    expect(page.get_by_label("Your prompt", exact=True)).to_be_visible()


def test_both_sides_begin_together_and_keep_step(server, open_page):
    """Orion is five times as fast as Lyra; nobody can see it."""
    battle = BattlePage(open_page(server))
    battle.ask()
    gaps = []
    wait_until(lambda: battle.text("a") or battle.text("b"), "an answer began")
    for _ in range(15):
        gaps.append(abs(len(battle.text("a")) - len(battle.text("b"))))
        time.sleep(0.05)
    assert max(gaps) <= 40, gaps
    battle.wait_for_votes()


def test_a_reload_in_the_middle_goes_on_where_it_was(server, open_page):
    page = open_page(server)
    battle = BattlePage(page)
    battle.ask()
    wait_until(lambda: len(battle.text("a")) > 60, "some text was there")
    before = battle.text("a")
    page.reload()
    battle.wait_for_votes()
    assert battle.text("a").startswith(before[:50])
    assert battle.text("a").count("made by") == 1


def test_a_lost_connection_comes_back_without_lost_or_doubled_text(server, open_page):
    page = open_page(server)
    page.watch.expected = ["ERR_INTERNET_DISCONNECTED", "failed:", "WebSocket"]
    battle = BattlePage(page)
    battle.ask()
    wait_until(lambda: len(battle.text("a")) > 60, "some text was there")
    page.evaluate("window.dispatchEvent(new Event('offline'))")
    page.context.set_offline(True)
    time.sleep(0.5)
    page.context.set_offline(False)
    page.evaluate("window.dispatchEvent(new Event('online'))")
    battle.wait_for_votes()
    for side in ("a", "b"):
        assert battle.text(side).count("made by") == 1
        assert battle.text(side).count("sentence after sentence") == 6


def test_two_tabs_show_one_battle(server, open_page):
    first = open_page(server)
    BattlePage(first).ask()
    BattlePage(first).wait_for_votes()
    second = open_page(server, first.url.removeprefix(server.url), context=first.context)
    BattlePage(second).wait_for_votes()
    BattlePage(second).vote("B is better")
    expect(BattlePage(second).verdict).to_have_text("You preferred B.")
    expect(BattlePage(first).verdict).to_have_text("You preferred B.")


def test_somebody_else_sees_a_battle_only_after_its_vote(server, open_page):
    mine = open_page(server)
    battle = BattlePage(mine)
    battle.ask()
    battle.wait_for_votes()
    path = mine.url.removeprefix(server.url)
    theirs = open_page(server, path)
    theirs.watch.expected = ["404"]
    expect(theirs.locator("h1")).not_to_have_text("Which answer is better?")
    battle.vote()
    expect(battle.verdict).to_be_visible()
    theirs.goto(server.url + path)
    expect(BattlePage(theirs).verdict).to_have_text("A visitor preferred A.")
    expect(theirs.locator("[data-contenders]")).to_contain_text("Lyra 13B")


def test_it_goes_on_for_another_turn(server, open_page):
    battle = BattlePage(open_page(server))
    battle.ask("First question")
    battle.wait_for_votes()
    battle.go_on("Second question")
    expect(battle.page.locator("[data-turn-count]")).to_have_text("Turn 2 of 5")
    battle.wait_for_votes()
    expect(battle.page.locator("body")).to_contain_text("First question")
    battle.vote("Tie")
    expect(battle.verdict).to_have_text("You called it a tie.")


def test_saying_why_is_kept(server, open_page):
    page = open_page(server)
    battle = BattlePage(page)
    battle.ask()
    battle.wait_for_votes()
    battle.vote()
    expect(battle.verdict).to_be_visible()
    page.get_by_label("useful").check()
    page.get_by_label(re.compile("In your own words")).fill("It was <b>clear</b>.")
    page.get_by_role("button", name="Save").click()
    page.wait_for_timeout(700)
    page.reload()
    expect(page.get_by_label("useful")).to_be_checked()
    expect(page.get_by_label(re.compile("In your own words"))).to_have_value("It was <b>clear</b>.")


@pytest.mark.parametrize(
    ("button", "legends"),
    [
        ("A is better", ["Good about A", "Bad about B"]),
        ("B is better", ["Good about B", "Bad about A"]),
        ("Tie", ["Good about both", "Bad about both"]),
        ("Both are bad", ["Bad about both"]),
    ],
)
def test_every_group_of_reasons_says_what_it_is_about(button, legends, server, open_page):
    page = open_page(server)
    battle = BattlePage(page)
    battle.ask()
    battle.wait_for_votes()
    battle.vote(button)
    expect(battle.verdict).to_be_visible()
    expect(page.locator("[data-legend]:visible")).to_have_text(legends)


def test_not_being_able_to_say_reveals_nothing(server, open_page):
    page = open_page(server)
    battle = BattlePage(page)
    battle.ask()
    battle.wait_for_votes()
    page.get_by_role("button", name="I can’t say").click()
    expect(battle.verdict).to_have_text("You could not say.")
    seen = battle.everything()
    assert not [name for name in NAMES if name.lower() in seen.lower()]


def test_stopping_keeps_what_was_written_and_it_can_be_judged(server, open_page):
    page = open_page(server)
    battle = BattlePage(page)
    battle.ask()
    wait_until(lambda: len(battle.text("b")) > 30, "some text was there")
    page.get_by_role("button", name="Stop").click()
    expect(battle.status("a")).to_have_text("You stopped this answer")
    assert len(battle.text("b")) > 30
    battle.wait_for_votes()


def test_the_same_prompt_meets_new_models_or_sides(server, open_page):
    page = open_page(server)
    battle = BattlePage(page)
    battle.ask("Ask me again")
    battle.wait_for_votes()
    battle.vote()
    expect(battle.verdict).to_be_visible()
    former = page.url
    page.get_by_role("button", name="Same prompt, new models").click()
    page.wait_for_url(lambda url: url != former and "/battle/" in url)
    expect(page.locator("body")).to_contain_text("Ask me again")
    battle.wait_for_votes()


def test_both_panes_are_equally_large(server, open_page):
    battle = BattlePage(open_page(server))
    battle.ask()
    battle.wait_for_votes()
    one, other = (battle.pane(side).bounding_box() for side in "ab")
    assert abs(one["width"] - other["width"]) <= 1
    assert abs(one["height"] - other["height"]) <= 1


def test_without_javascript_there_is_an_explanation_and_a_leaderboard(server, open_page):
    page = open_page(server, java_script_enabled=False)
    expect(page.locator("noscript")).to_have_count(1)
    page.goto(server.url + "/leaderboard/")
    expect(page.locator("h1")).to_have_text("Leaderboard")


def test_a_killed_server_leaves_the_battle_with_its_text_and_a_retry(make_server, open_page):
    server = make_server()
    for name in ("Orion 7B", "Lyra 13B"):
        server.register(name, options={"reply": LONG * 2, "delay": 0.02, "chunk_size": 3})
    server.start()
    page = open_page(server)
    page.watch.expected = ["WebSocket connection", "ERR_CONNECTION", "failed:"]
    battle = BattlePage(page)
    battle.ask("Will you survive?")
    wait_until(lambda: len(battle.text("a")) > 150, "some text was there")
    before = battle.text("a")
    server.stop(signal.SIGKILL)
    server.start()
    expect(battle.status("a")).to_have_text("Interrupted", timeout=30_000)
    after = battle.text("a")
    assert before.startswith(after[:20])
    assert len(after) > len(before) - 200
    page.get_by_role("button", name="Retry").click()
    battle.wait_for_votes()
    battle.vote("Both are bad")
    expect(battle.verdict).to_have_text("You found both bad.")
