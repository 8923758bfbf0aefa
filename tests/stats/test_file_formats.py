import gzip

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stats.file_tables import ENDINGS, OPENERS, UnreadableFileError, open_table

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
        ("votes.csv", "left,right,winner\nx,y,é\n".encode("latin-1"), "cannot be read|not text in UTF-8"),
        ("votes.csv", "left,right,winner\nx,y,tie\n".encode("utf-16"), "not text in UTF-8"),
        ("votes.jsonl", b"\xff\xfe", "not text in UTF-8"),
        ("votes.json", b'{"left": 1}', "not hold a JSON list"),
        ("votes.json", b"[1, 2", "not hold a JSON list"),
        ("votes.parquet", b"PAR1 nothing", "cannot be read"),
        ("votes.csv.gz", b"not gzip", "cannot be read"),
        ("votes.csv.gz", gzip.compress(b"left,right,winner\n" + b"x,y,tie\n" * 10**5)[:90], "cannot be read"),
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


def test_every_ending_has_a_reader():
    assert {ending.removesuffix(".gz") for ending in ENDINGS} == set(OPENERS)
