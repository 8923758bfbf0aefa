"""How often somebody may do something. Counts live in memory or in Redis, never in the database."""

import contextlib
import functools
import math
import threading
import time
from collections.abc import Iterator

from django.conf import settings
from limits import RateLimitItem, RateLimitItemPerHour, RateLimitItemPerMinute
from limits.storage import storage_from_string
from limits.strategies import SlidingWindowCounterRateLimiter

PER_HOUR, PER_MINUTE = RateLimitItemPerHour, RateLimitItemPerMinute
_TURNSTILES = tuple(threading.Lock() for _ in range(256))
"""Shared by whoever falls to the same one, which costs a moment and saves a lock for each address ever seen."""


_MEMORY = threading.Lock()


class RateLimited(Exception):
    """Too often. `retry_after` is in seconds."""

    def __init__(self, retry_after: int) -> None:
        super().__init__(f"try again in {retry_after} s")
        self.retry_after = retry_after


@functools.cache
def _limiter() -> SlidingWindowCounterRateLimiter:
    return SlidingWindowCounterRateLimiter(storage_from_string(settings.RATE_LIMIT_STORAGE))


def spend(limit: RateLimitItem, action: str, who: str) -> None:
    """Count one `action` of `who`. Raises `RateLimited` when the limit is reached, and then counts nothing."""
    with _counting():
        is_within = _limiter().hit(limit, action, who)
    if not is_within:
        raise _too_often(limit, action, who)


def check(limit: RateLimitItem, action: str, who: str) -> None:
    """Raises `RateLimited` when the limit is reached. Counts nothing."""
    with _counting():
        is_within = _limiter().test(limit, action, who)
    if not is_within:
        raise _too_often(limit, action, who)


@contextlib.contextmanager
def one_at_a_time(action: str, who: str) -> Iterator[None]:
    """For what is counted only after it was tried: a burst must not be let through as a whole before the first of it
    counts. Within this process; each further one lets one more through."""
    with _TURNSTILES[hash((action, who)) % len(_TURNSTILES)]:
        yield


def _counting() -> contextlib.AbstractContextManager[object]:
    """Counts in memory are kept by one thread at a time: two that begin to clean up at once would raise."""
    return _MEMORY if settings.RATE_LIMIT_STORAGE.startswith("memory:") else contextlib.nullcontext()


def _too_often(limit: RateLimitItem, action: str, who: str) -> RateLimited:
    window = _limiter().get_window_stats(limit, action, who)
    # a whole second past the moment: at the moment itself it would still be one too many
    return RateLimited(max(1, math.floor(window.reset_time - time.time()) + 1))


def forget_all() -> None:
    """For tests, and for an operator's shell."""
    _limiter().storage.reset()
