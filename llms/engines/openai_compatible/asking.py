"""Questions to a server that may answer anything: what comes back is read with suspicion, and shown with care."""

import asyncio
import contextlib
import json
import re
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from llms.engines.base import EngineError
from llms.engines.openai_compatible.connection import root_of
from llms.engines.openai_compatible.replies import DONE, error_words
from llms.engines.openai_compatible.server import Reply, Server, Trouble, retry_after
from llms.sentences import Sentence, filled, mark

T = TypeVar("T")

QUOTED_CHARACTERS = 160
"""Of what a server says, in what we say about it."""
MAX_EVENTS = 500
LONGEST_PAUSE_SECONDS = 10.0
_STATUS = re.compile(r"status (\d{3})\b")
_BUSY = {425, 429, 503, 529}


@dataclass(frozen=True, slots=True)
class Patience:
    """In seconds. The first call with log-probabilities took a server 25, which probably compiled for it."""

    one_reply: float = 60.0
    about_itself: float = 8.0
    all_together: float = 240.0
    when_busy: float = LONGEST_PAUSE_SECONDS


class Unanswered(Exception):
    """No reply that could be judged: the server is gone, busy, or silent for too long."""

    def __init__(self, words: Sentence, again_after: float | None = None) -> None:
        super().__init__(words)
        self.words = words
        self.again_after = again_after
        """In seconds; None if another try would end the same way."""


class Refused(Exception):
    """A reply, but not what was asked for: any status but 200."""

    def __init__(self, status: int, text: str, words: Sentence, again_after: float | None = None) -> None:
        super().__init__(words)
        self.status = status
        self.text = text
        """The server's own words."""
        self.words = words
        self.again_after = again_after


class Asker:
    """One conversation with a server. What it costs the server is bounded: short prompts, one request at a time."""

    def __init__(self, server: Server, patience: Patience | None = None) -> None:
        self._server = server
        self._patience = patience or Patience()
        self._ends_at = asyncio.get_running_loop().time() + self._patience.all_together
        self._root = Server(root_of(server.connection))
        self.has_open_questions = False
        """Some were not answered, not even with no: nobody was there, or not in time, or broke over it."""

    async def close(self) -> None:
        await self._server.close()
        await self._root.close()

    async def post(self, path: str, payload: Mapping[str, Any]) -> Any:
        """The reply to a question. Raises `Unanswered` or `Refused`."""
        return await self._patiently(lambda: self._server.fetch("POST", path, payload))

    async def get(self, path: str) -> Any:
        return await self._patiently(lambda: self._server.fetch("GET", path))

    async def events(self, path: str, payload: Mapping[str, Any], *, until: Callable[[str], bool]) -> list[str]:
        """The data of each event of a stream, to its end or to the first that `until` holds for. Then the connection
        is closed, which stops the server. Raises `Unanswered` or `Refused`."""

        async def read() -> list[str]:
            found: list[str] = []
            async with contextlib.aclosing(self._server.events(path, payload)) as events:  # type: ignore[type-var]
                async for data in events:
                    found.append(data)
                    if data.strip() == DONE or until(data) or len(found) >= MAX_EVENTS:
                        break
            return found

        found: list[str] = await self._patiently(read)
        return found

    async def about(self, path: str, payload: Mapping[str, Any] | None = None) -> Reply | None:
        """What the server says of itself beside the protocol, at the root of its address; None if it has no such
        place. Never raises: most servers know few of these paths."""
        try:
            async with asyncio.timeout(self._seconds(self._patience.about_itself)):
                reply = await self._fetched(path, payload)
        except (Trouble, EngineError, TimeoutError):
            self.has_open_questions = True
            return None
        self._note_status(reply.status)
        return reply if reply.status == 200 else None

    async def _fetched(self, path: str, payload: Mapping[str, Any] | None) -> Reply:
        method = "GET" if payload is None else "POST"
        try:
            return await self._root.fetch(method, path, payload)
        except Trouble as trouble:
            if trouble.after is None:
                raise
        return await self._root.fetch(method, path, payload)

    def quoted(self, said: object) -> str:
        """A server's words, short, on one line, and without what could mislead the eye or hold the key."""
        plain = said if isinstance(said, str) else json.dumps(said, ensure_ascii=False, default=str)
        plain = self._server.without_key(plain)[: QUOTED_CHARACTERS + 1]
        shown = "".join(c if c.isprintable() else "␤" if c == "\n" else "�" for c in plain[:QUOTED_CHARACTERS])
        return shown + ("…" if len(plain) > QUOTED_CHARACTERS else "")

    async def _patiently(self, ask: Callable[[], Awaitable[T]]) -> Any:
        """Who is busy is asked once more, and so is who closed a connection that looked open."""
        try:
            return await self._once(ask)
        except (Refused, Unanswered) as first:
            if first.again_after is None:
                raise
            pause = min(first.again_after, self._patience.when_busy)
        await asyncio.sleep(pause)
        try:
            return await self._once(ask)
        except Refused as refused:
            if refused.status in _BUSY:
                words = mark("It was busy (status %(status)s). Ask again later.")
                raise Unanswered(filled(words, status=refused.status)) from refused
            raise

    async def _once(self, ask: Callable[[], Awaitable[T]]) -> Any:
        try:
            async with self._in_time():
                reply = await ask()
        except Trouble as trouble:
            raise self._failure(trouble.error, trouble.after) from trouble
        except EngineError as error:
            raise self._failure(error) from error
        if not isinstance(reply, Reply):
            return reply
        if reply.status != 200:
            pause = retry_after(reply) if reply.status in _BUSY else None
            raise self._refusal(reply.status, self._server.quoted(error_words(reply.body)), pause)
        return reply.body

    @contextlib.asynccontextmanager
    async def _in_time(self) -> AsyncGenerator[None]:
        seconds = self._seconds(self._patience.one_reply)
        try:
            async with asyncio.timeout(seconds):
                yield
        except TimeoutError:
            words = mark("No reply within %(seconds)s seconds.")
            raise Unanswered(filled(words, seconds=round(seconds, 1))) from None

    def _seconds(self, wanted: float) -> float:
        return max(0.0, min(wanted, self._ends_at - asyncio.get_running_loop().time()))

    def _failure(self, error: EngineError, after: float | None = None) -> Exception:
        """A stream tells of a refusal by an error whose text begins with the status."""
        if found := _STATUS.match(str(error)):
            return self._refusal(int(found[1]), str(error)[found.end() :].lstrip(": "), after)
        said = error.args[0] if error.args else ""
        if isinstance(said, Sentence):  # ours, which says what to do
            return Unanswered(said, after)
        return Unanswered(filled(mark("It did not answer: “%(words)s”."), words=self.quoted(str(error))), after)

    def _note_status(self, status: int) -> None:
        if status in _BUSY or status >= 500:
            self.has_open_questions = True

    def _refusal(self, status: int, text: str, after: float | None) -> Refused:
        self._note_status(status)
        words = mark("It refused: status %(status)s, “%(words)s”.")
        return Refused(status, text, filled(words, status=status, words=self.quoted(text)), after)


def joined(first: Sentence, *others: Sentence | None) -> Sentence:
    for other in others:
        if other:
            first = filled("%(first)s %(second)s", first=first, second=other)
    return first
