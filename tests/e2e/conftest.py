"""A real server in its own process, and a real browser that fails the test for anything untoward: a policy violation,
an error on the console, a request that failed or that left the site."""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.helpers.server import Server, free_port

playwright_api = pytest.importorskip("playwright.sync_api", reason="Playwright is in requirements-dev.txt")

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
REPORT_VIOLATIONS = (
    "document.addEventListener('securitypolicyviolation',"
    " e => console.error('CSP ' + e.violatedDirective + ' ' + e.blockedURI))"
)


@pytest.fixture(scope="session")
def prepared_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with keys and an empty database, to be copied by each server."""
    data_dir = tmp_path_factory.mktemp("prepared")
    Server(data_dir, free_port()).run(
        "from django.core.management import call_command; call_command('migrate', verbosity=0)"
    )
    return data_dir


@pytest.fixture(scope="module")
def make_server(prepared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Server]]:
    """A server that is not started yet: register models, then `start()`. Stopped when the module's tests are done."""
    servers: list[Server] = []

    def make_server(**environment: str) -> Server:
        data_dir = tmp_path_factory.mktemp("server")
        shutil.copytree(prepared_data, data_dir, dirs_exist_ok=True)
        servers.append(Server(data_dir, free_port(), environment))
        return servers[-1]

    yield make_server
    for server in servers:
        server.stop()


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    if not CHROMIUM:
        if os.environ.get("HAKEM_REQUIRE_BROWSER"):
            pytest.fail("Chromium is required here (HAKEM_REQUIRE_BROWSER) and was not found")
        pytest.skip("no Chromium here: install it, or set CHROMIUM=/path/to/it")
    with playwright_api.sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield started
        started.close()


class Watch:
    """What went wrong in a browser context, and every frame that came over its sockets."""

    def __init__(self, origin: str) -> None:
        self.host = urlsplit(origin).netloc
        self.complaints: list[str] = []
        self.received: list[str] = []
        self.sent: list[str] = []
        self.expected: list[str] = []
        """Parts of complaints that a test brings about on purpose."""

    def follow(self, page: Any) -> None:
        page.on("console", lambda message: self._complain(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: self._complain(f"page error: {error}"))
        page.on("request", self._check_origin)
        page.on("websocket", self._log_frames)

    def check(self) -> None:
        unexpected = [c for c in self.complaints if not any(part in c for part in self.expected)]
        assert unexpected == []

    def _complain(self, text: str) -> None:
        self.complaints.append(text)

    def _check_origin(self, request: Any) -> None:
        target = urlsplit(request.url)
        if target.scheme in {"http", "https", "ws", "wss"} and target.netloc != self.host:
            self._complain(f"left the site: {request.url}")

    def _log_frames(self, connection: Any) -> None:
        connection.on("framereceived", lambda payload: self.received.append(str(payload)))
        connection.on("framesent", lambda payload: self.sent.append(str(payload)))


@pytest.fixture
def open_page(browser: Any) -> Iterator[Callable[..., Any]]:
    """`open_page(server)` gives a fresh visitor's page, `page.watch` what it noticed. Options are those of a browser
    context; `context=` opens another tab of the same visitor."""
    contexts: list[Any] = []
    watches: list[Watch] = []

    def open_page(server: Server, path: str = "/", *, context: Any = None, **options: Any) -> Any:
        if context is None:
            context = browser.new_context(**{"locale": "en", "reduced_motion": "reduce", **options})
            context.add_init_script(REPORT_VIOLATIONS)
            context.set_default_timeout(15_000)
            contexts.append(context)
        page = context.new_page()
        page.watch = Watch(server.url)
        watches.append(page.watch)
        page.watch.follow(page)
        page.goto(server.url + path)
        return page

    yield open_page
    for context in contexts:
        context.close()
    for watch in watches:
        watch.check()
