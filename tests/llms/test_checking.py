"""The slow part of a check: begun once, carried out behind the page, and its end remembered."""

import threading
from datetime import timedelta

import pytest
from django.utils import timezone

from llms import checking, identification, probing
from llms.checking import Check
from llms.models import Endpoint, LanguageModel, Probe, ProbeResult
from llms.probing import ProbeFailed
from llms.sentences import filled
from tests.helpers.model_server import Script, model_server
from tests.helpers.waiting import eventually_in_thread as wait_for

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def local():
    return LanguageModel.objects.create(slug="tiny", name="Tiny", engine="huggingface", source="/nowhere")


@pytest.fixture
def remote():
    with model_server() as server:
        server.scripts["orion"] = Script()
        endpoint = Endpoint.objects.create(name="lab", base_url=server.url)
        yield LanguageModel.objects.create(
            slug="orion", name="Orion", engine="openai_compatible", endpoint=endpoint, source="orion"
        )


def test_a_check_runs_once_at_a_time(local, monkeypatch):
    gate = threading.Event()
    asked = []
    monkeypatch.setattr(identification, "identify", lambda llm: asked.append(llm) or gate.wait(10))
    assert checking.begin(local)
    assert not checking.begin(local)
    assert checking.state(local) == Check(True)
    gate.set()
    wait_for(lambda: not checking.state(local).is_running)
    assert asked == [local]
    assert checking.begin(local)
    wait_for(lambda: not checking.state(local).is_running)


def test_a_model_at_an_endpoint_is_probed(remote):
    assert checking.begin(remote)
    wait_for(lambda: Probe.objects.filter(ended_at__isnull=False).exists(), 60)
    assert ProbeResult.objects.get(capability="chat").verdict == "yes"
    state = checking.state(remote)
    assert (state.is_running, state.failure, state.n_all) == (False, "", probing.N_CAPABILITIES)


def test_a_probe_that_died_with_its_process_is_said(remote):
    probing.begin(remote.endpoint, remote.source)
    assert checking.state(remote).is_running
    Probe.objects.update(asked_at=timezone.now() - probing.GIVEN_UP_AFTER - timedelta(seconds=1))
    state = checking.state(remote)
    assert (state.is_running, state.failure) == (False, probing.CUT_OFF)


@pytest.mark.parametrize(
    "error", [ProbeFailed(filled("It is not there.")), ValueError("It is not there.")], ids=["foreseen", "unforeseen"]
)
def test_what_went_wrong_is_said(local, monkeypatch, error):
    def fail(llm):
        raise error

    monkeypatch.setattr(identification, "identify", fail)
    assert checking.begin(local)
    wait_for(lambda: checking.state(local) == Check(False, "It is not there."))
