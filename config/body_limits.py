"""Bodies that are too large are not read. Django would take all of a body in before it asks who sent it and why."""

from collections.abc import Mapping
from typing import Any


class BodyLimits:
    """By the beginning of the path (the first that fits) the most bytes of a body. One that announces more reaches the
    page empty, which knows what was announced and says so (`Content-Length` stays as it is); one that announces
    nothing, and is larger, is taken for broken off."""

    def __init__(self, application: Any, most_of: Mapping[str, int]) -> None:
        self._application, self._most_of = application, most_of

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        most = self._most(scope)
        if most is None:
            await self._application(scope, receive, send)
        elif _announced(scope) > most:
            await self._application(scope, _Nothing(receive), send)
        else:
            await self._application(scope, _Counted(receive, most), send)

    def _most(self, scope: Any) -> int | None:
        if scope["type"] != "http":
            return None
        return next((most for path, most in self._most_of.items() if scope["path"].startswith(path)), None)


class _Nothing:
    """An empty body, and then whatever becomes of the connection."""

    def __init__(self, receive: Any) -> None:
        self._receive, self._was_asked = receive, False

    async def __call__(self) -> Any:
        if self._was_asked:
            event = await self._receive()
            while event["type"] == "http.request":  # what comes meanwhile is dropped
                event = await self._receive()
            return event
        self._was_asked = True
        return {"type": "http.request", "body": b"", "more_body": False}


class _Counted:
    def __init__(self, receive: Any, most: int) -> None:
        self._receive, self._left = receive, most

    async def __call__(self) -> Any:
        event = await self._receive()
        if event["type"] == "http.request":
            self._left -= len(event.get("body", b""))
            if self._left < 0:
                return {"type": "http.disconnect"}
        return event


def _announced(scope: Any) -> int:
    for name, value in scope["headers"]:
        if name == b"content-length":
            return int(value) if value.isdigit() else 0
    return 0
