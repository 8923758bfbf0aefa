"""From an empty database to a battle, in a real browser: four clicks, or the keyboard alone."""

import contextlib
import re
import socket
import time

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from llms.local_servers import USUAL_PORTS
from tests.e2e.battle_page import BattlePage
from tests.helpers.model_server import Script, event, model_server
from tests.helpers.transformers_server import transformers_server

pytestmark = [pytest.mark.e2e, pytest.mark.slow]


@pytest.fixture(scope="module")
def make_site(make_server):
    def make_site():
        server = make_server()
        server.run(
            "from django.contrib.auth.models import User; User.objects.create_superuser('adem', password='adem')"
        )
        server.start()
        return server

    return make_site


@pytest.fixture(scope="module")
def site(make_site):
    return make_site()


@pytest.fixture(scope="module")
def scripted():
    """A model server that plays; the answer holds markup that must stay text."""
    with model_server() as server:
        hostile = "I am **Orion**. <img src=x onerror=alert(1)> <b>bold</b>\n\n"
        pieces = [event(hostile), event("And 42."), event("", finish="stop"), "[DONE]"]
        server.scripts["org/Orion-7B"] = Script(body=pieces)
        server.scripts["org/Slow-7B"] = Script(body=[event("One "), *[0.2, event("more ")] * 200])
        yield server


@pytest.fixture
def signed_in(open_page):
    def signed_in(server, **options):
        page = open_page(server, "/accounts/sign-in/", **options)
        page.locator("input[name=username]").fill("adem")
        page.locator("input[name=password]").fill("adem")
        page.locator("main form [type=submit]").click()
        page.wait_for_url(server.url + "/")
        return page

    return signed_in


def usual_port():
    for port in USUAL_PORTS:
        with contextlib.closing(socket.socket()) as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    pytest.skip("all usual ports of model servers are taken here")


@pytest.mark.models
def test_from_an_empty_database_to_a_battle_in_four_clicks(make_site, signed_in, tmp_path, record_property):
    """The server that is found is a real one, with a real model."""
    with transformers_server(tmp_path, usual_port()) as served:
        site = make_site()
        page = signed_in(site)
        page.context.set_default_timeout(60_000)
        began = time.monotonic()
        clicks = []

        def click(locator):
            clicks.append(locator.inner_text())
            locator.click()

        click(page.get_by_role("link", name="Register a model"))
        click(page.get_by_role("button", name="Look on this machine"))
        offer = page.locator(".found-models li").filter(has_text=served.served_name)
        click(offer.get_by_role("button", name="Use it with two settings"))
        page.wait_for_url(site.url + "/")
        expect(page.get_by_text("are in the arena.")).to_be_visible()
        page.locator("#ask-prompt").fill("Say hello in one word.")
        click(page.get_by_role("button", name="Start the battle"))
        battle = BattlePage(page)
        battle.wait_for_votes()
        took = time.monotonic() - began
        assert battle.text("a").strip()
        assert battle.text("b").strip()
        assert len(clicks) <= 4
        record_property("seconds until the vote", round(took, 1))  # said, not judged: machines differ
        battle.vote("Tie")
        expect(battle.verdict).to_have_text("You called it a tie.")
        assert {"temperature 0", "temperature 1"} == set(
            re.findall(r"temperature \d", page.locator("body").inner_text())
        )


def press(page, key, times=1):
    for _ in range(times):
        page.keyboard.press(key)


def tab_to(page, words, field=False):
    """As somebody without a mouse would: on and on until it is there, and it must be visible that it is."""
    for _ in range(80):
        page.keyboard.press("Tab")
        name = page.evaluate(
            "(document.activeElement.getAttribute('aria-label') || document.activeElement.innerText || '').trim()"
        )
        if words == page.evaluate("document.activeElement.name") if field else re.search(words, name):
            outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
            assert outline != "none", f"nothing shows that {words} has the focus"
            return
    raise AssertionError(f"the keyboard does not reach {words}")


def test_all_steps_by_keyboard(site, scripted, signed_in):
    page = signed_in(site)
    tab_to(page, "Models")
    press(page, "Enter")
    page.wait_for_url("**/models/")
    tab_to(page, "Register a model")
    press(page, "Enter")
    page.wait_for_url("**/models/register/")
    tab_to(page, "At an address")
    press(page, "Enter")
    page.wait_for_url("**from=server")
    tab_to(page, "address", field=True)
    page.keyboard.type(f"127.0.0.1:{scripted.port}")
    press(page, "Enter")
    page.wait_for_url("**endpoint=*")
    tab_to(page, "Register org/Orion-7B")
    press(page, "Enter")
    page.wait_for_url("**/source/")
    tab_to(page, "Save and check")
    press(page, "Enter")
    page.wait_for_url("**/check/")
    tab_to(page, "Go on")
    press(page, "Enter")
    page.wait_for_url("**/template/")
    tab_to(page, "Save and try it")
    press(page, "Enter")
    page.wait_for_url("**/try/")
    tab_to(page, "Ask it")
    press(page, "Enter")
    expect(page.locator("[data-text]")).to_contain_text("And 42.")
    assert page.locator("[data-text] img, [data-text] b").count() == 0
    expect(page.locator("[data-text] strong")).to_have_text("Orion")
    tab_to(page, "Go on")
    press(page, "Enter")
    page.wait_for_url("**/publish/")
    tab_to(page, "^Publish$")
    press(page, "Enter")
    expect(page.locator("main").get_by_text("Orion-7B is in the arena.").first).to_be_visible()
    page.reload()
    expect(page.get_by_role("link", name="Its page in the administration")).to_be_visible()


def test_leaving_stops_the_computation(site, scripted, signed_in):
    page = signed_in(site)
    page.goto(site.url + "/models/register/?from=server")
    page.get_by_label("address").fill(scripted.url)
    page.get_by_role("button", name="Ask what it serves").click()
    page.get_by_role("button", name="Register org/Slow-7B").click()
    page.wait_for_url("**/source/")
    page.goto(page.url.replace("/source/", "/try/"))
    n_left = scripted.n_left
    page.get_by_role("button", name="Ask it").click()
    expect(page.locator("[data-text]")).to_contain_text("One more")
    page.get_by_role("button", name="Stop").click()
    expect(page.locator("[data-status]")).to_have_text("Stopped.")
    wait_for(lambda: scripted.n_left == n_left + 1)
    page.get_by_role("button", name="Ask it").click()
    expect(page.locator("[data-text]")).to_contain_text("One more")
    page.goto(site.url + "/models/")
    wait_for(lambda: scripted.n_left == n_left + 2)


def wait_for(condition):
    deadline = time.monotonic() + 15
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_step_is_clean(theme, width, site, signed_in):
    site.register("Pavo 3B", options={"reply": "Hello"}, status="disabled")
    found = site.run("from llms.models import LanguageModel as L; print(L.objects.get(slug='pavo-3b').pk)")
    page = signed_in(site, color_scheme=theme, viewport={"width": width, "height": 844})
    pages = [f"/models/register/?from={place}" for place in ("machine", "server", "files", "adapter")]
    steps = [f"/models/{found.split()[-1]}/{step}/" for step in ("source", "check", "template", "try", "publish")]
    for path in ["/models/", *pages, *steps]:
        page.goto(site.url + path)
        problems = [f"{v['id']}: {v['nodes'][0]['target']}" for v in Axe().run(page).response["violations"]]
        assert problems == [], path
        assert page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") <= 0, path
