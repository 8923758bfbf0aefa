"""From the event loop to the database and back."""

from collections.abc import Callable
from typing import ParamSpec, TypeVar

from channels.db import database_sync_to_async

P = ParamSpec("P")
R = TypeVar("R")


async def in_database(verb: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Run a verb that touches the database in a thread that may; the loop goes on meanwhile."""
    result: R = await database_sync_to_async(verb)(*args, **kwargs)
    return result
