"""Results of other tools, uploaded by staff."""

import io
import json
import re
import zipfile
from pathlib import Path

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from evaluation import import_views
from evaluation.models import Run
from llms.models import LanguageModel

pytestmark = pytest.mark.django_db

FILES = Path(__file__).parent / "foreign"


@pytest.fixture
def page(adem, sign_in):
    """Upload a file: `page(zipped(folder), look="yes")`."""
    client = sign_in(adem)

    def page(upload, **fields):
        response = client.post("/runs/import/", {"file": upload, **fields})
        return response.status_code, re.sub(r"\s+", " ", response.content.decode())

    return page


def zipped(folder, **more):
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        for file in sorted(folder.rglob("*.*")):
            archive.write(file, file.relative_to(folder))
        for name, content in more.items():
            archive.writestr(f"{name}.json", content)
    return SimpleUploadedFile("all of it.zip", data.getvalue())


def test_a_zip_becomes_runs_of_models_that_are_listed(page, adem):
    status, text = page(zipped(FILES / "lm_eval"))
    assert status == 200
    assert "7 runs were imported" in text
    assert "1 thing in the file was left out" in text
    assert text.count("listed anew") == 1
    run = Run.objects.get(benchmark="mmlu")
    assert f'href="/runs/{run.pk}/"' in text
    assert run.requested_by == adem
    assert LanguageModel.objects.get().visibility == "internal"
    status, text = page(zipped(FILES / "lm_eval"))
    assert "0 runs were imported" in text
    assert "7 had been imported before, and are as they were." in text


def test_a_look_writes_nothing(page):
    status, text = page(zipped(FILES / "lm_eval"), look="yes")
    assert status == 200
    assert "7 runs would be imported" in text
    assert "rows, examples and prompts are those of Hakem" in text
    assert not Run.objects.exists()


def test_one_model_for_all_and_shown_to_everybody(page, orion):
    page(zipped(FILES / "inspect"), llm=str(orion.pk))
    assert {run.llm for run in Run.objects.all()} == {orion}
    page(zipped(FILES / "lm_eval"), public="on")
    assert LanguageModel.objects.get(status="listed").visibility == "public"


def test_each_bad_file_is_named_and_nothing_is_stored(page):
    status, text = page(zipped(FILES / "lm_eval", bad='{"a', worse="[" * 100_000))
    assert status == 422
    assert "2 files cannot be used" in text
    assert "bad.json" in text
    assert "worse.json" in text
    assert not Run.objects.exists()


@pytest.mark.parametrize(
    ("name", "data", "words"),
    [
        ("a.zip", b"PK not really", "a.zip is no zip that can be read"),
        ("a.pdf", b"%PDF", "Choose a .zip, .json or .eval file."),
        ("a.json", b"", "The submitted file is empty"),
        ("../../x.json", b"{}", "It holds no results of lm-evaluation-harness, lighteval or inspect."),
    ],
)
def test_what_is_no_set_of_results_is_told(page, name, data, words):
    _, text = page(SimpleUploadedFile(name, data))
    assert words in text
    assert not Run.objects.exists()


def test_a_bomb_is_refused(page, monkeypatch):
    monkeypatch.setattr(import_views, "LIMITS", import_views.LIMITS._replace(bytes_each=1_000_000))
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("results.json", "0" * 2_000_000)
    status, text = page(SimpleUploadedFile("bomb.zip", data.getvalue()))
    assert status == 422
    assert "The files are larger than 1 MB each" in text


def test_what_is_too_large_is_refused_before_it_is_read(adem, sign_in):
    response = sign_in(adem).generic(
        "POST", "/runs/import/", b"x", content_type="multipart/form-data; boundary=x", CONTENT_LENGTH="999999999"
    )
    assert response.status_code == 413
    assert "an upload may have up to 200 MB" in response.content.decode()


def test_names_in_files_are_text(page):
    document = json.loads(next((FILES / "lm_eval" / "chat").rglob("results_*")).read_text())
    document["model_name"] = "<script>alert(1)</script>"
    document["results"]["<b>task</b>"] = {}
    _, text = page(SimpleUploadedFile("results.json", json.dumps(document).encode()))
    assert "<script>alert" not in text
    assert "<b>task</b>" not in text
    assert "&lt;b&gt;task" in text


def test_forgery_is_refused(adem):
    client = Client(enforce_csrf_checks=True)
    client.force_login(adem)
    assert client.post("/runs/import/", {"file": zipped(FILES / "inspect")}).status_code == 403
    assert not Run.objects.exists()
