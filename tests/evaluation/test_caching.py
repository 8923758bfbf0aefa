"""What the same weights have computed is not computed again; what anything else has computed is."""

import pytest

from evaluation import runs
from evaluation.datasets import DataKind
from evaluation.models import CachedScore, CachedStatistics, Run
from evaluation.plans import Wish
from llms.models import LanguageModel
from llms.pool import pool


def executed(llm, name="mmlu", **fields):
    run = runs.request(llm, Wish(benchmark=name, data=DataKind.SAMPLE, **fields))
    runs.execute(run.pk, run.epoch)
    run.refresh_from_db()
    assert run.status == Run.Status.SUCCEEDED, run.error
    return run


def results(run):
    return list(run.samples.order_by("index").values_list("sample_id", "choices", "values", "predictions"))


@pytest.mark.parametrize("name", ["mmlu", "winogrande", "perplexity"])
def test_the_same_weights_compute_nothing_twice(counted, engine, name):
    first = executed(counted, name)
    n_computed = engine.n_computed
    assert n_computed > 0
    second = executed(counted, name)

    assert engine.n_computed == n_computed
    assert results(second) == results(first)
    assert (second.value, second.standard_error) == (first.value, first.standard_error)
    assert (first.n_cached, second.n_cached) == (0, n_computed)


def test_another_name_for_the_same_weights_computes_nothing(counted, engine):
    executed(counted)
    n_computed = engine.n_computed
    twin = LanguageModel.objects.create(slug="twin", name="Twin", engine="counting", source="orion")
    executed(twin)

    assert engine.n_computed == n_computed


@pytest.mark.parametrize("change", [{"source": "orion, trained further"}, {"options": {"dtype": "bfloat16"}}])
def test_other_weights_or_another_way_to_load_them_compute_anew(counted, engine, change):
    executed(counted)
    n_computed = engine.n_computed
    LanguageModel.objects.update(**change)
    pool.close()
    executed(LanguageModel.objects.get())

    assert engine.n_computed == 2 * n_computed


def test_other_prompts_compute_anew(counted, engine):
    from evaluation.benchmarks.base import Options

    executed(counted)
    n_computed = engine.n_computed
    executed(counted, options=Options(n_shots=0))

    assert engine.n_computed == 2 * n_computed


def test_a_larger_limit_computes_the_rest_only(counted, engine):
    executed(counted, "piqa", limit=3)
    assert engine.n_computed == 3
    whole = executed(counted, "piqa")

    assert engine.n_computed == whole.n_samples
    assert whole.n_cached == 3


def test_what_nothing_pins_is_forgotten_with_its_run(counted, engine):
    engine.pinned = False
    first = executed(counted)
    second = executed(counted)

    assert engine.n_computed == first.n_samples + second.n_samples
    assert not CachedScore.objects.exists()
    assert not CachedStatistics.objects.exists()


def test_what_nothing_pins_is_remembered_within_its_run(counted, engine):
    """Of a sample with two requests one may have come back when its worker was stopped."""
    from llms.engines.base import NotSupported

    engine.pinned = False
    engine.fails_after, engine.n_failures_left, engine.error = 3, 1, NotSupported
    run = runs.request(counted, Wish(benchmark="winogrande", data=DataKind.SAMPLE))
    runs.execute(run.pk, run.epoch)
    run.refresh_from_db()
    assert (run.status, run.n_done, CachedScore.objects.filter(run=run).count()) == (Run.Status.FAILED, 1, 3)
    assert runs.resume(run)
    run.refresh_from_db()
    runs.execute(run.pk, run.epoch)

    run.refresh_from_db()
    assert (run.status, engine.n_computed) == (Run.Status.SUCCEEDED, 2 * run.n_samples)
