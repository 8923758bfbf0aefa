"""Brokers of a test's own, on ports of their own: they may be stopped and started without harm to anybody."""

import os
import shutil
import signal
import socket
import subprocess
import time
from abc import ABC, abstractmethod
from pathlib import Path

from tests.helpers.server import free_port

START_SECONDS = 120


class Broker(ABC):
    places: tuple[str, ...]
    """Where its program may be, the best first."""

    @classmethod
    def program(cls) -> str | None:
        return next(filter(None, map(shutil.which, cls.places)), None)

    def __init__(self, folder: Path) -> None:
        self.folder, self.port = folder, free_port()
        self._process: subprocess.Popen[bytes] | None = None
        folder.mkdir()

    @property
    @abstractmethod
    def url(self) -> str: ...

    @abstractmethod
    def _command(self) -> list[str]: ...

    def _environment(self) -> dict[str, str]:
        return {}

    def start(self) -> None:
        with (self.folder / "broker.log").open("ab") as log:
            self._process = subprocess.Popen(
                self._command(),
                env=os.environ | self._environment(),
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        end_at = time.monotonic() + START_SECONDS
        while not self._listens():
            assert self._process.poll() is None, (self.folder / "broker.log").read_text()
            assert time.monotonic() < end_at, "the broker did not come up"
            time.sleep(0.2)

    def stop(self) -> None:
        """As a machine's restart does it."""
        if self._process is not None:
            os.killpg(self._process.pid, signal.SIGTERM)
            self._process.wait(60)
            self._process = None

    def _listens(self) -> bool:
        with socket.socket() as probe:
            probe.settimeout(2)
            return probe.connect_ex(("127.0.0.1", self.port)) == 0


class Redis(Broker):
    """As in compose.yaml: nothing in it survives a restart."""

    places = ("redis-server",)

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def _command(self) -> list[str]:
        return [self.places[0], "--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]


class RabbitMQ(Broker):
    places = ("/usr/lib/rabbitmq/bin/rabbitmq-server", "rabbitmq-server")
    """Debian's command in the path would change to another account first."""

    @property
    def url(self) -> str:
        return f"amqp://guest:guest@127.0.0.1:{self.port}//"

    def _command(self) -> list[str]:
        return [self.program() or self.places[-1]]

    def _environment(self) -> dict[str, str]:
        (self.folder / "rabbitmq.conf").write_text(f"listeners.tcp.default = 127.0.0.1:{self.port}\n")
        (self.folder / "plugins").write_text("[].")
        return {
            "HOME": str(self.folder),
            "RABBITMQ_NODENAME": f"hakem{self.port}@localhost",
            "RABBITMQ_DIST_PORT": str(free_port()),
            "RABBITMQ_CONFIG_FILE": str(self.folder / "rabbitmq.conf"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self.folder / "plugins"),
            "RABBITMQ_MNESIA_BASE": str(self.folder / "mnesia"),
            "RABBITMQ_LOG_BASE": str(self.folder / "log"),
            "RABBITMQ_PID_FILE": str(self.folder / "pid"),
            "RABBITMQ_CONF_ENV_FILE": os.devnull,
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "ERL_FLAGS": "-kernel inet_dist_use_interface {127,0,0,1}",
        }


BROKERS = {"redis": Redis, "rabbitmq": RabbitMQ}
