"""Many battles at once, through the real server: what is lost, and how long words are on their way.

    python -m bench.battles [--battles 200] [--rate 10] [--tokens 100] [--ramp 10] [--leavers 0.2]
                            [--database URL | --bare]

A scripted model server (its own process) writes tokens that carry their number and the moment they were written; Hakem
runs as `manage.py up` does, with database, masking, pacing and the wait for both sides; readers (this process) open a
socket each, ask, and read to the end, or leave in the middle. Nothing is simulated but the model and the voter. With
`--bare` a mere relay stands in place of Hakem (`bench/relay.py`). Ends with 1 if a token was lost, if anybody met an
error, or if an answer went on being written for somebody who had left.
"""

import argparse
import asyncio
import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from bench.readers import SECRET, Plan, Reader, read_all

ROOT = Path(__file__).parent.parent
OUTLIVES_SOCKET_SECONDS = 1
CANCELLED_WITHIN_SECONDS = 60.0
"""Of the last reader's end, on however slow a machine. Nothing is measured by it: what is not cancelled never ends."""
NO_LIMITS = dict.fromkeys(
    ("BATTLES_PER_HOUR", "FRAMES_PER_MINUTE", "MAX_ACTIVE_TURNS", "ACTIVE_TURNS_PER_VISITOR", "ADDRESS_FACTOR"),
    "100000",
)
WARM_UP = Plan(battles=4, rate=10.0, tokens=5, ramp=0.0, leavers=0.0)
CLOCK_TICKS = os.sysconf("SC_CLK_TCK")

# --- the parts that are measured, and the model server ---------------------------------------------------------------


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def process(*command: str, **environment: str) -> Iterator["subprocess.Popen[bytes]"]:
    started = subprocess.Popen(command, cwd=ROOT, env={**os.environ, **environment}, stdout=subprocess.DEVNULL)
    try:
        yield started
    finally:
        started.send_signal(signal.SIGTERM)
        started.wait(30)


def until_it_answers(url: str, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while True:
        try:
            urllib.request.urlopen(url, timeout=2).close()
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.2)
        else:
            return


REGISTER = """
from llms.models import Endpoint, LanguageModel
lab = Endpoint.objects.create(name="lab", base_url="http://127.0.0.1:{port}/v1", max_concurrent=10000)
for name in ("orion", "lyra"):
    LanguageModel.objects.create(name=name, slug=name, engine="openai_compatible", endpoint=lab, source=name,
        status="enabled", decoding={{"max_new_tokens": 4096}})
"""


@contextmanager
def hakem(models_port: int, database: str) -> Iterator[tuple[int, int]]:
    """Its port, and its process's number."""
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        environment = {
            "HAKEM_DATA_DIR": folder,
            "SECRET_KEY": SECRET,
            "PORT": str(port),
            "LOG_LEVEL": "WARNING",
            "DATABASE_URL": database,
            "ANSWER_TOKEN_LIMIT": "4096",
            "OUTLIVES_SOCKET_SECONDS": str(OUTLIVES_SOCKET_SECONDS),
            **NO_LIMITS,
        }
        for arguments in (["migrate", "--verbosity", "0"], ["shell", "-c", REGISTER.format(port=models_port)]):
            command = [sys.executable, "manage.py", *arguments]
            subprocess.run(command, cwd=ROOT, env={**os.environ, **environment}, check=True, stdout=subprocess.DEVNULL)
        with process(sys.executable, "manage.py", "up", **environment) as server:
            until_it_answers(f"http://127.0.0.1:{port}/healthz")
            yield port, server.pid


@contextmanager
def bare_relay(models_port: int) -> Iterator[tuple[int, int]]:
    port = free_port()
    with process(sys.executable, "-m", "bench.relay", str(port), str(models_port)) as relay:
        until_it_answers(f"http://127.0.0.1:{port}/")
        yield port, relay.pid


class Meter:
    """How much memory and processor time a process takes."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._over = threading.Event()
        self.before = self.peak = self._resident()
        self._seconds_before = self._seconds()
        threading.Thread(target=self._watch, daemon=True).start()

    def seconds(self) -> float:
        return self._seconds() - self._seconds_before

    def stop(self) -> None:
        self._over.set()

    def _watch(self) -> None:
        while not self._over.wait(0.2):
            self.peak = max(self.peak, self._resident())

    def _resident(self) -> int:
        """In KB."""
        lines = Path(f"/proc/{self._pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS"))

    def _seconds(self) -> float:
        fields = Path(f"/proc/{self._pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / CLOCK_TICKS


class Streams(NamedTuple):
    """What the model server says of its answers."""

    active: int
    done: int
    cancelled: int

    def since(self, earlier: "Streams") -> "Streams":
        return Streams(self.active, self.done - earlier.done, self.cancelled - earlier.cancelled)


def streams_of(models_port: int) -> Streams:
    with urllib.request.urlopen(f"http://127.0.0.1:{models_port}/statistics", timeout=10) as reply:
        return Streams(**json.load(reply))


def streams_in_the_end(models_port: int) -> Streams:
    """Once those of leavers had the time to be cancelled."""
    end = time.monotonic() + CANCELLED_WITHIN_SECONDS
    while (streams := streams_of(models_port)).active and time.monotonic() < end:
        time.sleep(0.2)
    return streams


# --- the report ------------------------------------------------------------------------------------------------------


def spread(values: list[float]) -> str:
    if len(values) < 2:
        return "-"
    cuts = statistics.quantiles(values, n=100, method="inclusive")
    return f"p50 {cuts[49]:.2f} s, p99 {cuts[98]:.2f} s, longest {max(values):.2f} s"


def report(readers: list[Reader], plan: Plan, streams: Streams) -> bool:
    """Prints it. Whether all is well."""
    stayed = [reader for reader in readers if not reader.is_leaver]
    answered = [reader for reader in readers if reader.first_word_after]
    failures = [reader.failure for reader in readers if reader.failure]
    missing = sum(reader.n_missing(plan.tokens) for reader in stayed)
    print(f"battles {plan.battles} within {plan.ramp:g} s; {len(readers) - len(stayed)} readers left in the middle")
    print(f"tokens a second a side {plan.rate:g}, tokens a side {plan.tokens}")
    print(f"tokens lost {missing} of {2 * plan.tokens * len(stayed)}; errors {len(failures)} {failures[:3]}")
    print(f"socket opened: {spread([reader.connected_after for reader in readers])}")
    print(f"first word, from the question: {spread([reader.first_word_after for reader in answered])}")
    print(f"  until it left the model server: {spread([reader.first_token_after for reader in answered])}")
    print(f"  of that the model itself takes: {1 / plan.rate:.2f} s")
    print(f"delay of a token, after the model server: {spread([delay for r in readers for delay in r.delays])}")
    left = len(readers) - len(stayed)
    print(f"model server: {streams.done} answers ended, {streams.cancelled} cancelled, {streams.active} still open")
    return not missing and not failures and streams == Streams(0, 2 * len(stayed), 2 * left)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--battles", type=int, default=200)
    parser.add_argument("--rate", type=float, default=10.0, help="tokens a second a side")
    parser.add_argument("--tokens", type=int, default=100, help="tokens of an answer")
    parser.add_argument("--ramp", type=float, default=10.0, help="seconds within which all begin; 0 is a burst")
    parser.add_argument("--leavers", type=float, default=0.2, help="share of readers who leave in the middle")
    parser.add_argument("--database", default="", help="postgres://… in place of SQLite")
    parser.add_argument("--bare", action="store_true", help="a mere relay in place of Hakem")
    options = parser.parse_args()
    plan = Plan(options.battles, options.rate, options.tokens, options.ramp, options.leavers)
    models_port = free_port()
    arguments = [str(models_port), str(plan.rate), str(plan.tokens)]
    with (
        process(sys.executable, "-m", "bench.scripted_models", *arguments) as models,
        bare_relay(models_port) if options.bare else hakem(models_port, options.database) as (port, pid),
    ):
        until_it_answers(f"http://127.0.0.1:{models_port}/statistics")
        asyncio.run(read_all(port, WARM_UP._replace(rate=plan.rate, tokens=plan.tokens)))
        before, readers_began = streams_of(models_port), time.process_time()
        meter, models_meter = Meter(pid), Meter(models.pid)
        readers = asyncio.run(read_all(port, plan))
        readers_took = time.process_time() - readers_began
        streams = streams_in_the_end(models_port).since(before)
        meter.stop()
        models_meter.stop()
        is_well = report(readers, plan, streams)
        each = (meter.peak - meter.before) / plan.battles
        print(f"memory: {meter.before / 1024:.0f} MB before, {meter.peak / 1024:.0f} at most: {each:.0f} KB a battle")
        took = f"{meter.seconds():.1f} s, model server {models_meter.seconds():.1f} s, readers {readers_took:.1f} s"
        print(f"processor: {'relay' if options.bare else 'Hakem'} {took}")
    return 0 if is_well else 1


if __name__ == "__main__":
    sys.exit(main())
