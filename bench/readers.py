"""Those who read battles: each opens a socket, asks, and reads to the end, or leaves in the middle."""

import asyncio
import re
import time
import uuid
from dataclasses import dataclass, field
from typing import NamedTuple

import orjson
from django.conf import settings
from django.core import signing
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

SECRET = "for the length of one measurement only"
TOKEN = re.compile(r"n(\d+)t(\d+) ")
LEAVES_AFTER = 4
"""Tokens, of both sides together."""
ENDLESS = "Go on until I leave."
"""What leavers ask for: however slow the machine is, their answers are still being written when they go."""


class Plan(NamedTuple):
    """What is measured."""

    battles: int
    rate: float
    """Tokens a second a side."""
    tokens: int
    """Of an answer."""
    ramp: float
    """Seconds within which all begin, evenly; 0 is a burst."""
    leavers: float
    """Share of those who leave when they have read a few words."""


@dataclass
class Reader:
    """What one of them saw. Moments are those of the clock that the model server stamps with."""

    is_leaver: bool
    connected_after: float = 0.0
    asked_at: float = 0.0
    first_word_after: float = 0.0
    first_token_after: float = 0.0
    """When the first token that it saw had left the model server."""
    delays: list[float] = field(default_factory=list)
    """Of each token, from the model server's writing to this reader, in seconds."""
    lengths: dict[str, int] = field(default_factory=lambda: {"a": 0, "b": 0})
    n_tokens: dict[str, int] = field(default_factory=lambda: {"a": 0, "b": 0})
    rests: dict[str, str] = field(default_factory=lambda: {"a": "", "b": ""})
    failure: str = ""

    def take(self, side: str, text: str) -> None:
        """More text of a side. Its tokens must be whole, and in their order without a gap."""
        moment = now()
        self.lengths[side] += len(text)
        text, end = self.rests[side] + text, 0
        for found in TOKEN.finditer(text):
            stamp = int(found[2]) / 1e6
            if int(found[1]) != self.n_tokens[side] or found.start() != end:
                self.failure = f"token {found[1]} of {side} came where {self.n_tokens[side]} was due"
            self.n_tokens[side] += 1
            self.delays.append(moment - stamp)
            end = found.end()
            if not self.first_word_after:
                self.first_word_after, self.first_token_after = moment - self.asked_at, stamp - self.asked_at
        self.rests[side] = text[end:]

    def n_missing(self, n_tokens: int) -> int:
        return sum(n_tokens - n for n in self.n_tokens.values())


def now() -> float:
    return time.clock_gettime(time.CLOCK_MONOTONIC)


def signed_visitor(name: str) -> str:
    if not settings.configured:
        settings.configure(SECRET_KEY=SECRET)
    return signing.dumps(name, salt="arena.voter")


async def read_all(port: int, plan: Plan) -> list[Reader]:
    every = round(1 / plan.leavers) if plan.leavers else 0
    readers = [Reader(is_leaver=bool(every) and number % every == 0) for number in range(plan.battles)]
    began = asyncio.get_running_loop().time() + 0.5
    await asyncio.gather(
        *(_read(port, reader, began + plan.ramp * number / plan.battles, plan) for number, reader in enumerate(readers))
    )
    return readers


async def _read(port: int, reader: Reader, begin_at: float, plan: Plan) -> None:
    cookie = signed_visitor(uuid.uuid4().hex)
    await asyncio.sleep(begin_at - asyncio.get_running_loop().time())
    began = now()
    try:
        async with connect(
            f"ws://127.0.0.1:{port}/ws/battle/",
            origin=f"http://127.0.0.1:{port}",  # type: ignore[arg-type]
            additional_headers={"Cookie": f"voter={cookie}"},
            compression=None,
            open_timeout=60,
            ping_interval=None,
        ) as sock:
            reader.asked_at = now()
            reader.connected_after = reader.asked_at - began
            prompt = ENDLESS if reader.is_leaver else "Go."
            await sock.send(orjson.dumps({"type": "start", "key": str(uuid.uuid4()), "prompt": prompt}).decode())
            async with asyncio.timeout(60 + plan.tokens / plan.rate * 3):
                await _follow(sock, reader, plan)
    except (OSError, ConnectionClosed, TimeoutError) as error:
        reader.failure = f"{type(error).__name__}: {error}"


async def _follow(sock: ClientConnection, reader: Reader, plan: Plan) -> None:
    async for raw in sock:
        frame = orjson.loads(raw)
        match frame["type"]:
            case "delta":
                reader.take(frame["side"], frame["text"])
            case "state":
                for side, answer in frame["battle"]["turns"][-1]["answers"].items():
                    reader.take(side, answer["text"][reader.lengths[side] :])
                if frame["battle"]["phase"] == "voting":
                    return
                if frame["battle"]["phase"] == "stuck":
                    reader.failure = "an answer failed"
                    return
            case "error":
                reader.failure = frame["message"]
                return
        if reader.is_leaver and sum(reader.n_tokens.values()) >= LEAVES_AFTER:
            return
    reader.failure = reader.failure or "the socket was closed before the end"
