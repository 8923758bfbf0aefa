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


def test_the_first_reasons_are_said_once_each_with_their_row(own_data, tmp_path):
    rows = [
        {"key": 7, "response": "fine"},
        {"key": 8},
        {"key": 7},
        *({"key": 100 + n, "response": ""} for n in range(9)),
    ]
    (tmp_path / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
    err = io.StringIO()
    files = {"responses": tmp_path / "rows.jsonl", "out": tmp_path / "out.json"}
    call_command("score", "ifeval", **files, stdout=io.StringIO(), stderr=err)

    lines = err.getvalue().splitlines()
    assert [line.split(":")[0] for line in lines] == ["  row 2", "  row 4", "  row 5", "  row 6", "  row 7"]
    samples = json.loads((tmp_path / "out.json").read_text())["samples"]
    assert lines[0] == f"  row 2: {samples[1]['error']}"


@pytest.mark.parametrize("benchmark", ["gaia", "ifeval", "mt_bench"])
def test_where_nothing_was_scored_it_fails_and_the_file_is_there(benchmark, own_data, tmp_path):
    (tmp_path / "rows.jsonl").write_text('{"text": "fits no row"}\n' * 3)
    err = io.StringIO()
    files = {"responses": tmp_path / "rows.jsonl", "out": tmp_path / "out.json"}
    with pytest.raises(CommandError, match=f"Nothing was scored: --help says what the rows of {benchmark} need"):
        call_command("score", benchmark, **files, stdout=io.StringIO(), stderr=err)

    samples = json.loads((tmp_path / "out.json").read_text())["samples"]
    assert len(samples) == 3
    assert err.getvalue() == f"  row 1: {samples[0]['error']}\n"


def test_an_unknown_benchmark_lists_the_known_ones():
    with pytest.raises(UnknownBenchmark, match="alpaca_eval, gaia, ifeval, mt_bench can"):
        scorer("mmlu")
