"""From the event loop to the database and back."""

import asyncio
import contextvars
import functools
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from django.conf import settings
from django.db import close_old_connections, connection

P = ParamSpec("P")
R = TypeVar("R")

THREADS_TO_A_SERVER = 4
"""While one waits for the server's answer, the others can ask. A file is asked by one: to it only one can write, and
there is nothing to wait for."""

SWITCH_SECONDS = 0.001
"""With each statement such a thread lets go of the interpreter, and on a busy server gets it back only when this time
is over. At Python's own five milliseconds, what takes two of computing takes a hundred; far below one, the changing
itself costs more than it gains (`bench/battles.py`)."""


async def in_database(verb: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Run a verb that touches the database in a thread that may; the loop goes on meanwhile."""
    as_here = contextvars.copy_context()  # the language, for one
    work = functools.partial(_cleanly, verb, *args, **kwargs)
    return await asyncio.get_running_loop().run_in_executor(_threads(), as_here.run, work)


def _cleanly(verb: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """A server's connection goes back to the pool. That to a file stays open, unless it broke: to open it takes longer
    than to ask it."""
    is_file = connection.vendor == "sqlite"
    if not is_file or connection.errors_occurred:
        close_old_connections()
    try:
        return verb(*args, **kwargs)
    finally:
        if not is_file:
            close_old_connections()


@functools.cache
def _threads() -> ThreadPoolExecutor:
    sys.setswitchinterval(SWITCH_SECONDS)
    return ThreadPoolExecutor(1 if settings.IS_SQLITE else THREADS_TO_A_SERVER, thread_name_prefix="database")
