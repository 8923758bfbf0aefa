"""A run as a worker executes it, in this process."""

import threading
from datetime import timedelta

from django.db import connection

from evaluation import runs
from evaluation.datasets import DataKind
from evaluation.models import Run
from evaluation.plans import Wish
from tests.helpers.waiting import eventually_in_thread


def sampled(name="mmlu", **fields):
    return Wish(benchmark=name, data=DataKind.SAMPLE, **fields)


def executed(run):
    runs.execute(run.pk, run.epoch)
    run.refresh_from_db()
    return run


def in_thread(run):
    def work():
        try:
            runs.execute(run.pk, run.epoch)
        finally:
            connection.close()

    thread = threading.Thread(target=work)
    thread.start()
    return thread


def heard(run):
    """Whatever is wanted of it, its worker knows by now."""
    beat = Run.objects.get(pk=run.pk).heartbeat_at
    eventually_in_thread(lambda: Run.objects.get(pk=run.pk).heartbeat_at > beat + timedelta(seconds=0.6))
