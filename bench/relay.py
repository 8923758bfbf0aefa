"""A bare relay to compare with: the same reader of model servers, the same ASGI server, and nothing in between.

python -m bench.relay PORT MODELS_PORT

No database, no masking, no pacing, no waiting for the other side: what remains is what it costs to carry the words.
"""

import asyncio
import sys
from ipaddress import ip_network
from typing import Any

import orjson
import uvicorn

from llms.chat import Message, Role, SamplingParams
from llms.engines.base import TextDelta
from llms.engines.openai_compatible.connection import Connection
from llms.engines.openai_compatible.engine import OpenAICompatibleEngine

END = {"type": "state", "battle": {"phase": "voting", "turns": [{"answers": {}}]}}


def application(models_port: int) -> Any:
    connection = Connection(
        f"http://127.0.0.1:{models_port}/v1", max_concurrent=10_000, allowed_networks=(ip_network("127.0.0.0/8"),)
    )
    engines = {
        side: OpenAICompatibleEngine.from_options(name, "", {}, cache_dir=None, connection=connection)  # type: ignore[arg-type]
        for side, name in (("a", "orion"), ("b", "lyra"))
    }

    async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"ok"})
        elif scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.accept"})
            prompt = orjson.loads((await receive())["text"])["prompt"]
            relay = asyncio.gather(*(_relay(side, engine, prompt, send) for side, engine in engines.items()))
            leaving = asyncio.create_task(receive())
            await asyncio.wait([relay, leaving], return_when=asyncio.FIRST_COMPLETED)
            relay.cancel()
            ended = await asyncio.gather(relay, return_exceptions=True)
            if isinstance(ended[0], BaseException):  # they left
                return
            await send({"type": "websocket.send", "text": orjson.dumps(END).decode()})
            await leaving

    return app


async def _relay(side: str, engine: OpenAICompatibleEngine, prompt: str, send: Any) -> None:
    async for event in engine.stream([Message(Role.USER, prompt)], SamplingParams(max_new_tokens=4096)):
        if isinstance(event, TextDelta):
            frame = {"type": "delta", "side": side, "text": event.text}
            await send({"type": "websocket.send", "text": orjson.dumps(frame).decode()})


if __name__ == "__main__":
    port, models_port = map(int, sys.argv[1:])
    uvicorn.run(
        application(models_port),
        port=port,
        log_level="warning",
        lifespan="off",
        ws="websockets-sansio",
        ws_per_message_deflate=False,
    )
