"""Every layout that we know, read from a file of it."""

from functools import partial

import numpy as np
import pytest

from stats.comparisons import Outcome
from stats.file_tables import (
    BadRow,
    MissingColumnError,
    UnknownLayoutError,
    VoteFileError,
)
from stats.vote_files import ColumnNames, Wanted, read_votes
from stats.vote_layouts import LONGEST_NAME, MOST_NAMES, recognised
from tests.helpers.vote_files import LMSYS, told, write_file

L, R, T, B = Outcome.LEFT, Outcome.RIGHT, Outcome.TIE, Outcome.BOTH_BAD


@pytest.fixture
def write(tmp_path):
    return partial(write_file, tmp_path)


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


@pytest.mark.parametrize("name", ["votes.json", "votes.jsonl", "votes.ndjson", "votes.parquet"])
def test_it_reads_the_lmsys_layout(write, name):
    votes = read_votes(write(name, LMSYS), wanted=Wanted(texts=True))

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

    votes = read_votes(write(name, [row]), wanted=Wanted(texts=True))

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


def test_equal_or_not_must_be_true_or_false(write):
    text = "model_a_name,model_b_name,chosen_model_name,both_equal\nm,n,m,yes\nm,n,m,false\n"

    votes = read_votes(write("votes.csv", text))

    assert told(votes) == [("m", "n", L)]
    assert votes.bad_rows == (BadRow(1, "both_equal is 'yes', neither true nor false"),)


def test_it_reads_the_turns_of_compar_ia(write):
    words = ["a_better", "b_better", "both_good", "both_bad", "idk", None]
    answer = [{"role": "assistant", "content": "yes"}]
    rows = [
        {"model_a": "x", "model_b": "y", "choice": word, "response_a": answer, "response_b": answer} for word in words
    ]

    votes = read_votes(write("votes.parquet", rows), wanted=Wanted(texts=True))

    assert told(votes) == [("x", "y", L), ("x", "y", R), ("x", "y", T), ("x", "y", B)]
    assert votes.left_texts == ("yes",) * 4
    assert votes.bad_rows[0].reason == "the outcome 'idk' is none of a_better, b_better, both_good, both_bad"
    assert votes.bad_rows[1].reason == "no outcome"


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


def test_a_word_has_a_meaning_only_where_words_tell_the_outcome(write):
    text = "model_a,model_b,winner_model_a,winner_model_b,winner_tie\nx,y,1,0,0\n"

    with pytest.raises(VoteFileError, match="one-hot layout tells the outcome by no word"):
        read_votes(write("votes.csv", text), words={"draw": Outcome.TIE})
    assert told(read_votes(write("votes.csv", "left,right,winner\nx,y,draw\n"), words={"draw": Outcome.TIE}))


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
    with pytest.raises(UnknownLayoutError, match=r"has the columns \(none\)\."):
        read_votes(write("empty.csv", ""))


def test_of_endless_columns_some_are_named_and_the_rest_counted():
    with pytest.raises(UnknownLayoutError, match=rf"'{'x' * LONGEST_NAME}…', 'c1', .*, 'c19', 30 more\. Name those"):
        recognised("votes.csv", ("x" * 5000, *(f"c{number}" for number in range(1, MOST_NAMES + 30))))
