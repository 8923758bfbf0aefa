"""axe, sideways scrolling, and the policy on every page and in every state of a battle: both themes, a desk and a
phone, both languages."""

import itertools

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from tests.e2e.battle_page import BattlePage, wait_until

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

ANSWER = """## A heading

Some **bold** words, a [link](https://example.org) and `code`.

1. one
2. two

```python
print("hello")
```

| a | b |
|---|---|
| 1 | 2 |

"""
LOOKS = [
    pytest.param(
        {"color_scheme": theme, "locale": language, "viewport": {"width": width, "height": 844}},
        id=f"{theme}-{language}-{width}",
    )
    for theme, language, width in itertools.product(("light", "dark"), ("en", "tr"), (1280, 390))
]


@pytest.fixture(scope="module")
def server(make_server):
    server = make_server(FIRST_TOKEN_SECONDS="2")
    server.register("Orion 7B", options={"reply": ANSWER * 3, "delay": 0.004}, organisation="Northlab", licence="MIT")
    server.register("Lyra 13B", options={"reply": ANSWER * 2, "delay": 0.004}, organisation="Blue Peak")
    server.run("from django.contrib.auth.models import User; User.objects.create_superuser('adem', password='adem')")
    server.start()
    return server


def check(page, where):
    found = Axe().run(page).response["violations"]
    problems = [f"{v['id']}: {[node['target'] for node in v['nodes']][:3]}" for v in found]
    assert problems == [], where
    wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert wide <= 0, f"{where} scrolls {wide} px sideways"


@pytest.mark.parametrize("look", LOOKS)
def test_every_page_is_clean(look, server, open_page):
    page = open_page(server, **look)
    page.watch.expected = ["404"]
    for path in ("/", "/leaderboard/", "/accounts/sign-in/", "/nowhere/"):
        page.goto(server.url + path)
        check(page, path)
    page.goto(server.url + "/accounts/sign-in/")
    page.locator("input[name=username]").fill("adem")
    page.locator("input[name=password]").fill("adem")
    page.locator("main form [type=submit]").click()
    page.wait_for_url(server.url + "/")
    for path in ("/account/", "/account/password/"):
        page.goto(server.url + path)
        check(page, path)


@pytest.mark.parametrize("look", LOOKS)
def test_every_state_of_a_battle_is_clean(look, server, open_page):
    page = open_page(server, **look)
    battle = BattlePage(page)
    page.locator("#ask-prompt").fill("Hello")
    page.locator("#ask-prompt").press("Enter")
    wait_until(lambda: battle.text("a") and battle.text("b"), "both answers began")
    check(page, "while answering")
    expect(page.locator("[data-stop]")).to_be_hidden(timeout=30_000)
    if look["viewport"]["width"] < 600:
        page.locator("[data-show-side=b]").click()
        page.wait_for_timeout(600)
    expect(page.locator("[data-outcome=tie]")).not_to_have_attribute("aria-disabled", "true", timeout=30_000)
    check(page, "before the vote")
    page.locator("[data-outcome=tie]").click()
    expect(battle.verdict).to_be_visible()
    check(page, "after the vote")
