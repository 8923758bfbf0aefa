"""Boards written as words: "A>B" A won, "A<B" B won, "A=B" a tie, "A~B" both bad; "20*A>B" twenty such votes."""

import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from stats.comparisons import Outcome, PairCounts

SIGNS = {">": Outcome.LEFT, "<": Outcome.RIGHT, "=": Outcome.TIE, "~": Outcome.BOTH_BAD}

Board = Callable[..., PairCounts]


def read_board(votes: str, *, n_items: int | None = None) -> PairCounts:
    cells = []
    for vote in votes.split():
        n, left, sign, right = re.fullmatch(r"(?:(\d+)\*)?([A-Z])([><=~])([A-Z])", vote).groups()
        cells.append((ord(left) - ord("A"), ord(right) - ord("A"), SIGNS[sign], int(n or 1)))
    highest = max((max(left, right) for left, right, _, _ in cells), default=-1)
    return PairCounts.from_cells(cells, n_items=highest + 1 if n_items is None else n_items)


@pytest.fixture
def board() -> Board:
    return read_board


@pytest.fixture(scope="session")
def votes_folder() -> Path:
    shared = os.environ.get("HAKEM_SHARED_DATA") or Path(__file__).parents[3] / "shared" / "data"
    folder = Path(shared) / "votes"
    if not folder.is_dir():
        pytest.skip(f"needs the public vote files: no folder {folder} (set HAKEM_SHARED_DATA)")
    return folder
