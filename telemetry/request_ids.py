"""An id for each request and each socket: taken over from a proxy, told to the caller, and said by the log."""

from typing import Any

from telemetry import context

HEADER = b"x-request-id"


class RequestIds:
    """Around an ASGI application."""

    def __init__(self, application: Any) -> None:
        self._application = application

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        given = next((value for name, value in scope["headers"] if name.lower() == HEADER), b"")
        request_id = context.request_id(given.decode("latin-1"))

        async def send_with_id(message: Any) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message.get("headers", []), (HEADER, request_id.encode())]}
            await send(message)

        with context.bound(request=request_id):
            await self._application(scope, receive, send_with_id)
