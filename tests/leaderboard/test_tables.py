"""A board as a table."""

import numpy as np
import pytest

from leaderboard import live
from leaderboard.models import LiveBoard, LiveRating
from leaderboard.tables import MARGIN, STATUS_WORDS, Row, export_rows, table_of
from llms.models import LanguageModel
from stats.connectivity import ItemStatus

pytestmark = pytest.mark.django_db


@pytest.fixture
def board():
    return LiveBoard.objects.create(audience="internal", n_votes=1)


@pytest.fixture
def line(board):
    """A line by hand: `line("Orion", rating=1000, half=20)`."""

    def line(name, *, rating=None, half=10.0, n_votes=0, points=0.0, status=None):
        return LiveRating.objects.create(
            board=board,
            llm=LanguageModel.objects.create(slug=name.lower(), name=name),
            status=status or (ItemStatus.RATED if rating else ItemStatus.NO_COMPARISONS),
            rating=rating,
            lower=rating and rating - half,
            upper=rating and rating + half,
            n_votes=n_votes,
            points=points,
            preliminary=False,
        )

    return line


def test_best_first_then_the_unrated_by_votes_and_name(board, line):
    line("Low", rating=900)
    line("Silent")
    line("Also silent")
    line("Winner", n_votes=9, status=ItemStatus.ONLY_WON)
    line("High", rating=1100)
    line("Negative", rating=-50)
    line("Busy", rating=900, n_votes=5)
    names = ["High", "Busy", "Low", "Negative", "Winner", "Also silent", "Silent"]
    assert [row.line.llm.name for row in table_of(board).rows] == names
    assert [row["name"] for row in export_rows(board)] == names


@pytest.mark.parametrize(("lower", "upper", "words"), [(None, None, "–"), (1, 1, "1"), (2, 5, "2–5")])
def test_ranks_in_words(lower, upper, words):
    assert Row(LiveRating(rank_lower=lower, rank_upper=upper), None, "", None).ranks == words


def test_all_whiskers_share_one_scale(board, line):
    line("High", rating=1200, half=50)
    line("Middle", rating=1000, half=10)
    line("Low", rating=900, half=100)
    table = table_of(board)
    low, high = 800 - MARGIN * 450, 1250 + MARGIN * 450

    def place(value):
        return round(100 * (value - low) / (high - low), 2)

    assert [row.whisker for row in table.rows] == [
        (place(1150), place(1200), place(1250)),
        (place(990), place(1000), place(1010)),
        (place(800), place(900), place(1000)),
    ]
    assert table.reference == place(3100 / 3)


def test_one_model_with_no_width_stands_in_the_middle(board, line):
    line("Only", rating=1000, half=0)
    table = table_of(board)
    assert table.rows[0].whisker == (50, 50, 50)
    assert table.reference == 50


def test_without_any_rating_there_is_no_scale(board, line):
    line("Winner", n_votes=3, points=3, status=ItemStatus.ONLY_WON)
    line("Silent")
    table = table_of(board)
    assert table.reference is None
    assert [row.whisker for row in table.rows] == [None, None]
    assert [row.win_rate for row in table.rows] == [100, None]


def test_ties_are_half_a_win(board, line):
    line("Orion", rating=1000, n_votes=8, points=5.0)
    assert table_of(board).rows[0].win_rate == 62.5
    assert export_rows(board)[0]["win_rate"] == 62.5


def test_every_reason_for_having_no_rating_has_words():
    assert set(STATUS_WORDS) == set(ItemStatus) - {ItemStatus.RATED}
    assert all(str(words) for words in STATUS_WORDS.values())


@pytest.mark.parametrize("seed", range(12))
def test_whatever_the_votes_are_the_table_holds_together(seed, register, count):
    rng = np.random.default_rng(seed)
    llms = [register(f"Model {n}") for n in range(int(rng.integers(2, 7)))]
    for _ in range(int(rng.integers(1, 12))):
        left, right = rng.choice(len(llms), 2, replace=False)
        outcome = ["a", "b", "tie", "both_bad"][rng.integers(4)]
        count(llms[left], llms[right], outcome, int(rng.integers(1, 50)), day=int(rng.integers(1, 28)))
    live.refresh_all()
    table = table_of(LiveBoard.objects.get(audience="public"))
    assert len(table.rows) == len(llms)
    for row in table.rows:
        assert (row.whisker is None) == (row.line.rating is None) == bool(row.status_words)
        if row.whisker:
            low, point, high = row.whisker
            assert 0 < low <= point <= high < 100
            assert 1 <= row.line.rank_lower <= row.line.rank_upper <= len(llms)
        assert row.win_rate is None or 0 <= row.win_rate <= 100
