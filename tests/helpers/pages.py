"""A battle page without a browser: every frame that its socket got, and the battle that they add up to."""

import asyncio
import contextlib
import contextvars
import json
import time
import uuid
from collections import deque
from collections.abc import Callable
from typing import Any, Protocol

SECONDS = 10.0
"""How long a page waits for what must come."""

process = contextvars.ContextVar("process", default="one")
"""In which of several pretended web processes a socket is served."""


class Closed(Exception):
    """The server closed the socket."""

    def __init__(self, code: int) -> None:
        super().__init__(f"closed with {code}")
        self.code = code


class Transport(Protocol):
    async def send(self, payload: str | bytes) -> None: ...
    async def receive(self) -> str: ...
    async def close(self) -> None: ...


class AsgiSocket:
    """A socket without a network: drives the ASGI application as a server would."""

    def __init__(self, application: Any, path: str, headers: list[tuple[bytes, bytes]], *, served_by: str) -> None:
        self._to_app: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._from_app: deque[dict[str, Any]] = deque()
        self._news = asyncio.Event()
        self.is_lost = False
        """The network is gone, and the server has not noticed."""
        self.flows = asyncio.Event()
        """Cleared, nothing that the application sends goes through."""
        self.flows.set()
        scope = {
            "type": "websocket",
            "path": path,
            "query_string": b"",
            "headers": headers,
            "subprotocols": [],
            "client": ("203.0.113.7", 50_000),
        }
        context = contextvars.Context()
        context.run(process.set, served_by)
        self.application = asyncio.get_running_loop().create_task(
            application(scope, self._to_app.get, self._take), context=context
        )
        self.application.add_done_callback(lambda _: self._news.set())

    async def connect(self) -> None:
        """Raises `Closed` when it is not accepted."""
        await self._to_app.put({"type": "websocket.connect"})
        answer = await self._next()
        if answer["type"] != "websocket.accept":
            raise Closed(answer.get("code", 1000))

    async def send(self, payload: str | bytes) -> None:
        kind = "text" if isinstance(payload, str) else "bytes"
        await self._to_app.put({"type": "websocket.receive", kind: payload})

    async def receive(self) -> str:
        answer = await self._next()
        if answer["type"] == "websocket.close":
            raise Closed(answer.get("code", 1000))
        return str(answer["text"])

    async def close(self) -> None:
        self.flows.set()
        if not self.application.done():
            await self._to_app.put({"type": "websocket.disconnect", "code": 1001})
        await asyncio.wait_for(self.application, SECONDS)

    async def _take(self, message: dict[str, Any]) -> None:
        await self.flows.wait()
        if self.is_lost:
            raise ConnectionResetError("the client is gone")
        self._from_app.append(message)
        self._news.set()

    async def _next(self) -> dict[str, Any]:
        """What the application sent, or the error that it died of. Takes nothing when it is cancelled."""
        while not self._from_app:
            if self.application.done():
                self.application.result()
                raise Closed(1006)
            self._news.clear()
            await self._news.wait()
        return self._from_app.popleft()


class NetworkSocket:
    """A socket of the `websockets` client."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    async def send(self, payload: str | bytes) -> None:
        await self._connection.send(payload)

    async def receive(self) -> str:
        from websockets.exceptions import ConnectionClosed

        try:
            return str(await self._connection.recv())
        except ConnectionClosed as closed:
            raise Closed(closed.rcvd.code if closed.rcvd else 1006) from None

    async def close(self) -> None:
        await self._connection.close()


class Page:
    """Folds frames into a battle exactly as the browser's script does, and insists on gapless numbers."""

    def __init__(self, transport: Transport) -> None:
        self.transport = transport
        self.received: list[str] = []
        self.battle: dict[str, Any] = {}

    async def ask(self, kind: str, **fields: Any) -> None:
        await self.transport.send(json.dumps({"type": kind, **fields}))

    async def start(self, prompt: str = "What is the capital of France?", **fields: Any) -> None:
        await self.ask("start", **{"key": str(uuid.uuid4()), "prompt": prompt, **fields})

    async def go_on(self, prompt: str, **fields: Any) -> None:
        await self.ask("turn", **{"key": str(uuid.uuid4()), "prompt": prompt, **fields})

    async def next(self, seconds: float = SECONDS) -> dict[str, Any]:
        async with asyncio.timeout(seconds):
            raw = await self.transport.receive()
        self.received.append(raw)
        frame: dict[str, Any] = json.loads(raw)
        assert frame["seq"] == len(self.received), f"frame {len(self.received)} has the number {frame['seq']}"
        self._fold(frame)
        return frame

    async def until(self, condition: Callable[["Page"], bool], seconds: float = SECONDS) -> dict[str, Any]:
        """Read on until the battle is as wanted. A refusal in between is a failure."""
        async with asyncio.timeout(seconds):
            while not (self.battle and condition(self)):
                frame = await self.next(seconds)
                assert frame["type"] != "error", frame
        return self.battle

    async def until_phase(self, phase: str, seconds: float = SECONDS) -> dict[str, Any]:
        return await self.until(lambda page: page.battle["phase"] == phase, seconds)

    async def until_refused(self) -> dict[str, Any]:
        async with asyncio.timeout(SECONDS):
            while (frame := await self.next())["type"] != "error":
                pass
        return frame

    async def until_closed(self) -> int:
        with_code: int | None = None
        async with asyncio.timeout(SECONDS):
            while with_code is None:
                try:
                    await self.next()
                except Closed as closed:
                    with_code = closed.code
        return with_code

    async def frames_of(self, seconds: float) -> list[dict[str, Any]]:
        """Whatever comes in so many seconds."""
        frames = []
        end_at = time.monotonic() + seconds
        with contextlib.suppress(TimeoutError):
            while (remaining := end_at - time.monotonic()) > 0:
                frames.append(await self.next(remaining))
        return frames

    def answer(self, side: str, turn: int = -1) -> dict[str, Any]:
        return dict(self.battle["turns"][turn]["answers"][side])

    def texts(self, turn: int = -1) -> dict[str, str]:
        return {side: self.answer(side, turn)["text"] for side in ("a", "b")}

    def states(self, turn: int = -1) -> dict[str, str]:
        return {side: self.answer(side, turn)["state"] for side in ("a", "b")}

    async def close(self) -> None:
        await self.transport.close()

    def _fold(self, frame: dict[str, Any]) -> None:
        if frame["type"] == "state":
            self.battle = frame["battle"]
        elif frame["type"] in {"delta", "answer"}:
            turn = self.battle["turns"][frame["turn"]]
            self._change(turn["answers"][frame["side"]], frame)
            if frame.get("state") == "replaced" and frame["side"] not in turn["replaced"]:
                turn["replaced"].append(frame["side"])

    def _change(self, answer: dict[str, Any], frame: dict[str, Any]) -> None:
        if frame["type"] == "delta":
            assert frame["attempt"] == answer["attempt"], (frame, answer)
            answer["text"] += frame["text"]
            return
        if frame["attempt"] > answer["attempt"]:
            answer["text"] = ""
        answer.update({key: frame[key] for key in ("attempt", "state", "message", "truncated")})
