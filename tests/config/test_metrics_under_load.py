"""`/metrics` while the process is busy: every answer is whole, and no count goes backwards or is lost."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connections
from django.test import Client
from prometheus_client.parser import text_string_to_metric_families

from llms.models import Endpoint
from telemetry import metrics

pytestmark = pytest.mark.django_db(transaction=True)
N_READERS, N_READINGS, N_WRITERS = 6, 8, 4


def reading():
    """Every sample of one answer, by its name and labels."""
    try:
        response = Client().get("/metrics")
        assert response.status_code == 200
        families = list(text_string_to_metric_families(response.content.decode()))
    finally:
        connections.close_all()
    samples = [sample for family in families for sample in family.samples]
    found = {(sample.name, *sorted(sample.labels.items())): sample.value for sample in samples}
    assert len(found) == len(samples), "a sample stands there twice"
    return found


def test_many_read_at_once_while_everything_is_counted():
    for number in range(20):
        Endpoint.objects.create(name=f"lab {number}", base_url="http://127.0.0.1:9/v1")
    turns, place = ("hakem_turns_total",), "under load"
    tokens = ("hakem_tokens_total", ("endpoint", place))
    before, is_over = reading(), threading.Event()

    def write():
        n_written = 0
        while not is_over.is_set():
            metrics.TURNS.inc()
            metrics.StreamMeter(place).note_text()
            n_written += 1
        return n_written

    def read():
        return [reading() for _ in range(N_READINGS)]

    with ThreadPoolExecutor(N_READERS + N_WRITERS) as pool:
        writers = [pool.submit(write) for _ in range(N_WRITERS)]
        try:
            readers = [pool.submit(read) for _ in range(N_READERS)]
            series = [reader.result(120) for reader in readers]
        finally:
            is_over.set()
        n_written = sum(writer.result(30) for writer in writers)

    for answers in series:
        for name in (turns, tokens):
            values = [answer.get(name, 0) for answer in answers]
            assert values == sorted(values)
        for answer in answers:
            assert answer["hakem_part_away", ("part", "database")] == 0
            assert sum(name[0] == "hakem_endpoint_resting" for name in answer) == 20
    after = reading()
    assert after[turns] - before[turns] == n_written
    assert after[tokens] - before.get(tokens, 0) == n_written
