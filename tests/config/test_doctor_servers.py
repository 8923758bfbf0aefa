"""What `doctor` sees of database, Redis, queues and processes. Real servers are in tests/services."""

import pytest
from django.db import DatabaseError

from config import probes
from config.doctor import servers
from config.doctor.findings import State

pytestmark = pytest.mark.django_db


class Answers:
    """A cursor of a database that answers each query from a table."""

    def __init__(self, table):
        self._table, self._last = table, ""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def execute(self, query):
        self._last = next(value for part, value in self._table.items() if part in query)

    def fetchone(self):
        return (self._last,)


@pytest.fixture
def database_says(monkeypatch, settings):
    """`database_says(server_version="15.4", …)`: a PostgreSQL with pool of 16."""
    table = {"server_version": "15.4", "SHOW max_connections": "100", "superuser_reserved": "3", "pg_stat": "9"}

    class Connection:
        settings_dict = {"OPTIONS": {"pool": {"max_size": 16}}, "NAME": "hakem"}
        cursor = staticmethod(lambda: Answers(table))

    def says(**answers):
        table.update({"server_version" if key == "version" else key: value for key, value in answers.items()})

    settings.IS_SQLITE = False
    monkeypatch.setattr(servers, "connection", Connection())
    monkeypatch.setattr(servers, "_knock", lambda: None)
    monkeypatch.setattr(probes, "database_answers", lambda: None)
    return says


def test_sqlite_as_it_is_here():
    found = servers.database()
    assert found.state is State.OK
    assert "WAL, IMMEDIATE" in found.words


def test_sqlite_for_several_processes(settings):
    settings.EMBEDDED = False
    assert servers.database().state is State.WARNING


def test_a_journal_that_is_not_ahead(monkeypatch):
    monkeypatch.setattr(servers, "_value", lambda cursor, query: "delete" if "journal" in query else "3.40")
    assert servers.database().state is State.PROBLEM


def test_a_database_that_does_not_answer(monkeypatch):
    def away():
        raise DatabaseError("could not connect\nIs it running?")

    monkeypatch.setattr(probes, "database_answers", away)
    found = servers.database()
    assert (found.state, found.words) == (State.PROBLEM, "does not answer: could not connect")


def test_postgresql(database_says):
    assert servers.database().words == "PostgreSQL 15.4, 9 of 97 connections in use, up to 16 for each process"
    database_says(**{"SHOW max_connections": "40"})
    assert servers.database().state is State.WARNING
    database_says(version="13.9")
    assert servers.database().state is State.PROBLEM


@pytest.mark.parametrize(("skew", "state"), [(0.5, State.OK), (-90, State.WARNING), (90, State.WARNING)])
def test_clocks_that_disagree(skew, state, database_says, monkeypatch):
    monkeypatch.setattr(servers.time, "time", lambda: 1_000_000.0)
    database_says(clock_timestamp=str(1_000_000.0 + skew))
    assert servers.clock().state is state


def test_migrations(monkeypatch):
    assert servers.migrations().state is State.OK
    monkeypatch.setattr(probes, "missing_migrations", lambda: ["llms.0009_x", "llms.0010_y"])
    found = servers.migrations()
    assert (found.state, found.words) == (State.PROBLEM, "2 are not applied, first llms.0009_x")
    assert found.mend == "python manage.py migrate"


def test_redis_that_is_not_there(settings):
    assert servers.cache().state is State.OK
    settings.EMBEDDED = False
    assert servers.cache().mend == "REDIS_URL=redis://…"
    settings.REDIS_URL = "redis://:a-password@127.0.0.1:9/0"
    found = servers.cache()
    assert found.state is State.PROBLEM
    assert "a-password" not in found.words


@pytest.mark.parametrize(
    ("told", "state"),
    [
        ({}, State.OK),
        ({"maxmemory": 100, "maxmemory_policy": "noeviction"}, State.OK),
        ({"maxmemory": 100, "maxmemory_policy": "allkeys-lru"}, State.WARNING),
    ],
)
def test_a_redis_that_forgets(told, state, settings, monkeypatch):
    settings.REDIS_URL = "redis://127.0.0.1:9/0"
    monkeypatch.setattr(servers.redis.Redis, "info", lambda self: {"redis_version": "7.2", **told})
    assert servers.cache().state is state


def test_one_process_has_its_queues_and_workers_inside():
    assert servers.broker().state is State.OK
    assert [(found.about, found.state) for found in servers.processes()] == [("worker", State.OK)]


def test_a_broker_that_does_not_answer(settings):
    settings.EMBEDDED = False
    settings.CELERY_BROKER_URL = "redis://:a-password@127.0.0.1:9/0"
    found = servers.broker()
    assert (found.state, found.mend) == (State.PROBLEM, "start the broker, or correct CELERY_BROKER_URL")
    assert "a-password" not in found.words
    assert [one.state for one in servers.processes()] == [State.UNKNOWN]


@pytest.mark.parametrize(
    ("names", "worker", "beat"),
    [
        (["celery@one", "celerybeat-7@one"], State.OK, State.OK),
        (["gpu@two", "celerybeat-7@one", "celerybeat-9@one"], State.OK, State.PROBLEM),
        (["celery@one"], State.OK, State.PROBLEM),
        (["celerybeat-7@one"], State.PROBLEM, State.OK),
        ([], State.PROBLEM, State.PROBLEM),
    ],
)
def test_workers_and_exactly_one_beat(names, worker, beat, settings, monkeypatch):
    settings.EMBEDDED = False
    monkeypatch.setattr(probes, "who_answers", lambda: names)
    found = {one.about: one.state for one in servers.processes()}
    assert found == {"worker": worker, "beat": beat}


def test_messages(monkeypatch):
    assert servers.messages().state is State.OK

    async def lost():
        raise TimeoutError

    monkeypatch.setattr(probes, "layer_round_trip", lost)
    assert servers.messages().state is State.PROBLEM
