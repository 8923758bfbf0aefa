"""What a voter sees when models fail, hang or are refused: a sentence, a way on, and nothing lost."""

import itertools
import re

import pytest
from playwright.sync_api import expect

from tests.e2e.battle_page import BattlePage

pytestmark = pytest.mark.e2e

NUMBERS = itertools.count()
WELL = {"reply": "A good answer, said in a few words. " * 3}


@pytest.fixture(scope="module")
def server(make_server):
    server = make_server(FIRST_TOKEN_SECONDS="2", STALLED_SECONDS="2", ANSWER_SECONDS="6", TURN_LIMIT="2")
    server.start()
    return server


@pytest.fixture
def contenders(server):
    """Only these answer from now on: `contenders({...}, {...})`, each the options of a script."""

    def contenders(*scripts):
        server.run("from llms.models import LanguageModel as L; L.objects.update(status='disabled')")
        for script in scripts:
            number = next(NUMBERS)
            # models with the same options share an engine, and with it what has already failed
            server.register(f"Contender {number}", options={**script, "first_delay": number / 10_000})

    return contenders


def ask(server, open_page):
    page = open_page(server)
    battle = BattlePage(page)
    battle.ask("Does this work?")
    return page, battle


def test_one_side_fails_and_can_be_retried(server, contenders, open_page):
    contenders(WELL, {**WELL, "fail_times": 1})
    page, battle = ask(server, open_page)
    expect(page.locator("[data-vote-hint]")).to_contain_text("An answer is missing")
    expect(page.locator(".stage")).to_contain_text("The model broke off in the middle of its answer. Try again.")
    assert "Contender" not in battle.everything()
    page.get_by_role("button", name="Retry").click()
    battle.wait_for_votes()
    battle.vote("Tie")
    expect(battle.verdict).to_have_text("You called it a tie.")


def test_both_sides_fail_and_can_be_retried(server, contenders, open_page):
    contenders({**WELL, "fail_times": 1, "fail_at": 2}, {**WELL, "fail_times": 1})
    page, battle = ask(server, open_page)
    expect(battle.status("a")).to_have_text(re.compile("No answer|Interrupted"))
    expect(battle.status("b")).to_have_text(re.compile("No answer|Interrupted"))
    expect(page.locator("body")).to_contain_text("Does this work?")
    page.get_by_role("button", name="Retry").click()
    battle.wait_for_votes()


def test_a_third_model_takes_over_and_the_reveal_says_so(server, contenders, open_page):
    contenders({**WELL, "fail_at": 3}, {**WELL, "fail_at": 3}, WELL, WELL)
    for _ in range(6):
        page, battle = ask(server, open_page)
        battle.wait_for_votes()
        notice = page.get_by_text("another one answers in its place")
        has_notice = notice.count() > 0
        if has_notice:
            page.reload()
            expect(notice.first).to_be_visible()
            battle.wait_for_votes()
        battle.vote("Tie")
        expect(battle.verdict).to_be_visible()
        if has_notice:
            replaced = page.locator("[data-slot=replaced]").filter(has_text=re.compile("Contender"))
            expect(replaced.first).to_be_visible()
            return
    pytest.fail("in six battles no failing model was drawn")


@pytest.mark.parametrize(
    ("script", "sentence"),
    [
        ({**WELL, "hang_at": 0}, "The model did not begin to answer in time. Try again."),
        ({**WELL, "hang_at": 3}, "The model stopped in the middle of its answer. Try again."),
        ({"reply": "word " * 500, "delay": 0.1}, "The answer took too long. Try again, or ask for something shorter."),
    ],
    ids=["never begins", "stops in the middle", "takes too long"],
)
def test_a_time_out_is_said_and_the_other_answer_stays(script, sentence, server, contenders, open_page):
    contenders(WELL, script)
    page, battle = ask(server, open_page)
    expect(page.locator(".stage")).to_contain_text(sentence, timeout=20_000)
    expect(page.get_by_role("button", name="Retry")).to_be_visible()
    texts = battle.text("a") + battle.text("b")
    assert "A good answer" in texts


def test_too_long_a_conversation_is_no_fault_of_the_model(server, contenders, open_page):
    contenders(WELL, {**WELL, "max_prompt_characters": 5})
    page, _ = ask(server, open_page)
    expect(page.locator(".stage")).to_contain_text("The conversation is too long for this model.")


def test_too_long_a_prompt_stays_in_the_box(server, contenders, open_page):
    contenders(WELL, WELL)
    page = open_page(server)
    box = page.get_by_label("Your prompt", exact=True)
    box.fill("x" * 8_001)
    box.press("Enter")
    expect(page.get_by_role("alert").filter(has_text=re.compile("8.001"))).to_be_visible()
    assert len(box.input_value()) == 8_001


def test_one_model_is_no_battle(server, contenders, open_page):
    contenders(WELL)
    page = open_page(server)
    expect(page.locator("main")).to_contain_text(re.compile("two models", re.IGNORECASE))


def test_the_last_turn_says_that_it_is_the_last(server, contenders, open_page):
    contenders(WELL, WELL)
    page, battle = ask(server, open_page)
    battle.wait_for_votes()
    battle.go_on("And again?")
    battle.wait_for_votes()
    expect(page.locator("body")).to_contain_text("This was the last turn.")


def test_an_empty_answer_can_be_judged(server, contenders, open_page):
    contenders(WELL, {"reply": ""})
    page, battle = ask(server, open_page)
    battle.wait_for_votes()
    expect(page.locator(".stage")).to_contain_text("The model ended without a word.")
