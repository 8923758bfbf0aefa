"""The corpus of hostile strings on the product's own pages: as model output (written live, reloaded, read by others),
as prompt and comment, and as names of models and firms."""

import pytest
from playwright.sync_api import expect

from tests.e2e.battle_page import BattlePage
from tests.e2e.xss_corpus import CORPUS

pytestmark = pytest.mark.e2e

STORE = """
import uuid
from arena import battles, voters
from arena.battles import Participant
from arena.models import Answer, Turn
from django.contrib.auth.models import AnonymousUser
from tests.e2e.xss_corpus import CORPUS
who = Participant(voters.remember("somebody", AnonymousUser()), AnonymousUser())
texts = [case.text.replace(chr(0), "").encode("utf-8", "replace").decode() for case in CORPUS]
for start in range(0, len(texts), 24):
    part = texts[start:start + 24]
    battle = battles.start(who, key=uuid.uuid4(), prompt="\\n\\n".join(part)[:8000])
    Answer.objects.filter(turn__battle=battle, side="a").update(state="complete", text="\\n\\n".join(part), shown_text="x")
    Answer.objects.filter(turn__battle=battle, side="b").update(state="complete", text="\\n\\n".join(part[::-1]), shown_text="x")
    battles.cast_vote(battle, who, outcome="tie")
    battles.give_feedback(battle, who, reasons=[], comment="\\n".join(part)[:2000])
    print(battle.pk)
"""
FORBIDDEN = (
    "script, iframe, object, embed, img, form, input, style, link, meta, base, svg[onload], [onerror], [onclick]"
)


@pytest.fixture(scope="module")
def server(make_server):
    """Two models with hostile names, each of which writes a part of the corpus."""
    server = make_server()
    texts = [case.text for case in CORPUS if len(case.text) < 150]
    for number, name in enumerate(("<script>window.pwned=1</script>", '"><img src=x onerror=window.pwned=1>')):
        server.register(
            name,
            slug=f"hostile-{number}",
            organisation="=HYPERLINK(1)<b onclick=window.pwned=1>",
            licence="javascript:window.pwned=1",
            options={"reply": "\n\n".join(texts[number::2][:80]), "chunk_size": 400},
        )
    server.start()
    return server


def assert_harmless(page):
    assert page.evaluate("typeof window.pwned") == "undefined"
    assert page.locator(".md").locator(FORBIDDEN).count() == 0
    assert page.locator(".site-header .wordmark").count() == 1


def test_live_answers_and_the_reveal_stay_text(server, open_page):
    page = open_page(server)
    page.on("dialog", lambda dialog: page.watch.complaints.append(f"a dialog opened: {dialog.message}"))
    battle = BattlePage(page)
    battle.ask("".join(case.text for case in CORPUS)[:7_900].replace("\x00", ""))
    battle.wait_for_votes(timeout=60_000)
    assert_harmless(page)
    battle.vote("Tie")
    expect(battle.verdict).to_be_visible()
    expect(page.locator("[data-contenders]")).to_contain_text("<script>window.pwned=1</script>")
    assert_harmless(page)
    page.goto(server.url + "/leaderboard/")
    assert page.evaluate("typeof window.pwned") == "undefined"


def test_every_string_of_the_corpus_stays_text_on_a_permalink(server, open_page):
    battles = server.run(STORE).split()
    page = open_page(server)
    page.on("dialog", lambda dialog: page.watch.complaints.append(f"a dialog opened: {dialog.message}"))
    for battle_id in battles:
        page.goto(f"{server.url}/battle/{battle_id}/")
        expect(BattlePage(page).verdict).to_be_visible()
        page.wait_for_timeout(300)
        assert_harmless(page)
    assert len(battles) * 24 >= len(CORPUS) >= 120


def test_a_spreadsheet_computes_no_name(server, open_page):
    page = open_page(server)
    text = page.request.get(server.url + "/leaderboard.csv").text()
    assert "'=HYPERLINK(1)" in text
