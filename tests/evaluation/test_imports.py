"""Results of other tools become runs. The files in `foreign/` were written by the tools themselves, see make_files.py."""

import json
import shutil
from pathlib import Path

import pytest

from evaluation import imports
from evaluation.benchmarks.base import Draw, Options
from evaluation.benchmarks.registry import benchmark
from evaluation.datasets import from_samples
from evaluation.foreign.results import BadFile
from evaluation.models import Run, RunMetric, SampleResult
from evaluation.runner import prepare
from leaderboard import benchmarks
from leaderboard.models import LiveBoard
from leaderboard.tables import table_of
from llms.models import LanguageModel, Visibility

pytestmark = pytest.mark.django_db

FILES = Path(__file__).parent / "foreign"
LM_EVAL, INSPECT = FILES / "lm_eval", FILES / "inspect"


def brought_in(path, **options):
    return imports.bring_in(imports.examine(path), **options)


def problems_of(path):
    return [(problem.file, str(problem.reason)) for problem in imports.examine(path).problems]


def run_of(imported, name):
    return next(one.run for one in imported if one.examined.benchmark == name)


@pytest.fixture
def copied(tmp_path):
    """A copy of files that may be changed: `copied(LM_EVAL / "zero_shot")`."""

    def copied(source):
        return Path(shutil.copytree(source, tmp_path / "copy"))

    return copied


def results_in(folder):
    return next(folder.rglob("results_*.json"))


def changed(file, change):
    document = json.loads(file.read_text())
    change(document)
    file.write_text(json.dumps(document))


# --- what is recognised


@pytest.mark.parametrize(
    ("name", "folder", "options", "limit"),
    [
        ("hellaswag", "zero_shot", Options(), 4),
        ("winogrande", "zero_shot", Options(), 4),
        ("piqa", "zero_shot", Options(), 4),
        ("arc_challenge", "few_shot", Options(n_shots=2, draw=Draw.LM_EVAL), 3),
    ],
)
def test_what_asked_exactly_as_we_do_has_the_fingerprint_of_our_own_runs(name, folder, options, limit):
    chosen = benchmark(name)
    ours = prepare(chosen, from_samples(chosen, with_pool=options.n_shots > 0), options, limit=limit).protocol
    run = run_of(brought_in(LM_EVAL / folder), name)
    assert run.fingerprint == ours.fingerprint
    assert run.status == Run.Status.IMPORTED
    assert (run.data, run.may_be_ranked) == (Run.Data.SAMPLE, False)
    assert "imported from lm-evaluation-harness 0.4.13" in str(run.summary)


def test_subjects_in_files_of_their_own_are_one_run():
    run = run_of(brought_in(LM_EVAL / "few_shot"), "mmlu")
    assert run.n_samples == run.samples.count() == 4
    assert sorted(run.samples.values_list("sample_id", flat=True)) == [
        "nutrition/0",
        "nutrition/1",
        "philosophy/0",
        "philosophy/1",
    ]
    parts = RunMetric.objects.filter(run=run, name="acc", scope="subject").values_list("part", "n")
    assert sorted(parts) == [("nutrition", 2), ("philosophy", 2)]
    assert set(RunMetric.objects.filter(run=run).values_list("scope", flat=True)) >= {"all", "subjects", "group"}


def test_metrics_are_those_of_the_file_and_samples_those_of_the_log():
    run = run_of(brought_in(LM_EVAL / "zero_shot"), "hellaswag")
    said = json.loads(results_in(LM_EVAL / "zero_shot").read_text())["results"]["hellaswag"]
    values = dict(RunMetric.objects.filter(run=run, scope="all").values_list("name", "value"))
    errors = dict(RunMetric.objects.filter(run=run, scope="all").values_list("name", "standard_error"))
    assert values["acc"] == pytest.approx(said["acc,none"])
    assert values["acc_norm"] == run.value == pytest.approx(said["acc_norm,none"])
    assert errors["acc"] == pytest.approx(said["acc_stderr,none"])
    log = next((LM_EVAL / "zero_shot").rglob("samples_hellaswag*")).read_text().splitlines()
    for row, line in zip(SampleResult.objects.filter(run=run), map(json.loads, log), strict=True):
        assert [choice["log_probability"] for choice in row.choices] == [float(r[0][0]) for r in line["resps"]]
        assert row.target == int(line["target"])
        assert row.is_right == bool(line["acc_norm"])
        assert row.prompt.texts == (line["arguments"]["gen_args_0"]["arg_0"],)


@pytest.mark.parametrize(
    ("folder", "reason"),
    [
        ("chat", "prompts behind a chat template cannot be compared"),
        ("results_only", "without its samples nobody can tell which rows and prompts it asked"),
    ],
)
def test_what_cannot_be_compared_has_a_protocol_of_its_own(folder, reason):
    (imported,) = brought_in(LM_EVAL / folder)
    chosen, run = benchmark(imported.examined.benchmark), imported.run
    assert str(imported.examined.reason) == reason
    assert dict(run.protocol["extras"])["tool"] == "lm-evaluation-harness"
    options = Options(n_shots=run.options["n_shots"], draw=Draw(run.options["draw"]))
    ours = prepare(chosen, from_samples(chosen, with_pool=options.n_shots > 0), options, limit=None).protocol
    assert run.fingerprint != ours.fingerprint
    assert run.value is not None
    assert not run.may_be_ranked  # 20 rows are not the benchmark


def test_another_prompt_is_another_protocol(copied):
    folder = copied(LM_EVAL / "zero_shot")
    log = next(folder.rglob("samples_piqa*"))
    log.write_text(log.read_text().replace("Question: To", "Q: To"))
    imported = brought_in(folder)
    found = next(one for one in imported if one.examined.benchmark == "piqa")
    assert str(found.examined.reason) == "it asks otherwise than Hakem, first in sample 0"
    assert found.run.samples.count() == 4
    assert found.run.value == pytest.approx(0.75)


def test_tasks_that_no_benchmark_here_is_are_listed_with_the_reason():
    examination = imports.examine(LM_EVAL / "zero_shot")
    assert [(one.what, str(one.reason)) for one in examination.skipped] == [
        ("wikitext_of_ours", "No benchmark here is this task: add one, or leave it.")
    ]


@pytest.mark.parametrize(
    ("folder", "answer"), [("zip", "D) a compass"), ("json", "A student would use a telescope to see the cells of an")]
)
def test_logs_of_inspect_in_both_forms(folder, answer):
    examination = imports.examine(INSPECT / folder)
    assert [one.what for one in examination.skipped] == ["tea_tasting"]
    ((run, examined, llm, is_new),) = imports.bring_in(examination)
    assert (llm.slug, is_new) == ("smollm2-135m", True)
    assert (run.benchmark, run.n_samples, run.value) == ("arc_challenge", 3, 0.0)
    assert run.protocol["method"] == "generation"
    first = run.samples.get(sample_id="hakem_test_0")
    assert first.question == "Which tool would a student use to see the cells of an onion skin?"
    assert first.answer == answer
    assert (first.target, first.is_right) == (["C"], False)
    assert "A) a telescope" in first.prompt.texts[0]
    assert examined.tool == "inspect 0.3.285"


# --- once, and whole or not at all


def test_importing_twice_changes_nothing():
    first = brought_in(LM_EVAL)
    before = list(Run.objects.values()), list(SampleResult.objects.values()), list(LanguageModel.objects.values())
    again = brought_in(LM_EVAL)
    assert all(one.run for one in first)
    assert not any(one.run for one in again)
    assert before == (
        list(Run.objects.values()),
        list(SampleResult.objects.values()),
        list(LanguageModel.objects.values()),
    )


def test_the_same_file_under_another_name_is_the_same(copied):
    brought_in(LM_EVAL / "results_only")
    folder = copied(LM_EVAL / "results_only")
    shutil.copy(results_in(folder), folder / "results_again.json")
    assert not any(one.run for one in brought_in(folder))


def break_json(folder):
    (folder / "a.json").write_text('{"results": ')
    return "a.json", "It is not whole JSON (line 1, character 13: Expecting value): copy it again."


def nan_metric(folder):
    file = results_in(folder)
    file.write_text(file.read_text().replace('"acc_norm,none": 0.75', '"acc_norm,none": NaN', 1))
    return file.relative_to(folder).as_posix(), "and no number: evaluate again, or take the task out of the file."


def other_samples(folder):
    log = next(folder.rglob("samples_winogrande*"))
    log.write_text(log.read_text().replace('[["-9.2', '[["-99.2').replace('["-9.2', '["-99.2'))
    return results_in(folder).relative_to(folder).as_posix(), "they are not of one evaluation"


def half_a_line(folder):
    log = next(folder.rglob("samples_winogrande*"))
    log.write_text(log.read_text()[:-50])
    return results_in(folder).relative_to(folder).as_posix(), "Line 4: It is not whole JSON"


def not_utf8(folder):
    (folder / "b.json").write_bytes(b'{"a": "\xff"}')
    return "b.json", "It is not UTF-8 (byte 7)"


def deep(folder):
    (folder / "c.json").write_text("[" * 200_000)
    return "c.json", "nested too deeply"


def no_name(folder):
    changed(results_in(folder), lambda document: document.update(model_name="a\nb"))
    return results_in(folder).relative_to(folder).as_posix(), "“model_name” must be a name on one line"


def a_link(folder):
    (folder / "d.json").symlink_to("/etc/passwd")
    return "d.json", "It is a link: copy the file itself into the folder."


@pytest.mark.parametrize("spoil", [break_json, nan_metric, other_samples, half_a_line, not_utf8, deep, no_name, a_link])
def test_one_bad_file_is_named_and_nothing_is_imported(copied, spoil):
    folder = copied(LM_EVAL / "zero_shot")
    file, reason = spoil(folder)
    examination = imports.examine(folder)
    assert [(problem.file, reason in str(problem.reason)) for problem in examination.problems][:1] == [(file, True)]
    with pytest.raises(BadFile, match="nothing was imported"):
        imports.bring_in(examination)
    assert not Run.objects.exists()
    assert not LanguageModel.objects.exists()


def test_a_run_that_breaks_while_it_is_written_leaves_nothing(monkeypatch):
    examination = imports.examine(LM_EVAL / "results_only")
    monkeypatch.setattr(imports, "_save_samples", lambda *_, **__: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        imports.bring_in(examination)
    assert not Run.objects.exists()
    assert not LanguageModel.objects.exists()


# --- whose


def test_unknown_models_are_listed_and_internal():
    (imported, *_) = brought_in(LM_EVAL)
    llm = imported.llm
    assert (llm.slug, llm.status, llm.visibility) == ("smollm2-135m", "listed", "internal")
    assert LanguageModel.objects.count() == 1
    assert not LanguageModel.objects.in_battles().exists()


def test_known_ones_are_found_by_slug_name_or_source(register):
    by_slug = register("SmolLM2 135M", source="elsewhere")
    LanguageModel.objects.filter(pk=by_slug.pk).update(slug="smollm2-135m")
    assert {one.llm for one in brought_in(LM_EVAL / "chat")} == {by_slug}
    LanguageModel.objects.filter(pk=by_slug.pk).update(slug="other", source="smollm2-135m")
    assert {one.llm for one in brought_in(LM_EVAL / "few_shot")} == {by_slug}


def test_two_that_could_be_meant_must_be_told_apart(register):
    for name in ("One", "Two"):
        register(name, source="smollm2-135m")
    with pytest.raises(BadFile, match="could be one or two"):
        brought_in(LM_EVAL / "chat")
    one = LanguageModel.objects.get(slug="one")
    assert {found.llm for found in brought_in(LM_EVAL / "chat", llm=one)} == {one}


def test_a_listed_model_does_not_take_the_name_of_another(copied, register):
    register("llama", source="elsewhere")
    folder = copied(LM_EVAL / "chat")
    changed(results_in(folder), lambda document: document.update(model_name="/models/llama"))
    (imported,) = brought_in(folder)
    assert (imported.llm.slug, imported.llm.source) == ("llama-2", "/models/llama")
    assert not any(one.run for one in brought_in(folder))


# --- the table


def whole_results(folder, llm, *, value):
    """What lm_eval writes for all rows of PIQA, without samples."""
    document = json.loads(results_in(LM_EVAL / "zero_shot").read_text())
    share = round(value * 1838) / 1838
    document["results"] = {"piqa": {"acc,none": share, "acc_norm,none": share, "acc_norm_stderr,none": 0.01}}
    document["n-samples"] = {"piqa": {"original": 1838, "effective": 1838}}
    document["model_name"] = llm
    folder.mkdir(parents=True)
    (folder / "results_2026-01-01T00-00-00.000000.json").write_text(json.dumps(document))


def test_whole_results_of_several_models_are_one_column_beside_ours(tmp_path, register):
    for n in range(3):
        whole_results(tmp_path / f"m{n}", f"lab/model-{n}", value=0.5 + n / 10)
    imported = brought_in(tmp_path, visibility=Visibility.PUBLIC)
    assert all(one.run.may_be_ranked for one in imported)
    assert len({one.run.fingerprint for one in imported}) == 1
    benchmarks.refresh_all()
    table = table_of(LiveBoard.objects.get(audience="public"))
    assert [(head.column.benchmark, head.column.n_llms) for head in table.heads] == [("piqa", 3)]
    cells = {row.line.llm.slug: row.cells[0] for row in table.rows}
    assert cells["model-1"].score.was_imported
    assert cells["model-1"].value == pytest.approx(60, abs=0.03)
    assert cells["model-1"].lower < 60 < cells["model-1"].upper


def test_other_settings_are_another_column(tmp_path):
    for n, n_shots in enumerate((0, 5)):
        whole_results(tmp_path / f"m{n}", f"model-{n}", value=0.5)
        changed(results_in(tmp_path / f"m{n}"), lambda document, n=n_shots: document["n-shot"].update(piqa=n))
    assert len({one.run.fingerprint for one in brought_in(tmp_path)}) == 2
