import gzip
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stats.file_formats import ENDINGS, OPENERS, ROWS_AT_ONCE, open_table, open_tables
from stats.file_tables import BadRow, UnreadableFileError

VOTE = b"left,right,winner\nx,y,tie\n"


@pytest.fixture
def write(tmp_path):
    def to_file(name, content):
        path = tmp_path / name
        path.write_bytes(content)
        return path

    return to_file


def first_row(path):
    table = open_table(path).read(["left", "right", "winner"])
    return [column.at(0) for column in table.columns.values()]


def test_compressed_text_is_read(write):
    assert first_row(write("votes.csv.gz", gzip.compress(VOTE))) == ["x", "y", "tie"]


def test_a_byte_order_mark_is_no_part_of_a_name(write):
    assert first_row(write("votes.csv", b"\xef\xbb\xbf" + VOTE)) == ["x", "y", "tie"]


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("votes.xlsx", b"", r"does not end in one of \.csv, "),
        ("votes.csv", "left,right,winner\nx,y,é\n".encode("latin-1"), "not text in UTF-8: save it"),
        ("votes.csv", "left,right,winner\nx,y,left\n".encode("utf-16-le"), "not text in UTF-8: save it"),
        ("votes.csv", b"\0" * 100, "not text in UTF-8: save it"),
        ("votes.csv", "left,right,winner\nx,y,tie\n".encode("utf-16"), "not text in UTF-8"),
        ("votes.jsonl", b"\xff\xfe", "not text in UTF-8"),
        ("votes.json", b'{"left": 1}', "not hold a JSON list"),
        ("votes.json", b"[1, 2", "not hold a JSON list"),
        ("votes.parquet", b"PAR1 nothing", "cannot be read"),
        ("votes.csv.gz", b"not gzip", "cannot be read: .*, and is what its name says"),
        ("votes.csv.gz", gzip.compress(b"left,right,winner\n" + b"x,y,tie\n" * 10**5, mtime=0)[:90], "cannot be read"),
    ],
)
def test_what_cannot_be_read_is_told_in_a_sentence(write, name, content, sentence):
    with pytest.raises(UnreadableFileError, match=sentence):
        open_table(write(name, content)).read(["left"])


def test_a_missing_file_is_told_in_a_sentence(tmp_path):
    with pytest.raises(UnreadableFileError, match="There is no file"):
        open_table(tmp_path / "votes.csv")


def test_a_parquet_file_cut_short_after_its_names_were_read_is_told(tmp_path):
    path = tmp_path / "votes.parquet"
    pq.write_table(pa.table({"left": ["x"]}), path)
    file = open_table(path)
    path.write_bytes(b"PAR1")

    with pytest.raises(UnreadableFileError, match="cannot be read"):
        file.read(["left"])


def test_bytes_that_are_no_text_are_told(tmp_path):
    path = tmp_path / "votes.parquet"
    pq.write_table(pa.table({"left": pa.array([b"\xff"], pa.binary())}), path)

    with pytest.raises(UnreadableFileError, match="cannot be read"):
        open_table(path).read(["left"])


def test_a_folder_is_no_file(tmp_path):
    with pytest.raises(UnreadableFileError, match=r"is a folder: name the files in it, as in .*\*\.parquet"):
        open_table(tmp_path)


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string(), pa.string_view(), pa.binary()])
def test_any_kind_of_text_is_text(tmp_path, kind):
    path = tmp_path / "votes.parquet"
    values = ["x", None, ""] if kind != pa.binary() else [b"x", None, b""]
    pq.write_table(pa.table({"left": pa.array(values, kind)}), path)

    column = open_table(path).read(["left"]).columns["left"]

    assert [column.at(row) for row in range(3)] == ["x", "", ""]
    assert column.codes.tolist()[1:] == [-1, -1]


def test_what_polars_calls_a_category_is_text(tmp_path):
    path = tmp_path / "votes.parquet"
    pq.write_table(pa.table({"left": pa.array(["x", "y", "x"]).dictionary_encode()}), path)

    column = open_table(path).read(["left"]).columns["left"]

    assert [column.at(row) for row in range(3)] == ["x", "y", "x"]


def test_nested_values_are_read_in_parts(tmp_path):
    path = tmp_path / "votes.parquet"
    n_rows = ROWS_AT_ONCE + 3
    pq.write_table(pa.table({"note": [{"n": row} for row in range(n_rows)]}), path)

    column = open_table(path).read(["note"]).columns["note"]

    assert [column.at(row) for row in (0, n_rows - 1)] == ['{"n": 0}', json.dumps({"n": n_rows - 1})]


@pytest.mark.parametrize("name", ["votes.json", "votes.jsonl"])
def test_nested_values_of_json_are_read_again(write, name):
    rows = [{"a": "x", "b": "plain"}, 7, {"a": "y", "b": [1]}, {"a": "z"}]
    text = json.dumps(rows) if name.endswith("json") else "\n".join(map(json.dumps, rows))

    table = open_table(write(name, text.encode())).read(["a", "b"])

    assert [table.columns["a"].at(row) for row in range(3)] == ["x", "y", "z"]
    assert [table.columns["b"].at(row) for row in range(3)] == ["plain", "[1]", ""]
    assert table.numbers.tolist() == [1, 3, 4]
    assert table.bad_rows == (BadRow(2, "not a JSON object"),)


def test_a_number_that_is_none_is_nothing(write):
    path = write("votes.jsonl", b'{"left": NaN, "right": 1.0, "winner": true}')

    assert first_row(path) == ["", "1", "true"]


def test_several_files_are_each_named_once(write):
    path = write("votes.csv", VOTE)

    for paths in ([], [path, path.parent / "." / "votes.csv"]):
        with pytest.raises(UnreadableFileError, match="each of them once"):
            open_tables(paths)
    assert open_tables([path]).names == ("left", "right", "winner")


def test_every_ending_has_a_reader():
    assert {ending.removesuffix(".gz") for ending in ENDINGS} == set(OPENERS)
