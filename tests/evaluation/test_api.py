"""Runs for programs."""

import json
import re

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts import tokens
from accounts.roles import Scope
from evaluation import plans, runs
from evaluation.datasets import DataKind
from evaluation.models import Run, SampleResult
from evaluation.plans import Wish
from llms.models import Visibility


@pytest.fixture
def with_token(client, adem):
    """Ask as somebody with a token: `with_token("post", "/api/v1/runs", {...})`."""

    def ask(method, address, data=None, *, user=None, scopes=(Scope.READ, Scope.RUN), **headers):
        secret = tokens.issue(user or adem, name="mine", scopes=scopes).secret
        headers = {"Authorization": f"Bearer {secret}", **headers}
        body = {"data": data, "content_type": "application/json"} if method == "post" else {}
        return getattr(client, method)(address, headers=headers, **body)

    return ask


@pytest.fixture
def ended(counted):
    """A run on the built-in rows that has been scored."""
    run = runs.request(counted, Wish(benchmark="piqa", data=DataKind.SAMPLE))
    runs.execute(run.pk, run.epoch)
    run.refresh_from_db()
    assert run.status == Run.Status.SUCCEEDED
    return run


PIQA = {"models": ["orion-7b"], "benchmarks": ["piqa"], "rows": "sample"}


# --- reading


def test_a_run_is_told_with_its_protocol_and_all_metrics(ended, client):
    told = client.get(f"/api/v1/runs/{ended.pk}").json()
    assert (told["model"], told["benchmark"], told["status"], told["rows"]) == (
        "orion-7b",
        "piqa",
        "succeeded",
        "sample",
    )
    assert (told["fingerprint"], told["protocol"]) == (ended.fingerprint, str(ended.summary))
    assert (told["n_samples"], told["n_done"], told["may_be_ranked"]) == (20, 20, False)
    assert told["value"] == ended.value
    assert {metric["name"] for metric in told["metrics"]} == {"acc", "acc_norm", "acc_bytes"}
    assert [metric["is_headline"] for metric in told["metrics"]].count(True) == 1


def test_the_list_goes_on_from_page_to_page(counted, client):
    made = [runs.request(counted, Wish(benchmark=name, data=DataKind.SAMPLE)) for name in ("piqa", "mmlu", "piqa")]
    page = client.get("/api/v1/runs?limit=2").json()
    assert [run["id"] for run in page["runs"]] == [made[2].pk, made[1].pk]
    page = client.get(page["next"]).json()
    assert [run["id"] for run in page["runs"]] == [made[0].pk]
    assert page["next"] is None
    of_mmlu = client.get("/api/v1/runs?benchmark=mmlu&model=orion-7b&status=queued").json()
    assert [run["id"] for run in of_mmlu["runs"]] == [made[1].pk]
    assert client.get("/api/v1/runs?model=nobody").json() == {"runs": [], "next": None}


def test_a_list_costs_few_queries_however_many_runs(counted, client):
    def n_queries():
        with CaptureQueriesContext(
            connection,
        ) as queries:
            assert client.get("/api/v1/runs").status_code == 200
        return len(queries)

    runs.request(counted, Wish(benchmark="piqa", data=DataKind.SAMPLE))
    few = n_queries()
    for _ in range(5):
        runs.request(counted, Wish(benchmark="piqa", data=DataKind.SAMPLE))
    assert n_queries() == few


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=201",
        "before=-1",
        "status=unknown",
        "limit=x",
        "before=99999999999999999999",
        "model=a%00b",
        "benchmark=a%00b",
    ],
)
@pytest.mark.django_db
def test_what_makes_no_sense_is_refused(client, query):
    assert client.get(f"/api/v1/runs?{query}").status_code == 422


def test_samples_come_in_order_from_page_to_page(ended, client):
    seen, address = [], f"/api/v1/runs/{ended.pk}/samples?limit=8"
    while address:
        page = client.get(address).json()
        seen += page["samples"]
        address = page["next"]
    stored = SampleResult.objects.filter(run=ended).order_by("index")
    assert [sample["id"] for sample in seen] == [row.sample_id for row in stored]
    assert seen[0]["prompts"] == list(stored[0].prompt.texts)
    assert seen[0]["choices"] == stored[0].choices
    right = client.get(f"/api/v1/runs/{ended.pk}/samples?verdict=right&limit=200").json()["samples"]
    assert len(right) == stored.filter(is_right=True).count()


def test_samples_of_an_ended_run_are_asked_for_once(ended, client):
    address = f"/api/v1/runs/{ended.pk}/samples?limit=5"
    first = client.get(address)
    assert "Cookie" in first["Vary"]
    assert "Authorization" in first["Vary"]
    assert client.get(address, headers={"If-None-Match": first["ETag"]}).status_code == 304
    other = client.get(f"{address}&after=4", headers={"If-None-Match": first["ETag"]})
    assert other.status_code == 200
    Run.objects.filter(pk=ended.pk).update(epoch=9)
    assert client.get(address, headers={"If-None-Match": first["ETag"]}).status_code == 200


def test_samples_of_a_run_that_goes_on_have_no_etag(counted, client):
    run = runs.request(counted, Wish(benchmark="piqa", data=DataKind.SAMPLE))
    assert "ETag" not in client.get(f"/api/v1/runs/{run.pk}/samples")


# --- who sees what


def test_internal_models_runs_do_not_exist_for_the_public(ended, counted, vera, rana, sign_in):
    counted.visibility = Visibility.INTERNAL
    counted.save()
    for person, status, n in ((None, 404, 0), (vera, 404, 0), (rana, 200, 1)):
        client = sign_in(person)
        assert client.get(f"/api/v1/runs/{ended.pk}").status_code == status
        assert client.get(f"/api/v1/runs/{ended.pk}/samples").status_code == status
        assert len(client.get("/api/v1/runs").json()["runs"]) == n


def test_a_run_of_private_rows_does_not_exist_for_whoever_may_not_know_of_them(ended, vera, rana, sign_in):
    Run.objects.filter(pk=ended.pk).update(data=Run.Data.PRIVATE)
    for person, status, n in ((None, 404, 0), (vera, 404, 0), (rana, 200, 1)):
        client = sign_in(person)
        assert client.get(f"/api/v1/runs/{ended.pk}").status_code == status
        assert len(client.get("/api/v1/runs").json()["runs"]) == n


def test_private_rows_leave_only_to_those_who_may_see_them(ended, vera, rana, sign_in):
    Run.objects.filter(pk=ended.pk).update(data=Run.Data.PRIVATE)
    etag = f'"{ended.pk}-{ended.epoch}-20--1-50-all"'
    for person in (None, vera):
        for headers in ({}, {"If-None-Match": etag}):
            response = sign_in(person).get(f"/api/v1/runs/{ended.pk}/samples", headers=headers)
            assert response.status_code == 404
            assert "prompt" not in response.content.decode()
    assert sign_in(rana).get(f"/api/v1/runs/{ended.pk}/samples").status_code == 200


def test_why_it_failed_is_for_researchers_and_administrators(ended, vera, rana, sign_in):
    Run.objects.filter(pk=ended.pk).update(status="failed", error="no such folder /weights/orion")
    for person, told in ((None, ""), (vera, ""), (rana, "no such folder /weights/orion")):
        client = sign_in(person)
        assert client.get(f"/api/v1/runs/{ended.pk}").json()["error"] == told
        assert client.get("/api/v1/runs").json()["runs"][0]["error"] == told


# --- changing


def test_an_administrator_requests_every_benchmark_of_every_model(counted, adem, with_token):
    response = with_token("post", "/api/v1/runs", {**PIQA, "benchmarks": ["piqa", "mmlu"], "limit": 2, "priority": 3})
    assert response.status_code == 200
    made = response.json()
    assert [(run["model"], run["benchmark"], run["status"]) for run in made] == [
        ("orion-7b", "piqa", "queued"),
        ("orion-7b", "mmlu", "queued"),
    ]
    run = Run.objects.get(pk=made[0]["id"])
    assert (run.requested_by, run.priority, run.limit, run.n_samples) == (adem, 3, 2, 2)


def test_options_are_those_that_are_said_and_else_the_benchmarks_own(counted, with_token):
    (own,) = with_token("post", "/api/v1/runs", {**PIQA, "benchmarks": ["mmlu"]}).json()
    (said,) = with_token("post", "/api/v1/runs", {**PIQA, "n_shots": 2, "draw": "lm_eval", "seed": 5}).json()
    assert own["n_shots"] == 5
    options = Run.objects.get(pk=said["id"]).options
    assert (options["n_shots"], options["draw"], options["seed"]) == (2, "lm_eval", 5)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"models": ["oreon"]}, "No model is called “oreon”"),
        ({"benchmarks": ["piqa", "pica"]}, "No benchmark is called “pica”"),
        ({"benchmarks": ["piqa", "mmlu"], "draw": "lm_eval"}, "mmlu has no draw of shots “lm_eval”"),
        ({"models": []}, "models"),
        ({"models": ["orion\0"]}, "pattern"),
        ({"benchmarks": ["private/a\0b"]}, "pattern"),
        ({"variant": "a\0b"}, "pattern"),
        ({"limit": 0}, "limit"),
        ({"shots": 5}, "shots"),
    ],
)
def test_where_one_is_refused_none_is_requested(counted, with_token, change, words):
    response = with_token("post", "/api/v1/runs", {**PIQA, **change})
    assert response.status_code == 422
    assert words in str(response.json())
    assert not Run.objects.exists()


def test_too_many_at_once_are_refused_before_anything_is_read(counted, with_token, monkeypatch):
    monkeypatch.setattr("evaluation.runs.MOST_RUNS", 1)
    monkeypatch.setattr("evaluation.plans.questions", None)
    response = with_token("post", "/api/v1/runs", {**PIQA, "benchmarks": ["piqa", "mmlu", "piqa"]})
    assert (response.status_code, response.json()) == (
        422,
        {"detail": "That would be 2 runs, and 1 may be requested at once."},
    )
    assert not Run.objects.exists()


def test_the_questions_are_read_once_for_all_models(counted, register, with_token, monkeypatch):
    register("Lyra 13B", engine="counting")
    whole, read = plans.questions, []
    monkeypatch.setattr("evaluation.plans.questions", lambda wish: read.append(wish.benchmark) or whole(wish))
    wish = {**PIQA, "models": ["orion-7b", "lyra-13b"], "benchmarks": ["piqa", "mmlu"]}
    made = with_token("post", "/api/v1/runs", wish).json()
    assert [(run["model"], run["benchmark"]) for run in made] == [
        ("orion-7b", "piqa"),
        ("orion-7b", "mmlu"),
        ("lyra-13b", "piqa"),
        ("lyra-13b", "mmlu"),
    ]
    assert read == ["piqa", "mmlu"]


def test_the_readmes_request_starts_what_it_says(counted, with_token, settings):
    (body,) = re.findall(r"-d '(\{.*\})'", (settings.BASE_DIR / "README.md").read_text(encoding="utf-8"))
    made = with_token("post", "/api/v1/runs", {**json.loads(body), "models": ["orion-7b"]}).json()
    assert [(run["benchmark"], run["n_samples"], run["rows"]) for run in made] == [
        ("piqa", 10, "sample"),
        ("mmlu", 20, "sample"),
    ]


def test_a_run_is_paused_resumed_and_cancelled(counted, with_token):
    (made,) = with_token("post", "/api/v1/runs", PIQA).json()
    address = f"/api/v1/runs/{made['id']}"
    assert with_token("post", f"{address}/pause").json()["status"] == "paused"
    assert with_token("post", f"{address}/pause").status_code == 409
    assert with_token("post", f"{address}/resume").json()["status"] == "queued"
    assert with_token("post", f"{address}/cancel").json()["status"] == "cancelled"
    assert with_token("post", f"{address}/cancel").json() == {
        "detail": "It has ended already: there is nothing to cancel."
    }
    assert with_token("post", "/api/v1/runs/999999/cancel").status_code == 404


def test_an_imported_run_cannot_be_resumed(ended, with_token):
    Run.objects.filter(pk=ended.pk).update(status=Run.Status.IMPORTED)
    for verb in ("pause", "resume", "cancel"):
        assert with_token("post", f"/api/v1/runs/{ended.pk}/{verb}").status_code == 409
    ended.refresh_from_db()
    assert ended.status == Run.Status.IMPORTED


@pytest.mark.parametrize("verb", ["", "/{}/pause", "/{}/resume", "/{}/cancel"])
def test_only_an_administrators_token_with_the_scope_changes_anything(ended, adem, rana, sign_in, with_token, verb):
    address = "/api/v1/runs" + verb.format(ended.pk)
    before = list(Run.objects.values())
    for person in (None, rana, adem):  # a session is not enough: another site's page could make the browser send it
        response = sign_in(person).post(address, PIQA, content_type="application/json")
        assert response.status_code == 401
        assert "token" in response.json()["detail"]
    assert with_token("post", address, PIQA, scopes=(Scope.READ,)).status_code == 403
    assert with_token("post", address, PIQA, user=rana, scopes=(Scope.READ,)).status_code == 403
    assert list(Run.objects.values()) == before
