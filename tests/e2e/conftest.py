"""A real server in its own process, and a real browser that fails the test for anything untoward: a policy violation,
an error on the console, a request that failed or that left the site."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

playwright_api = pytest.importorskip("playwright.sync_api", reason="Playwright is in requirements-dev.txt")

ROOT = Path(__file__).resolve().parents[2]
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
START_SECONDS = 90


@dataclass
class Server:
    """`manage.py up` with a data folder of its own."""

    data_dir: Path
    port: int
    environment: dict[str, str] = field(default_factory=dict)
    process: "subprocess.Popen[bytes] | None" = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def run(self, code: str) -> str:
        """Run a few lines with the ORM against this server's database."""
        command = [sys.executable, "manage.py", "shell", "--no-imports"]
        done = subprocess.run(
            command, input=code, cwd=ROOT, env=self._env(), capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def register(self, name: str, **fields: Any) -> None:
        """Register a model that answers by a script: `register("Orion 7B", options={"reply": "Hello"})`."""
        slug = name.lower().replace(" ", "-")
        row = {"slug": slug, "name": name, "engine": "echo", "status": "enabled", **fields}
        self.run(
            f"from llms.models import LanguageModel as L; L.objects.update_or_create(slug={slug!r}, defaults={row!r})"
        )

    def start(self, *arguments: str) -> None:
        command = [sys.executable, "manage.py", "up", *arguments]
        with (self.data_dir / "server.log").open("ab") as log:
            self.process = subprocess.Popen(command, cwd=ROOT, env=self._env(), stdout=log, stderr=subprocess.STDOUT)
        deadline = time.monotonic() + START_SECONDS
        while not self._answers():
            assert self.process.poll() is None, (self.data_dir / "server.log").read_text()
            assert time.monotonic() < deadline, "the server did not come up"
            time.sleep(0.1)

    def stop(self, with_signal: int = signal.SIGTERM) -> None:
        if self.process:
            self.process.send_signal(with_signal)
            self.process.wait(30)
            self.process = None

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/healthz", timeout=2) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def _env(self) -> dict[str, str]:
        inherited = {k: v for k, v in os.environ.items() if k not in {"DATABASE_URL", "REDIS_URL", "CELERY_BROKER_URL"}}
        own = {"HAKEM_DATA_DIR": str(self.data_dir), "PORT": str(self.port), "BATTLES_PER_HOUR": "1000"}
        return inherited | own | {"TURNS_PER_MINUTE": "1000", "VOTES_PER_HOUR": "1000"} | self.environment


def free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


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
        page.on("requestfailed", lambda request: self._complain(f"failed: {request.url}"))
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
