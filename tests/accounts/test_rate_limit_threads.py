"""Counts in memory are asked by the event loop and by threads at the same time."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from limits.storage import MemoryStorage

from accounts import rate_limits
from accounts.rate_limits import PER_HOUR, spend


def test_no_two_threads_count_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    inside, met = threading.Lock(), []
    incr = MemoryStorage.incr

    def alone(self, *arguments, **more):
        if not inside.acquire(blocking=False):
            met.append(arguments)
            return incr(self, *arguments, **more)
        try:
            threading.Event().wait(0.002)
            return incr(self, *arguments, **more)
        finally:
            inside.release()

    monkeypatch.setattr(MemoryStorage, "incr", alone)
    rate_limits.forget_all()
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda n: spend(PER_HOUR(1000), "act", f"visitor {n}"), range(40)))
    assert met == []
