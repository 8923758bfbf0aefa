"""Asking for runs on a page, and pausing, resuming and cancelling them."""

import html
import re
import threading
from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone

from evaluation import tasks
from evaluation.models import Run
from llms.models import LanguageModel
from tests.helpers.run_rows import run_row

pytestmark = pytest.mark.django_db

WISH = "preview=yes&model=orion-7b&rows=sample"


def text_of(response):
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", response.content.decode())).split())


@pytest.fixture
def announced(monkeypatch):
    told = []
    monkeypatch.setattr(tasks, "announce", lambda run: told.append(run.pk))
    return told


@pytest.fixture
def staff(client, adem):
    client.force_login(adem)
    return client


@pytest.fixture
def posts(staff):
    """Sends what the page's own form would send."""

    def posts(query, **more):
        body = staff.get(f"/runs/new/?{query}").content.decode()
        fields = {}
        form = body[body.index('method="post">', body.index("offers-title")) :]
        for name, value in re.findall(
            r'<input type="hidden" name="([a-z]+)" value="([^"]*)">', form[: form.index("</form>")]
        ):
            fields.setdefault(name, []).append(html.unescape(value))
        return staff.post("/runs/new/", {**fields, **more})

    return posts


# --- before the start


def test_it_shows_what_each_run_asks_and_costs_before_anything_is_started(counted, staff):
    text = text_of(staff.get(f"/runs/new/?{WISH}&benchmark=piqa&benchmark=mmlu&limit=1"))
    assert "piqa v1, 0-shot, without chat template, built-in sample of 1 rows" in text
    assert "the first run will tell" in text
    assert "too few samples to tell anything apart" in text
    assert "Start 2 runs" in text
    assert not Run.objects.exists()


def test_the_smallest_difference_and_the_time_come_from_sizes_and_former_runs(counted, staff):
    run_row(counted, 6, benchmark="piqa", n_characters=6000, options={"n_shots": 0})
    text = text_of(staff.get(f"/runs/new/?{WISH}&benchmark=piqa"))
    assert re.search(r"20 [\d,]+ \d+ s 39\.\d points", text), text


def test_what_is_not_applicable_says_why_and_the_others_can_start(counted, register, staff, posts, announced):
    register("Echo 1B", engine="gone")
    text = text_of(staff.get(f"/runs/new/?{WISH}&model=echo-1b&benchmark=piqa"))
    assert "Echo 1B PIQA not applicable Echo 1B cannot be run:" in text
    posts(f"{WISH}&model=echo-1b&benchmark=piqa")
    assert [run.llm.slug for run in Run.objects.all()] == ["orion-7b"]


def test_missing_rows_say_how_to_get_them_and_nothing_is_downloaded(counted, staff, settings, monkeypatch, tmp_path):
    settings.BENCHMARK_DATA_DIR, settings.HUB_ROWS_DIR = None, tmp_path
    monkeypatch.setattr("evaluation.datasets.hf_hub_download", _only_local)
    text = text_of(staff.get("/runs/new/?preview=yes&model=orion-7b&benchmark=piqa"))
    assert "not applicable Start a run while this server reaches the hub, which downloads baber/piqa" in text
    assert "Download missing rows and look again" in text


def _only_local(*_args, local_files_only, **_more):
    from huggingface_hub.errors import LocalEntryNotFoundError

    assert local_files_only, "a page that is only looked at must not download"
    raise LocalEntryNotFoundError("not here")


def test_a_suite_names_what_this_version_does_not_have(counted, staff):
    text = text_of(staff.get(f"/runs/new/?{WISH}&suite=after-finetuning"))
    assert "gaia not applicable This version has no benchmark “gaia” yet." in text
    assert "Start 6 runs" in text


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("preview=yes&benchmark=piqa", "Choose at least one model."),
        ("preview=yes&model=orion-7b", "Choose at least one benchmark, or a suite."),
        (f"{WISH}&benchmark=piqa&limit=0", "greater than or equal to 1"),
        (f"{WISH}&benchmark=nonsense", "Select a valid choice"),
        ("preview=yes&model=a%00b&benchmark=piqa", "Null characters are not allowed."),
        (f"{WISH}&benchmark=mmlu&draw=lm_eval", "has no draw of shots"),
    ],
)
def test_what_is_wrong_is_said_where_it_is_wrong(query, words, counted, staff):
    assert words in text_of(staff.get(f"/runs/new/?{query}"))


def test_a_link_brings_its_model_along_without_complaints(counted, staff):
    body = staff.get("/runs/new/?model=orion-7b").content.decode()
    assert re.search(r'value="orion-7b"[^>]* checked', body)
    assert "errorlist" not in body


def test_a_link_brings_any_other_field_along_too(counted, staff):
    body = staff.get("/runs/new/?benchmark=mmlu&benchmark=piqa&rows=sample&limit=7&shots=3&nonsense=1").content.decode()
    assert set(re.findall(r'name="benchmark" value="(\w+)"[^>]* checked', body)) == {"mmlu", "piqa"}
    assert '<option value="sample" selected>' in body
    assert re.search(r'name="limit" value="7"', body)
    assert re.search(r'name="shots" value="3"', body)
    assert "errorlist" not in body


def test_too_many_at_once_are_refused(counted, staff, monkeypatch):
    monkeypatch.setattr("evaluation.request_views.MOST_RUNS", 1)
    text = text_of(staff.get(f"/runs/new/?{WISH}&benchmark=piqa&benchmark=winogrande"))
    assert "That would be 2 runs, and 1 may be started at once" in text


# --- the start


def test_one_run_starts_as_it_was_shown_and_its_page_opens(
    counted, posts, adem, announced, django_capture_on_commit_callbacks
):
    with django_capture_on_commit_callbacks(execute=True):
        response = posts(f"{WISH}&benchmark=piqa&limit=3&shots=2&draw=fixed&seed=7&priority=5", start="yes")
    run = Run.objects.get()
    assert response["Location"] == f"/runs/{run.pk}/"
    assert (run.n_samples, run.limit, run.priority, run.data, run.requested_by) == (3, 3, 5, "sample", adem)
    assert (run.options["n_shots"], run.options["draw"], run.options["seed"]) == (2, "fixed", 7)
    assert announced == [run.pk]


def test_many_runs_start_together(counted, posts, staff, announced):
    response = posts(f"{WISH}&benchmark=piqa&benchmark=winogrande")
    assert response["Location"] == "/runs/"
    assert set(Run.objects.values_list("benchmark", flat=True)) == {"piqa", "winogrande"}
    assert "2 runs were put into the queue." in text_of(staff.get("/runs/"))


def test_a_second_click_finds_the_run_of_the_first(counted, posts, announced):
    first, second = (posts(f"{WISH}&benchmark=piqa&limit=3", start="yes") for _ in range(2))
    assert first["Location"] == second["Location"] == f"/runs/{Run.objects.get().pk}/"


def test_two_clicks_at_the_same_time_start_it_once(counted, adem, announced):
    """The threads have connections of their own: `counted` commits."""
    body = {"model": "orion-7b", "benchmark": "piqa", "rows": "sample", "start": "yes"}
    together = threading.Barrier(2)

    def click():
        client = Client()
        client.force_login(adem)
        together.wait(10)
        client.post("/runs/new/", body)
        connection.close()

    clicks = [threading.Thread(target=click) for _ in range(2)]
    for one in clicks:
        one.start()
    for one in clicks:
        one.join()
    assert Run.objects.count() == 1


@pytest.mark.parametrize(
    "change",
    [
        {"status": Run.Status.CANCELLED},
        {"status": Run.Status.FAILED},
        {"wanted": Run.Wanted.CANCEL, "status": Run.Status.RUNNING},
        {"created_at": timezone.now() - timedelta(minutes=1)},
        {"requested_by": None},
        {"limit": 4, "fingerprint": "another"},
    ],
)
def test_the_same_is_asked_for_again_on_purpose(counted, posts, announced, change):
    posts(f"{WISH}&benchmark=piqa&limit=3", start="yes")
    Run.objects.update(**change)
    posts(f"{WISH}&benchmark=piqa&limit=3", start="yes")
    assert Run.objects.count() == 2


def test_nothing_starts_by_looking(counted, staff):
    staff.get(f"/runs/new/?{WISH}&benchmark=piqa&start=yes")
    assert not Run.objects.exists()


# --- pause, resume, cancel


def test_a_run_is_paused_and_resumed(orion, staff, announced, django_capture_on_commit_callbacks):
    run = run_row(orion, status=Run.Status.QUEUED)
    assert "Pause" in text_of(staff.get(f"/runs/{run.pk}/"))
    assert staff.post("/runs/act/", {"action": "pause", "run": run.pk})["Location"] == f"/runs/{run.pk}/"
    run.refresh_from_db()
    assert run.status == Run.Status.PAUSED
    assert announced == []
    with django_capture_on_commit_callbacks(execute=True):
        staff.post("/runs/act/", {"action": "resume", "run": run.pk})
    run.refresh_from_db()
    assert (run.status, announced) == (Run.Status.QUEUED, [run.pk])


def test_cancelling_is_asked_about_first(orion, staff):
    run = run_row(orion, status=Run.Status.RUNNING)
    response = staff.post("/runs/act/", {"action": "cancel", "run": run.pk})
    run.refresh_from_db()
    assert "Cancel this run?" in text_of(response)
    assert run.wanted == Run.Wanted.RUN
    staff.post("/runs/act/", {"action": "cancel", "run": run.pk, "confirmed": "yes"})
    run.refresh_from_db()
    assert run.wanted == Run.Wanted.CANCEL
    text = text_of(staff.get(f"/runs/{run.pk}/"))
    assert "1 run was asked to stop, and will after the batch at work; what is scored is kept." in text
    assert "running will stop after the batch at work" in text


@pytest.mark.parametrize(
    ("action", "status", "words"),
    [
        ("pause", Run.Status.QUEUED, "2 runs were paused."),
        ("pause", Run.Status.RUNNING, "2 runs were asked to pause; those that are being scored will after the batch"),
        ("resume", Run.Status.PAUSED, "2 runs were resumed."),
    ],
    ids=["waiting", "at work", "resumed"],
)
def test_what_was_done_is_said_so_that_it_stays_true(action, status, words, orion, lyra, staff):
    wanted = Run.Wanted.PAUSE if action == "resume" else Run.Wanted.RUN
    chosen = [run_row(llm, status=status, wanted=wanted).pk for llm in (orion, lyra)]
    staff.post("/runs/act/", {"action": action, "run": chosen})
    assert words in text_of(staff.get("/runs/"))


def test_many_are_cancelled_at_once_and_the_list_stays_filtered(orion, staff):
    runs = [run_row(orion, status=Run.Status.QUEUED) for _ in range(3)]
    ended = run_row(orion)
    given = {"action": "cancel", "run": [run.pk for run in [*runs, ended]], "back": "status=queued"}
    assert "Cancel these 3 runs?" in text_of(staff.post("/runs/act/", given))
    response = staff.post("/runs/act/", {**given, "confirmed": "yes"})
    assert response["Location"] == "/runs/?status=queued"
    assert Run.objects.filter(status=Run.Status.CANCELLED).count() == 3
    assert "3 runs were cancelled; what is scored is kept." in text_of(staff.get("/runs/"))


@pytest.mark.parametrize(
    "given", [{}, {"action": "pause"}, {"action": "explode", "run": 1}, {"action": "pause", "run": "x"}]
)
def test_nonsense_changes_nothing_and_says_what_to_do(given, orion, staff):
    run_row(orion, status=Run.Status.QUEUED)
    staff.post("/runs/act/", given)
    assert "Choose at least one run first." in text_of(staff.get("/runs/"))
    assert Run.objects.get().status == Run.Status.QUEUED


def test_what_has_changed_meanwhile_is_said(orion, staff):
    run = run_row(orion)
    staff.post("/runs/act/", {"action": "pause", "run": run.pk})
    assert "Nothing was changed: these runs are in another state by now." in text_of(staff.get("/runs/"))


def test_nobody_is_led_off_the_site(orion, staff):
    run = run_row(orion, status=Run.Status.QUEUED)
    response = staff.post("/runs/act/", {"action": "pause", "run": run.pk, "back": "https://evil.example/"})
    assert response["Location"].startswith("/runs/?")


def test_only_staff_finds_buttons(orion, rana, client):
    run = run_row(orion, status=Run.Status.QUEUED)
    client.force_login(rana)
    for address in ("/runs/", f"/runs/{run.pk}/"):
        body = client.get(address).content.decode()
        assert "/runs/act/" not in body
        assert "/runs/new/" not in body


def test_registration_ends_with_a_way_to_run_benchmarks(orion, staff):
    assert orion.status == LanguageModel.Status.ENABLED
    assert "/runs/new/?model=orion-7b" in staff.get(f"/models/{orion.pk}/publish/").content.decode()
    assert "/runs/new/?model=orion-7b" in staff.get("/models/").content.decode()


def test_a_model_that_is_only_listed_has_no_engine_no_weight_and_no_run(orion, register, staff):
    listed = register("Faraway 9B", status=LanguageModel.Status.LISTED)
    body = staff.get("/models/").content.decode()
    (row,) = (row for row in body.split("<tr>") if listed.name in row)
    words = re.sub(r"<[^>]+>", " ", row).split()
    assert "–" in words
    assert not {"huggingface", "echo", "loaded", "1.0", "Run"} & set(words)
    assert f"/runs/new/?model={listed.slug}" not in body
    assert f"/runs/new/?model={orion.slug}" in body
