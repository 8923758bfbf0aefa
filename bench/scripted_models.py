"""A model server for measurements: writes tokens at a fixed rate, each with its number and the moment it was written.

python -m bench.scripted_models PORT RATE TOKENS
"""

import asyncio
import itertools
import json
import sys
import time
from typing import Any

import uvicorn

from bench.readers import ENDLESS

counts = {"active": 0, "done": 0, "cancelled": 0}


def application(rate: float, n_tokens: int) -> Any:
    async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        asked, more = b"", True
        while more:
            part = await receive()
            asked, more = asked + part.get("body", b""), part.get("more_body", False)
        if scope["path"].endswith("/chat/completions"):
            await _stream(receive, send, rate, None if ENDLESS.encode() in asked else n_tokens)
        else:
            body = json.dumps(counts if scope["path"] == "/statistics" else {"data": [{"id": "orion"}]}).encode()
            await _start(send, b"application/json")
            await send({"type": "http.response.body", "body": body})

    return app


async def _start(send: Any, kind: bytes) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", kind)]})


async def _stream(receive: Any, send: Any, rate: float, n_tokens: int | None) -> None:
    counts["active"] += 1
    leaving = asyncio.create_task(receive())
    await _start(send, b"text/event-stream")
    began = asyncio.get_running_loop().time()
    try:
        for number in itertools.count() if n_tokens is None else range(n_tokens):
            wait = began + (number + 1) / rate - asyncio.get_running_loop().time()
            await asyncio.wait([leaving], timeout=max(wait, 0))
            if leaving.done():
                counts["cancelled"] += 1
                return
            stamp = round(time.clock_gettime(time.CLOCK_MONOTONIC) * 1e6)
            await _event(send, {"choices": [{"delta": {"content": f"n{number}t{stamp} "}}]})
        await _event(send, {"choices": [{"delta": {}, "finish_reason": "stop"}]})
        await send({"type": "http.response.body", "body": b"data: [DONE]\n\n"})
        counts["done"] += 1
    finally:
        counts["active"] -= 1
        leaving.cancel()


async def _event(send: Any, content: dict[str, Any]) -> None:
    body = b"data: " + json.dumps(content).encode() + b"\n\n"
    await send({"type": "http.response.body", "body": body, "more_body": True})


if __name__ == "__main__":
    port, rate, n_tokens = sys.argv[1:]
    uvicorn.run(application(float(rate), int(n_tokens)), port=int(port), log_level="warning", lifespan="off")
