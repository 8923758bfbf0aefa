"""`manage.py import_results`."""

import shutil
import zipfile
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from evaluation import imports
from evaluation.foreign.results import BadFile
from evaluation.models import Run

pytestmark = pytest.mark.django_db

LM_EVAL = Path(__file__).parent / "foreign" / "lm_eval"


def test_the_command_says_what_it_did(capsys):
    call_command("import_results", str(LM_EVAL), "--dry-run")
    said = capsys.readouterr().out
    assert "would import: PIQA acc 75.0 % ± 25.0, 4 samples" in said
    assert said.count("± is the standard error.") == 1
    assert "smollm2-135m (would be listed)" in said
    assert not Run.objects.exists()
    call_command("import_results", str(LM_EVAL))
    assert "7 imported, 0 here already." in capsys.readouterr().out
    call_command("import_results", str(LM_EVAL))
    assert "0 imported, 7 here already." in capsys.readouterr().out


def test_the_command_names_each_bad_file(tmp_path, capsys):
    folder = shutil.copytree(LM_EVAL / "chat", tmp_path / "chat")
    (folder / "a.json").write_text('{"results": ')
    with pytest.raises(CommandError, match="Nothing was imported"):
        call_command("import_results", str(folder))
    assert "a.json: It is not whole JSON" in capsys.readouterr().err


def test_the_command_knows_the_model_or_says_who_is_known(orion):
    call_command("import_results", str(LM_EVAL / "chat"), "--model", "orion-7b")
    assert Run.objects.get().llm == orion
    with pytest.raises(CommandError, match="Known: orion-7b"):
        call_command("import_results", str(LM_EVAL), "--model", "oreon")


@pytest.mark.parametrize("what", ["nowhere", "empty"])
def test_a_path_without_results_is_told(tmp_path, what):
    (tmp_path / "empty").mkdir()
    with pytest.raises(BadFile, match=r"no results|check the path"):
        imports.examine(tmp_path / what)


def test_a_zip_is_the_folder(tmp_path):
    path = tmp_path / "all.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(LM_EVAL.rglob("*.json*")):
            archive.write(file, file.relative_to(LM_EVAL))
    assert sum(one.run is not None for one in imports.bring_in(imports.examine(path))) == 7
    assert not any(one.run for one in imports.bring_in(imports.examine(LM_EVAL)))
