"""`manage.py doctor --model`: how a model is scored here, and whether the fast way gives what plain rows give."""

import json

import pytest
from django.core.management import CommandError, call_command

from llms.engines.huggingface.scoring.computing import Computation
from llms.engines.huggingface.scoring.scorer import Scorer
from llms.models import DeviceCheck, Endpoint, LanguageModel
from tests.helpers import played_servers
from tests.helpers.model_server import LOOPBACK, model_server
from tests.llms.engines.tiny import save_tiny_model

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tiny-model")
    save_tiny_model(folder, max_position_embeddings=8192)
    return folder


@pytest.fixture
def llm(folder):
    options = {"device": "cpu", "batching": "none"}
    return LanguageModel.objects.create(slug="tiny", name="Tiny", source=str(folder), options=options)


def found(capsys, *arguments):
    call_command("doctor", "--json", *arguments)
    return {row["name"]: row for row in json.loads(capsys.readouterr().out)}


def test_it_compares_both_ways_and_keeps_the_verdict(llm, capsys):
    rows = found(capsys, "--model", "tiny")

    assert {row["state"] for row in rows.values()} == {"ok"}
    assert rows["weights"]["words"].startswith("weights-1:")
    assert rows["way to score"]["words"].startswith("shared prefixes; float32 on cpu (")
    assert "50 requests: largest difference" in rows["self-check"]["words"]
    assert "0 answers flipped" in rows["self-check"]["words"]
    assert DeviceCheck.objects.get().has_passed


def test_it_says_on_the_error_output_what_it_is_doing(llm, capsys):
    call_command("doctor", "--json", "--model", "tiny")
    captured = capsys.readouterr()
    told = [line.removeprefix("… ") for line in captured.err.splitlines() if line.startswith("… ")]

    assert told[:3] == ["identifying the weights of tiny", "loading tiny", "trying how it can be scored"]
    assert told[3:] == [
        f"{way}: {done} of 50 requests"
        for way in ("first way, shared prefixes", "second way, plain rows")
        for done in range(0, 51, 10)
    ]
    assert json.loads(captured.out)


def test_it_asks_anew_whatever_is_remembered(llm, capsys, monkeypatch):
    found(capsys, "--model", "tiny")
    hidden = Computation.hidden
    monkeypatch.setattr(Scorer, "_failed_trial", lambda self: "")
    monkeypatch.setattr(
        Computation, "hidden", lambda self, batch, stem: hidden(self, batch, stem) * (1 if batch.sees is None else 1.5)
    )

    with pytest.raises(SystemExit):
        found(capsys, "--model", "tiny")

    rows = {row["name"]: row for row in json.loads(capsys.readouterr().out)}
    assert rows["self-check"]["state"] == "problem"
    assert "runs compute plain rows on this device" in rows["self-check"]["mend"]
    assert not DeviceCheck.objects.get().has_passed


def test_a_server_that_cannot_score_is_a_problem_with_its_reason(settings, capsys):
    settings.ENDPOINT_NETWORKS = LOOPBACK
    with model_server() as server:
        server.played = played_servers.transformers_serve()
        endpoint = Endpoint.objects.create(name="here", base_url=server.url)
        LanguageModel.objects.create(
            slug="orion", name="Orion", engine="openai_compatible", endpoint=endpoint, source=played_servers.NAME
        )
        with pytest.raises(SystemExit):
            found(capsys, "--model", "orion")

    rows = {row["name"]: row for row in json.loads(capsys.readouterr().out)}
    assert rows["weights"]["state"] == "warning"
    assert "cannot score given answers" in rows["way to score"]["words"]
    assert "ignored, with status 200" in rows["way to score"]["words"]


def test_weights_that_are_gone_are_a_problem(capsys):
    LanguageModel.objects.create(slug="gone", name="Gone", source="/nowhere/at/all")

    with pytest.raises(SystemExit):
        found(capsys, "--model", "gone")
    assert "/nowhere/at/all" in capsys.readouterr().out


def test_a_slug_that_nobody_has_names_those_that_are_there(llm):
    with pytest.raises(CommandError, match="Known: tiny"):
        call_command("doctor", "--model", "tny")


def test_a_model_that_is_only_listed_is_called_so_and_not_loaded(capsys, caplog):
    LanguageModel.objects.create(slug="far", name="Far", source="far", status=LanguageModel.Status.LISTED)

    with pytest.raises(SystemExit):
        found(capsys, "--model", "far")

    (row,) = json.loads(capsys.readouterr().out)
    assert (row["state"], row["words"]) == ("problem", "Far is only listed and has no engine")
    assert row["mend"] == "register where it runs first"
    assert not caplog.records
