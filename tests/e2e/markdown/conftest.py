"""The harness page, opened once for all tests of a file and checked for faults after each."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.harness.page import Harness
from tests.e2e.harness.server import serve

STATIC = Path(__file__).resolve().parents[3] / "static"


@pytest.fixture(scope="session")
def site() -> Iterator[str]:
    with serve(STATIC) as address:
        yield address


@pytest.fixture(scope="module")
def harness(browser: Any, site: str) -> Iterator[Harness]:
    opened = Harness(browser, site)
    yield opened
    opened.context.close()


@pytest.fixture
def answer(harness: Harness) -> Iterator[Harness]:
    """The harness, checked for faults when the test is over."""
    harness.faults.clear()
    yield harness
    harness.check_clean()
