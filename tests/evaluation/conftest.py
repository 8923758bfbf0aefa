import json
import threading
from pathlib import Path

import pytest

from evaluation.datasets import DataKind, RowSet
from llms.engines.registry import ENGINES
from llms.models import LanguageModel
from tests.conftest import SHARED_DATA
from tests.helpers.counting_engine import PATH, CountingEngine

GOLDEN = Path(__file__).parent / "golden" / "golden.json"


@pytest.fixture(scope="session")
def golden():
    return json.loads(GOLDEN.read_text())


@pytest.fixture(scope="session")
def public_rows():
    if not (SHARED_DATA / "mmlu").is_dir():
        pytest.skip(f"needs the public rows: no folder {SHARED_DATA} (set HAKEM_SHARED_DATA)")
    return SHARED_DATA


@pytest.fixture
def row_set():
    def row_set(rows, pool=(), kind=DataKind.PUBLISHED):
        return RowSet(kind=kind, source="here", rows=rows, pool=pool)

    return row_set


@pytest.fixture
def engine(monkeypatch):
    """The switchboard of the engine that models of `counted` have."""
    monkeypatch.setitem(ENGINES, "counting", PATH)
    CountingEngine.reset()
    yield CountingEngine
    CountingEngine.reset()


@pytest.fixture
def counted(transactional_db, engine):
    """A model that counts what it computes."""
    return LanguageModel.objects.create(
        slug="orion-7b", name="Orion 7B", engine="counting", source="orion", status=LanguageModel.Status.ENABLED
    )


@pytest.fixture
def gate(engine):
    """Lets the engine answer so many requests, and holds it before the next."""

    class Gate:
        def __init__(self):
            self.reached, self.open = threading.Event(), threading.Event()

        def close_after(self, n):
            def wait(n_computed):
                if n_computed >= n:
                    self.reached.set()
                    assert self.open.wait(30)

            engine.before_each = wait

    gate = Gate()
    yield gate
    gate.open.set()
