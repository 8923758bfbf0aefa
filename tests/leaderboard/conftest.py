import datetime
from collections.abc import Callable

import pytest

from arena.models import PairCount
from leaderboard import live
from llms.models import LanguageModel


@pytest.fixture
def count(db: None) -> Callable[..., PairCount]:
    """Write a cell of the ledger: `count(orion, lyra, "a", 7)` is seven votes for orion, which stood on side A."""

    def count(left: LanguageModel, right: LanguageModel, outcome: str = "a", n: int = 1, *, day: int = 1) -> PairCount:
        return PairCount.objects.create(
            day=datetime.date(2026, 1, day), left=left, right=right, outcome=outcome, n=n, category=PairCount.OVERALL
        )

    return count


@pytest.fixture
def rated(orion: LanguageModel, lyra: LanguageModel, pavo: LanguageModel, count: Callable[..., PairCount]) -> None:
    """Three models that the votes rate, Orion before Lyra before Pavo, on a board that is up to date."""
    for better, worse in ((orion, lyra), (lyra, pavo), (orion, pavo)):
        count(better, worse, "a", 30)
        count(better, worse, "b", 10)
    live.refresh_all()
