"""What another tool counted keeps its own name: a chat that picks a letter has `acc`, where our headline is `acc_norm`."""

import json

import pytest
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from evaluation.benchmarks.registry import benchmark
from evaluation.comparisons import compare, metrics_of
from evaluation.models import Run, RunMetric
from tests.helpers.run_rows import run_row

pytestmark = pytest.mark.django_db


@pytest.fixture
def imported():
    """A run on HellaSwag whose verdicts are `acc`."""
    return lambda llm: run_row(llm, 6, benchmark="hellaswag", fingerprint="of its own")


def test_pages_and_file_name_the_metric_that_it_has(imported, orion, client):
    run = imported(orion)
    assert benchmark("hellaswag").headline == "acc_norm"
    assert json.loads(client.get(f"/runs/{run.pk}/configuration.json").content)["metric"] == "acc"
    for address in ("/runs/", f"/runs/{run.pk}/"):
        assert '<span class="cell-sub">acc_norm' not in client.get(address).content.decode(), address
        assert '<span class="cell-sub">acc' in client.get(address).content.decode(), address


def test_its_samples_show_what_it_took(imported, orion, lyra, client):
    here, _ = imported(orion), imported(lyra)
    listed = client.get(f"/runs/{here.pk}/samples/").context["lines"]
    beside = client.get(reverse("evaluation:sample", args=[here.pk, 1])).context["others"]
    assert (listed[0].taken, beside[0].sample.taken) == ("A", "A")


def test_the_list_asks_once_for_all_names(imported, orion, client, django_assert_max_num_queries):
    from django.db import connection

    imported(orion)
    client.get("/runs/")
    with CaptureQueriesContext(connection) as few:
        client.get("/runs/")
    for _ in range(5):
        imported(orion)
    with django_assert_max_num_queries(len(few)):
        client.get("/runs/")


def test_two_of_them_are_compared_by_it(imported, orion, lyra):
    left, right = imported(orion), imported(lyra)
    found = compare(left, right)
    assert (found.metric, len(found.rows), found.whole.left) == ("acc", 6, pytest.approx(4 / 6))


def test_verdicts_count_only_for_the_metric_that_they_are_of(imported, orion, lyra):
    """Ours beside theirs: its verdicts are `acc_norm`, so that its `acc` is read from the values."""
    ours, theirs = imported(orion), imported(lyra)
    RunMetric.objects.filter(run=ours, is_headline=True).update(name="acc_norm")
    ours.samples.update(is_right=False, values={"acc": 1.0, "acc_norm": 0.0})
    assert compare(ours, theirs, metric="acc").whole.left == 1
    assert compare(theirs, ours).whole.right == 1


def test_metrics_that_no_single_row_has_are_not_offered():
    assert metrics_of(benchmark("ifeval")) == ("prompt_level_strict_acc", "prompt_level_loose_acc")


# --- numbers that JSON has not


@pytest.fixture
def perplexed(orion):
    run = run_row(orion, benchmark="perplexity", value=float("inf"), standard_error=None, lower=None, upper=None)
    RunMetric.objects.filter(run=run).delete()
    RunMetric.objects.create(run=run, name="bits_per_byte", value=float("inf"), n=2, is_headline=True)
    return run


def strict(response):
    """JSON as others than Python read it."""
    return json.loads(response.content, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))


def test_an_infinite_perplexity_is_said_and_leaves_valid_json(perplexed, client):
    assert strict(client.get(f"/runs/{perplexed.pk}/configuration.json"))["value"] == "inf"
    told = strict(client.get(f"/api/v1/runs/{perplexed.pk}"))
    assert (told["value"], told["metrics"][0]["value"]) == ("inf", "inf")
    for address in ("/runs/", f"/runs/{perplexed.pk}/"):
        assert "∞" in client.get(address).content.decode(), address


def test_what_is_infinite_has_no_difference_and_is_left_out(orion, lyra):
    runs = [run_row(llm, 3, benchmark="perplexity") for llm in (orion, lyra)]
    for run in runs:
        run.samples.update(values={"log_probability": -8.0, "n_bytes": 4.0})
    runs[1].samples.filter(index=0).update(values={"log_probability": "-inf", "n_bytes": 4.0})
    Run.objects.update(protocol={**runs[0].protocol, "method": "token statistics"})
    found = compare(*Run.objects.order_by("pk"))
    assert (len(found.rows), found.n_left_out, found.whole.difference.estimate) == (2, 1, 0)
