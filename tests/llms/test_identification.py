"""The identity of weights is remembered with the model, and never replaced in silence."""

import logging

import pytest

from llms import identification, probing
from llms.engines.base import EngineUnreachable, LoadingFailed
from llms.engines.openai_compatible.asking import Patience
from llms.file_hashes import FileHashes
from llms.identification import check_again, identify
from llms.identity import PREFIX
from llms.models import Endpoint, LanguageModel
from llms.pool import Pool
from tests.helpers import played_servers as played
from tests.helpers.model_server import CLOSE, HANG, LOOPBACK, Script, model_server
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


def test_weights_that_are_the_former_ones_again_have_not_changed(llm, folder, caplog):
    former = identify(llm)
    before = (folder / "config.json").read_text()
    change_json(folder / "config.json", rope_theta=7.0)
    identify(stored(llm))
    (folder / "config.json").write_text(before)
    with caplog.at_level(logging.WARNING):
        assert identify(stored(llm)) == former
    row = stored(llm)
    assert (row.weights_identity, row.former_identity, row.identity_changed_at) == (former, "", None)
    assert "has its former weights again" in caplog.text


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
    assert asked == [(endpoint, "lyra-13b", "")]


def test_a_server_that_does_not_answer_takes_nothing_back(register):
    endpoint = Endpoint.objects.create(name="GPU", base_url="http://127.0.0.1:1023/v1")
    llm = register("Lyra", engine="openai_compatible", endpoint=endpoint, source="lyra-13b")
    LanguageModel.objects.update(weights_identity="commit 0123")
    with pytest.raises(EngineUnreachable):
        identify(stored(llm))
    assert stored(llm).weights_identity == "commit 0123"


@pytest.fixture
def at_server(register, settings, monkeypatch):
    """`at_server(played)`: the server, and a model at it whose identity is known."""
    settings.ENDPOINT_NETWORKS = LOOPBACK
    monkeypatch.setattr(probing, "PATIENCE", Patience(one_reply=2, about_itself=1, all_together=10, when_busy=0.01))
    with model_server() as server:

        def start(kind):
            server.played = kind
            endpoint = Endpoint.objects.create(name="GPU", base_url=server.url)
            llm = register("Orion", engine="openai_compatible", endpoint=endpoint, source=played.NAME)
            assert identify(llm)
            return server, stored(llm)

        yield start


@pytest.mark.parametrize(
    ("kind", "path", "script"),
    [
        (played.vllm(), "/v1/models", Script(500)),
        (played.ollama(), "/api/tags", Script(503)),
        (played.ollama(), "/api/tags", Script(body=[HANG])),
        (played.ollama(), "/api/version", Script(body=[CLOSE])),
    ],
)
def test_a_question_that_was_not_answered_is_no_change(kind, path, script, at_server):
    """Others are, all the while."""
    server, llm = at_server(kind)
    found = llm.weights_identity
    server.played = lambda asked: script if asked.path == path else kind(asked)
    with pytest.raises(EngineUnreachable, match="did not say which weights"):
        identify(llm)
    assert (stored(llm).weights_identity, stored(llm).identity_changed_at) == (found, None)


def test_that_nothing_pins_the_weights_any_more_is_a_change(at_server):
    server, llm = at_server(played.vllm())
    former = llm.weights_identity
    server.played = played.vllm(listing_status=404)
    assert identify(llm) == ""
    assert (stored(llm).weights_identity, stored(llm).former_identity) == ("", former)
    server.played = played.vllm()
    assert identify(stored(llm)) == former
    assert (stored(llm).former_identity, stored(llm).identity_changed_at) == ("", None)


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
