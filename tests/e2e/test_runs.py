"""Runs in a real browser: asked for without a script, followed without a reload, read by keyboard; every page in both
themes, both languages, on a desk and a phone."""

import itertools

import pytest
from playwright.sync_api import expect

from tests.e2e.test_accessibility import check

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

SEED = """
from django.contrib.auth.models import User
from llms.models import LanguageModel
from evaluation.models import Run
from tests.helpers.run_rows import run_row
User.objects.create_superuser("adem", password="adem")
llm = LanguageModel.objects.get(slug="orion-7b")
run_row(llm, 60)
run_row(llm, 60, status=Run.Status.PAUSED, n_done=60)
Run.objects.filter(pk=2).update(n_samples=100)
"""
FINISH = """
from evaluation.models import Run
Run.objects.filter(pk={run}).update(status={status!r}, n_done={done}, value=0.75, finished_at=None)
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
    server = make_server()
    server.register("Orion 7B")
    server.run(SEED)
    server.start()
    return server


@pytest.fixture
def signed_in(open_page, server):
    def signed_in(path, **options):
        page = open_page(server, f"/accounts/sign-in/?next={path}", **options)
        page.locator("input[name=username]").fill("adem")
        page.locator("input[name=password]").fill("adem")
        page.locator("input[name=password]").press("Enter")
        page.wait_for_url(server.url + path)
        return page

    return signed_in


def test_a_run_is_followed_to_its_end_without_a_reload(server, open_page):
    server.run("from evaluation.models import Run; Run.objects.filter(pk=2).update(status='running', n_done=20)")
    server.run(
        "from evaluation.models import Run; from django.utils import timezone; from datetime import timedelta;"
        " Run.objects.filter(pk=2).update(heartbeat_at=timezone.now() + timedelta(hours=1))"
    )
    page = open_page(server, "/runs/2/")
    expect(page.locator("#run")).to_contain_text("20 of 100")
    page.evaluate("window.stillTheSame = true")
    server.run(FINISH.format(run=2, status="running", done=70))
    expect(page.locator("#run")).to_contain_text("70 of 100")
    expect(page.locator(".run-number")).to_have_text("75.0%")
    server.run(FINISH.format(run=2, status="cancelled", done=70))
    expect(page.locator(".run-state")).to_contain_text("cancelled")
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    page.wait_for_timeout(3000)
    assert asked == [], "a run that has ended is not asked for again"
    assert page.evaluate("window.stillTheSame")


def test_the_list_follows_and_leaves_alone_what_was_chosen(server, signed_in):
    server.run("from evaluation.models import Run; Run.objects.filter(pk=2).update(status='running', n_done=30)")
    page = signed_in("/runs/")
    box = page.locator("input[name=run][value='1']")
    box.check()
    server.run(FINISH.format(run=2, status="paused", done=31))
    expect(page.locator("#state-2")).to_contain_text("paused")
    expect(page.locator("#progress-2")).to_contain_text("31 of 100")
    expect(box).to_be_checked()
    page.get_by_label("Choose all").check()
    expect(page.locator("input[name=run][value='2']")).to_be_checked()


def test_samples_are_read_by_keyboard(server, open_page):
    page = open_page(server, "/runs/1/samples/?verdict=wrong")
    page.keyboard.press("j")
    page.keyboard.press("j")
    page.keyboard.press("k")
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    page.wait_for_url("**/runs/1/samples/6/?verdict=wrong")
    page.keyboard.press("j")
    page.wait_for_url("**/runs/1/samples/9/?verdict=wrong")
    page.keyboard.press("k")
    page.wait_for_url("**/runs/1/samples/6/?verdict=wrong")
    page.get_by_role("link", name="Show blanks").click()
    expect(page.locator(".prompt-mark").first).to_be_visible()
    page.get_by_role("link", name="List").click()
    page.locator("#samples-q").fill("Question 1")
    page.locator("#samples-q").press("j")
    expect(page.locator("#samples-q")).to_be_focused()


def test_all_of_it_works_without_a_script(server, signed_in):
    page = signed_in("/runs/", java_script_enabled=False)
    page.get_by_role("link", name="New runs").click()
    page.get_by_label("Orion 7B").check()
    page.get_by_label("PIQA").check()
    page.get_by_label("Rows").select_option("sample")
    page.get_by_role("button", name="Show what it takes").click()
    expect(page.locator(".offers-table")).to_contain_text("20")
    page.get_by_role("button", name="Start 1 run").click()
    expect(page.locator("h1")).to_contain_text("PIQA")
    expect(page.locator("#run")).to_be_visible()
    page.goto(server.url + "/runs/1/samples/")
    page.get_by_role("link", name="Next page").click()
    page.get_by_role("link", name="Question 50").click()
    expect(page.locator("h2").first).to_contain_text("Sample 51 of 60")


def test_cancelling_asks_first(server, signed_in):
    server.run("from evaluation.models import Run; Run.objects.filter(pk=2).update(status='paused', wanted='run')")
    page = signed_in("/runs/2/")
    page.get_by_role("button", name="Cancel…").click()
    expect(page.locator("h1")).to_have_text("Cancel this run?")
    page.get_by_role("button", name="Cancel the run").click()
    page.wait_for_url("**/runs/2/")
    expect(page.locator(".run-state")).to_contain_text("cancelled")


@pytest.mark.parametrize("look", LOOKS)
def test_every_page_is_clean(look, server, signed_in):
    page = signed_in("/runs/", **look)
    paths = ["/runs/", "/runs/1/", "/runs/1/samples/", "/runs/1/samples/3/?blanks=on", "/runs/1/configuration/"]
    asked = "/runs/new/?preview=yes&model=orion-7b&benchmark=piqa&suite=after-finetuning&rows=sample"
    for path in [*paths, "/runs/?status=failed", asked]:
        page.goto(server.url + path)
        check(page, path)


def test_a_run_that_was_asked_for_on_the_page_is_scored_while_one_watches(server, signed_in):
    page = signed_in("/runs/")
    page.goto(server.url + "/runs/new/?model=orion-7b&benchmark=mmlu")
    page.get_by_label("Rows").select_option("sample")
    page.get_by_role("button", name="Show what it takes").click()
    page.get_by_role("button", name="Start 1 run").click()
    expect(page.locator("h1")).to_contain_text("MMLU")
    page.evaluate("window.stillTheSame = true")
    expect(page.locator(".run-state")).to_contain_text("succeeded", timeout=90_000)
    expect(page.locator(".run-number")).to_be_visible()
    expect(page.locator(".means-table tbody tr").first).to_contain_text("all questions")
    assert page.evaluate("window.stillTheSame")
    page.locator(".run-tabs").get_by_role("link", name="Samples").click()
    expect(page.locator(".samples-table tbody tr")).to_have_count(20)
