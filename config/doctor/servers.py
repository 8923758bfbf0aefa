"""Database, Redis, queues, and the processes that work behind the pages."""

import asyncio
import time
from collections.abc import Iterator
from typing import Any

import psycopg
import redis
from django.conf import settings
from django.db import DatabaseError, connection

from config import probes
from config.doctor.findings import Check, Finding, first_line, ok, problem, unknown, warning

GROUP = "Servers"
OLDEST_POSTGRES = 14
PROCESSES = 3
"""At least: web, worker, beat. Each may hold a whole pool of connections."""
MOST_SKEW_SECONDS = 2.0


def database() -> Finding:
    try:
        if not settings.IS_SQLITE:
            _knock()
        probes.database_answers()
    except (psycopg.Error, DatabaseError) as error:
        return problem(f"does not answer: {first_line(error)}", "start it, or correct DATABASE_URL")
    return _sqlite() if settings.IS_SQLITE else _postgresql()


def _knock() -> None:
    """Without the pool, which would try for long and then not say why."""
    given = connection.settings_dict
    names = {"host": "HOST", "port": "PORT", "user": "USER", "password": "PASSWORD", "dbname": "NAME"}
    parts = {name: given[key] for name, key in names.items() if given[key]}
    psycopg.connect(**parts, connect_timeout=int(probes.REPLY_SECONDS)).close()


def _sqlite() -> Finding:
    with connection.cursor() as cursor:
        mode, version = _value(cursor, "PRAGMA journal_mode"), _value(cursor, "SELECT sqlite_version()")
    if mode != "wal":
        return problem(f"SQLite {version} keeps a {mode} journal", "move it to a local disk; there WAL is switched on")
    if not settings.EMBEDDED:
        return warning(f"SQLite {version} for several processes", "DATABASE_URL=postgres://…")
    return ok(f"SQLite {version}, WAL, {connection.settings_dict['OPTIONS']['transaction_mode']}")


def _postgresql() -> Finding:
    with connection.cursor() as cursor:
        version = _value(cursor, "SHOW server_version")
        allowed = int(_value(cursor, "SHOW max_connections")) - int(
            _value(cursor, "SHOW superuser_reserved_connections")
        )
        used = int(_value(cursor, "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'"))
    if int(version.split(".")[0]) < OLDEST_POSTGRES:
        return problem(f"PostgreSQL {version} is too old", f"update it to {OLDEST_POSTGRES} or newer")
    pool = connection.settings_dict["OPTIONS"]["pool"]["max_size"]
    words = f"PostgreSQL {version}, {used} of {allowed} connections in use, up to {pool} for each process"
    if allowed < PROCESSES * pool:
        return warning(words, f"ALTER SYSTEM SET max_connections = {PROCESSES * pool + 50}; and a restart")
    return ok(words)


def _value(cursor: Any, query: str) -> str:
    cursor.execute(query)
    return str(cursor.fetchone()[0])


def migrations() -> Finding:
    missing = probes.missing_migrations()
    if missing:
        words = f"{len(missing)} are not applied, first {missing[0]}"
        return problem(words, "python manage.py migrate")
    return ok("all applied")


def clock() -> Finding:
    """Abandoned turns and resting endpoints go by the database's clock, sessions and tokens by ours."""
    if settings.IS_SQLITE:
        return ok("the database's is ours")
    with connection.cursor() as cursor:
        before = time.time()
        theirs = float(_value(cursor, "SELECT extract(epoch FROM clock_timestamp())"))
        ours = (before + time.time()) / 2
    words = f"{abs(theirs - ours):.1f} s between ours and the database's"
    if abs(theirs - ours) > MOST_SKEW_SECONDS:
        return warning(words, "let both follow a time server: timedatectl set-ntp true")
    return ok(words)


def cache() -> Finding:
    if not settings.REDIS_URL:
        if settings.EMBEDDED:
            return ok("none is needed by one process")
        return problem(
            "several processes without one: limits and messages do not reach each other", "REDIS_URL=redis://…"
        )
    server = redis.Redis.from_url(
        settings.REDIS_URL, socket_timeout=probes.REPLY_SECONDS, socket_connect_timeout=probes.REPLY_SECONDS
    )
    try:
        found: dict[str, Any] = server.info()
    except redis.RedisError as error:
        return problem(f"does not answer: {error}", "start it, or correct REDIS_URL")
    finally:
        server.close()
    words = f"Redis {found['redis_version']}"
    if found.get("maxmemory") and found.get("maxmemory_policy") != "noeviction":
        return warning(f"{words} may throw away what it was given to keep", "CONFIG SET maxmemory-policy noeviction")
    return ok(words)


def broker() -> Finding:
    if settings.EMBEDDED:
        return ok("inside the one process")
    try:
        with probes.broker() as opened:
            told = getattr(opened.connection, "server_properties", {})
        depths = probes.queue_depths()
    except Exception as error:  # noqa: BLE001 - transports have their own trees
        return problem(f"do not answer: {first_line(error)}", "start the broker, or correct CELERY_BROKER_URL")
    name = f"{told['product']} {told['version']}" if told else "in Redis"
    return ok(f"{name}; " + ", ".join(f"{n} tasks wait in {queue}" for queue, n in depths.items()))


def messages() -> Finding:
    try:
        asyncio.run(probes.layer_round_trip())
    except Exception as error:  # noqa: BLE001 - layers have their own trees
        return problem(
            f"a message to ourselves did not arrive: {type(error).__name__}", "start Redis, or correct REDIS_URL"
        )
    return ok("one came back")


def processes() -> Iterator[Finding]:
    if settings.EMBEDDED:
        yield ok("inside the one process", about="worker")
        return
    try:
        names = probes.who_answers()
    except Exception:  # noqa: BLE001 - said by the queues
        yield unknown("waits for the queues")
        return
    workers = [name for name in names if not name.startswith(probes.BEAT)]
    beats = [name for name in names if name.startswith(probes.BEAT)]
    if workers:
        yield ok(", ".join(workers), about="worker")
    else:
        yield problem("none answers: votes are not rated", "sh docker-entrypoint.sh worker", about="worker")
    if len(beats) == 1:
        yield ok(beats[0], about="beat")
    elif beats:
        yield problem(f"{len(beats)} answer: everything is done {len(beats)} times", "stop all but one", about="beat")
    else:
        yield problem("none answers: nothing is done on time", "sh docker-entrypoint.sh beat", about="beat")


CHECKS = (
    Check(GROUP, "database", database, seconds=25),
    Check(GROUP, "migrations", migrations, needs="database"),
    Check(GROUP, "clocks", clock, needs="database"),
    Check(GROUP, "Redis", cache),
    Check(GROUP, "queues", broker),
    Check(GROUP, "messages", messages),
    Check(GROUP, "processes", processes, seconds=20),
)
