import threading

import numpy as np
import pytest

from stats import workers
from stats.comparisons import Outcome, PairCounts
from stats.errors import UnknownOutcomeError
from stats.workers import MOST_PARTS, ROWS_WORTH_A_THREAD, chunks, n_processors, of_each_part, parts

MANY = MOST_PARTS * ROWS_WORTH_A_THREAD + 3


@pytest.fixture(params=[1, 2, 64])
def processors(request, monkeypatch):
    monkeypatch.setattr(workers, "n_processors", lambda: request.param)
    return request.param


@pytest.mark.parametrize("n_rows", [0, 1, MOST_PARTS * ROWS_WORTH_A_THREAD - 1])
def test_few_rows_are_one_part(n_rows):
    assert parts(n_rows) == [range(n_rows)]


@pytest.mark.parametrize("n_rows", [MOST_PARTS * ROWS_WORTH_A_THREAD, MANY, 10**9])
def test_many_rows_are_cut_into_parts_that_leave_none_out(n_rows):
    cut = parts(n_rows)

    assert len(cut) == MOST_PARTS
    assert [cut[0].start, *(part.stop for part in cut)] == [*(part.start for part in cut), n_rows]
    assert max(map(len, cut)) - min(map(len, cut)) <= 1


def test_whoever_fills_a_table_asks_for_parts_as_large():
    assert len(parts(10**6, least=500_000)) == MOST_PARTS
    assert parts(10**6, least=500_001) == [range(10**6)]
    assert of_each_part(len, 10, least=5) == [5, 5]


def test_chunks_leave_no_row_out_and_read_none_of_the_next_part():
    rows = range(5, 30)

    assert [row for chunk in chunks(rows, size=10) for row in range(chunk.start, chunk.stop)] == list(rows)
    assert list(chunks(range(0))) == []


def test_each_part_is_done_once_in_order(processors):
    assert of_each_part(list, MANY) == [list(part) for part in parts(MANY)]


def test_parts_are_done_at_the_same_time_where_there_are_processors(monkeypatch):
    monkeypatch.setattr(workers, "n_processors", lambda: MOST_PARTS)
    both_at_work = threading.Barrier(MOST_PARTS, timeout=60)

    assert sorted(of_each_part(lambda part: both_at_work.wait(), MANY)) == list(range(MOST_PARTS))


def test_one_processor_and_few_rows_start_no_thread(monkeypatch):
    def here(part):
        return threading.current_thread()

    assert of_each_part(here, MANY - 4) == [threading.current_thread()]
    monkeypatch.setattr(workers, "n_processors", lambda: 1)
    assert of_each_part(here, MANY) == [threading.current_thread()] * MOST_PARTS


def test_the_error_of_the_earlier_part_comes_first(processors):
    def fails(part):
        raise ValueError(part.start)

    with pytest.raises(ValueError, match=r"^0$"):
        of_each_part(fails, MANY)


def test_the_error_of_a_later_part_is_not_lost(processors):
    def fails_later(part):
        if part.start:
            raise ValueError("later")

    with pytest.raises(ValueError, match="later"):
        of_each_part(fails_later, MANY)


def test_it_counts_the_processors_that_this_process_may_use(monkeypatch):
    assert n_processors() >= 1
    monkeypatch.setattr(workers.os, "sched_getaffinity", lambda pid: {0, 3, 5}, raising=False)
    assert n_processors() == 3


@pytest.mark.parametrize(("counted", "expected"), [(8, 8), (None, 1)])
def test_it_counts_all_processors_where_the_system_does_not_say(monkeypatch, counted, expected):
    monkeypatch.delattr(workers.os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(workers.os, "cpu_count", lambda: counted)
    assert n_processors() == expected


@pytest.fixture
def many_votes():
    rng = np.random.default_rng(0)
    left = rng.integers(0, 30, MANY)
    right = (left + rng.integers(1, 30, MANY)) % 30
    return left, right, rng.integers(0, len(Outcome), MANY)


@pytest.mark.parametrize("kinds", [("i8", "i8", "i8"), ("i2", "u1", "i1"), ("i8", "i4", "i8")])
def test_many_votes_are_counted_as_few_are(many_votes, kinds, processors):
    left, right, outcome = many_votes
    turned = np.array([Outcome.RIGHT, Outcome.LEFT, Outcome.TIE, Outcome.BOTH_BAD])
    pair = np.minimum(left, right) * 30 + np.maximum(left, right)
    expected = np.zeros((900, len(Outcome)))
    np.add.at(expected, (pair, np.where(left < right, outcome, turned[outcome])), 1.0)

    narrow = [column.astype(kind) for column, kind in zip(many_votes, kinds, strict=True)]
    counts = PairCounts.from_arrays(narrow[0], narrow[1], outcome=narrow[2], n_items=30)

    np.testing.assert_array_equal(counts.totals, expected[counts.left * 30 + counts.right])
    assert counts.n_comparisons == MANY


def test_what_is_wrong_at_the_end_of_many_votes_is_found(many_votes, processors):
    left, right, outcome = many_votes
    outcome[-1] = 4

    with pytest.raises(UnknownOutcomeError, match="4 is no outcome"):
        PairCounts.from_arrays(left, right, outcome=outcome, n_items=30)
