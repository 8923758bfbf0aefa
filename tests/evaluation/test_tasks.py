from datetime import timedelta

import pytest
from django.utils import timezone
from kombu.exceptions import OperationalError

from config.celery import app
from evaluation import runs, tasks
from evaluation.datasets import DataKind
from evaluation.models import Run
from evaluation.plans import Wish


@pytest.fixture
def waiting(counted):
    return runs.request(counted, Wish(benchmark="piqa", data=DataKind.SAMPLE))


@pytest.fixture
def sent(monkeypatch):
    found = []
    monkeypatch.setattr(tasks.execute_waiting, "apply_async", lambda **how: found.append(how))
    return found


def test_a_hint_has_all_of_its_queue_done(waiting):
    tasks.execute_waiting(queue="judge")
    waiting.refresh_from_db()
    assert waiting.status == Run.Status.QUEUED

    tasks.execute_waiting(queue="gpu")
    waiting.refresh_from_db()
    assert waiting.status == Run.Status.SUCCEEDED


def test_workers_hear_of_what_a_lost_one_held(waiting, sent, settings):
    settings.EMBEDDED = False
    Run.objects.update(status=Run.Status.RUNNING, heartbeat_at=timezone.now() - timedelta(minutes=2))
    tasks.reconcile_runs()

    assert [(how["queue"], how["kwargs"]) for how in sent] == [("gpu", {"queue": "gpu"})]


def test_embedded_mode_sends_nothing(waiting, sent, settings):
    settings.EMBEDDED = True
    tasks.announce(waiting)

    assert sent == []


def test_a_broker_that_is_away_loses_no_run(waiting, monkeypatch, settings, caplog):
    def refuse(**how):
        raise OperationalError("connection refused")

    settings.EMBEDDED = False
    monkeypatch.setattr(tasks.execute_waiting, "apply_async", refuse)
    tasks.announce(waiting)

    assert f"run {waiting.pk}" in caplog.text
    Run.objects.update(hinted_at=timezone.now() - timedelta(seconds=runs.HINT_SECONDS + 1))
    assert runs.reconcile() == [waiting]


def test_beat_knows_the_reconciler():
    assert app.conf.beat_schedule["reconcile-runs"]["task"] == tasks.reconcile_runs.name
