"""How often somebody may do something. Counts live in memory or in Redis, never in the database."""

import functools
import math
import time

from django.conf import settings
from limits import RateLimitItem, RateLimitItemPerHour, RateLimitItemPerMinute
from limits.storage import storage_from_string
from limits.strategies import SlidingWindowCounterRateLimiter

PER_HOUR, PER_MINUTE = RateLimitItemPerHour, RateLimitItemPerMinute


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
    if not _limiter().hit(limit, action, who):
        raise _too_often(limit, action, who)


def check(limit: RateLimitItem, action: str, who: str) -> None:
    """Raises `RateLimited` when the limit is reached. Counts nothing."""
    if not _limiter().test(limit, action, who):
        raise _too_often(limit, action, who)


def _too_often(limit: RateLimitItem, action: str, who: str) -> RateLimited:
    window = _limiter().get_window_stats(limit, action, who)
    # a whole second past the moment: at the moment itself it would still be one too many
    return RateLimited(max(1, math.floor(window.reset_time - time.time()) + 1))


def forget_all() -> None:
    """For tests, and for an operator's shell."""
    _limiter().storage.reset()
