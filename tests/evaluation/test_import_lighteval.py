"""Results of lighteval, written by it, see foreign/make_files.py."""

import json
import zipfile
from pathlib import Path

import pyarrow
import pyarrow.parquet
import pytest

from evaluation import imports

pytestmark = pytest.mark.django_db

LIGHTEVAL = Path(__file__).parent / "foreign" / "lighteval" / "all.zip"


def brought_in(path):
    return imports.bring_in(imports.examine(path))


def problems_of(path):
    return [(problem.file, str(problem.reason)) for problem in imports.examine(path).problems]


def run_of(imported, name):
    return next(one.run for one in imported if one.examined.benchmark == name)


def test_lighteval_with_its_details():
    examination = imports.examine(LIGHTEVAL)
    assert [one.what for one in examination.skipped] == ["tea_tasting|0"]
    imported = imports.bring_in(examination)
    arc, hellaswag = run_of(imported, "arc_challenge"), run_of(imported, "hellaswag")
    assert (arc.n_samples, arc.value, arc.protocol["method"]) == (3, pytest.approx(2 / 3), "log-likelihood")
    assert (hellaswag.n_samples, hellaswag.value, hellaswag.protocol["method"]) == (
        3,
        pytest.approx(1 / 3),
        "generation",
    )
    assert arc.summary == "arc:challenge as lighteval asks it, 0-shot, only 3 rows"
    first = arc.samples.get(sample_id="19")
    assert first.prompt.texts == ("Question: Birds that migrate south in autumn are responding to\nAnswer:",)
    assert [choice["log_probability"] for choice in first.choices] == [
        -32.0575218201,
        -32.475479126,
        -38.5579299927,
        -40.7146034241,
    ]
    assert (first.target, first.is_right) == (0, True)
    assert hellaswag.samples.get(sample_id="19").answer == "A"
    assert not any(one.run for one in brought_in(LIGHTEVAL))


def test_lighteval_without_details_says_by_its_standard_error_how_many_samples_there_were(tmp_path):
    with zipfile.ZipFile(LIGHTEVAL) as archive:
        document = json.loads(archive.read(next(name for name in archive.namelist() if name.endswith(".json"))))
    share, n = 900 / 1172, 1172
    document["results"] = {
        "leaderboard|arc:challenge|25": {"acc": share, "acc_stderr": (share * (1 - share) / (n - 1)) ** 0.5}
    }
    file = tmp_path / "results_2026-01-01T00-00-00.000000.json"
    file.write_text(json.dumps(document))
    (imported,) = brought_in(tmp_path)
    assert (imported.run.n_samples, imported.run.may_be_ranked) == (1172, True)
    assert imported.run.options["n_shots"] == 25
    document["results"]["leaderboard|arc:challenge|25"] = {"acc": 1.0, "acc_stderr": 0.0}
    file.write_text(json.dumps(document))
    assert "does not say how many samples it has" in problems_of(tmp_path)[0][1]


@pytest.mark.parametrize("field", ["doc", "metric", "model_response"])
def test_details_of_lighteval_that_are_no_details_are_a_problem(tmp_path, field):
    with zipfile.ZipFile(LIGHTEVAL) as archive:
        archive.extractall(tmp_path)
    for file in tmp_path.rglob("details_arc*"):
        table = pyarrow.parquet.read_table(file)
        place = table.column_names.index(field)
        pyarrow.parquet.write_table(table.set_column(place, field, pyarrow.array(["x"] * len(table))), file)
    assert f"“{field}” must be an object" in problems_of(tmp_path)[0][1]
    file.write_bytes(file.read_bytes()[:-100])
    assert "cannot be read as Parquet" in problems_of(tmp_path)[0][1]
