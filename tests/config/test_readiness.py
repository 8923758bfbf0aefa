"""`/readyz`: whether this process can carry out a battle now, and which part is missing if it cannot."""

import threading
import time

import pytest
from django.db import DatabaseError, connection

from config import health, probes
from config.probes import NotWell
from llms.models import Endpoint
from llms.pool import Readiness, pool

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _forget():
    health._remembered.forget()
    yield
    health._remembered.forget()


def parts(client):
    response = client.get("/readyz")
    body = response.json()
    assert body["ready"] is (response.status_code == 200)
    assert response.status_code in {200, 503}
    return body["parts"]


def failing(error):
    def fail(*_, **__):
        raise error

    return fail


def test_it_is_ready(client):
    response = client.get("/readyz")
    assert (response.status_code, response.json()["ready"]) == (200, True)
    assert set(response.json()["parts"]) == {"database", "migrations", "messages", "models"}
    assert set(response.json()["parts"].values()) == {"ok"}
    assert "no-store" in response["Cache-Control"]


def test_members_only_is_no_lock_for_it(client, settings):
    settings.ACCESS = "members"
    assert client.get("/readyz").status_code == 200


def test_without_its_database_it_is_not_and_says_no_more_than_that(client, monkeypatch, caplog):
    monkeypatch.setattr(probes, "database_answers", failing(DatabaseError("host db5.internal, user hakem")))
    found = parts(client)
    assert found["database"] == "does not answer; the log says why"
    assert found["migrations"] == found["models"] == "waits for the database"
    assert "internal" not in str(found)
    assert "db5.internal" in caplog.text


def test_a_missing_migration(client):
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM django_migrations WHERE app = 'leaderboard'")
        n_missing = cursor.rowcount
    assert n_missing > 0
    assert parts(client)["migrations"] == f"{n_missing} migrations are not applied"


def test_an_empty_database(client, monkeypatch):
    monkeypatch.setattr(probes.MigrationRecorder, "has_table", lambda self: False)
    assert parts(client)["migrations"] == "the database is empty"


def test_messages_that_do_not_arrive(client, monkeypatch):
    class Deaf:
        async def new_channel(self, prefix):
            return prefix

        async def send(self, channel, message):
            pass

        async def receive(self, channel):
            await probes.asyncio.sleep(60)

    monkeypatch.setattr(probes, "get_channel_layer", Deaf)
    monkeypatch.setattr(probes, "REPLY_SECONDS", 0.05)
    assert parts(client)["messages"] == "does not answer; the log says why"


async def test_a_round_trip_leaves_no_channel_behind():
    layer = probes.get_channel_layer()
    for _ in range(3):
        await probes.layer_round_trip()
    assert not layer.channels


def loading(monkeypatch, *states):
    """As many local models as states."""
    waiting = list(states)
    monkeypatch.setattr(pool, "readiness", lambda llm: waiting.pop())


def test_a_site_without_models_must_be_reached_to_get_some(client):
    assert parts(client)["models"] == "ok"


def test_models_that_are_being_loaded(client, orion, lyra, monkeypatch):
    loading(monkeypatch, Readiness.READY, Readiness.WARMING)
    assert parts(client)["models"] == "1 of 2 models are loaded"


def test_two_are_enough(client, orion, lyra, pavo, monkeypatch):
    loading(monkeypatch, Readiness.READY, Readiness.WARMING, Readiness.READY)
    assert parts(client)["models"] == "ok"


def test_models_of_a_server_need_no_loading(client, orion, register, monkeypatch):
    endpoint = Endpoint.objects.create(name="lab", base_url="http://127.0.0.1:9/v1")
    register("Vela 7B", engine="openai_compatible", endpoint=endpoint, source="vela")
    loading(monkeypatch, Readiness.WARMING)
    assert parts(client)["models"] == "1 of 2 models are loaded"
    register("Ara 7B", engine="openai_compatible", endpoint=endpoint, source="ara")
    health._remembered.forget()
    loading(monkeypatch, Readiness.WARMING)
    assert parts(client)["models"] == "ok"


def test_what_waiting_does_not_mend_is_no_reason_to_be_left_alone(client, orion, lyra, monkeypatch):
    loading(monkeypatch, Readiness.FAILED, Readiness.FAILED)
    assert parts(client)["models"] == "ok"


def test_several_processes_need_a_worker(client, settings, monkeypatch):
    settings.EMBEDDED = False
    monkeypatch.setattr(probes, "a_worker_answers", failing(NotWell("no worker answers")))
    assert parts(client)["worker"] == "no worker answers"
    health._remembered.forget()
    monkeypatch.setattr(probes, "a_worker_answers", lambda: None)
    assert parts(client)["worker"] == "ok"


def test_a_flood_of_questions_is_one_question(client, monkeypatch):
    asked = []

    def slow():
        asked.append(1)
        time.sleep(0.05)

    monkeypatch.setattr(health, "_checks", lambda: {"database": slow})
    askers = [threading.Thread(target=health._remembered.parts) for _ in range(20)]
    for asker in askers:
        asker.start()
    for asker in askers:
        asker.join()
    assert len(asked) == 1
    monkeypatch.setattr(health, "REMEMBERED_SECONDS", 0.0)
    health._remembered.parts()
    assert len(asked) == 2
