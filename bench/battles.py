"""Many battles at once, through the real server: what is lost, and how long words are on their way.

    python -m bench.battles [--battles 200] [--rate 10] [--tokens 100] [--leavers 0.2] [--database URL]

A scripted model server (its own process) writes tokens that carry their number and the moment they were written; Hakem
runs as `manage.py up` does, with database, masking, pacing and the wait for both sides; readers (this process) open a
socket each, ask, and read to the end. Nothing is simulated but the model and the voter.
"""

import argparse
import asyncio
import json
import os
import re
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from django.conf import settings
from django.core import signing
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

ROOT = Path(__file__).parent.parent
SECRET = "for the length of one measurement only"
TOKEN = re.compile(r"n(\d+)t(\d+) ")
RAMP_SECONDS = 5.0
NO_LIMITS = dict.fromkeys(
    ("BATTLES_PER_HOUR", "TURNS_PER_MINUTE", "FRAMES_PER_MINUTE", "MAX_ACTIVE_TURNS", "ADDRESS_FACTOR"), "100000"
)


@dataclass
class Reader:
    """What one voter saw."""

    is_leaver: bool
    first_word: float = 0.0
    texts: dict[str, str] = field(default_factory=lambda: {"a": "", "b": ""})
    delays: list[float] = field(default_factory=list)
    """Of each token, from the model server's writing to the voter's reading, in seconds."""
    failure: str = ""

    def take(self, side: str, text: str, now: float) -> None:
        seen = len(TOKEN.findall(self.texts[side]))
        self.texts[side] += text
        self.delays += [now - int(stamp) / 1e6 for _, stamp in TOKEN.findall(self.texts[side])[seen:]]

    def n_missing(self, n_tokens: int) -> int:
        numbers = [[int(number) for number, _ in TOKEN.findall(text)] for text in self.texts.values()]
        return sum(n_tokens - len(found) if found == list(range(len(found))) else n_tokens for found in numbers)


def now() -> float:
    """The clock that the model server stamps with."""
    return time.clock_gettime(time.CLOCK_MONOTONIC)


async def vote_less_battle(port: int, number: int, reader: Reader, options: argparse.Namespace) -> None:
    await asyncio.sleep(RAMP_SECONDS * number / options.battles)
    cookie = signed_visitor(f"reader {number}")
    origin = f"http://127.0.0.1:{port}"
    address = f"ws://127.0.0.1:{port}/ws/battle/"
    try:
        async with connect(
            address, origin=origin, additional_headers={"Cookie": f"voter={cookie}"}, compression=None, open_timeout=60
        ) as sock:
            asked = now()
            await sock.send(json.dumps({"type": "start", "key": str(uuid.uuid4()), "prompt": "Go."}))
            await read(sock, reader, asked, options)
    except (OSError, ConnectionClosed, TimeoutError) as error:
        reader.failure = f"{type(error).__name__}: {error}"


async def read(sock: object, reader: Reader, asked: float, options: argparse.Namespace) -> None:
    patience = 60 + options.tokens / options.rate * 3
    async with asyncio.timeout(patience):
        async for raw in sock:  # type: ignore[attr-defined]
            frame, moment = json.loads(raw), now()
            if frame["type"] == "delta":
                reader.first_word = reader.first_word or moment - asked
                reader.take(frame["side"], frame["text"], moment)
            elif frame["type"] == "state":
                for side, answer in frame["battle"]["turns"][-1]["answers"].items():
                    reader.take(side, answer["text"][len(reader.texts[side]) :], moment)
                if frame["battle"]["phase"] in {"voting", "stuck"}:
                    reader.failure = "" if frame["battle"]["phase"] == "voting" else "an answer failed"
                    return
            elif frame["type"] == "error":
                reader.failure = frame["message"]
                return
            if reader.is_leaver and len(reader.delays) > options.tokens // 2:
                return


def signed_visitor(name: str) -> str:
    if not settings.configured:
        settings.configure(SECRET_KEY=SECRET)
    return signing.dumps(name, salt="arena.voter")


# --- the parts that are measured, and the model server ---------------------------------------------------------------


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def process(*command: str, **environment: str) -> Iterator[subprocess.Popen[bytes]]:
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
def hakem(models_port: int, database: str) -> Iterator[tuple[int, subprocess.Popen[bytes]]]:
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        environment = {
            "HAKEM_DATA_DIR": folder,
            "SECRET_KEY": SECRET,
            "PORT": str(port),
            "LOG_LEVEL": "WARNING",
            "DATABASE_URL": database,
            "ANSWER_TOKEN_LIMIT": "4096",
            "ACTIVE_TURNS_PER_VISITOR": "100000",
            **NO_LIMITS,
        }
        for arguments in (["migrate", "--verbosity", "0"], ["shell", "-c", REGISTER.format(port=models_port)]):
            subprocess.run(
                [sys.executable, "manage.py", *arguments],
                cwd=ROOT,
                env={**os.environ, **environment},
                check=True,
                stdout=subprocess.DEVNULL,
            )
        with process(sys.executable, "manage.py", "up", **environment) as server:
            until_it_answers(f"http://127.0.0.1:{port}/healthz")
            yield port, server


def memory_of(pid: int) -> float:
    """Resident, in MB."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) / 1024


def statistics_of_models(port: int) -> dict[str, int]:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/statistics", timeout=10) as reply:
        found: dict[str, int] = json.load(reply)
    return found


# --- the measurement -------------------------------------------------------------------------------------------------


async def measure(port: int, options: argparse.Namespace) -> list[Reader]:
    every = round(1 / options.leavers) if options.leavers else 0
    readers = [Reader(is_leaver=bool(every) and number % every == 0) for number in range(options.battles)]
    await asyncio.gather(*(vote_less_battle(port, number, reader, options) for number, reader in enumerate(readers)))
    return readers


def percentile(values: list[float], share: float) -> float:
    return statistics.quantiles(values, n=1000)[round(share * 1000) - 1] if len(values) > 1 else float("nan")


def report(readers: list[Reader], options: argparse.Namespace) -> None:
    stayed = [reader for reader in readers if not reader.is_leaver]
    failures = [reader.failure for reader in readers if reader.failure]
    first = [reader.first_word for reader in readers if reader.first_word]
    delays = [delay for reader in readers for delay in reader.delays]
    missing = sum(reader.n_missing(options.tokens) for reader in stayed)
    print(f"battles {len(readers)}, of which left in the middle {len(readers) - len(stayed)}")
    print(f"tokens a second a side {options.rate}, tokens a side {options.tokens}")
    print(f"tokens lost {missing} of {2 * options.tokens * len(stayed)}; errors {len(failures)} {failures[:3]}")
    print(f"first word: p50 {percentile(first, 0.5):.2f} s, p99 {percentile(first, 0.99):.2f} s")
    print(f"delay of a token: p50 {percentile(delays, 0.5):.2f} s, p99 {percentile(delays, 0.99):.2f} s")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--battles", type=int, default=200)
    parser.add_argument("--rate", type=float, default=10.0, help="tokens a second a side")
    parser.add_argument("--tokens", type=int, default=100, help="tokens of an answer")
    parser.add_argument("--leavers", type=float, default=0.2, help="share of readers who leave in the middle")
    parser.add_argument("--database", default="", help="postgres://… in place of SQLite")
    options = parser.parse_args()
    models_port = free_port()
    arguments = [str(models_port), str(options.rate), str(options.tokens)]
    with (
        process(sys.executable, "-m", "bench.scripted_models", *arguments),
        hakem(models_port, options.database) as (port, server),
    ):
        before = memory_of(server.pid)
        readers = asyncio.run(measure(port, options))
        after = memory_of(server.pid)
        report(readers, options)
        each = (after - before) * 1024 / options.battles
        print(f"memory {before:.0f} MB before, {after:.0f} after: {each:.0f} KB a battle")
        if options.leavers:
            time.sleep(35)  # a turn outlives its reader by thirty seconds
        print(f"model server: {statistics_of_models(models_port)}")


if __name__ == "__main__":
    main()
