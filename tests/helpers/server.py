"""The real server in processes of its own, configured by environment variables only."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
START_SECONDS = 90
SERVICES = ("DATABASE_URL", "REDIS_URL", "CELERY_BROKER_URL")


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
            command, input=code, cwd=ROOT, env=self.settings(), capture_output=True, text=True, check=False
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
        self._start_process([sys.executable, "manage.py", "up", *arguments])

    def _start_process(self, command: list[str]) -> None:
        with (self.data_dir / "server.log").open("ab") as log:
            self.process = subprocess.Popen(
                command, cwd=ROOT, env=self.settings(), stdout=log, stderr=subprocess.STDOUT
            )
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

    def settings(self) -> dict[str, str]:
        inherited = {name: value for name, value in os.environ.items() if name not in SERVICES}
        own = {"HAKEM_DATA_DIR": str(self.data_dir), "PORT": str(self.port), "BATTLES_PER_HOUR": "1000"}
        return inherited | own | {"TURNS_PER_MINUTE": "1000", "VOTES_PER_HOUR": "1000"} | self.environment


def free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
