"""Whoever looks at a turn that another process runs leaves word of it in the cache, which all processes share. The
process that runs the turn would otherwise take it for abandoned by its voter."""

import uuid

from django.core.cache import cache

WORD_LASTS_SECONDS = 10


async def say_so(battle_id: uuid.UUID) -> None:
    await cache.aset(_key(battle_id), True, WORD_LASTS_SECONDS)


async def is_watched(battle_id: uuid.UUID) -> bool:
    return bool(await cache.aget(_key(battle_id)))


def _key(battle_id: uuid.UUID) -> str:
    return f"watched-{battle_id.hex}"
