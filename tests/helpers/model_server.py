"""A model server that plays what it is told to, over real sockets: plain answers, and every fault of a real one."""

import asyncio
import contextlib
import json
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_network
from typing import Any

LOOPBACK = (ip_network("127.0.0.0/8"),)
"""Where it is: what a connection to it must allow."""
CLOSE, HANG = object(), object()
"""Steps of a script: break the connection off, or say nothing more."""


@dataclass
class Script:
    """How the server treats one model. `body` is what it sends after the headers: bytes, texts (each an event), seconds
    to wait, or a step from above. None: words, as many as are allowed."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Sequence[Any] | None = None
    fails_first: int = 0
    """So many requests meet `status` and `body`; the others a plain answer."""
    delay: float = 0.0
    max_prompt_characters: int | None = None


@dataclass
class Asked:
    method: str
    path: str
    headers: dict[str, str]
    body: dict[str, Any]


def event(text: str = "", *, finish: str | None = None, **more: Any) -> str:
    return json.dumps({"choices": [{"index": 0, "delta": {"content": text}, "finish_reason": finish}], **more})


class ModelServer:
    def __init__(self) -> None:
        self.scripts: dict[str, Script] = {}
        self.listing = Script(body=None)
        self.played: Callable[[Asked], Script] | None = None
        """Answers everything instead of the scripts: a server of a certain kind, see `played_servers`."""
        self.asked: list[Asked] = []
        self.n_active = 0
        self.n_left = 0
        """Streams whose reader went away."""
        self.port = 0
        self._writers: set[asyncio.StreamWriter] = set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
                while asked := await _read(reader):
                    self.asked.append(asked)
                    if not await self._answer(asked, reader, writer):
                        break
        finally:
            self._writers.discard(writer)
            writer.close()

    def hang_up(self) -> None:
        """On everybody who is still connected; the loop closes their sockets at its next step."""
        for writer in list(self._writers):
            writer.transport.abort()

    async def _answer(self, asked: Asked, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Returns whether the connection stays open."""
        if self.played:
            script, default = self.played(asked), []
        elif asked.path == "/v1/models":
            script, default = self.listing, [json.dumps({"data": [{"id": name} for name in self.scripts]}).encode()]
        else:
            script, default = self.scripts.get(str(asked.body.get("model")), Script(404, body=[b'{"error": "no"}'])), []
            n_asked = sum(other.body.get("model") == asked.body.get("model") for other in self.asked)
            if script.fails_first and n_asked > script.fails_first:
                script = Script(delay=script.delay)
        n_characters = 0 if self.played else sum(len(message["content"]) for message in asked.body.get("messages", []))
        if script.max_prompt_characters is not None and n_characters > script.max_prompt_characters:
            script = Script(400, body=[b'{"error": {"code": "context_length_exceeded", "message": "too long"}}'])
        body = script.body if script.body is not None else default or _words(asked.body, script.delay)
        kind = "text/event-stream" if asked.body.get("stream") and script.status == 200 else "application/json"
        head = {"Content-Type": kind, "Transfer-Encoding": "chunked", **script.headers}
        if self.played:
            head["Connection"] = "close"
        lines = "".join(f"{name}: {value}\r\n" for name, value in head.items())
        writer.write(f"HTTP/1.1 {script.status} Whatever\r\n{lines}\r\n".encode())
        return await self._play(body, reader, writer)

    async def _play(self, body: Any, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        self.n_active += 1
        gone = asyncio.create_task(reader.read(1))
        try:
            async for step in _steps(body):
                if step is CLOSE:
                    return False
                if isinstance(step, float | int) or step is HANG:
                    seconds = 60 if step is HANG else float(step)
                    await asyncio.wait([gone], timeout=seconds)
                else:
                    data = step if isinstance(step, bytes) else f"data: {step}\n\n".encode()
                    writer.write(b"%x\r\n%s\r\n" % (len(data), data))
                    await writer.drain()
                if gone.done():
                    self.n_left += 1
                    return False
            writer.write(b"0\r\n\r\n")
            await writer.drain()
            return False  # one answer a connection: the byte that tells of a leaver would be the next request's
        finally:
            self.n_active -= 1
            gone.cancel()


async def _read(reader: asyncio.StreamReader) -> Asked | None:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    first, *lines = head.strip().split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    method, path, _ = first.split(" ")
    return Asked(method, path, headers, json.loads(body) if body else {})


async def _steps(body: Any) -> AsyncIterator[Any]:
    for step in body:
        yield step


def _words(asked: Mapping[str, Any], delay: float) -> Iterator[Any]:
    """Numbered words, within the limit and up to a stop string, as a well-behaved server writes them."""
    limit = asked.get("max_tokens") or asked.get("max_completion_tokens") or 16
    written, reason = "", "length"
    for number in range(limit):
        word = f"word{number} "
        found = [stop for stop in asked.get("stop", []) if stop in written + word]
        if found:
            place = min((written + word).index(stop) for stop in found)
            if rest := (written + word)[len(written) : place]:
                yield event(rest)
            reason = "stop"
            break
        written += word
        yield event(word)
        yield delay
    n_prompt = sum(len(message["content"].split()) for message in asked.get("messages", []))
    yield event(finish=reason)
    usage = {"prompt_tokens": n_prompt, "completion_tokens": number + 1}
    yield json.dumps({"choices": [], "usage": usage})
    yield "[DONE]"


@contextlib.contextmanager
def model_server() -> Iterator[ModelServer]:
    """Runs in a loop and a thread of its own."""
    server = ModelServer()
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    starting = asyncio.start_server(server.serve, "127.0.0.1", 0)
    listening = asyncio.run_coroutine_threadsafe(starting, loop).result(10)
    server.port = listening.sockets[0].getsockname()[1]
    try:
        yield server
    finally:

        async def stop() -> None:
            listening.close()
            server.hang_up()
            others = asyncio.all_tasks() - {asyncio.current_task()}
            for task in others:
                task.cancel()
            await asyncio.gather(*others, return_exceptions=True)
            await asyncio.sleep(0.05)  # in which transports that were closed close their sockets

        asyncio.run_coroutine_threadsafe(stop(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()
