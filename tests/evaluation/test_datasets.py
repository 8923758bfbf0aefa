import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from huggingface_hub.errors import LocalEntryNotFoundError

import evaluation.datasets
from evaluation.benchmarks.registry import BENCHMARKS, benchmark
from evaluation.datasets import (
    DataKind,
    checksum,
    from_folder,
    from_hub,
    from_samples,
    inventory,
    published_rows,
)
from evaluation.errors import DataMissing, DataUnreadable

ROWS = [{"goal": f"To {i}", "sol1": "a\u2028b", "sol2": "c", "label": i % 2} for i in range(5)]


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "piqa").mkdir()
    return tmp_path


def write_lines(path, rows):
    path.write_text("".join(f"{json.dumps(row, ensure_ascii=False)}\n" for row in rows), encoding="utf-8-sig")


@pytest.fixture
def hub(monkeypatch, tmp_path):
    """What the client of the hub is asked for; it has PIQA."""
    asked = []

    def download(repository, file, **options):
        asked.append((repository, file, options))
        if not file.startswith("piqa") or options["local_files_only"]:
            raise LocalEntryNotFoundError("no connection\nand more")
        path = tmp_path / file
        pq.write_table(pa.Table.from_pylist(ROWS), path)
        return str(path)

    monkeypatch.setattr(evaluation.datasets, "hf_hub_download", download)
    return asked


def test_rows_are_the_same_from_lines_parquet_and_the_hub(folder, hub, tmp_path):
    piqa = benchmark("piqa")
    write_lines(folder / "piqa" / "validation.jsonl", ROWS)
    from_lines = checksum(piqa.samples(from_folder(piqa, folder).rows))
    (folder / "piqa" / "validation.jsonl").unlink()
    pq.write_table(pa.Table.from_pylist(ROWS), folder / "piqa" / "validation.parquet")
    from_parquet = checksum(piqa.samples(from_folder(piqa, folder).rows))

    rows = from_hub(piqa, tmp_path / "cache", with_pool=True)

    assert from_lines == from_parquet == checksum(piqa.samples(rows.rows))
    assert rows.source == f"baber/piqa@{piqa.hub.revision}"
    assert rows.kind is DataKind.PUBLISHED
    repository, file, options = hub[0]
    assert (repository, file, options["repo_type"]) == ("baber/piqa", "piqa_validation.parquet", "dataset")
    assert (options["revision"], options["cache_dir"]) == (piqa.hub.revision, tmp_path / "cache")
    assert hub[1][1] == "piqa_train.parquet"


def test_the_checksum_tells_any_change_of_a_row_or_of_the_order():
    piqa = benchmark("piqa")
    original = checksum(piqa.samples(ROWS))

    for changed in ([{**ROWS[0], "label": 1}, *ROWS[1:]], ROWS[::-1], ROWS[1:]):
        assert checksum(piqa.samples(changed)) != original
    assert checksum(piqa.samples([{**row, "note": "does not count"} for row in ROWS])) == original


def test_the_beginning_of_a_split_is_good_for_examples_only(folder):
    piqa = benchmark("piqa")
    write_lines(folder / "piqa" / "validation.jsonl", ROWS)
    write_lines(folder / "piqa" / "train_first5.jsonl", ROWS)

    assert len(from_folder(piqa, folder, with_pool=True).pool) == 5

    (folder / "piqa" / "validation.jsonl").rename(folder / "piqa" / "validation_first5.jsonl")
    with pytest.raises(DataMissing, match=r"has no validation\.jsonl and no validation\.parquet, which piqa needs"):
        from_folder(piqa, folder)


def test_what_the_folder_lacks_comes_from_the_hub(folder, hub, tmp_path):
    assert published_rows(benchmark("piqa"), folder, tmp_path).source.startswith("baber/piqa@")
    assert published_rows(benchmark("piqa"), None, tmp_path).source.startswith("baber/piqa@")
    with pytest.raises(DataMissing, match=r"has no test\.jsonl"):
        published_rows(benchmark("mmlu"), folder, tmp_path)
    with pytest.raises(DataMissing, match=r"could not be downloaded \(no connection\)\. Try again"):
        published_rows(benchmark("mmlu"), None, tmp_path)
    with pytest.raises(DataMissing, match="no place on the hub"):
        from_hub(benchmark("perplexity"), tmp_path)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b'{"goal": "x"}\nnot json\n', r"Line 2 of validation\.jsonl is no JSON object"),
        (b"[1]\n", "Line 1 of"),
        (b"[" * 100_000, "Line 1 of"),
        (b'{"goal": "\xff"}\n', r"is not text in UTF-8 \(byte 10\)"),
        (b"\n", r"piqa/validation\.jsonl has no rows: put them there, or remove it"),
    ],
)
def test_a_file_that_is_no_rows_says_where(folder, content, words):
    (folder / "piqa" / "validation.jsonl").write_bytes(content)

    with pytest.raises(DataUnreadable, match=words):
        from_folder(benchmark("piqa"), folder)


def test_a_broken_parquet_file_is_named(folder):
    (folder / "piqa" / "validation.parquet").write_bytes(b"PAR1 and nothing else")

    with pytest.raises(DataUnreadable, match=r"validation\.parquet cannot be read as Parquet"):
        from_folder(benchmark("piqa"), folder)


def test_texts_are_parted_at_their_borders(tmp_path, monkeypatch):
    (tmp_path / "perplexity").mkdir()
    (tmp_path / "perplexity" / "b.txt").write_text("one\n<|endoftext|>\ntwo, <|endoftext|> goes on\n<|endoftext|>\n \n")
    write_lines(tmp_path / "perplexity" / "a.jsonl", [{"text": "zero"}])

    rows = from_folder(benchmark("perplexity"), tmp_path).rows

    assert [row["text"] for row in rows] == ["zero", "one\n", "\ntwo, <|endoftext|> goes on\n"]
    monkeypatch.setattr(evaluation.datasets, "MOST_TEXT_BYTES", 10)
    with pytest.raises(DataUnreadable, match="take some out"):
        from_folder(benchmark("perplexity"), tmp_path)


def test_no_texts_is_said(tmp_path):
    with pytest.raises(DataMissing, match=r"has no \.txt, \.jsonl or \.parquet files: put files with texts there"):
        from_folder(benchmark("perplexity"), tmp_path)
    (tmp_path / "perplexity").mkdir()
    (tmp_path / "perplexity" / "a.txt").write_text("\n")
    with pytest.raises(DataUnreadable, match="perplexity has no rows"):
        from_folder(benchmark("perplexity"), tmp_path)


def test_the_inventory_says_what_is_here_what_is_missing_and_how_to_get_it(folder, hub, tmp_path):
    write_lines(folder / "piqa" / "validation.jsonl", ROWS)
    (folder / "winogrande").mkdir()
    (folder / "winogrande" / "validation.jsonl").write_bytes(b"nonsense")

    found = {entry.name: entry for entry in inventory(folder, tmp_path / "cache")}

    assert found.keys() == BENCHMARKS.keys()
    assert (found["piqa"].n_rows, found["piqa"].n_published, found["piqa"].has_shots) == (5, 1838, False)
    assert found["piqa"].advice.startswith("5 rows are here and 1838 are published")
    assert found["winogrande"].advice == "Line 1 of validation.jsonl is no JSON object."
    assert (found["mmlu"].n_rows, found["mmlu"].source) == (None, "")
    assert "downloads cais/mmlu; or put test.jsonl or test.parquet into the folder “mmlu”" in found["mmlu"].advice
    assert "“perplexity” of BENCHMARK_DATA_DIR" in found["perplexity"].advice
    assert all(options["local_files_only"] for _, _, options in hub)


def test_the_inventory_counts_no_rows_that_a_run_would_refuse(folder, hub, tmp_path):
    for name, rows in (("piqa", [{"question": "?"}]), ("winogrande", []), ("perplexity", [{"words": "x"}])):
        (folder / name).mkdir(exist_ok=True)
        write_lines(folder / name / "validation.jsonl", rows)

    found = {entry.name: entry for entry in inventory(folder, tmp_path / "cache")}

    assert [found[name].n_rows for name in ("piqa", "winogrande", "perplexity")] == [None] * 3
    assert found["piqa"].advice == (
        f"The rows in {folder / 'piqa'} are not those of piqa (row 1: “goal” is missing): put its own there, or remove"
        " them."
    )
    assert found["winogrande"].advice.endswith("validation.jsonl has no rows: put them there, or remove it.")
    assert "“text” is missing" in found["perplexity"].advice


def test_the_public_folder_is_complete_but_for_hellaswags_examples(public_rows, tmp_path):
    found = {entry.name: entry for entry in inventory(public_rows, tmp_path)}

    assert [name for name, entry in found.items() if entry.advice] == ["hellaswag", "perplexity"]
    assert found["hellaswag"].advice == "Runs with examples need the split “train” as well."


def test_samples_are_labelled_as_such():
    assert from_samples(benchmark("piqa")).kind is DataKind.SAMPLE
