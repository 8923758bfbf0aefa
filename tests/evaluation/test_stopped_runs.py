"""Paused, cancelled, stopped and resumed: what is asked of a run is done, and what goes on is the same run."""

import threading

import pytest
from django.db.models import F

from evaluation import runs, scribe
from evaluation.models import Run, SampleResult
from llms.engines.base import NotSupported, ScoringMethod
from llms.models import LanguageModel
from stats.proportions import wilson
from tests.helpers.executed_runs import executed, heard, in_thread, sampled
from tests.helpers.waiting import eventually_in_thread

Status = Run.Status


@pytest.mark.parametrize(
    ("ask", "expected"), [(runs.pause, Status.PAUSED), (runs.cancel, Status.CANCELLED)], ids=["pause", "cancel"]
)
def test_it_stops_within_the_batch_and_keeps_what_is_done(counted, engine, gate, ask, expected):
    run = runs.request(counted, sampled())
    gate.close_after(3)
    worker = in_thread(run)
    assert gate.reached.wait(30)
    eventually_in_thread(lambda: SampleResult.objects.filter(run=run).count() == 3)
    assert ask(run)
    heard(run)
    gate.open.set()
    worker.join()

    run.refresh_from_db()
    assert run.status == expected
    assert run.samples.count() == run.n_done == engine.n_computed == 4
    assert_counts_all_that_is_stored(run)
    assert runs.resume(run)
    run.refresh_from_db()
    executed(run)
    assert (run.status, run.samples.count()) == (Status.SUCCEEDED, run.n_samples)
    assert engine.n_computed == run.n_samples


def test_the_score_of_one_that_failed_counts_every_sample_that_is_stored(counted, engine):
    engine.fails_after, engine.n_failures_left, engine.error = 5, 1, NotSupported
    run = executed(runs.request(counted, sampled()))

    assert (run.status, run.n_done) == (Status.FAILED, 5)
    assert_counts_all_that_is_stored(run)


def assert_counts_all_that_is_stored(run):
    """Wilson's interval tells of how many samples it is."""
    stored = list(run.samples.values_list("is_right", flat=True))
    interval = wilson(sum(stored), len(stored))
    assert (run.value, run.lower, run.upper) == pytest.approx((interval.estimate, interval.lower, interval.upper))


def test_a_resume_while_it_pauses_is_not_lost(counted, engine, gate):
    run = runs.request(counted, sampled())
    gate.close_after(3)
    worker = in_thread(run)
    assert gate.reached.wait(30)
    assert runs.pause(run)
    heard(run)
    assert runs.resume(run)
    gate.open.set()
    worker.join()

    run.refresh_from_db()
    assert (run.status, run.wanted, run.epoch, run.hinted_at) == (Status.QUEUED, Run.Wanted.RUN, 1, None)
    assert str(run.log.last()) == f"resumed after 4 of {run.n_samples} samples"
    assert executed(run).status == Status.SUCCEEDED
    assert engine.n_computed == run.n_samples


@pytest.mark.parametrize(
    ("ask", "expected"), [(runs.pause, Status.PAUSED), (runs.cancel, Status.CANCELLED)], ids=["pause", "cancel"]
)
def test_what_is_asked_after_the_scribes_last_look_is_obeyed(counted, monkeypatch, ask, expected):
    run = runs.request(counted, sampled())
    finish = scribe.Scribe.finish

    def finish_and_be_asked(self):
        finish(self)
        assert ask(run)

    monkeypatch.setattr(scribe.Scribe, "finish", finish_and_be_asked)
    monkeypatch.setattr(runs, "_score", lambda run, prepared, engine, scribe: scribe.wait(30))
    runs.execute(run.pk, run.epoch, stopping=lambda: True)

    run.refresh_from_db()
    assert run.status == expected


def test_one_that_waits_is_paused_and_cancelled_at_once(counted):
    run = runs.request(counted, sampled())
    assert runs.pause(run)
    run.refresh_from_db()
    assert run.status == Status.PAUSED
    assert not runs.execute(run.pk, run.epoch)
    assert runs.cancel(run)
    run.refresh_from_db()
    assert run.status == Status.CANCELLED
    assert not runs.cancel(run)


def test_one_that_succeeded_is_over(counted):
    run = executed(runs.request(counted, sampled("piqa", limit=1)))

    assert not runs.pause(run)
    assert not runs.cancel(run)
    assert not runs.resume(run)
    run.refresh_from_db()
    assert run.status == Status.SUCCEEDED


def test_a_worker_that_is_stopped_puts_it_back(counted, gate):
    run = runs.request(counted, sampled())
    gate.close_after(2)
    stopping = threading.Event()
    worker = threading.Thread(target=lambda: runs.execute(run.pk, run.epoch, stopping=stopping.is_set))
    worker.start()
    assert gate.reached.wait(30)
    stopping.set()
    eventually_in_thread(lambda: SampleResult.objects.filter(run=run).count() == 2)
    heard(run)
    gate.open.set()
    worker.join()

    run.refresh_from_db()
    assert (run.status, run.epoch, run.n_done) == (Status.QUEUED, 1, 3)


# --- what it does not go on with


def test_it_does_not_go_on_with_other_weights(counted, engine):
    engine.fails_after, engine.n_failures_left, engine.error = 3, 1, NotSupported
    run = executed(runs.request(counted, sampled()))
    LanguageModel.objects.update(source="orion, trained further")
    assert runs.resume(run)
    run = executed(Run.objects.get(pk=run.pk))

    assert run.status == Status.FAILED
    assert "weights" in run.error
    assert run.samples.count() == 3


def sees_less(engine, monkeypatch):
    method = ScoringMethod("plain rows", "", "float32", "cpu", 1024, {"counting": "1"})
    monkeypatch.setattr(engine, "scoring_method", lambda self: method)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            lambda *_: LanguageModel.objects.update(options={"dtype": "float16"}),
            'Options of the model: this run began with “{}”, now it is “{"dtype": "float16"}”. Set it back',
        ),
        (sees_less, "Tokens seen at once: this run began with “2048”, now it is “1024”. Set it back and resume"),
    ],
    ids=["options", "length"],
)
def test_it_does_not_go_on_under_other_conditions(counted, engine, monkeypatch, change, words):
    engine.fails_after, engine.n_failures_left, engine.error = 3, 1, NotSupported
    run = executed(runs.request(counted, sampled()))
    with monkeypatch.context() as changed:
        change(engine, changed)
        assert runs.resume(run)
        run = executed(Run.objects.get(pk=run.pk))
        assert run.status == Status.FAILED
        assert words in run.error
        assert run.samples.count() == 3

    LanguageModel.objects.update(options={})  # set back, as it says
    assert runs.resume(run)
    assert executed(Run.objects.get(pk=run.pk)).status == Status.SUCCEEDED


def test_weights_that_nothing_pins_must_come_from_where_they_came(counted, engine):
    engine.pinned = False
    engine.fails_after, engine.n_failures_left, engine.error = 3, 1, NotSupported
    run = executed(runs.request(counted, sampled()))
    LanguageModel.objects.update(source="lyra")
    assert runs.resume(run)
    run = executed(Run.objects.get(pk=run.pk))

    assert run.status == Status.FAILED
    assert run.error.startswith("Source: this run began with “orion”, now it is “lyra”.")
    assert run.samples.count() == 3


def test_before_its_first_sample_it_may_begin_under_other_conditions(counted, engine):
    engine.fails_after, engine.n_failures_left, engine.error = 0, 1, NotSupported
    run = executed(runs.request(counted, sampled()))
    LanguageModel.objects.update(options={"dtype": "float16"})
    assert runs.resume(run)

    assert executed(Run.objects.get(pk=run.pk)).status == Status.SUCCEEDED


def test_who_lost_it_does_not_note_what_computes_it(counted, engine, monkeypatch):
    run = runs.request(counted, sampled())
    method = engine.scoring_method

    def lost_meanwhile(self):
        Run.objects.filter(pk=run.pk).update(epoch=F("epoch") + 1, environment={"engine": "of another"})
        return method(self)

    monkeypatch.setattr(engine, "scoring_method", lost_meanwhile)

    assert executed(run).environment == {"engine": "of another"}


def test_it_does_not_go_on_with_other_rows(counted):
    run = runs.request(counted, sampled())
    Run.objects.update(fingerprint="of other rows")

    assert "have changed" in executed(run).error
