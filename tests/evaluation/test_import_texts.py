"""Texts and names of samples as strangers write them: what no database takes is replaced, and no name is there twice."""

import json
import shutil
from pathlib import Path

import pytest

from evaluation import imports
from evaluation.benchmarks.registry import benchmark
from evaluation.foreign.results import BadFile
from evaluation.models import Run
from evaluation.records import prompt_row, sample_row
from evaluation.scores import ChoiceScore, SampleScore

FILES = Path(__file__).parent / "foreign"
BAD, GOOD = "a\0b\ud800c", "a\ufffdb\ufffdc"


@pytest.fixture
def log(tmp_path):
    """A log of inspect whose samples are changed: `log(lambda samples: …)`."""
    folder = Path(shutil.copytree(FILES / "inspect" / "json", tmp_path / "copy"))
    (file,) = folder.glob("*arc*.json")

    def log(change):
        document = json.loads(file.read_text())
        change(document["samples"])
        file.write_text(json.dumps(document))
        return file

    return log


def test_no_text_of_a_sample_holds_what_a_database_refuses():
    choice = ChoiceScore(text=BAD, log_probability=-1.0, is_greedy=True, n_tokens=1)
    texts = {"sample_id": BAD, "subject": BAD, "question": BAD, "answer": BAD}
    prompt = prompt_row([BAD])
    row = sample_row(
        SampleScore(**texts, prompts=(BAD,), target=(BAD, "x"), choices=(choice,)), benchmark("mmlu"), prompt=prompt
    )
    assert {name: str(getattr(row, name)) for name in texts} == dict.fromkeys(texts, GOOD)
    assert (row.target, row.choices[0]["text"], prompt.texts) == ([GOOD, "x"], GOOD, (GOOD,))


@pytest.mark.django_db
def test_what_a_file_says_is_kept_without_it(log):
    def spoil(samples):
        samples[0] |= {"id": BAD, "target": BAD, "error": {"message": BAD}}

    ((run, *_),) = imports.bring_in(imports.examine(log(spoil)))
    first = run.samples.get(index=0)
    assert (first.sample_id, first.target, str(first.error)) == (GOOD, [GOOD], GOOD)


def same_name(samples):
    samples[1]["id"] = samples[0]["id"] = "one"


def alike_when_stored(samples):
    samples[0]["id"], samples[1]["id"] = "a\0", "a\ufffd"


@pytest.mark.django_db
@pytest.mark.parametrize(("spoil", "name"), [(same_name, "'one'"), (alike_when_stored, "'a\ufffd'")])
def test_two_samples_of_one_name_are_a_problem_with_a_sentence(log, spoil, name):
    file = log(spoil)
    examination = imports.examine(file)
    words = f"Two samples are called {name}: give each one a name of its own."
    assert [(problem.file, str(problem.reason)) for problem in examination.problems] == [(file.name, words)]
    with pytest.raises(BadFile, match="nothing was imported"):
        imports.bring_in(examination)
    assert not Run.objects.exists()
