import contextlib
import time
from functools import partial

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stats.comparisons import Outcome
from stats.file_tables import (
    BadRow,
    MissingColumnError,
    UnknownLayoutError,
    UnreadableFileError,
    VoteFileError,
)
from stats.vote_files import LENGTH_IN_WORDS, Wanted, read_votes
from tests.helpers.vote_files import LMSYS, told, write_file

L, R, T, B = Outcome.LEFT, Outcome.RIGHT, Outcome.TIE, Outcome.BOTH_BAD


@pytest.fixture
def write(tmp_path):
    return partial(write_file, tmp_path)


def test_a_time_without_a_zone_is_utc_wherever_it_is_read(write, monkeypatch):
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    row = {"model_a": "x", "model_b": "y", "winner": "tie", "timestamp": "1970-01-01 00:01:00"}

    found = read_votes(write("votes.jsonl", [row])).times.tolist()

    monkeypatch.undo()
    time.tzset()
    assert found == [60.0]


def test_bad_rows_are_listed_by_number_and_never_taken_for_ties(write):
    text = (
        "left,right,winner\nx,y,left\n\nx,y,LEFT\nx,y\nx,y,\nx,x,left\n,y,left\nx,,right\n"
        'x,y,left,left\n"x","y","right"\n'
    )

    votes = read_votes(write("votes.csv", text))

    assert told(votes) == [("x", "y", L), ("x", "y", R)]
    assert votes.row_numbers.tolist() == [1, 9]
    assert votes.bad_rows == (
        BadRow(2, "the outcome 'LEFT' is none of left, right, tie, both_bad"),
        BadRow(3, "2 fields, and the header has 3"),
        BadRow(4, "no outcome"),
        BadRow(5, "'x' against itself"),
        BadRow(6, "no name in left"),
        BadRow(7, "no name in right"),
        BadRow(8, "4 fields, and the header has 3"),
    )


def test_rows_that_are_no_objects_are_listed(write):
    text = (
        '{"left": "x", "right": "y", "winner": "tie"}\n\n[1]\nnot json\n{"left": "x", "right": "y"}\n' + "[" * 100_000
    )

    votes = read_votes(write("votes.jsonl", text))

    assert told(votes) == [("x", "y", T)]
    assert votes.bad_rows == (
        BadRow(2, "not a JSON object"),
        BadRow(3, "not a JSON object"),
        BadRow(4, "no outcome"),
        BadRow(5, "not a JSON object"),
    )


def test_half_a_surrogate_pair_becomes_its_escape(write):
    votes = read_votes(write("votes.jsonl", '{"left": "x\\ud800", "right": "y", "winner": "tie"}'))

    assert votes.names == ("x\\ud800", "y")


def test_models_seen_only_in_bad_rows_are_not_there(write):
    votes = read_votes(write("votes.csv", "left,right,winner\nx,y,left\nz,y,?\n"))

    assert votes.names == ("x", "y")


def test_names_stay_as_written_and_lookalikes_are_pointed_out(write):
    text = "left,right,winner\nGPT,gpt ,left\nother ,GPT,tie\n"

    votes = read_votes(write("votes.csv", text))

    assert votes.names == ("GPT", "gpt ", "other ")
    assert votes.notes == (
        "'GPT' and 'gpt ' are different names and are rated apart.",
        "'other ' has a space at its end or beginning, which is part of the name.",
    )


def test_the_same_column_twice_is_refused(write):
    with pytest.raises(MissingColumnError, match="several columns named 'left'"):
        read_votes(write("votes.csv", "left,right,winner,left\nx,y,left,z\n"))
    table = pa.Table.from_arrays([pa.array(["x"])] * 4, names=["left", "right", "winner", "left"])
    path = write("votes.parquet", b"")
    pq.write_table(table, path)
    with pytest.raises(MissingColumnError, match="several columns"):
        read_votes(path)


def test_a_file_without_a_usable_row_is_refused(write):
    with pytest.raises(UnreadableFileError, match=r"no vote that can be used\. Below its header it is empty\.$"):
        read_votes(write("votes.csv", "left,right,winner\n"))
    with pytest.raises(UnreadableFileError, match=r"Row 1: the outcome 'x' is none of"):
        read_votes(write("votes.csv", "left,right,winner\nx,y,x\n"))
    with pytest.raises(UnreadableFileError, match="no vote"):
        read_votes(write("votes.parquet", [{"left": None, "right": "y", "winner": "left"}]).resolve())


def test_a_parquet_file_without_rows_is_refused(tmp_path):
    path = tmp_path / "votes.parquet"
    pq.write_table(pa.table({name: pa.array([], pa.string()) for name in ("left", "right", "winner")}), path)

    with pytest.raises(UnreadableFileError, match="no vote"):
        read_votes(path)


def test_a_parquet_column_of_whole_numbers_and_truths_is_read(write):
    row = {"model_a": 7, "model_b": 8, "winner_model_a": True, "winner_model_b": False, "winner_tie": False}

    assert told(read_votes(write("votes.parquet", [row]))) == [("7", "8", L)]


def test_a_parquet_time_is_read(tmp_path):
    path = tmp_path / "votes.parquet"
    times = pa.array([1_751_371_200_500_000], pa.timestamp("us", tz="UTC"))
    columns = {"model_a": ["x"], "model_b": ["y"], "winner": ["tie"], "timestamp": times}
    pq.write_table(pa.table(columns), path)

    assert read_votes(path).times.tolist() == [1751371200.5]


def test_answers_in_columns_of_their_own_are_read(write):
    row = {"model_a": "x", "model_b": "y", "winner_model_a": 1, "winner_model_b": 0, "winner_tie": 0}
    rows = [row | {"response_a": '["one", "two"]', "response_b": "plain"}]

    votes = read_votes(write("votes.jsonl", rows), wanted=Wanted(texts=True))

    assert (votes.left_texts, votes.right_texts) == (("one\n\ntwo",), ("plain",))


METADATA = {
    "sum_assistant_a_tokens": 30,
    "header_count_a": {"h1": 1, "h2": 2},
    "bold_count_a": {"**": 4, "__": 1},
    "list_count_a": {"ordered": 2, "unordered": 5},
    "sum_assistant_b_tokens": 12,
    "header_count_b": {"h1": 0, "h2": 0},
    "bold_count_b": {"**": 0, "__": 0},
    "list_count_b": {"ordered": 1, "unordered": 0},
}


@pytest.mark.parametrize("name", ["votes.jsonl", "votes.json", "votes.parquet"])
def test_style_comes_from_the_metadata_where_they_are(write, name):
    partly = METADATA | {"sum_assistant_b_tokens": None}
    rows = [LMSYS[i] | {"conv_metadata": (None, METADATA, METADATA, partly)[i]} for i in range(4)]

    votes = read_votes(write(name, rows), wanted=Wanted(style=True))

    assert votes.style.left.tolist() == [[30, 3, 5, 7]] * 2
    assert votes.style.right.tolist() == [[12, 0, 0, 1]] * 2
    assert votes.bad_rows == tuple(BadRow(row, "no counts of tokens in conv_metadata") for row in (1, 4))
    assert (votes.left_texts, votes.notes) == (None, ())


def test_style_is_counted_where_there_are_only_texts(write):
    votes = read_votes(write("votes.jsonl", LMSYS), wanted=Wanted(style=True))

    assert votes.style.left[0].tolist() == [4, 0, 0, 0]
    assert (votes.left_texts, votes.notes) == (None, (LENGTH_IN_WORDS,))


def test_a_row_whose_conversation_cannot_be_read_is_listed_not_counted(write):
    talk = '"[{""role"": ""assistant"", ""content"": ""a b""}]"'
    text = f"model_a,model_b,winner,conversation_a,conversation_b\nx,y,tie,{talk},[array]\nx,y,model_a,{talk},{talk}\n"

    votes = read_votes(write("votes.csv", text), wanted=Wanted(texts=True, style=True))

    reason = "no conversation that can be read in conversation_a or conversation_b"
    assert votes.bad_rows == (BadRow(1, reason),)
    assert (told(votes), votes.left_texts) == ([("x", "y", L)], ("a b",))
    assert votes.style.left.tolist() == [[2, 0, 0, 0]]
    assert len(read_votes(write("votes.csv", text)).row_numbers) == 2


def test_texts_and_metadata_may_both_be_wanted(write):
    rows = [LMSYS[0] | {"conv_metadata": METADATA}]

    votes = read_votes(write("votes.jsonl", rows), wanted=Wanted(texts=True, style=True))

    assert votes.left_texts == ("from a 0\n\nagain",)
    assert votes.style.left.tolist() == [[30, 3, 5, 7]]


def test_a_file_without_answers_has_no_style(write):
    assert read_votes(write("votes.csv", "left,right,winner\nx,y,tie\n"), wanted=Wanted(style=True)).style is None


def test_who_and_when_need_not_be_read(write):
    votes = read_votes(write("votes.jsonl", LMSYS), wanted=Wanted(about=False))

    assert (votes.voters, votes.prompts, votes.times) == (None, None, None)


def test_several_files_are_read_as_one(write):
    one = write("one.jsonl", LMSYS[:2])
    two = write("two.csv", "model_a,model_b,winner,judge\nz,x,tie,ann\nz,x,tied,ben\n")

    votes = read_votes([one, two])

    assert told(votes) == [("x", "y", L), ("x", "y", R), ("z", "x", T)]
    assert votes.row_numbers.tolist() == [1, 2, 1]
    assert [votes.voters.at(row) for row in range(3)] == ["arena_user_0", "arena_user_1", "ann"]
    (bad,) = votes.bad_rows
    assert (bad.number, bad.file) == (2, str(two))
    assert votes.times is None
    with pytest.raises(
        UnknownLayoutError, match=r"one.jsonl and .*other.csv: no known layout has the columns \(none\)"
    ):
        read_votes([one, write("other.csv", "a,b\n1,2\n")])


def test_texts_are_only_read_when_asked_for_and_there(write):
    assert read_votes(write("votes.jsonl", LMSYS)).left_texts is None
    assert read_votes(write("votes.csv", "left,right,winner\nx,y,tie\n"), wanted=Wanted(texts=True)).left_texts is None


def test_a_quoted_field_may_hold_lines_commas_and_quotes(write):
    text = 'left,right,winner,note\n"x, ""the"" first",y,tie,"two\nlines"\nx,y,left,\n'

    assert read_votes(write("votes.csv", text)).names == ("x", 'x, "the" first', "y")


@settings(max_examples=150, deadline=None)
@given(st.sampled_from([".csv", ".jsonl", ".json", ".parquet", ".tsv", ".csv.gz"]), st.data())
def test_any_bytes_give_votes_or_a_sentence(tmp_path_factory, ending, data):
    pieces = st.sampled_from(
        [b"left", b"right", b"winner", b",", b"\n", b'"', b"x", b"y", b"tie", b"\xff", b"{", b"}", b"[", b"]", b":"]
    )
    head = data.draw(st.sampled_from([b"", b"left,right,winner\n", b"left,right,winner\nx,y,tie\n"]))
    path = tmp_path_factory.getbasetemp() / f"fuzz{ending}"
    path.write_bytes(head + b"".join(data.draw(st.lists(pieces, max_size=40))))

    with contextlib.suppress(VoteFileError):
        votes = read_votes(path)
        assert len(votes.row_numbers) + len(votes.bad_rows) > 0
        assert set(votes.row_numbers.tolist()).isdisjoint(row.number for row in votes.bad_rows)
