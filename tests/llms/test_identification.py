"""The identity of weights is remembered with the model, and never replaced in silence."""

import logging

import pytest

from llms import identification, probing
from llms.engines.base import EngineUnreachable, LoadingFailed
from llms.file_hashes import FileHashes
from llms.identification import check_again, identify
from llms.identity import PREFIX
from llms.models import Endpoint, LanguageModel
from llms.pool import Pool
from tests.helpers.waiting import eventually_in_thread
from tests.llms.engines.tiny import change_json, save_tiny_model

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _own_store(tmp_path, monkeypatch):
    monkeypatch.setattr(identification, "hashes", FileHashes(tmp_path / "hashes.json"))


@pytest.fixture
def folder(tmp_path):
    save_tiny_model(tmp_path / "orion")
    return tmp_path / "orion"


@pytest.fixture
def llm(register, folder):
    return register("Orion", engine="huggingface", source=str(folder), dtype="float32")


def stored(llm):
    return LanguageModel.objects.get(pk=llm.pk)


def test_it_is_found_out_and_remembered(llm):
    found = identify(llm)
    assert found.startswith(PREFIX)
    assert llm.weights_identity == found
    assert stored(llm).weights_identity == found
    assert stored(llm).identity_changed_at is None


def test_a_model_that_is_not_saved_yet_has_one_too(folder):
    assert identify(LanguageModel(engine="huggingface", source=str(folder))).startswith(PREFIX)
    assert LanguageModel.objects.count() == 0


def test_other_weights_under_the_same_source_are_said(llm, folder, caplog):
    former = identify(llm)
    change_json(folder / "config.json", rope_theta=7.0)
    with caplog.at_level(logging.WARNING):
        found = identify(stored(llm))
    row = stored(llm)
    assert found != former
    assert (row.weights_identity, row.former_identity) == (found, former)
    assert row.identity_changed_at
    assert "orion has other weights than before" in caplog.text
    caplog.clear()
    identify(stored(llm))
    assert not caplog.text


def test_two_who_notice_at_once_note_it_once(llm, folder):
    former = identify(llm)
    one, other = stored(llm), stored(llm)
    change_json(folder / "config.json", rope_theta=7.0)
    identify(one)
    change_json(folder / "config.json", rope_theta=8.0)
    identify(other)  # had read the row before the other wrote it
    assert stored(llm).former_identity == former
    assert stored(llm).weights_identity == one.weights_identity


def test_at_an_endpoint_it_is_what_the_server_states(register, monkeypatch):
    endpoint = Endpoint.objects.create(name="GPU", base_url="http://127.0.0.1:1/v1")
    llm = register("Lyra", engine="openai_compatible", endpoint=endpoint, source="lyra-13b")
    asked = []
    monkeypatch.setattr(probing, "stated_identity", lambda *about: asked.append(about) or "commit 0123")
    assert identify(llm) == "commit 0123"
    assert asked == [(endpoint, "lyra-13b")]


def test_a_server_that_does_not_answer_takes_nothing_back(register):
    endpoint = Endpoint.objects.create(name="GPU", base_url="http://127.0.0.1:1023/v1")
    llm = register("Lyra", engine="openai_compatible", endpoint=endpoint, source="lyra-13b")
    LanguageModel.objects.update(weights_identity="commit 0123")
    with pytest.raises(EngineUnreachable):
        identify(stored(llm))
    assert stored(llm).weights_identity == "commit 0123"


def test_a_script_and_an_unknown_engine_are_unpinned(register):
    assert identify(register("Orion")) == ""
    assert identify(register("Lyra", engine="abacus")) == ""


def test_files_that_are_gone_are_an_error_at_registration(llm, folder):
    (folder / "model.safetensors").unlink()
    with pytest.raises(LoadingFailed):
        identify(llm)


@pytest.mark.django_db(transaction=True)
def test_a_load_checks_it_again(llm, folder):
    former = identify(llm)
    change_json(folder / "config.json", rope_theta=7.0)
    pool = Pool()
    pool.load(llm).result(60)
    eventually_in_thread(lambda: stored(llm).weights_identity != former)
    assert stored(llm).former_identity == former
    pool.close()


def test_a_check_that_fails_is_in_the_log_and_harms_nobody(llm, folder, caplog, monkeypatch):
    monkeypatch.setattr(identification.connection, "close", lambda: None)  # the test's own
    (folder / "model.safetensors").unlink()
    with caplog.at_level(logging.ERROR):
        check_again([llm.pk])
    assert "could not be checked" in caplog.text
