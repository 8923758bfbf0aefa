"""The life of a run, in one process; on real servers it is in tests/services/test_runs.py."""

from datetime import timedelta

import pytest
from django.db.models import F
from django.db.models.functions import Now
from django.utils import timezone

from evaluation import runs, scribe
from evaluation.benchmarks.base import Draw, Options
from evaluation.errors import InvalidOptions, UnknownBenchmark
from evaluation.models import PromptText, Run, RunMetric, SampleResult
from evaluation.plans import Wish, plan
from evaluation.records import choices_of
from evaluation.runner import evaluate
from llms.engines.base import EngineUnreachable, NotSupported
from llms.models import LanguageModel
from tests.helpers.executed_runs import executed, in_thread, sampled
from tests.helpers.hash_engine import HashEngine

Status = Run.Status


# --- the straight way


def test_it_scores_every_sample_once_and_sums_up(counted):
    run = executed(runs.request(counted, sampled()))

    prepared = plan(counted, sampled()).prepared
    expected = {score.sample_id: score for score in evaluate(prepared, HashEngine())}
    assert (run.status, run.n_done, run.error) == (Status.SUCCEEDED, len(expected), "")
    rows = list(run.samples.order_by("index"))
    assert [row.sample_id for row in rows] == [sample.id for sample in prepared.samples]
    for row in rows:
        score = expected[row.sample_id]
        assert choices_of(row) == score.choices
        assert row.prompt.texts == score.prompts
        assert row.is_right is bool(score.values["acc"])
        assert row.predictions == score.predictions
    n_right = sum(score.values["acc"] for score in expected.values())
    assert 0 < n_right < len(expected)
    assert run.value == pytest.approx(n_right / len(expected))
    headline = RunMetric.objects.get(run=run, is_headline=True)
    assert (headline.value, headline.n) == (run.value, len(expected))
    assert run.metrics.filter(scope="subject").count() == len({row.subject for row in rows})


def test_it_says_what_computed_it(counted):
    run = executed(runs.request(counted, sampled("piqa")))

    assert run.environment["weights_identity"] == "weights of orion"
    assert (run.environment["dtype"], run.environment["device"]) == ("float32", "cpu")
    assert run.environment["versions"] == {"counting": "1"}
    assert [line.words.split(":")[0].split(" ")[0] for line in run.log.all()] == ["requested", "begun", "succeeded"]


def test_a_text_is_summed_up_in_bits(counted):
    run = executed(runs.request(counted, sampled("perplexity")))

    assert run.status == Status.SUCCEEDED
    assert run.metrics.get(is_headline=True).name == "bits_per_byte"
    assert set(run.samples.values_list("is_right", flat=True)) == {None}


def test_equal_prompts_of_two_runs_are_stored_once(counted):
    executed(runs.request(counted, sampled("piqa")))
    n_texts = PromptText.objects.count()
    executed(runs.request(counted, sampled("piqa")))

    assert PromptText.objects.count() == n_texts
    assert SampleResult.objects.count() == 2 * n_texts


def test_a_log_probability_that_is_no_number_is_kept_as_an_error(counted, monkeypatch):
    monkeypatch.setattr(HashEngine, "_score", _nan_for_the_second_choice(HashEngine._score))
    run = executed(runs.request(counted, sampled("mmlu", limit=1)))

    assert run.status == Status.FAILED
    assert "could be scored" in run.error
    row = run.samples.first()
    assert row.error
    assert str(choices_of(row)[1].log_probability) == "nan"


def _nan_for_the_second_choice(whole):
    from dataclasses import replace

    def score(self, context, text):
        found = whole(self, context, text)
        return replace(found, log_probability=float("nan")) if text == " B" else found

    return score


# --- what is refused


def test_an_unknown_benchmark_is_refused(counted):
    with pytest.raises(UnknownBenchmark):
        runs.request(counted, Wish(benchmark="mmluu"))


def test_options_that_the_benchmark_has_not_are_refused(counted):
    with pytest.raises(InvalidOptions):
        runs.request(counted, sampled("mmlu", options=Options(n_shots=2, draw=Draw.FIXED)))
    assert not Run.objects.exists()


def test_a_limit_of_nothing_is_refused(counted):
    with pytest.raises(InvalidOptions):
        runs.request(counted, sampled(limit=0))


def test_a_listed_model_has_no_engine_to_ask(counted):
    counted.status = LanguageModel.Status.LISTED
    with pytest.raises(InvalidOptions, match="only listed"):
        runs.request(counted, sampled())


# --- who holds it


def test_a_second_delivery_finds_nothing_to_do(counted, engine):
    run = runs.request(counted, sampled())
    assert runs.execute(run.pk, run.epoch)
    n_computed = engine.n_computed

    assert not runs.execute(run.pk, run.epoch)
    assert engine.n_computed == n_computed


def test_two_workers_at_once_score_it_once(counted, engine, gate):
    run = runs.request(counted, sampled())
    gate.close_after(2)
    first = in_thread(run)
    assert gate.reached.wait(30)

    assert not runs.execute(run.pk, run.epoch)
    gate.open.set()
    first.join()
    run.refresh_from_db()
    assert (run.status, run.n_done) == (Status.SUCCEEDED, run.n_samples)
    assert engine.n_computed == run.n_samples


def test_who_lost_the_lease_writes_nothing_more(counted, gate):
    run = runs.request(counted, sampled())
    gate.close_after(2)
    worker = in_thread(run)
    assert gate.reached.wait(30)
    Run.objects.filter(pk=run.pk).update(epoch=F("epoch") + 1, status=Status.QUEUED)
    n_before = SampleResult.objects.count()
    gate.open.set()
    worker.join()

    run.refresh_from_db()
    assert (run.status, run.epoch) == (Status.QUEUED, 1)
    assert SampleResult.objects.count() == n_before
    executed(run)
    assert (run.status, run.samples.count()) == (Status.SUCCEEDED, run.n_samples)


def test_the_most_urgent_goes_first(counted):
    late = runs.request(counted, sampled("piqa", limit=1))
    urgent = runs.request(counted, sampled("piqa", limit=1, priority=5))

    assert runs.next_waiting() == urgent
    runs.work_off()
    late.refresh_from_db()
    urgent.refresh_from_db()
    assert urgent.finished_at < late.finished_at


# --- failures


def test_an_error_that_passes_costs_no_sample(counted, engine, monkeypatch):
    monkeypatch.setattr(runs, "RETRY_SECONDS", (0.01,))
    engine.fails_after, engine.n_failures_left, engine.error = 3, 2, EngineUnreachable
    run = executed(runs.request(counted, sampled()))

    assert (run.status, run.samples.count()) == (Status.SUCCEEDED, run.n_samples)
    assert engine.n_computed == run.n_samples


def test_an_error_that_stays_fails_it_with_its_words_and_it_can_be_resumed(counted, engine):
    engine.fails_after, engine.n_failures_left, engine.error = 3, 1, NotSupported
    run = executed(runs.request(counted, sampled()))

    assert (run.status, run.n_done, run.error) == (Status.FAILED, 3, "it broke on purpose")
    assert runs.resume(run)
    run.refresh_from_db()
    assert executed(run).status == Status.SUCCEEDED
    assert (engine.n_computed, run.error) == (run.n_samples, "")


def test_out_of_memory_fails_it_and_keeps_what_is_done(counted, engine):
    engine.fails_after, engine.n_failures_left, engine.error = 3, 1, MemoryError
    run = executed(runs.request(counted, sampled()))

    assert (run.status, run.samples.count()) == (Status.FAILED, 3)
    assert "MemoryError" in run.error


# --- lost workers


def lost(run, **fields):
    """As a worker leaves it that was killed."""
    silent_since = timezone.now() - timedelta(seconds=scribe.LEASE_SECONDS + 1)
    Run.objects.filter(pk=run.pk).update(status=Status.RUNNING, heartbeat_at=silent_since, **fields)


def test_what_a_lost_worker_held_goes_back_into_the_queue(counted):
    run = runs.request(counted, sampled())
    lost(run)

    assert runs.reconcile() == [run]
    run.refresh_from_db()
    assert (run.status, run.epoch) == (Status.QUEUED, 1)
    assert not runs.execute(run.pk, epoch=0)
    assert executed(run).status == Status.SUCCEEDED


@pytest.mark.parametrize(("wanted", "expected"), [("pause", Status.PAUSED), ("cancel", Status.CANCELLED)])
def test_what_was_wanted_of_a_lost_worker_is_done(counted, wanted, expected):
    run = runs.request(counted, sampled())
    lost(run, wanted=wanted)

    assert runs.reconcile() == []
    run.refresh_from_db()
    assert run.status == expected


def test_one_that_kills_its_workers_is_given_up(counted):
    run = runs.request(counted, sampled())
    for _ in range(runs.MOST_LOSSES):
        lost(run)
        runs.reconcile()

    run.refresh_from_db()
    assert run.status == Status.FAILED
    assert "memory" in run.error


def test_one_with_a_heartbeat_is_left_alone(counted):
    run = runs.request(counted, sampled())
    Run.objects.filter(pk=run.pk).update(status=Status.RUNNING, heartbeat_at=Now())

    assert runs.reconcile() == []
    run.refresh_from_db()
    assert (run.status, run.epoch) == (Status.RUNNING, 0)


def test_workers_are_told_of_a_waiting_run_once_in_a_while(counted):
    run = runs.request(counted, sampled())

    assert runs.reconcile() == [run]
    assert runs.reconcile() == []
    Run.objects.update(hinted_at=timezone.now() - timedelta(seconds=runs.HINT_SECONDS + 1))
    assert runs.reconcile() == [run]
