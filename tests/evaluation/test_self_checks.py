"""Before a model's first run on a device its fast way to score is compared with plain rows, once."""

import contextlib
import threading

import pytest
from django.db import connection

from evaluation import run_pages, runs, self_checks
from evaluation.datasets import DataKind
from evaluation.models import Run
from evaluation.plans import Wish
from llms.engines.base import ScoringMethod, SelfCheck, never
from llms.engines.huggingface.scoring.computing import Computation
from llms.models import DeviceCheck, LanguageModel
from llms.pool import pool
from tests.helpers.waiting import eventually_in_thread
from tests.llms.engines.tiny import save_tiny_model

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tiny-model")
    save_tiny_model(folder, max_position_embeddings=8192)
    return folder


@pytest.fixture
def llm(folder):
    options = {"device": "cpu", "batching": "none"}
    return LanguageModel.objects.create(slug="tiny", name="Tiny", source=str(folder), options=options)


def executed(llm, name="piqa"):
    run = runs.request(llm, Wish(benchmark=name, data=DataKind.SAMPLE, limit=1))
    runs.execute(run.pk, run.epoch)
    run.refresh_from_db()
    return run


def told(run):
    return [str(line.words) for line in run.log.all()]


@pytest.fixture
def broken(monkeypatch):
    """A device on which packed rows come out wrong."""
    hidden = Computation.hidden

    def off(self, batch, stem):
        return hidden(self, batch, stem) * (1.0 if batch.sees is None else 1.5)

    def broken():
        monkeypatch.setattr(Computation, "hidden", off)

    return broken


def test_the_first_run_checks_and_the_next_one_knows(llm):
    first, second = executed(llm), executed(llm)

    assert first.status == Run.Status.SUCCEEDED, first.error
    assert any("checking once" in line for line in told(first))
    assert any(line.endswith("passed") and "0 of 50 answers flipped" in line for line in told(first))
    assert not any("self-check" in line or "checking" in line for line in told(second))
    row = DeviceCheck.objects.get()
    assert (row.n, row.n_flipped, row.has_passed, row.dtype) == (50, 0, True, "float32")
    assert row.largest_difference < 1e-3
    assert min(row.seconds_fast, row.seconds_plain) > 0
    assert set(row.versions) == {"torch", "transformers", "tokenizers"}
    assert first.environment["self_check"]["has_passed"]
    assert second.environment["self_check"] == first.environment["self_check"]
    assert first.environment["hardware"] == row.hardware != ""


def test_a_device_that_fails_computes_plain_rows_and_the_run_says_so(llm, broken, monkeypatch):
    from llms.engines.huggingface.scoring.scorer import Scorer

    monkeypatch.setattr(Scorer, "_failed_trial", lambda self: "")  # it shows with more than the trial's few tokens
    broken()
    first = executed(llm)
    assert first.status == Run.Status.SUCCEEDED, first.error
    assert not DeviceCheck.objects.get().has_passed
    assert any(line.endswith("failed: plain rows are computed here") for line in told(first))
    assert first.environment["scheme"] == "plain rows"
    assert "in the self-check the scores were off by" in first.environment["reason"]
    assert run_pages.fallback(first).template == "in the self-check the scores were off by %(nats)s nats"
    facts = {str(fact.name): fact.value for fact in run_pages.environment_facts(first, inside=False)}
    assert facts["Self-check of this device"].startswith("failed: off by up to")

    pool.close()  # another process, later
    second = executed(llm)
    assert second.environment["scheme"] == "plain rows"
    assert "in the self-check on this device the scores were off by" in second.environment["reason"]
    assert not second.environment["self_check"]["has_passed"]
    assert not any("checking once" in line for line in told(second))


@pytest.mark.parametrize("field", ["hardware", "dtype", "versions"])
def test_another_device_dtype_or_version_is_another_question(llm, field):
    from llms import device_checks

    llm.weights_identity = "weights-1:abc"
    known = {"dtype": "bfloat16", "hardware": "H100", "versions": {"torch": "2.13.0"}}
    check = SelfCheck(50, 0.001, 0, 1.0, 2.0, has_passed=True)

    def method(**fields):
        return ScoringMethod(scheme="shared prefixes", reason="", device="cuda:0", max_length=9, **known | fields)

    device_checks.keep(llm, method(), check)

    assert device_checks.find(llm, method()).has_passed
    assert device_checks.find(llm, method(**{field: {"torch": "2.14.0"} if field == "versions" else "other"})) is None


def test_of_weights_that_nothing_pins_no_verdict_is_kept(llm):
    from llms import device_checks

    method = ScoringMethod("shared prefixes", "", "float32", "cpu", 9, {})
    kept = device_checks.keep(llm, method, SelfCheck(50, float("inf"), 50, 1.0, 2.0, has_passed=False))

    assert (kept.has_passed, kept.pk) == (False, None)
    assert device_checks.find(llm, method) is None


def test_a_run_that_is_cancelled_in_the_check_ends_there(llm, monkeypatch):
    reached = threading.Event()
    hidden = Computation.hidden

    def slow(self, batch, stem):
        if reached_check.is_set():
            reached.set()
            stopped.wait(30)
        return hidden(self, batch, stem)

    reached_check, stopped = threading.Event(), threading.Event()
    requests = self_checks.requests
    monkeypatch.setattr(self_checks, "requests", lambda: reached_check.set() or requests())
    monkeypatch.setattr(Computation, "hidden", slow)
    run = runs.request(llm, Wish(benchmark="piqa", data=DataKind.SAMPLE))

    def work():
        with contextlib.closing(connection):
            runs.execute(run.pk, run.epoch)

    thread = threading.Thread(target=work)
    thread.start()
    assert reached.wait(60)
    runs.cancel(Run.objects.get(pk=run.pk))
    eventually_in_thread(lambda: Run.objects.get(pk=run.pk).wanted == Run.Wanted.CANCEL)
    threading.Event().wait(1.0)  # the scribe hears of it twice a second
    stopped.set()
    thread.join(60)

    run.refresh_from_db()
    assert (run.status, run.n_done) == (Run.Status.CANCELLED, 0)
    assert not DeviceCheck.objects.exists()


def test_texts_and_scripted_engines_need_no_check(llm):
    assert executed(llm, "perplexity").status == Run.Status.SUCCEEDED
    scripted = LanguageModel.objects.create(slug="echo", name="Echo", engine="echo")
    assert executed(scripted).status == Run.Status.SUCCEEDED

    assert not DeviceCheck.objects.exists()


def test_the_requests_share_beginnings_as_those_of_benchmarks_do():
    asked = self_checks.requests()

    assert len(asked) == 50
    assert {len(request.continuations) for request in asked} == {2, 4}
    assert max(len(request.context) for request in asked) > 400
    assert not never()
