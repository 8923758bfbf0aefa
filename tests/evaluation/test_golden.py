"""Prompts, draws and metrics against those of lm-evaluation-harness 0.4.13 (golden/make_golden.py)."""

import hashlib
import json

import pytest

from evaluation.aggregation import Scope, summarise
from evaluation.benchmarks.base import Draw, Options
from evaluation.benchmarks.registry import benchmark
from evaluation.datasets import RowSet, from_folder
from evaluation.prompts import Template
from evaluation.runner import evaluate, prepare, requests
from tests.evaluation.conftest import GOLDEN
from tests.helpers.hash_engine import HashEngine

ALL = json.loads(GOLDEN.read_text())
SETTINGS = [(entry["benchmark"], entry["n_shots"], entry["chat"]) for entry in ALL["settings"]]
PUBLIC = [(entry["benchmark"], entry["n_shots"]) for entry in ALL["public"]]


def rendered(messages):
    return "".join(f"<{message.role}>{message.content}</>" for message in messages) + "<assistant>"


def options_of(chosen, n_shots, chat=False):
    draw = Draw.LM_EVAL if Draw.LM_EVAL in chosen.draws else Draw.FIRST
    return Options(n_shots=n_shots, draw=draw, template=Template.CHAT if chat else Template.OFF)


def asked(prepared, *, chat=False):
    """Context, continuation and target of each request, in lm-evaluation-harness' order."""
    found = []
    for sample, shots in zip(prepared.samples, prepared.shots, strict=True):
        for request in requests(prepared.benchmark, sample, shots, rendered if chat else None):
            found += [[request.context, continuation, sample.target] for continuation in request.continuations]
    return found


def invented(golden, name):
    chosen, splits = benchmark(name), golden["rows"][name]
    rows = RowSet(
        kind="published", source="here", rows=splits[chosen.scored_split], pool=splits.get(chosen.shot_split, ())
    )
    return chosen, rows


@pytest.mark.parametrize(("name", "n_shots", "chat"), SETTINGS)
def test_requests_are_lm_evaluation_harnesss_to_the_letter(golden, name, n_shots, chat):
    chosen, rows = invented(golden, name)

    prepared = prepare(chosen, rows, options_of(chosen, n_shots, chat))

    expected = next(
        entry["requests"]
        for entry in golden["settings"]
        if (entry["benchmark"], entry["n_shots"], entry["chat"]) == (name, n_shots, chat)
    )
    assert asked(prepared, chat=chat) == expected


@pytest.mark.parametrize(("name", "n_shots", "chat"), SETTINGS)
def test_metrics_are_lm_evaluation_harnesss_to_the_last_digit(golden, name, n_shots, chat):
    chosen, rows = invented(golden, name)
    prepared = prepare(chosen, rows, options_of(chosen, n_shots, chat))
    engine = HashEngine(render=rendered)

    summary = summarise(chosen, evaluate(prepared, engine))

    entry = golden["settings"][SETTINGS.index((name, n_shots, chat))]
    found = {(metric.name, metric.scope, metric.part): metric for metric in summary.metrics}
    assert {metric.name for metric in summary.metrics} == entry["metrics"].keys()
    for metric, expected in entry["metrics"].items():
        micro = found[metric, Scope.ALL, ""]
        assert [micro.value, micro.standard_error] == pytest.approx(expected["micro"])
        if name != "mmlu":
            continue
        macro = found[metric, Scope.SUBJECTS, ""]
        assert [macro.value, macro.standard_error] == pytest.approx(expected["macro"])
        for task, (value, error, n) in expected["by_task"].items():
            subject = found[metric, Scope.SUBJECT, task.removeprefix("mmlu_")]
            assert [subject.value, subject.standard_error, subject.n] == pytest.approx([value, error, n])


@pytest.mark.slow
@pytest.mark.parametrize(("name", "n_shots"), PUBLIC)
def test_requests_for_all_public_rows_are_lm_evaluation_harnesss(public_rows, golden, name, n_shots):
    chosen = benchmark(name)
    rows = from_folder(chosen, public_rows, with_pool=n_shots > 0)

    found = asked(prepare(chosen, rows, options_of(chosen, n_shots)))

    digest = hashlib.sha256()
    for request in found:
        digest.update(json.dumps(request).encode() + b"\n")
    expected = golden["public"][PUBLIC.index((name, n_shots))]
    assert (len(found), digest.hexdigest()) == (expected["n_requests"], expected["sha256"])
