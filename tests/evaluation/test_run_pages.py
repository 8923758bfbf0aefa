"""The list of runs, a run's page, its configuration: what they say, to whom, and with how many queries."""

import html
import json
import re
from datetime import timedelta

import pytest
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from evaluation.models import Run, RunLog
from llms.models import Visibility
from llms.sentences import filled
from tests.helpers.run_rows import run_row

pytestmark = pytest.mark.django_db


def text_of(response):
    """What one reads: without markup, blanks as one."""
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", response.content.decode())).split())


@pytest.fixture
def page(client):
    return lambda address: text_of(client.get(address))


# --- the list


def test_it_says_that_there_is_nothing_yet_and_what_a_run_is(page):
    assert "No runs yet" in page("/runs/")


def test_it_shows_each_run_with_its_result_and_standard_error(orion, page):
    run_row(orion, 6)
    assert "MMLU Orion 7B 66.7% ± 10.0 acc succeeded 6 of 6" in page("/runs/")


def test_numbers_are_written_as_the_reader_writes_them(orion, client):
    run_row(orion, 6)
    body = text_of(client.get("/runs/", headers={"accept-language": "tr"}))
    assert "66,7" in body
    assert "± 10,0" in body


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("model=orion-7b", {1}),
        ("benchmark=piqa", {2}),
        ("status=failed", {3}),
        ("q=lyra", {2, 3}),
        ("q=winogr+lyra", {3}),
        ("status=nowhere", set()),
        ("q=%00", {1, 2, 3}),
        ("q=lyra" + "+a" * 7 + "+nobody", {2, 3}),
        ("q=lyra" + "+" * 200 + "nobody", {2, 3}),
    ],
)
def test_filters_and_search_combine(query, found, orion, lyra, client):
    runs = [
        run_row(orion),
        run_row(lyra, benchmark="piqa"),
        run_row(lyra, benchmark="winogrande", status=Run.Status.FAILED),
    ]
    body = client.get(f"/runs/?{query}").content.decode()
    assert {place for place, run in enumerate(runs, 1) if f"/runs/{run.pk}/" in body} == found


def test_a_filter_that_finds_nothing_offers_the_way_back(orion, page):
    run_row(orion)
    assert "No run fits these filters Show all runs" in page("/runs/?status=failed")


def test_a_number_finds_its_run(orion, client):
    first, second = run_row(orion), run_row(orion)
    body = client.get(f"/runs/?q=%23{second.pk}").content.decode()
    assert f"/runs/{second.pk}/" in body
    assert f"/runs/{first.pk}/" not in body


def test_pages_keep_the_filter(orion, client):
    for _ in range(51):
        run_row(orion, 1)
    body = client.get("/runs/?model=orion-7b").content.decode()
    assert 'href="?model=orion-7b&amp;page=2"' in body
    assert text_of(client.get("/runs/?model=orion-7b&page=2")).count("MMLU Orion 7B") == 1


def test_the_number_of_queries_does_not_grow_with_the_runs(orion, django_assert_max_num_queries, client, adem):
    client.force_login(adem)
    for _ in range(3):
        run_row(orion, 1, requested_by=adem)
    client.get("/runs/")
    with CaptureQueriesContext(connection()) as few:
        client.get("/runs/")
    for _ in range(30):
        run_row(orion, 1, requested_by=adem)
    with django_assert_max_num_queries(len(few)):
        client.get("/runs/")


def connection():
    from django.db import connection

    return connection


def test_what_changes_by_itself_is_asked_for_and_nothing_else(orion, client):
    ended = run_row(orion)
    going = run_row(orion, 4, status=Run.Status.RUNNING, n_done=1, heartbeat_at=timezone.now())
    assert f'hx-get="/runs/?live={going.pk}"' in client.get("/runs/").content.decode()
    body = client.get(f"/runs/?live={going.pk},{ended.pk},x,99999").content.decode()
    assert f'id="progress-{going.pk}" hx-swap-oob="true"' in body
    assert 'hx-get="/runs/?live=' in body
    Run.objects.filter(pk=going.pk).update(status=Run.Status.SUCCEEDED)
    body = client.get(f"/runs/?live={going.pk}").content.decode()
    assert "hx-get" not in body, "nothing is left to ask for"
    assert "succeeded" in body


# --- one run


def test_the_result_is_told_with_its_interval_and_standard_error_and_drawn(orion, client):
    run = run_row(orion, 6)
    body = client.get(f"/runs/{run.pk}/")
    words = "it would mostly lie between 40.0% and 80.0% (95% interval). The standard error inside subjects,"
    assert words in text_of(body)
    assert 'aria-label="66.7%, 95% interval from 40.0% to 80.0%"' in body.content.decode()


def test_a_standard_error_that_is_pooled_over_subjects_says_so(orion, client):
    run = run_row(orion, 6)
    pooled = text_of(client.get(f"/runs/{run.pk}/"))
    run.metrics.filter(scope="subject").delete()
    plain = text_of(client.get(f"/runs/{run.pk}/"))

    words = "The standard error inside subjects, as lm-evaluation-harness pools it, is 10.0 points; the interval takes"
    assert words in pooled
    assert "± is the standard error inside subjects; the interval takes all questions as one draw." in pooled
    assert "The standard error is 10.0 points." in plain
    assert "± is the standard error." in plain
    assert "inside subjects" not in plain


def test_a_running_run_shows_speed_time_left_and_the_metric_so_far(orion, page):
    fields = {"status": Run.Status.RUNNING, "seconds": 3.0, "heartbeat_at": timezone.now()}
    run = run_row(orion, 6, **fields)
    Run.objects.update(n_samples=100)
    text = page(f"/runs/{run.pk}/")
    assert "6 of 100 · 2.0/s · about 47 s left" in text
    assert "acc so far" in text


@pytest.mark.parametrize("status", ["running", "paused", "cancelled", "failed"])
def test_of_rows_that_are_no_sample_of_all_no_interval_is_told(status, orion, client):
    run = run_row(orion, 6, status=status)
    Run.objects.update(n_samples=1838)
    body = client.get(f"/runs/{run.pk}/")
    assert "Of 6 of 1,838 rows, and these are no random ones" in text_of(body)
    assert "the longest rows first" in text_of(body)
    for words in ("mostly lie", "interval from", "standard error", "±"):
        assert words not in body.content.decode(), words
    listed = client.get("/runs/")
    assert "66.7%" in text_of(listed)
    assert "part of the rows" in text_of(listed)
    assert "±" not in text_of(listed)


def test_a_run_that_scored_all_its_rows_is_not_called_a_part(orion, page):
    run_row(orion, 6)
    assert "±" in page("/runs/")
    assert "part of the rows" not in page("/runs/")


@pytest.mark.parametrize(
    ("n_characters_done", "words"),
    [
        (400, "10 of 100 · 0.3/s · about 45 s left (the rows get shorter)"),
        (95, "10 of 100 · 0.3/s · about 4 min 46 s left"),
        (50, "10 of 100 · 0.3/s · about 9 min 30 s left (the rows get longer)"),
    ],
    ids=["shorter", "alike", "longer"],
)
def test_a_time_left_that_contradicts_the_speed_says_why(orion, page, n_characters_done, words):
    fields = {"status": Run.Status.RUNNING, "seconds": 30.0, "heartbeat_at": timezone.now()}
    run = run_row(orion, 10, n_characters=1000, n_characters_done=n_characters_done, **fields)
    Run.objects.update(n_samples=100)
    text = page(f"/runs/{run.pk}/")
    assert words in text
    assert ("(the rows" in text) == ("(the rows" in words)


@pytest.mark.parametrize(
    ("n_characters_done", "seconds_left"),
    [(900, 30 * 100 / 900), (0, 270.0), (1200, 270.0)],
    ids=["by characters", "written by a former version", "out of date"],
)
def test_the_time_left_is_that_of_the_characters_left(orion, n_characters_done, seconds_left):
    """The longest samples come first."""
    run = run_row(orion, 10, n_characters=1000, n_characters_done=n_characters_done, seconds=30.0)
    run.n_samples = 100

    assert run.seconds_left == pytest.approx(seconds_left)


@pytest.mark.parametrize("status", ["queued", "running"])
def test_only_a_run_that_goes_on_asks_again(status, orion, client):
    run = run_row(orion, status=status)
    asks = f'hx-get="/runs/{run.pk}/?fragment" hx-trigger="every 2s"'
    assert asks in client.get(f"/runs/{run.pk}/").content.decode()
    assert asks in client.get(f"/runs/{run.pk}/?fragment").content.decode()
    Run.objects.filter(pk=run.pk).update(status="succeeded")
    assert "hx-get" not in client.get(f"/runs/{run.pk}/?fragment").content.decode()


def test_a_worker_that_fell_silent_is_said(orion, page):
    run = run_row(orion, status=Run.Status.RUNNING, heartbeat_at=timezone.now() - timedelta(minutes=2))
    assert "Its worker has not been heard of for half a minute." in page(f"/runs/{run.pk}/")


def test_a_waiting_run_says_how_many_are_before_it(orion, lyra, page):
    run_row(orion, status=Run.Status.RUNNING)
    run_row(orion, status=Run.Status.QUEUED)
    run_row(lyra, status=Run.Status.QUEUED, priority=-1)
    last = run_row(lyra, status=Run.Status.QUEUED)
    assert "2 runs are before it in the queue." in page(f"/runs/{last.pk}/")


@pytest.mark.parametrize(
    ("sort", "order"),
    [
        ("subject", ["anatomy", "philosophy", "virology"]),
        ("-value", ["philosophy", "virology", "anatomy"]),
        ("n", ["philosophy", "virology", "anatomy"]),
        ("nonsense", ["anatomy", "philosophy", "virology"]),
    ],
)
def test_the_subjects_can_be_sorted(sort, order, orion, client):
    run = run_row(orion, 6)
    body = client.get(f"/runs/{run.pk}/?sort={sort}").content.decode()
    table = body[body.index("subjects-table") :]
    assert sorted(order, key=table.index) == order


def test_micro_and_macro_means_are_labelled(orion, page):
    run = run_row(orion, 6)
    assert "acc: counting every question alike (micro), and every subject alike (macro)." in page(f"/runs/{run.pk}/")


def test_a_run_with_subjects_has_both_means_and_one_without_has_one(orion, page):
    both = page(f"/runs/{run_row(orion, 6).pk}/")
    assert "Each question counts the same" in both
    assert "Each subject counts the same" in both
    plain = run_row(orion, 6)
    plain.metrics.exclude(scope="all").delete()
    alone = page(f"/runs/{plain.pk}/")
    assert "counts the same" not in alone
    assert "Part acc 95% interval Samples all questions" in alone


def test_the_slow_way_of_scoring_is_said_with_its_reason(orion, page):
    run = run_row(orion, environment={"reason": "in a trial the scores were off by 0.676 nats"})
    for address in (f"/runs/{run.pk}/", f"/runs/{run.pk}/configuration/"):
        shown = page(address)
        assert "shared prefixes, the faster way, do not suit this model or device: in a trial the scores were" in shown
        assert "off by 0.676 nats. The scores shown are those of whole rows, and they are right." in shown


@pytest.mark.parametrize(
    ("difference", "words"),
    [(0.00031, "0.00031"), (5e-05, "0.00005"), (0, "0"), (12.3, "12"), (1234.5, "1,200"), (1e9, "∞")],
)
def test_how_far_off_the_self_check_was_is_a_number_that_people_read(difference, words, orion, page):
    check = {"largest_difference": difference, "n_flipped": 0, "n": 50, "has_passed": True}
    run = run_row(orion, environment={"self_check": check})
    assert f"passed: off by {words} nats at most" in page(f"/runs/{run.pk}/configuration/")


def test_a_failure_is_told_to_those_who_may_mend_it(orion, adem, rana, client):
    why = filled("%(file)s is gone: put it back.", file="/srv/weights/model.safetensors")
    run = run_row(orion, status=Run.Status.FAILED, error=why)
    RunLog.objects.create(run=run, words=why)
    addresses = [f"/runs/{run.pk}/", f"/runs/{run.pk}/?fragment", f"/runs/{run.pk}/configuration/"]
    for address in [*addresses, f"/runs/{run.pk}/configuration.json"]:
        assert "/srv/weights" not in client.get(address).content.decode(), address
    assert "This run failed." in text_of(client.get(f"/runs/{run.pk}/"))
    for insider in (adem, rana):
        client = Client()
        client.force_login(insider)
        assert why in text_of(client.get(addresses[0]))
        assert text_of(client.get(addresses[2])).count(why) == 2


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"may_be_ranked": True}, "May be ranked yes"),
        ({"may_be_ranked": True, "n_errors": 1}, "May be ranked no: not every sample has a score"),
        ({"may_be_ranked": False}, "May be ranked no: not all published rows"),
    ],
)
def test_it_says_whether_it_may_be_ranked_and_why_not(orion, client, fields, words):
    run = run_row(orion, **fields)
    assert words in text_of(client.get(f"/runs/{run.pk}/configuration/"))
    is_rankable = words.endswith("yes")
    assert json.loads(client.get(f"/runs/{run.pk}/configuration.json").content)["may_be_ranked"] is is_rankable
    assert client.get(f"/api/v1/runs/{run.pk}").json()["may_be_ranked"] is is_rankable


def test_the_configuration_is_a_file_too(orion, client, adem):
    where = {"options": {"folder": "/srv/weights"}, "source": "/srv/weights", "endpoint": "http://gpu.internal/v1"}
    run = run_row(orion, environment={"engine": "echo", **where})
    told = json.loads(client.get(f"/runs/{run.pk}/configuration.json").content)
    assert told["environment"] == {"engine": "echo"}
    assert "origin" not in told
    client.force_login(adem)
    found = json.loads(client.get(f"/runs/{run.pk}/configuration.json").content)
    assert (found["fingerprint"], found["environment"]) == (run.fingerprint, {"engine": "echo", **where})


def test_a_run_of_a_benchmark_that_is_gone_can_be_read(orion, page):
    run = run_row(orion, benchmark="no_longer")
    for address in ("/runs/", f"/runs/{run.pk}/", f"/runs/{run.pk}/configuration/", f"/runs/{run.pk}/samples/"):
        assert "no_longer" in page(address)


def test_a_model_that_becomes_internal_takes_its_runs_along(orion, client):
    run = run_row(orion)
    orion.visibility = Visibility.INTERNAL
    orion.save()
    assert client.get(f"/runs/{run.pk}/").status_code == 404
    assert "Orion" not in text_of(client.get("/runs/"))
    assert f"state-{run.pk}" not in client.get(f"/runs/?live={run.pk}").content.decode()


def test_a_run_of_private_rows_is_in_no_list_of_a_public_models_runs(orion, client, sign_in, rana):
    run = run_row(orion, data=Run.Data.PRIVATE)
    for page in ("/runs/", "/runs/?q=orion", f"/runs/?q={run.pk}", "/benchmarks/mmlu/", f"/runs/?live={run.pk}"):
        assert f"/runs/{run.pk}/" not in client.get(page).content.decode()
    assert "Orion" not in text_of(client.get("/runs/"))
    assert f"/runs/{run.pk}/" in sign_in(rana).get("/runs/").content.decode()
