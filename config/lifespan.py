"""What begins when the server begins to listen, and ends when it ends."""

import asyncio
import gc
import logging
from datetime import timedelta
from typing import Any

from channels.db import database_sync_to_async
from django.conf import settings

from arena import battles
from arena.live_turns import live_turns
from config.background import Background
from llms.engines.openai_compatible.server import close_connections
from llms.models import LanguageModel
from llms.pool import Readiness, pool

logger = logging.getLogger(__name__)
COLLECT_AFTER = (20_000, 20, 50)
"""Python's own 700 would let a thousand streams stop for the collector many times a second."""


class Lifespan:
    """An ASGI application for the `lifespan` scope."""

    def __init__(self) -> None:
        self._background = Background() if settings.EMBEDDED else None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                try:
                    await self._start()
                except Exception as error:
                    # Said, not raised: a server that does not insist on a lifespan would serve without one.
                    logger.exception("the server cannot begin")
                    await send({"type": "lifespan.startup.failed", "message": str(error)})
                    return
                await send({"type": "lifespan.startup.complete"})
            elif message["type"] == "lifespan.shutdown":
                await self._stop()
                await send({"type": "lifespan.shutdown.complete"})
                return

    async def _start(self) -> None:
        """The page is up at once; engines load behind it."""
        if settings.EMBEDDED:
            # No other process can be running a turn, so whatever still looks like it was cut off by a restart.
            await database_sync_to_async(battles.cut_off_abandoned)(silent_for=timedelta(0))
        contenders = await database_sync_to_async(lambda: list(LanguageModel.objects.in_battles()))()
        pool.warm_up(contenders)
        for llm in contenders:
            if pool.readiness(llm) is Readiness.BARRED:
                logger.warning("%s will not be drawn here. %s", llm.slug, pool.failure(llm))
        if self._background:
            self._background.start()
        _spare_the_collector()

    async def _stop(self) -> None:
        await live_turns.close()
        await close_connections()
        if self._background:
            await asyncio.to_thread(self._background.stop)
        await asyncio.to_thread(pool.close)


def _spare_the_collector() -> None:
    """What is loaded by now stays for good: it need not be looked through again and again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*COLLECT_AFTER)
