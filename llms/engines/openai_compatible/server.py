"""One model server over HTTP: its connections, its line of waiting people, its errors in our words."""

import asyncio
import contextlib
import functools
import json
import re
import ssl
import weakref
from collections.abc import AsyncIterator, Mapping
from typing import Any, NamedTuple

import httpcore2

from llms.engines.base import (
    AccessRefused,
    EngineError,
    EngineOverloaded,
    EngineUnreachable,
    GenerationFailed,
    PromptTooLong,
    RequestRejected,
)
from llms.engines.openai_compatible.connection import Connection
from llms.engines.openai_compatible.events import EventParser, EventTooLong
from llms.engines.openai_compatible.replies import error_words
from llms.engines.openai_compatible.waiting_line import WaitingLine
from llms.safe_http import NotAllowed, connection_pool

CONNECT_SECONDS = 5.0
SILENCE_SECONDS = 120.0
"""The last resort against a server that hangs; whoever reads a stream has shorter patience."""
MAX_REPLY_BYTES = 10_000_000
_TOO_LONG = re.compile(
    r"context[ _](length|size|window)|maximum (context|model|prompt|input)|max_model_len"
    r"|exceed\w* .{0,40}(context|tokens)|too (long|many tokens)|exceed_context_size|prompt is too",
    re.IGNORECASE,
)


_BROKEN = (httpcore2.NetworkError, httpcore2.TimeoutException, httpcore2.ProtocolError, ssl.SSLError, OSError)


_servers: "weakref.WeakSet[Server]" = weakref.WeakSet()


class Trouble(Exception):
    """A request that failed before its answer began. `after`, in seconds, says when it is worth another try; None if
    it never is."""

    def __init__(self, error: EngineError, after: float | None) -> None:
        super().__init__(str(error))
        self.error = error
        self.after = after


class Reply(NamedTuple):
    status: int
    body: Any
    """As JSON where it is JSON, else text."""
    headers: dict[str, str]


class _PerLoop(NamedTuple):
    pool: httpcore2.AsyncConnectionPool
    line: WaitingLine


class Server:
    """Shared by all engines with the same connection. Safe from several event loops: each has its own connections."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self._loops: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, _PerLoop] = weakref.WeakKeyDictionary()
        self._headers = [(b"Content-Type", b"application/json"), (b"Accept", b"application/json, text/event-stream")]
        if connection.api_key:
            self._headers.append((b"Authorization", f"Bearer {connection.api_key}".encode()))

    @property
    def line(self) -> WaitingLine:
        return self._here.line

    async def close(self) -> None:
        """The connections of this event loop."""
        if mine := self._loops.pop(asyncio.get_running_loop(), None):
            await mine.pool.aclose()

    async def events(self, path: str, payload: Mapping[str, Any]) -> AsyncIterator[str]:
        """POST, and the data of each event of the answer. Raises `Trouble` before the first, `EngineError` after it.
        Closing the iterator closes the connection, which is how a server hears that nobody listens any more."""
        async with self._request("POST", path, payload) as response:
            if response.status != 200:
                raise self._refusal(await _reply_of(response))
            parser = EventParser()
            with _in_our_words(GenerationFailed):
                async for received in response.aiter_stream():
                    for event in parser.feed(received):
                        yield event
            for event in parser.finish():
                yield event

    async def fetch(self, method: str, path: str, payload: Mapping[str, Any] | None = None) -> Reply:
        """One request and its whole reply, whatever its status. Raises `Trouble`."""
        async with self._request(method, path, payload) as response:
            return await _reply_of(response)

    @contextlib.asynccontextmanager
    async def _request(
        self, method: str, path: str, payload: Mapping[str, Any] | None
    ) -> AsyncIterator[httpcore2.Response]:
        body = json.dumps(payload).encode() if payload is not None else None
        timeouts = {"connect": CONNECT_SECONDS, "read": SILENCE_SECONDS, "write": SILENCE_SECONDS, "pool": None}
        stream = self._here.pool.stream(
            method,
            self.connection.base_url + path,
            headers=self._headers,
            content=body,
            extensions={"timeout": timeouts},
        )
        try:
            with _in_our_words(EngineUnreachable):
                response = await stream.__aenter__()
        except EngineError as error:
            raise Trouble(error, after=0.5) from error
        except NotAllowed as error:
            raise Trouble(EngineUnreachable(str(error)), after=None) from error
        try:
            yield response
        finally:
            await stream.__aexit__(None, None, None)

    def without_key(self, text: str) -> str:
        """Servers repeat in their errors what they were sent."""
        return text.replace(self.connection.api_key, "…") if self.connection.api_key else text

    def _refusal(self, reply: Reply) -> Trouble:
        return _refusal(reply, self.without_key(f"status {reply.status}: {error_words(reply.body)}"))

    @property
    def _here(self) -> _PerLoop:
        loop = asyncio.get_running_loop()
        if loop not in self._loops:
            chosen = self.connection
            self._loops[loop] = _PerLoop(
                connection_pool(chosen.allowed_networks), WaitingLine(chosen.max_concurrent, chosen.max_waiting)
            )
        return self._loops[loop]


@functools.lru_cache(maxsize=256)
def server_of(connection: Connection) -> Server:
    """The one server of this process behind a connection, so that all its models share the line before it."""
    server = Server(connection)
    _servers.add(server)
    return server


async def close_connections() -> None:
    """Those of this event loop, to all servers: for its end."""
    for server in list(_servers):
        await server.close()


@contextlib.contextmanager
def _in_our_words(kind: type[EngineError]) -> Any:
    try:
        yield
    except EventTooLong as error:
        raise GenerationFailed(f"the server sent {error}") from error
    except (
        httpcore2.NetworkError,
        httpcore2.TimeoutException,
        httpcore2.ProtocolError,
        ssl.SSLError,
        OSError,
    ) as error:
        raise kind(f"{type(error).__name__}: {error}") from error


async def _reply_of(response: httpcore2.Response) -> Reply:
    received = bytearray()
    with _in_our_words(GenerationFailed):
        async for part in response.aiter_stream():
            received += part
            if len(received) > MAX_REPLY_BYTES:
                raise GenerationFailed(f"the server sent more than {MAX_REPLY_BYTES} bytes")
    text = received.decode("utf-8", "replace")
    try:
        body = json.loads(text)
    except ValueError:
        body = text
    headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in response.headers}
    return Reply(response.status, body, headers)


def _refusal(reply: Reply, words: str) -> Trouble:
    """What a status means for us, and whether to try again."""
    if reply.status in {408, 409, 425, 429, 503, 529}:
        return Trouble(EngineOverloaded(words), after=_seconds(reply.headers.get("retry-after", "")))
    if reply.status >= 500:
        return Trouble(EngineUnreachable(words), after=0.5)
    if reply.status in {400, 413, 422} and _TOO_LONG.search(words):
        return Trouble(PromptTooLong(words), after=None)
    if 300 <= reply.status < 400:
        words += " (redirects are not followed: register the address that it leads to)"
    if 300 <= reply.status < 400 or reply.status in {401, 403}:
        return Trouble(AccessRefused(words), after=None)
    return Trouble(RequestRejected(words), after=None)


def _seconds(retry_after: str) -> float:
    try:
        return max(0.0, float(retry_after))
    except ValueError:
        return 1.0
