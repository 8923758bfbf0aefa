"""`manage.py score … --model`: recorded responses as an imported run."""

import json
from dataclasses import asdict

import pytest
from django.core.management import CommandError
from django.urls import reverse

from evaluation.benchmarks.registry import benchmark
from evaluation.comparisons import compare, unlike
from evaluation.datasets import from_folder
from evaluation.models import Run
from evaluation.runner import prepare
from leaderboard.sources import runs as board
from llms.models import LanguageModel, Visibility

pytestmark = pytest.mark.django_db

ANSWERS = [{"key": 8, "response": '"one two three"'}, {"key": 7, "response": "a, b"}]
METRICS = benchmark("ifeval").metrics


def test_they_become_a_run_with_the_metrics_of_the_report(own_data, score, orion):
    report = score("ifeval", ANSWERS, model=orion.slug)

    run = Run.objects.get()
    assert (run.llm, run.benchmark, run.status, run.data) == (orion, "ifeval", Run.Status.IMPORTED, "published")
    assert (run.value, run.n_samples, run.n_done, run.n_errors) == (0.5, 2, 2, 0)
    for metric in run.metrics.all():
        assert metric.value == pytest.approx(report["metrics"][metric.name])
        assert metric.standard_error == pytest.approx(report["metrics"][f"{metric.name}_stderr"])
    assert {metric.name for metric in run.metrics.all()} == set(METRICS)
    assert "recorded responses" in run.summary
    assert not run.may_be_ranked  # two of 541


def test_its_samples_are_those_that_were_answered(own_data, score, orion):
    score("ifeval", [*ANSWERS, {"key": 9, "response": "no such prompt"}, "{broken"], model="orion-7b")

    samples = Run.objects.get().samples.order_by("index")
    assert [(one.sample_id, one.answer, one.is_right) for one in samples] == [
        ("7", "a, b", False),
        ("8", '"one two three"', True),
    ]
    assert samples[0].question == "No commas."
    assert samples[0].prompt.texts == ("No commas.",)


def test_a_response_that_cannot_be_scored_is_a_sample_with_its_reason(own_data, score, orion):
    score("ifeval", [ANSWERS[0], {"key": 7, "response": None}], model="orion-7b")

    run = Run.objects.get()
    assert (run.value, run.n_samples, run.n_errors) == (1, 2, 1)
    failed = run.samples.get(sample_id="7")
    assert (failed.is_right, failed.error) == (None, "“response” must be a text, not None")


def test_pages_show_the_run_as_imported_with_its_samples(own_data, score, orion, rana, sign_in):
    score("ifeval", ANSWERS, model="orion-7b")
    run, browser = Run.objects.get(), sign_in(rana)

    assert "imported from recorded responses" in browser.get(reverse("evaluation:run", args=[run.pk])).text
    told = browser.get(reverse("evaluation:configuration", args=[run.pk])).text
    assert "how they were generated is not known" in told
    assert "the prompt as published, answered elsewhere" in told
    listed = browser.get(reverse("evaluation:samples", args=[run.pk])).text
    assert "No commas." in listed
    assert "a, b" in browser.get(reverse("evaluation:sample", args=[run.pk, 1])).text


def test_the_same_responses_are_stored_once_in_any_order(own_data, score, orion):
    score("ifeval", ANSWERS, model="orion-7b")
    score("ifeval", ANSWERS[::-1], model="orion-7b")
    score("ifeval", [ANSWERS[0], {"key": 7, "response": "other"}], model="orion-7b")

    assert Run.objects.count() == 2


def test_a_model_that_nobody_has_is_listed_for_insiders(own_data, score, orion):
    score("ifeval", ANSWERS, model="lab/Nova-3.1")
    score("ifeval", [ANSWERS[0]], model="lab/Nova-3.1")

    nova = LanguageModel.objects.exclude(pk=orion.pk).get()
    assert (nova.slug, nova.status, nova.visibility) == ("nova-3-1", "listed", Visibility.INTERNAL)
    assert nova.runs.count() == 2


def test_they_are_compared_with_each_other_and_not_with_what_was_asked_here(own_data, score, orion, lyra):
    score("ifeval", ANSWERS, model="orion-7b")
    score("ifeval", [{**row, "response": "x"} for row in ANSWERS], model=lyra.slug)
    left, right = Run.objects.all()
    ifeval = benchmark("ifeval")
    asked = prepare(ifeval, from_folder(ifeval, own_data), ifeval.default_options).protocol

    assert left.fingerprint == right.fingerprint
    assert compare(left, right).n_both == 0
    assert asked.fingerprint != left.fingerprint
    assert any("answered elsewhere" in reason for reason in unlike(left.protocol, asdict(asked)))


@pytest.mark.parametrize(
    ("name", "rows", "why"),
    [
        ("gaia", [{"response": "a", "target": "a"}], "“gaia” cannot be stored as a run, those of ifeval can"),
        ("ifeval", [{"key": 9, "response": "a"}], "No row answers a published prompt of ifeval"),
        ("ifeval", [{"key": 7}], "can be scored, the first because: “response” must be a text, not None"),
        ("ifeval", [*ANSWERS, ANSWERS[0]], "Sample '8' has more than one response"),
    ],
    ids=["gaia", "other prompts", "no response", "twice"],
)
def test_what_is_no_run_is_refused_and_nothing_is_stored(own_data, score, name, rows, why):
    with pytest.raises(CommandError) as refused:
        score(name, rows, model="nova")

    assert why in str(refused.value)
    assert not Run.objects.exists()
    assert not LanguageModel.objects.exists()


def test_the_public_responses_become_a_run_of_540_samples(public_data, scored, orion):
    path = public_data / "ifeval" / "ifeval.gpt4_responses.jsonl"
    report = scored("ifeval", path, model="orion-7b")
    expected = (public_data / "ifeval" / "ifeval.gpt4_expected.jsonl").read_text().splitlines()
    strict = {str(row["key"]): row for row in map(json.loads, expected) if row["mode"] == "strict"}

    run = Run.objects.get()
    assert (run.n_samples, run.n_errors, run.may_be_ranked) == (540, 0, False)
    assert run.value == pytest.approx(report["metrics"]["prompt_level_strict_acc"])
    for name, is_right in run.samples.values_list("sample_id", "is_right"):
        if name not in ("1122", "1129"):  # their official verdicts are drawn at random
            assert is_right is all(strict[name]["follow_instruction_list"]), name


def test_all_prompts_answered_make_a_run_that_may_be_ranked(public_data, score, orion):
    rows = map(json.loads, (public_data / "ifeval" / "input_data.jsonl").read_text().splitlines())
    score("ifeval", [{"key": row["key"], "response": "Fine."} for row in rows], model="orion-7b")

    [column] = board.read(Visibility.INTERNAL)
    assert (column.benchmark, column.scores[0].n, column.scores[0].was_imported) == ("ifeval", 541, True)
