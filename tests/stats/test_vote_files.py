import contextlib
import json
import time

import numpy as np
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
from stats.vote_files import ColumnNames, read_votes

L, R, T, B = Outcome.LEFT, Outcome.RIGHT, Outcome.TIE, Outcome.BOTH_BAD


@pytest.fixture
def write(tmp_path):
    def to_file(name, content):
        path = tmp_path / name
        if isinstance(content, list) and name.endswith(".parquet"):
            pq.write_table(pa.Table.from_pylist(content), path)
        elif isinstance(content, list):
            text = json.dumps(content) if name.endswith(".json") else "\n".join(map(json.dumps, content))
            path.write_text(text, encoding="utf-8")
        else:
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return to_file


def told(votes):
    """(left, right, outcome) by name."""
    c = votes.comparisons
    rows = zip(c.left.tolist(), c.right.tolist(), c.outcome.tolist(), strict=True)
    return [(votes.names[left], votes.names[right], Outcome(outcome)) for left, right, outcome in rows]


def test_it_reads_the_crowd_of_llmfao(votes_folder):
    votes = read_votes(votes_folder / "llmfao_crowd.csv")

    assert (votes.layout, len(votes.names), len(votes.comparisons.left)) == ("evalica", 59, 8931)
    assert told(votes)[:3] == [
        ("Airoboros L2 70B", "Weaver 12k", T),
        ("Airoboros L2 70B", "Weaver 12k", T),
        ("Airoboros L2 70B", "Weaver 12k", R),
    ]
    assert [votes.voters.at(row) for row in range(3)] == ["58", "83", "14"]
    assert votes.prompts.at(0) == "8"
    assert (votes.bad_rows, votes.notes, votes.times) == ((), (), None)


def turns(*texts):
    roles = ("user", "assistant")
    return [{"role": roles[i % 2], "content": text} for i, text in enumerate(texts)]


LMSYS = [
    {
        "question_id": f"q{i}",
        "model_a": "x",
        "model_b": "y",
        "winner": winner,
        "judge": f"arena_user_{i % 2}",
        "conversation_a": turns("hi", f"from a {i}", "more", "again"),
        "conversation_b": turns("hi", f"from b {i}"),
        "tstamp": 1.5e9 + i / 4,
    }
    for i, winner in enumerate(["model_a", "model_b", "tie", "tie (bothbad)"])
]


@pytest.mark.parametrize("name", ["votes.json", "votes.jsonl", "votes.ndjson", "votes.parquet"])
def test_it_reads_the_lmsys_layout(write, name):
    votes = read_votes(write(name, LMSYS), texts=True)

    assert told(votes) == [("x", "y", L), ("x", "y", R), ("x", "y", T), ("x", "y", B)]
    assert votes.times.tolist() == [1.5e9, 1.5e9 + 0.25, 1.5e9 + 0.5, 1.5e9 + 0.75]
    assert [votes.voters.at(row) for row in range(4)] == ["arena_user_0", "arena_user_1"] * 2
    assert votes.prompts.at(3) == "q3"
    assert votes.left_texts[0] == "from a 0\n\nagain"
    assert votes.right_texts == ("from b 0", "from b 1", "from b 2", "from b 3")
    assert votes.row_numbers.tolist() == [1, 2, 3, 4]


@pytest.mark.parametrize("name", ["votes.jsonl", "votes.parquet"])
def test_it_reads_the_140k_layout_with_typed_contents(write, name):
    content = [{"type": "text", "text": "one", "image": None}, {"type": "image", "text": None, "image": "i"}]
    row = {
        "model_a": "x",
        "model_b": "y",
        "winner": "both_bad",
        "evaluation_session_id": "s1",
        "conversation_a": [{"role": "user", "content": content}, {"role": "assistant", "content": content}],
        "conversation_b": [{"role": "assistant", "content": content[:1]}],
        "timestamp": "2025-07-01T12:00:00Z",
    }

    votes = read_votes(write(name, [row]), texts=True)

    assert told(votes) == [("x", "y", B)]
    assert votes.voters.at(0) == "s1"
    assert votes.times.tolist() == [1751371200.0]
    assert (votes.left_texts, votes.right_texts) == (("one\n",), ("one",))


def test_it_reads_the_compar_ia_layout(write):
    rows = [
        ("m", "n", "m", False),
        ("m", "n", "n", False),
        ("m", "n", None, True),
        ("m", "n", "m", True),
        ("m", "n", None, False),
        ("m", "n", "o", False),
        ("m", "n", "m", None),
    ]
    keys = ("model_a_name", "model_b_name", "chosen_model_name", "both_equal")
    path = write("votes.parquet", [dict(zip(keys, row, strict=True)) | {"visitor_id": "v"} for row in rows])

    votes = read_votes(path)

    assert told(votes) == [("m", "n", L), ("m", "n", R), ("m", "n", T), ("m", "n", L)]
    assert votes.voters.at(0) == "v"
    assert votes.bad_rows == (
        BadRow(4, "'m' is chosen and both are called equal"),
        BadRow(5, "neither a chosen model nor two equal ones"),
        BadRow(6, "the chosen 'o' is none of the two"),
    )


@pytest.mark.parametrize(
    ("name", "one"), [("votes.csv", "1"), ("votes.csv", "1.0"), ("votes.csv", "true"), ("votes.tsv", "True")]
)
def test_it_reads_one_column_per_outcome(write, name, one):
    zero = {"1": "0", "1.0": "0.0", "true": "false", "True": "False"}[one]
    flags = [
        (one, zero, zero),
        (zero, one, zero),
        (zero, zero, one),
        (one, one, zero),
        (zero, zero, zero),
        ("2", "", one),
    ]
    lines = ["id,model_a,model_b,winner_model_a,winner_model_b,winner_tie"]
    lines += [f"{i},x,y,{','.join(row)}" for i, row in enumerate(flags)]
    text = "\n".join(lines)

    votes = read_votes(write(name, text if name.endswith("csv") else text.replace(",", "\t")))

    assert told(votes) == [("x", "y", L), ("x", "y", R), ("x", "y", T)]
    assert [row.number for row in votes.bad_rows] == [4, 5, 6]
    assert votes.bad_rows[0].reason.startswith("one of winner_model_a, winner_model_b, winner_tie must be 1")
    assert votes.bad_rows[2].reason.endswith(f"not '2', '', '{one}'")


@pytest.mark.parametrize("name", ["votes.json", "votes.parquet"])
def test_whole_numbers_that_arrive_as_floats_are_whole(write, name):
    row = {"model_a": 1.0, "model_b": 2.0, "winner_model_a": 1.0, "winner_model_b": 0.0, "winner_tie": 0.0}

    votes = read_votes(write(name, [row]))

    assert told(votes) == [("1", "2", L)]


def test_it_reads_our_own_layout(write):
    head = "model_a,model_b,outcome,voter,created_at,prompt\n"
    rows = (
        "x,y,a,v1,2026-01-01 00:00:00+00:00,p1\nx,y,both_bad,v2,2026-01-01T00:00:01,p2\ny,x,b,,never,\nx,y,tie,v1,,p1\n"
    )

    votes = read_votes(write("votes.csv", head + rows))

    assert votes.layout == "hakem"
    assert told(votes) == [("x", "y", L), ("x", "y", B), ("y", "x", R), ("x", "y", T)]
    assert votes.voters.codes.tolist() == [0, 1, -1, 0]
    assert votes.times[:2].tolist() == [1767225600.0, 1767225601.0]
    assert np.isnan(votes.times[2:]).all()
    assert votes.notes == ("2 votes have no time that can be read.",)


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


def test_columns_may_be_named(write):
    text = "one;two;who;user;text;when\nx;y;a;u;p;5\nx;y;model_b;u;p;6\nx;y;draw;u;p;7\nx;y;right;u;p;8\n"
    path = write("votes.csv", text)
    names = ColumnNames("one", "two", "who", voter="user", prompt="text", time="when")

    votes = read_votes(path, columns=names, words={"draw": Outcome.TIE})

    assert told(votes) == [("x", "y", L), ("x", "y", R), ("x", "y", T), ("x", "y", R)]
    assert (votes.voters.at(0), votes.prompts.at(0), votes.times[0]) == ("u", "p", 5.0)
    plain = read_votes(path, columns=ColumnNames("one", "two", "who"))
    assert (plain.voters, plain.prompts, plain.times) == (None, None, None)
    assert [row.number for row in plain.bad_rows] == [3]


def test_a_named_column_must_be_there(write):
    with pytest.raises(MissingColumnError, match=r"no column 'who'; it has 'one', 'two'"):
        read_votes(write("votes.csv", "one,two\nx,y\n"), columns=ColumnNames("one", "two", "who"))


def test_an_unknown_layout_is_refused_with_what_is_there(write):
    with pytest.raises(UnknownLayoutError, match=r"the columns 'a', 'b'\. Name those"):
        read_votes(write("votes.csv", "a,b\n1,2\n"))
    with pytest.raises(UnknownLayoutError, match="no columns"):
        read_votes(write("empty.csv", ""))


def test_the_same_column_twice_is_refused(write):
    with pytest.raises(MissingColumnError, match="several columns named 'left'"):
        read_votes(write("votes.csv", "left,right,winner,left\nx,y,left,z\n"))
    table = pa.Table.from_arrays([pa.array(["x"])] * 4, names=["left", "right", "winner", "left"])
    path = write("votes.parquet", b"")
    pq.write_table(table, path)
    with pytest.raises(MissingColumnError, match="several columns"):
        read_votes(path)


def test_a_file_without_a_usable_row_is_refused(write):
    with pytest.raises(UnreadableFileError, match=r"no vote that can be used\.$"):
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


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain words", "plain words"),
        ('"quoted"', '"quoted"'),
        ('["one", "two"]', "one\n\ntwo"),
        ('[{"role": "user", "content": "q"}]', ""),
        ('[{"role": "assistant", "content": null}]', ""),
    ],
)
def test_texts_are_what_the_model_wrote(write, text, expected):
    row = {"model_a": "x", "model_b": "y", "winner_model_a": 1, "winner_model_b": 0, "winner_tie": 0}

    votes = read_votes(write("votes.jsonl", [row | {"response_a": text, "response_b": "b"}]), texts=True)

    assert votes.left_texts == (expected,)
    assert votes.right_texts == ("b",)


def test_texts_are_only_read_when_asked_for_and_there(write):
    assert read_votes(write("votes.jsonl", LMSYS)).left_texts is None
    assert read_votes(write("votes.csv", "left,right,winner\nx,y,tie\n"), texts=True).left_texts is None


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
