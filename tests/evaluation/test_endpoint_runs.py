"""Runs on models that a server has: asked over HTTP, remembered no longer than they are known to be the same."""

import contextlib

import pytest

from evaluation import run_pages, runs
from evaluation.datasets import DataKind
from evaluation.models import CachedScore, Run
from evaluation.plans import Wish
from llms.models import Endpoint, LanguageModel
from tests.helpers.model_server import LOOPBACK, model_server
from tests.helpers.scoring_server import NAME, ScoringServer
from tests.llms.engines.tiny import load, save_plain_spoken_model

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("plain-spoken-model")
    save_plain_spoken_model(folder)
    return folder


@pytest.fixture(scope="module")
def local(folder, tmp_path_factory):
    options = {"device": "cpu", "batching": "none"}
    with contextlib.closing(load("huggingface", folder, tmp_path_factory.mktemp("cache"), options)) as engine:
        yield engine


@pytest.fixture
def serve(local, folder, settings):
    settings.ENDPOINT_NETWORKS = LOOPBACK
    with model_server() as listening:

        def serve(**kind):
            listening.played = server = ScoringServer(local._loaded, **kind)
            endpoint = Endpoint.objects.create(name="here", base_url=listening.url, max_concurrent=4)
            llm = LanguageModel.objects.create(
                slug="served",
                name="Served",
                engine="openai_compatible",
                endpoint=endpoint,
                source=NAME,
                options={"tokenizer": str(folder)},
                status=LanguageModel.Status.ENABLED,
            )
            return llm, server

        yield serve


def executed(llm, name="piqa", **fields):
    run = runs.request(llm, Wish(benchmark=name, data=DataKind.SAMPLE, **fields))
    runs.execute(run.pk, run.epoch)
    run.refresh_from_db()
    return run


def scored(server):
    return server.n_asked["echo"] + server.n_asked["next"]


def test_its_scores_are_those_of_the_weights_loaded_here(serve, folder):
    llm, _ = serve()
    here = LanguageModel.objects.create(
        slug="here", name="Here", source=str(folder), options={"device": "cpu", "batching": "none"}
    )
    over_http, at_home = executed(llm, "mmlu", limit=2), executed(here, "mmlu", limit=2)

    assert (over_http.status, over_http.error) == (Run.Status.SUCCEEDED, "")
    pairs = zip(over_http.samples.order_by("index"), at_home.samples.order_by("index"), strict=True)
    for served, computed in pairs:
        assert served.predictions == computed.predictions
        for one, other in zip(served.choices, computed.choices, strict=True):
            assert one["log_probability"] == pytest.approx(other["log_probability"], abs=1e-4)
    assert over_http.fingerprint == at_home.fingerprint
    facts = {str(fact.name): fact.value for fact in run_pages.environment_facts(over_http, inside=False)}
    assert facts["Proof before the run"].startswith("Asked by ")
    assert facts["Scheme"].startswith("the server's log-probabilities of prompts (echo)")
    assert run_pages.fallback(over_http) == ""
    assert over_http.environment["versions"] == {"server": "vLLM 0.32.0"}
    assert "was written" in str(over_http.log.all()[1])


def test_what_no_server_pins_is_asked_again_by_the_next_run(serve):
    llm, server = serve(states_commit=False)
    first = executed(llm)
    n_first = scored(server)
    assert first.status == Run.Status.SUCCEEDED, first.error
    assert not CachedScore.objects.exists()
    second = executed(llm)

    assert (second.n_cached, scored(server)) == (0, 2 * n_first)


def test_what_a_server_pins_is_asked_once(serve):
    llm, server = serve()
    first = executed(llm)
    n_first = scored(server)
    assert first.status == Run.Status.SUCCEEDED, first.error
    second = executed(llm)

    assert second.status == Run.Status.SUCCEEDED
    assert second.n_cached == first.n_samples
    assert scored(server) - n_first < 12  # the probe's


@pytest.mark.parametrize("fault", ["ignored", "shifted", "short", "null"])
def test_a_server_that_fails_the_probe_scores_nothing(serve, fault):
    llm, _ = serve(echo=fault)
    run = executed(llm)

    assert run.status == Run.Status.FAILED
    assert "cannot score given answers: log-probabilities of what it is given are not to be had" in run.error
    assert "Serve the model with vLLM or SGLang" in run.error
    assert not run.samples.exists()


def test_a_server_that_fails_later_fails_the_run_and_keeps_what_is_scored(serve, monkeypatch):
    monkeypatch.setattr(runs, "RETRY_SECONDS", (0,))
    llm, _ = serve(echo="late")
    run = executed(llm)

    assert run.status == Run.Status.FAILED
    assert "cannot score given answers" in run.error
    assert 0 < run.n_done < run.n_samples
    assert run.samples.count() == run.n_done
