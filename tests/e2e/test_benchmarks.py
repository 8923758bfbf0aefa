"""A private benchmark in a real browser: uploaded, examined, run on a scripted engine, and its result read; and two runs
compared. All pages in both themes and languages, at a desk and on a phone."""

import contextlib
import http.client
import itertools
import json

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

QUESTION = "Which of the rooms on floor {n} may be booked for a {kind} of the whole team?"
KINDS = ("meeting", "party", "lesson", "rehearsal")
LOOKS = [
    pytest.param(
        {"color_scheme": theme, "locale": language, "viewport": {"width": width, "height": 844}},
        id=f"{theme}-{language}-{width}",
    )
    for theme, language, width in itertools.product(("light", "dark"), ("en", "tr"), (1280, 390))
]


@pytest.fixture(scope="module")
def site(make_server):
    server = make_server()
    server.run("from django.contrib.auth.models import User; User.objects.create_superuser('adem', password='adem')")
    server.register("Orion 7B", options={"reply": "Lighthouse"})
    server.register("Lyra 13B", options={"reply": "Harbour"})
    server.start()
    return server


@pytest.fixture
def signed_in(open_page, site):
    def signed_in(**options):
        page = open_page(site, "/accounts/sign-in/", **options)
        page.locator("input[name=username]").fill("adem")
        page.locator("input[name=password]").fill("adem")
        page.locator("main form [type=submit]").click()
        page.wait_for_url(site.url + "/")
        return page

    return signed_in


def rooms(n=24, answer="Lighthouse"):
    """Every second question is asked twice, in nearly the same words."""
    return [
        {"id": f"q{i}", "question": QUESTION.format(n=i, kind=KINDS[i % 4]) + "?" * (i % 2), "answer": [answer]}
        for i in range(n)
    ]


def file_of(tmp_path, rows):
    path = tmp_path / "rooms.jsonl"
    path.write_text("\n".join(row if isinstance(row, str) else json.dumps(row) for row in rows))
    return path


def upload(page, path, title):
    page.get_by_label("Title").fill(title)
    page.locator("input[type=file]").set_input_files(path)
    page.get_by_role("button", name="Check and store").click()


def test_from_the_upload_to_the_result_and_the_comparison(site, signed_in, tmp_path):
    page = signed_in()
    page.watch.expected = ["422"]
    page.get_by_role("link", name="Benchmarks").click()
    page.get_by_role("link", name="Add a private benchmark").click()
    upload(page, file_of(tmp_path, ["no json", *rooms()]), "Rooms")
    expect(page.get_by_text("1 line has to be mended")).to_be_visible()
    expect(page.locator("[data-problems]")).to_be_focused()
    assert page.get_by_label("Title").input_value() == "Rooms"

    upload(page, file_of(tmp_path, rooms()), "Rooms")
    page.wait_for_url("**/benchmarks/private/rooms/")
    expect(page.get_by_text("What it can tell apart")).to_be_visible(timeout=60_000)  # without a reload

    for name in ("orion-7b", "lyra-13b"):
        page.goto(f"{site.url}/runs/new/?benchmark=private/rooms&model={name}")
        page.get_by_role("button", name="Show what it takes").click()
        page.get_by_role("button", name="Start").click()
        page.wait_for_url("**/runs/**")
    page.goto(f"{site.url}/benchmarks/private/rooms/")
    for _ in range(60):
        if page.get_by_text("succeeded").count() == 2:
            break
        page.wait_for_timeout(1000)
        page.reload()
    expect(page.get_by_text("succeeded")).to_have_count(2)
    expect(page.get_by_text("100.0%")).to_be_visible()
    expect(page.get_by_text("0.0%", exact=False).last).to_be_visible()

    page.get_by_role("link", name="Rooms").first.click()
    page.get_by_role("link", name="Compare").click()
    other = page.locator("#run-b option", has_text="Orion 7B").first.get_attribute("value")
    page.locator("#run-b").select_option(other)
    page.get_by_role("button", name="Compare").click()
    expect(page.get_by_role("heading", name="Orion 7B is better on these questions.")).to_be_visible()
    expect(page.get_by_text("−100.0").first).to_be_visible()


def test_a_file_that_is_too_large_is_not_even_sent(signed_in, tmp_path, site):
    page = signed_in()
    page.goto(site.url + "/benchmarks/private/new/")
    path = tmp_path / "large.jsonl"
    path.write_bytes(b"x" * 20_000_001)
    page.get_by_label("Title").fill("Large")
    page.locator("input[type=file]").set_input_files(path)
    page.get_by_role("button", name="Check and store").click()

    assert page.evaluate("document.querySelector('input[type=file]').validationMessage").startswith(
        "This file is larger"
    )
    assert page.url.endswith("/benchmarks/private/new/")


def test_the_server_answers_before_it_has_read_a_body_that_announces_too_much(signed_in, site):
    cookies = {cookie["name"]: cookie["value"] for cookie in signed_in().context.cookies()}
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", site.port, timeout=30)) as connection:
        connection.putrequest("POST", "/benchmarks/private/new/")
        connection.putheader("Cookie", f"sessionid={cookies['sessionid']}")
        connection.putheader("Content-Type", "multipart/form-data; boundary=x")
        connection.putheader("Content-Length", "5000000000")
        connection.endheaders()  # and not a byte of the body
        with contextlib.closing(connection.getresponse()) as answer:
            words = answer.read().decode()

    assert answer.status == 413
    assert "a set may have up to 20 MB" in words


@pytest.mark.parametrize("look", LOOKS)
def test_every_page_is_clean(look, site, signed_in):
    page = signed_in(**look)
    for path in ("/benchmarks/", "/benchmarks/mmlu/", "/benchmarks/private/new/", "/runs/compare/"):
        page.goto(site.url + path)
        check(page, path)


@pytest.mark.parametrize("look", LOOKS)
def test_the_pages_of_a_set_are_clean(look, site, signed_in, tmp_path):
    page = signed_in(**look)
    if page.goto(site.url + "/benchmarks/private/clean/").status == 404:
        page.goto(site.url + "/benchmarks/private/new/")
        page.locator("input[name=title]").fill("Clean")
        page.locator("input[type=file]").set_input_files(file_of(tmp_path, rooms()))
        page.locator("main form [type=submit]").click()
        page.wait_for_url("**/private/clean/")
    page.watch.expected = ["404"]
    expect(page.locator("#health .health-facts")).to_be_visible(timeout=60_000)
    for path in ("", "items/", "replace/", "change/", "delete/"):
        page.goto(f"{site.url}/benchmarks/private/clean/{path}")
        check(page, path)


def check(page, where):
    found = Axe().run(page).response["violations"]
    problems = [f"{v['id']}: {[node['target'] for node in v['nodes']][:3]}" for v in found]
    assert problems == [], where
    wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert wide <= 0, f"{where} scrolls {wide} px sideways"
