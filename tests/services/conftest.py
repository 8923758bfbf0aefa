"""Real servers on their standard ports. Each test gets a database of its own, and drops it."""

import contextlib
import os
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
import pytest

from tests.helpers.server import ROOT, Server, free_port

ADMINISTRATION = os.environ.get("TEST_POSTGRES_URL", "postgres://postgres@127.0.0.1:5432/postgres")
REDIS = os.environ.get("TEST_REDIS_URL", "redis://127.0.0.1:6379")
RABBITMQ = os.environ.get("TEST_RABBITMQ_URL", "amqp://guest:guest@127.0.0.1:5672//")
PORTS = {"PostgreSQL": 5432, "Redis": 6379, "RabbitMQ": 5672}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.services)


@pytest.fixture(scope="session", autouse=True)
def _services_are_there() -> None:
    missing = [name for name, port in PORTS.items() if not _listens(port)]
    if missing and os.environ.get("HAKEM_REQUIRE_SERVICES"):
        pytest.fail(f"required here (HAKEM_REQUIRE_SERVICES) and not reachable: {', '.join(missing)}")
    if missing:
        pytest.skip(f"not reachable on this machine: {', '.join(missing)}")


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(2)
        return probe.connect_ex(("127.0.0.1", port)) == 0


@contextlib.contextmanager
def new_database() -> Iterator[str]:
    """An empty PostgreSQL database."""
    name = f"hakem_test_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(ADMINISTRATION, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
    try:
        yield ADMINISTRATION.rsplit("/", 1)[0] + f"/{name}"
    finally:
        with psycopg.connect(ADMINISTRATION, autocommit=True) as connection:
            connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.fixture
def database_url() -> Iterator[str]:
    with new_database() as url:
        yield url


@dataclass
class Web(Server):
    """A web process of scaled mode, started as the container starts it."""

    def start(self, *arguments: str) -> None:
        self._start_process(["sh", "docker-entrypoint.sh", "web", "--host", "127.0.0.1", *arguments])


@dataclass
class Site:
    """Web processes, a worker and a beat, all told by environment variables alone where everything is."""

    data_dir: Path
    environment: dict[str, str]
    processes: list["subprocess.Popen[bytes]"] = field(default_factory=list)
    webs: list[Web] = field(default_factory=list)

    def start(self, n_webs: int = 1) -> None:
        first = self.add_web()
        first.run("from django.core.management import call_command; call_command('migrate', verbosity=0)")
        first.run(
            "from django.core.management import call_command; call_command('collectstatic', verbosity=0, interactive=False)"
        )
        for _ in range(n_webs - 1):
            self.add_web()
        for web in self.webs:
            web.start()
        for role in ("worker", "beat"):
            self._start(role)

    def add_web(self) -> Web:
        port = free_port()
        # all of them are one site, reached under one name
        known = {
            "PUBLIC_URL": self.webs[0].url if self.webs else f"http://127.0.0.1:{port}",
            "ALLOWED_HOSTS": "127.0.0.1",
        }
        self.webs.append(Web(self.data_dir, port, {**self.environment, **known}))
        return self.webs[-1]

    def stop(self) -> None:
        for web in self.webs:
            web.stop()
        for process in self.processes:
            process.terminate()
        for process in self.processes:
            process.wait(30)

    def _start(self, role: str) -> None:
        with (self.data_dir / f"{role}.log").open("ab") as log:
            command = ["sh", "docker-entrypoint.sh", role]
            environment = self.webs[0].settings()
            self.processes.append(
                subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=subprocess.STDOUT)
            )


@pytest.fixture
def make_site(database_url: str, tmp_path: Path) -> Iterator[Callable[..., Site]]:
    """`make_site(broker="redis")`: everything running, with two scripted models. More names are environment variables."""
    sites: list[Site] = []

    def make_site(broker: str = "redis", n_webs: int = 1, **more: str) -> Site:
        brokers = {"redis": f"{REDIS}/13", "rabbitmq": RABBITMQ}
        environment = {
            "DATABASE_URL": database_url,
            "REDIS_URL": f"{REDIS}/12",
            "CELERY_BROKER_URL": brokers[broker],
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            **more,
        }
        sites.append(Site(tmp_path, environment))
        sites[-1].start(n_webs)
        for name in ("Orion 7B", "Lyra 13B"):
            sites[-1].webs[0].register(name, options={"reply": "An answer of some length. " * 20, "delay": 0.02})
        return sites[-1]

    yield make_site
    for site in sites:
        site.stop()


def wait_until(condition: Callable[[], bool], seconds: float) -> None:
    end_at = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end_at, f"not within {seconds} s"
        time.sleep(0.2)
