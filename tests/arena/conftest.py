"""Battle sockets without a network, hurried along, and watched for what no test may overlook: a defect in the log."""

import asyncio
import logging
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.contrib.auth.models import User
from django.core import signing
from django.core.cache import cache
from django.test import Client

from arena import consumers, live_turns, streaming, voters
from arena.database import in_database
from arena.live_turns import LiveTurns
from llms.engines.openai_compatible.server import close_connections
from tests.helpers.pages import AsgiSocket, Page, process


class Processes:
    """Live turns of several web processes; which one is meant depends on who asks."""

    def __init__(self) -> None:
        self._turns: defaultdict[str, LiveTurns] = defaultdict(LiveTurns)

    def of(self, name: str) -> LiveTurns:
        return self._turns[name]

    def __getattr__(self, name: str) -> Any:
        return getattr(self._turns[process.get()], name)

    async def close(self) -> None:
        for turns in self._turns.values():
            await turns.close()
            if turns._tender:
                turns._tender.cancel()
                await asyncio.gather(turns._tender, return_exceptions=True)


@pytest.fixture
async def processes(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Processes]:
    """Battles that take a fraction of the time that people need to read them."""
    found = Processes()
    monkeypatch.setattr(consumers, "live_turns", found)
    monkeypatch.setattr(consumers, "FOLLOW_SECONDS", 0.05)
    monkeypatch.setattr(live_turns, "FLUSH_SECONDS", 0.05)
    monkeypatch.setattr(streaming, "TICK_SECONDS", 0.001)
    cache.clear()
    yield found
    await found.close()
    await close_connections()


class Visits:
    """Opens pages, and keeps all of them."""

    def __init__(self) -> None:
        self.pages: list[Page] = []
        self.expected_errors: set[str] = set()
        """Messages in the log that a test brings about on purpose."""

    async def open(
        self,
        path: str = "/ws/battle/",
        *,
        visitor: str | None = "a random id",
        user: User | None = None,
        origin: str | None = None,
        served_by: str = "one",
        cookies: dict[str, str] | None = None,
        headers: dict[str, str] | None = None,
    ) -> Page:
        from config.asgi import sockets

        given = dict(cookies or {})
        if visitor is not None:
            given[voters.COOKIE] = signing.dumps(visitor, salt=voters._SALT)
        if user:
            given |= await in_database(_session_of, user)
        sent = {"cookie": "; ".join(f"{name}={value}" for name, value in given.items()), **(headers or {})}
        sent["origin"] = origin or django_settings.PUBLIC_URL
        raw = [(name.encode(), value.encode()) for name, value in sent.items()]
        page = Page(AsgiSocket(sockets, path, raw, served_by=served_by))
        self.pages.append(page)
        await page.transport.connect()
        return page

    async def to(self, battle: str, **options: Any) -> Page:
        return await self.open(f"/ws/battle/{battle}/", **options)

    @property
    def frames(self) -> list[str]:
        return [frame for page in self.pages for frame in page.received]


def _session_of(user: User) -> dict[str, str]:
    client = Client()
    client.force_login(user)
    return {name: morsel.value for name, morsel in client.cookies.items()}


@pytest.fixture
async def visits(
    transactional_db: None, processes: Processes, caplog: pytest.LogCaptureFixture
) -> AsyncIterator[Visits]:
    found = Visits()
    yield found
    for page in found.pages:
        await page.close()
    errors = [r.getMessage() for r in caplog.get_records("call") if r.levelno >= logging.ERROR]
    assert [error for error in errors if not any(part in error for part in found.expected_errors)] == []


@pytest.fixture
def in_thread() -> Callable[..., Any]:
    """Ask the database from an asynchronous test."""
    return in_database


@pytest.fixture
def enrol(register: Callable[..., Any]) -> Callable[..., Any]:
    """`register`, for asynchronous tests."""

    async def enrol(name: str, **options: Any) -> Any:
        return await in_database(register, name, **options)

    return enrol
