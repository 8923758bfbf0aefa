"""A pool over scripted loads."""

from collections.abc import Iterator

import pytest

from llms import keeper
from llms import pool as pool_module
from llms.pool import Pool
from llms.room import Room
from tests.helpers.scripted_loads import Clock, Loads


@pytest.fixture
def loads(monkeypatch: pytest.MonkeyPatch) -> Iterator[Loads]:
    loads = Loads()
    monkeypatch.setattr(keeper, "engine_class", loads)
    monkeypatch.setattr(pool_module, "engine_class", loads)
    monkeypatch.setattr(keeper, "POLL_SECONDS", 0.01)
    yield loads
    loads.gate.set()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def pool(loads: Loads, clock: Clock) -> Iterator[Pool]:
    pool = Pool(clock=clock, room=Room(loads.taken))
    yield pool
    loads.gate.set()
    pool.close()
