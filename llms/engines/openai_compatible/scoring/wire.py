"""Questions by the thousand: in the endpoint's line, with patience for who is busy, and none for who refuses."""

import asyncio
import contextlib
import random
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

from llms.engines.base import EngineError, GenerationFailed
from llms.engines.openai_compatible.connection import root_of
from llms.engines.openai_compatible.server import Server, Trouble
from telemetry.metrics import ENGINE_RETRIES

ATTEMPTS = 6
LONGEST_PAUSE_SECONDS = 30.0
FIRST_PAUSE_SECONDS = 0.5
BROKEN_OFF_SECONDS = 0.5


class Wire:
    """To one server. Safe from several event loops; each closes its own connections."""

    def __init__(self, server: Server, is_closed: Callable[[], bool]) -> None:
        self.server = server
        self._root = Server(root_of(server.connection))
        self._is_closed = is_closed

    async def post(self, path: str, payload: Mapping[str, Any], *, is_beside: bool = False) -> Any:
        """The body of the reply. `is_beside`: not below the protocol's version, but at the root of the address. Raises
        `EngineError`."""
        server = self._root if is_beside else self.server
        for attempt in range(1, ATTEMPTS + 1):
            try:
                return await self._once(server, path, payload)
            except Trouble as trouble:
                if trouble.after is None or attempt == ATTEMPTS:
                    raise trouble.error from trouble
                pause = _pause(trouble.after, attempt)
            ENGINE_RETRIES.labels(urlsplit(server.connection.base_url).netloc).inc()
            await asyncio.sleep(pause)
        raise AssertionError("the last attempt returns or raises")

    async def close(self) -> None:
        """The connections of this event loop."""
        await self.server.close()
        await self._root.close()

    async def _once(self, server: Server, path: str, payload: Mapping[str, Any]) -> Any:
        """Raises `Trouble`. Nobody waits between two tries in a place that others could have."""
        line = self.server.line
        async with contextlib.aclosing(line.stand()) as standing:
            async for _ in standing:
                pass
        try:
            if self._is_closed():
                raise Trouble(GenerationFailed("the engine is closed"), after=None)
            reply = await server.fetch("POST", path, payload)
        except EngineError as error:  # it broke off in the middle of its reply
            raise Trouble(error, after=BROKEN_OFF_SECONDS) from error
        finally:
            line.leave()
        if reply.status != 200:
            raise server.refusal(reply)
        return reply.body


def _pause(after: float, attempt: int) -> float:
    spread: float = FIRST_PAUSE_SECONDS * 2**attempt * (0.5 + random.random())  # noqa: S311 - only spreads them
    return min(LONGEST_PAUSE_SECONDS, max(after, spread))
