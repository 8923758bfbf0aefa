"""Questions to the parts of an installation, each with an end: `/readyz` asks them, and `manage.py doctor`."""

import asyncio
import contextlib
from typing import Any

from channels.layers import get_channel_layer
from django.conf import settings
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.recorder import MigrationRecorder
from kombu import Connection

from config.celery import app
from evaluation.models import Run

REPLY_SECONDS = 3.0
BEAT = "celerybeat"
ANY_WORKER = f"^(?!{BEAT})"


class NotWell(Exception):
    """A part does not do what it should. Says what, in words that hold no secret."""


def database_answers() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")


def missing_migrations() -> list[str]:
    executor = MigrationExecutor(connection)
    plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    return [f"{migration.app_label}.{migration.name}" for migration, _ in plan]


def migrations_are_applied() -> None:
    if not MigrationRecorder(connection).has_table():
        raise NotWell("the database is empty")
    if missing := missing_migrations():
        raise NotWell(f"{len(missing)} migrations are not applied")


async def layer_round_trip() -> None:
    """A message to ourselves. Raises whatever the layer raises, and `TimeoutError`."""
    layer: Any = get_channel_layer()
    channel = await layer.new_channel("probe.")
    try:
        await layer.send(channel, {"type": "probe"})
        async with asyncio.timeout(REPLY_SECONDS):
            await layer.receive(channel)
    finally:
        await _leave(layer, channel)


async def _leave(layer: Any, channel: str) -> None:
    """Layers unsubscribe when somebody stops receiving, and at no other moment."""
    waiting = asyncio.ensure_future(layer.receive(channel))
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)


@contextlib.contextmanager
def broker() -> Any:
    """An open connection to where tasks are queued. Raises whatever its library raises."""
    url = settings.CELERY_BROKER_URL
    names = (
        ("read_timeout", "write_timeout") if url.startswith("amqp") else ("socket_timeout", "socket_connect_timeout")
    )
    with Connection(
        url, connect_timeout=REPLY_SECONDS, transport_options=dict.fromkeys(names, REPLY_SECONDS)
    ) as opened:
        opened.ensure_connection(max_retries=1, timeout=int(REPLY_SECONDS))
        yield opened


def queue_depths() -> dict[str, int]:
    """Tasks that wait, by queue; 0 for one that nobody has put anything into."""
    names = (settings.CELERY_TASK_DEFAULT_QUEUE, Run.GPU_QUEUE, Run.JUDGE_QUEUE)
    with broker() as opened:
        return {name: _depth(opened, name) for name in names}


def _depth(opened: Connection, queue: str) -> int:
    channel: Any = opened.channel()
    try:
        return int(channel.queue_declare(queue, passive=True).message_count)
    except opened.channel_errors:
        return 0  # nobody has asked for it yet


def a_worker_answers() -> None:
    with broker() as opened:
        if not _pinged(opened, pattern=ANY_WORKER, limit=1):
            raise NotWell("no worker answers")


def who_answers() -> list[str]:
    """The names of all workers, and of beat, that answer within the time."""
    with broker() as opened:
        return sorted(name for reply in _pinged(opened) for name in reply)


def _pinged(opened: Connection, *, pattern: str = "", limit: int | None = None) -> list[dict[str, Any]]:
    chosen: dict[str, Any] = {"pattern": pattern, "matcher": "pcre"} if pattern else {}
    found = app.control.broadcast(
        "ping", reply=True, timeout=REPLY_SECONDS, limit=limit, connection=opened, arguments={}, **chosen
    )
    return found or []
