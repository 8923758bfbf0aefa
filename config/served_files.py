"""Static files under ASGI: WhiteNoise hands out a file that is read as it is sent, which Django there would first read
as a whole, with a warning."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any, BinaryIO

from django.core.handlers.asgi import ASGIRequest
from whitenoise.middleware import WhiteNoiseMiddleware

PIECE_BYTES = 65_536


class ServedFiles(WhiteNoiseMiddleware):  # type: ignore[misc]  # whitenoise has no types
    @staticmethod
    def serve(static_file: Any, request: Any) -> Any:
        response = WhiteNoiseMiddleware.serve(static_file, request)
        if isinstance(request, ASGIRequest):
            response.streaming_content = _pieces(response.file_to_stream)
        return response


async def _pieces(file: BinaryIO | None) -> AsyncIterator[bytes]:
    """Nothing for a HEAD, or for what the browser has already."""
    while file and (piece := await asyncio.to_thread(file.read, PIECE_BYTES)):
        yield piece
