import gzip
import io
import json

import pytest
from django.core.management import CommandError, call_command

from evaluation.errors import UnknownBenchmark
from evaluation.scoring.recorded.report import scorer


def test_lists_tables_and_packed_files_are_read_alike(own_data, tmp_path, scored):
    rows = [{"key": 7, "response": "a, b"}]
    table = b'key,response\n7,"a, b"\n'
    contents = {
        "rows.json": json.dumps(rows).encode(),
        "rows.csv": table,
        "rows.csv.gz": gzip.compress(table),
        "rows.jsonl.gz": gzip.compress(b"\xef\xbb\xbf" + json.dumps(rows[0]).encode()),
    }
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
        found = scored("ifeval", tmp_path / name)
        assert found["samples"][0]["strict"] == [False], name


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        ("rows.jsonl", b"\xff\xfe", "is not text in UTF-8"),
        ("rows.json", b"[1,", "begins as a JSON list and is none"),
        ("rows.jsonl.gz", b"no gzip", "is no whole .gz file"),
        ("rows.jsonl.gz", gzip.compress(b"{}" * 1000)[:-9], "is no whole .gz file"),
    ],
    # names of our own: a compressed file holds the second at which it was made, and each worker would make its own
    ids=["no text", "half a list", "no gzip", "half a gzip"],
)
def test_a_file_of_another_form_is_refused(own_data, tmp_path, name, content, why, scored):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(CommandError, match=why):
        scored("ifeval", tmp_path / name)


def test_a_file_that_unpacks_to_too_much_is_refused(own_data, tmp_path, monkeypatch, scored):
    monkeypatch.setattr("evaluation.scoring.recorded.files.MOST_BYTES", 10)
    (tmp_path / "rows.jsonl.gz").write_bytes(gzip.compress(b" " * 1000))
    with pytest.raises(CommandError, match="larger than 0 MB unpacked: split it"):
        scored("ifeval", tmp_path / "rows.jsonl.gz")


def test_a_file_that_is_not_there_is_named(own_data, tmp_path, scored):
    with pytest.raises(CommandError, match=r"There is no file .*nowhere.jsonl: check the path"):
        scored("ifeval", tmp_path / "nowhere.jsonl")


def test_an_output_that_cannot_be_written_is_named(own_data, tmp_path):
    (tmp_path / "rows.jsonl").write_text("")
    with pytest.raises(CommandError, match=r"cannot be written .*: give another --out"):
        call_command("score", "ifeval", responses=tmp_path / "rows.jsonl", out=tmp_path / "no" / "out.json")


def test_the_terminal_gets_the_metrics_and_how_many_rows_have_none(own_data, tmp_path):
    (tmp_path / "rows.jsonl").write_text('{"key": 7, "response": "fine"}\n{"key": 9}')
    out = io.StringIO()
    call_command("score", "ifeval", responses=tmp_path / "rows.jsonl", out=tmp_path / "out.json", stdout=out)

    assert "prompt_level_strict_acc: 1.0000" in out.getvalue()
    assert "1 of them without a score" in out.getvalue()


def test_an_unknown_benchmark_lists_the_known_ones():
    with pytest.raises(UnknownBenchmark, match="alpaca_eval, gaia, ifeval, mt_bench can"):
        scorer("mmlu")
