"""Real files, a real engine that stays loaded, and what changes under it: nothing of former weights is taken for new."""

import pytest
import torch

from evaluation import runs
from evaluation.datasets import DataKind
from evaluation.models import CachedScore, Run
from evaluation.plans import Wish
from llms import identification
from llms.engines.huggingface.engine import HuggingFaceEngine
from llms.models import LanguageModel
from llms.pool import pool
from tests.llms.engines.tiny import change_json, save_tiny_model

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def asked(monkeypatch):
    """Requests that the engine itself had to answer."""
    found = []
    whole = HuggingFaceEngine.loglikelihoods

    def loglikelihoods(self, requests):
        found.extend(requests)
        return whole(self, requests)

    monkeypatch.setattr(HuggingFaceEngine, "loglikelihoods", loglikelihoods)
    return found


@pytest.fixture
def llm(tmp_path):
    save_tiny_model(tmp_path)
    options = {"device": "cpu", "dtype": "float32", "batching": "none"}
    return LanguageModel.objects.create(
        slug="tiny", name="Tiny", engine="huggingface", source=str(tmp_path), options=options
    )


def executed(llm):
    run = runs.request(LanguageModel.objects.get(pk=llm.pk), Wish(benchmark="piqa", data=DataKind.SAMPLE, limit=4))
    runs.execute(run.pk, run.epoch)
    run.refresh_from_db()
    return run


def choices(run):
    return list(run.samples.order_by("index").values_list("choices", flat=True))


def scale_weights(folder):
    from transformers import AutoModelForCausalLM

    other = AutoModelForCausalLM.from_pretrained(folder)
    with torch.no_grad():
        other.lm_head.weight.mul_(0.5)
    other.save_pretrained(folder)


def change_template(folder):
    file = folder / "chat_template.jinja"
    file.write_text(file.read_text() + " ")


def change_tokenizer(folder):
    change_json(folder / "tokenizer_config.json", padding_side="left")


def test_the_same_files_need_no_computation_even_in_another_process(llm, asked):
    first = executed(llm)
    assert first.status == Run.Status.SUCCEEDED, first.error
    assert asked
    asked.clear()
    pool.close()  # another process has nothing loaded, and only the stored scores
    second = executed(llm)

    assert asked == []
    assert choices(second) == choices(first)


@pytest.mark.parametrize("change", [scale_weights, change_tokenizer, change_template])
def test_files_that_change_under_a_loaded_engine_are_loaded_and_computed_anew(llm, asked, change, tmp_path):
    first = executed(llm)
    n_requests, n_cached = len(asked), CachedScore.objects.count()
    change(tmp_path)
    second = executed(llm)

    assert second.status == Run.Status.SUCCEEDED, second.error
    assert (len(asked), CachedScore.objects.count()) == (2 * n_requests, 2 * n_cached)
    assert (choices(second) != choices(first)) is (change is scale_weights)
    assert second.environment["weights_identity"] != first.environment["weights_identity"]


def test_files_that_change_while_they_are_loaded_fail_the_run(llm, monkeypatch, tmp_path):
    whole = runs._loaded

    def loaded(loading, scribe):
        engine = whole(loading, scribe)
        assert pool.expect(llm, identification.identify(llm))
        scale_weights(tmp_path)
        return engine

    monkeypatch.setattr(runs, "_loaded", loaded)
    run = executed(llm)

    assert run.status == Run.Status.FAILED
    assert "changed while they were being loaded" in run.error
    assert not CachedScore.objects.exists()
