"""One model server over HTTP: its connections, its line of waiting people, its errors in our words."""

import asyncio
import contextlib
import json
import re
import ssl
import threading
import weakref
from collections.abc import AsyncIterator, Iterator, Mapping
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
    TotalTimeout,
)
from llms.engines.openai_compatible.connection import Connection
from llms.engines.openai_compatible.events import MAX_EVENT_BYTES, EventParser, EventTooLong
from llms.engines.openai_compatible.quoting import quoted, without_key
from llms.engines.openai_compatible.replies import error_words
from llms.engines.openai_compatible.silence import within_patience
from llms.engines.openai_compatible.waiting_line import WaitingLine
from llms.safe_http import ConnectionPools, NotAllowed
from llms.sentences import Sentence, filled, mark

CONNECT_SECONDS = 5.0
SILENCE_SECONDS = 120.0
"""The last resort against a server that hangs; whoever reads a stream has shorter patience."""
REPLY_SECONDS = 600.0
"""A reply in one piece that trickles for longer comes to no end."""
MAX_REPLY_BYTES = 10_000_000
_TOO_LONG = re.compile(
    r"context[ _](length|size|window)|maximum (context|model|prompt|input)|max_model_len"
    r"|exceed\w* .{0,40}(context|tokens)|too (long|many tokens)|exceed_context_size|prompt is too",
    re.IGNORECASE,
)
_REDIRECTED = mark("%(words)s (redirects are not followed: register the address that it leads to)")
_TOO_MUCH = mark("the server sent more than %(n)s bytes in one piece")
_TOO_LATE = mark("It did not answer in time. Is the server busy, or still loading?")
_NOBODY = mark("Nobody answers there. Is the server running, and are its address and port right?")
_SAYS_NOTHING = "All connection attempts failed"
_BROKEN = (httpcore2.NetworkError, httpcore2.TimeoutException, httpcore2.ProtocolError, ssl.SSLError, OSError)
_servers: "dict[Connection, Server]" = {}
_not_gone: "weakref.WeakSet[Server]" = weakref.WeakSet()
"""Besides those in use, some whose connections are still to be closed."""
_servers_lock = threading.Lock()


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
    pools: ConnectionPools
    line: WaitingLine


class Server:
    """Shared by all engines with the same connection. Safe from several event loops: each has its own connections."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.n_users = 0
        """Engines that share it."""
        self._closing: set[asyncio.Task[None]] = set()
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
            await mine.pools.aclose()

    def close_everywhere(self) -> None:
        """The connections of every event loop that still runs, soon; called from any thread."""
        for loop in list(self._loops):
            with contextlib.suppress(RuntimeError):  # a loop that is closed has closed its connections
                loop.call_soon_threadsafe(self._close_soon)

    def _close_soon(self) -> None:
        closing = asyncio.get_running_loop().create_task(self.close())
        self._closing.add(closing)
        closing.add_done_callback(self._closing.discard)

    async def events(self, path: str, payload: Mapping[str, Any]) -> AsyncIterator[str]:
        """POST, and the data of each event of the answer. Raises `Trouble` before the first, `EngineError` after it.
        Closing the iterator closes the connection, which is how a server hears that nobody listens any more."""
        async with self._request("POST", path, payload, is_stream=True) as response:
            if response.status != 200:
                raise self.refusal(await self._reply_of(response))
            parser = EventParser()
            with self._in_our_words(GenerationFailed):
                async with within_patience(SILENCE_SECONDS) as waiting:
                    waiting.begins()
                    async for received in response.aiter_stream():
                        waiting.ends()
                        for event in parser.feed(received):
                            yield event
                        waiting.begins()
            for event in parser.finish():
                yield event

    async def fetch(self, method: str, path: str, payload: Mapping[str, Any] | None = None) -> Reply:
        """One request and its whole reply, whatever its status. Raises `Trouble`, and `EngineError` for a reply that
        breaks off."""
        try:
            async with asyncio.timeout(REPLY_SECONDS), self._request(method, path, payload) as response:
                return await self._reply_of(response)
        except TimeoutError as error:
            raise Trouble(TotalTimeout(filled(_TOO_LATE)), after=None) from error

    @contextlib.asynccontextmanager
    async def _request(
        self, method: str, path: str, payload: Mapping[str, Any] | None, *, is_stream: bool = False
    ) -> AsyncIterator[httpcore2.Response]:
        body = json.dumps(payload).encode() if payload is not None else None
        timeouts: dict[str, float | None]
        timeouts = {"connect": CONNECT_SECONDS, "read": SILENCE_SECONDS, "write": SILENCE_SECONDS, "pool": None}
        stream = self._here.pools.stream(
            method,
            self.connection.base_url + path,
            headers=self._headers,
            content=body,
            extensions={"timeout": timeouts},
        )
        try:
            with self._in_our_words(EngineUnreachable):
                response = await stream.__aenter__()
        except EngineError as error:
            raise Trouble(error, after=0.5) from error
        except NotAllowed as error:
            raise Trouble(EngineUnreachable(error.words), after=None) from error
        if is_stream and response.status == 200:
            timeouts["read"] = None  # whoever reads it has one patience for all of it
        try:
            yield response
        finally:
            await stream.__aexit__(None, None, None)

    def without_key(self, text: str) -> str:
        return without_key(text, self.connection.api_key)

    def quoted(self, said: str) -> str:
        """As much of it as may be shown."""
        return quoted(said, self.connection.api_key)

    def refusal(self, reply: Reply) -> Trouble:
        """What any status but 200 means."""
        return _trouble_of(reply, f"status {reply.status}: {self.quoted(error_words(reply.body))}")

    async def _reply_of(self, response: httpcore2.Response) -> Reply:
        received = bytearray()
        with self._in_our_words(GenerationFailed):
            async for part in response.aiter_stream():
                received += part
                if len(received) > MAX_REPLY_BYTES:
                    raise GenerationFailed(filled(_TOO_MUCH, n=MAX_REPLY_BYTES))
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in response.headers}
        return Reply(response.status, _read(received.decode("utf-8", "replace")), headers)

    @contextlib.contextmanager
    def _in_our_words(self, kind: type[EngineError]) -> Iterator[None]:
        try:
            yield
        except EventTooLong as error:
            raise GenerationFailed(filled(_TOO_MUCH, n=MAX_EVENT_BYTES)) from error
        except _BROKEN as error:
            raise kind(self.without_key(_told(error))) from error

    @property
    def _here(self) -> _PerLoop:
        loop = asyncio.get_running_loop()
        if loop not in self._loops:
            chosen = self.connection
            self._loops[loop] = _PerLoop(
                ConnectionPools(chosen.allowed_networks, chosen.max_concurrent),
                WaitingLine(chosen.max_concurrent, chosen.max_waiting),
            )
        return self._loops[loop]


def server_of(connection: Connection) -> Server:
    """The one server of this process behind a connection, so that all its models share the line before it. Each that
    takes it gives it back by `release`."""
    with _servers_lock:
        server = _servers.get(connection)
        if server is None:
            server = _servers[connection] = Server(connection)
            _not_gone.add(server)
        server.n_users += 1
        return server


def release(server: Server) -> None:
    """With its last user its connections and its key are gone."""
    with _servers_lock:
        server.n_users -= 1
        if server.n_users > 0:
            return
        if _servers.get(server.connection) is server:
            del _servers[server.connection]
    server.close_everywhere()


async def close_connections() -> None:
    """Those of this event loop, to all servers: for its end."""
    with _servers_lock:
        servers = list(_not_gone)
    for server in servers:
        await server.close()


def _told(error: Exception) -> str:
    """In a library's own words only where they say more than that it failed."""
    if isinstance(error, httpcore2.TimeoutException):
        return filled(_TOO_LATE)
    if isinstance(error, httpcore2.ConnectError):
        said = error.args[0] if error.args else ""
        if isinstance(said, Sentence):
            return said
        if str(error) in {"", _SAYS_NOTHING}:
            return filled(_NOBODY)
    if isinstance(error, httpcore2.LocalProtocolError):  # the library repeats what it would not send: a header, the key
        return type(error).__name__
    return f"{type(error).__name__}: {error}"


def _read(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):  # no JSON, or nested without end
        return text


def _trouble_of(reply: Reply, words: str) -> Trouble:
    """What a status means for us, and whether to try again."""
    if reply.status in {408, 409, 425, 429, 503, 529}:
        return Trouble(EngineOverloaded(words), after=retry_after(reply))
    if reply.status >= 500:
        return Trouble(EngineUnreachable(words), after=0.5)
    if reply.status in {400, 413, 422} and _TOO_LONG.search(words):
        return Trouble(PromptTooLong(words), after=None)
    if 300 <= reply.status < 400:
        return Trouble(AccessRefused(filled(_REDIRECTED, words=words)), after=None)
    if reply.status in {401, 403}:
        return Trouble(AccessRefused(words), after=None)
    return Trouble(RequestRejected(words), after=None)


def retry_after(reply: Reply) -> float:
    """When it is worth another try, in seconds."""
    try:
        return max(0.0, float(reply.headers.get("retry-after", "")))
    except ValueError:
        return 1.0
