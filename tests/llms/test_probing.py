"""What a probe found is remembered: the newest only, whole, and in the reader's language."""

from dataclasses import replace
from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone, translation

from llms import probing, sealing, tasks
from llms.engines.openai_compatible.asking import Patience
from llms.models import Capability, Endpoint, Probe, ProbeResult
from llms.probing import ProbeFailed
from llms.sentence_field import SentenceField
from llms.sentences import Sentence, filled
from tests.helpers import played_servers as played
from tests.helpers.model_server import LOOPBACK, Script, model_server

pytestmark = pytest.mark.django_db
SECRET = "sk-very-secret-indeed"


@pytest.fixture(scope="module")
def running():
    with model_server() as server:
        yield server


@pytest.fixture
def server(running, settings, monkeypatch):
    settings.ENDPOINT_NETWORKS = LOOPBACK
    monkeypatch.setattr(probing, "PATIENCE", Patience(one_reply=5, about_itself=2, all_together=30, when_busy=0.01))
    running.played = played.vllm()
    yield running
    running.played = None


@pytest.fixture
def endpoint(server):
    return Endpoint.objects.create(name="lab", base_url=server.url, sealed_key=sealing.seal(SECRET))


def verdicts(results):
    return {result.capability: result.verdict for result in results}


def test_it_is_stored_and_given_back(endpoint, server):
    results = probing.probe(endpoint, played.NAME)
    assert set(verdicts(results).values()) == {"yes"}
    assert set(verdicts(results)) == set(Capability.values)
    endpoint.refresh_from_db()
    assert endpoint.server == results[0].server == "vLLM 0.32.0"
    found = probing.findings(endpoint, played.NAME)
    assert found[Capability.CONTEXT_LENGTH].number == 4096
    assert probing.findings(endpoint, "another") == {}
    assert all(asked.headers["authorization"] == f"Bearer {SECRET}" for asked in server.played.asked)


def test_a_later_probe_replaces_an_earlier_one(endpoint, server):
    probing.probe(endpoint, played.NAME)
    first = {result.pk for result in ProbeResult.objects.all()}
    server.played = played.llama_server()
    results = probing.probe(endpoint, played.NAME)
    assert {result.pk for result in ProbeResult.objects.all()} == first
    assert verdicts(results)["prompt_log_probabilities"] == "no"
    assert {result.server for result in results} == {"llama.cpp b6000-abc1234"}
    endpoint.refresh_from_db()
    assert endpoint.server == "llama.cpp b6000-abc1234"


def test_models_of_an_endpoint_keep_their_own(endpoint, server):
    server.played = replace(played.vllm(), any_name=True)
    probing.probe(endpoint, "one")
    probing.probe(endpoint, "two")
    assert len(probing.findings(endpoint, "one")) == len(probing.findings(endpoint, "two")) == 8


def test_evidence_is_said_in_the_readers_language(endpoint, server):
    server.played = replace(played.vllm(), completions="404")
    result = probing.probe(endpoint, played.NAME)[0]
    evidence = ProbeResult.objects.get(pk=result.pk).evidence
    assert isinstance(evidence, Sentence)
    assert "pieces" in evidence


@pytest.mark.parametrize(
    "text",
    [
        filled("%(n)s of %(what)s", n=3, what=filled("a “%(name)s”", name="\u00fc{}")),
        "plain",
        "",
        '{"template": "half',
        '{"template": 3}',
    ],
)
def test_sentences_come_back_from_the_database_as_they_went(text, endpoint):
    probe = Probe.objects.create(endpoint=endpoint, served_name="x", asked_at=timezone.now(), failure=text)
    back = Probe.objects.get(pk=probe.pk).failure
    assert (back, type(back)) == (text, type(text))
    if isinstance(text, Sentence):
        assert (back.template, dict(back.values)) == (text.template, dict(text.values))
    assert isinstance(Probe._meta.get_field("failure"), SentenceField)


def test_a_good_answer_ends_its_rest(endpoint):
    Endpoint.objects.update(n_failures=3, resting_since=timezone.now())
    probing.probe(endpoint, played.NAME)
    endpoint.refresh_from_db()
    assert (endpoint.n_failures, endpoint.resting_since) == (0, None)


def test_identity_is_what_the_server_states_now(endpoint, server):
    assert played.COMMIT in probing.stated_identity(endpoint, played.NAME)
    server.played = played.transformers_serve()
    assert probing.stated_identity(endpoint, played.NAME) == ""


# --- what fails


def test_nobody_there(endpoint):
    endpoint.base_url = "http://127.0.0.1:1023/v1"
    endpoint.save()
    with pytest.raises(ProbeFailed, match="mend its address"):
        probing.probe(endpoint, played.NAME)
    with pytest.raises(ProbeFailed, match="cannot be reached"):
        probing.stated_identity(endpoint, played.NAME)
    probe = Probe.objects.get()
    assert probe.ended_at
    assert "cannot be reached" in probe.failure


def test_an_earlier_finding_outlives_a_failed_probe(endpoint, server):
    probing.probe(endpoint, played.NAME)
    server.played = lambda asked: Script(401, body=[b"{}"])
    with pytest.raises(ProbeFailed, match="does not accept the key"):
        probing.probe(endpoint, played.NAME)
    assert len(probing.findings(endpoint, played.NAME)) == 8


def test_a_lost_key(endpoint, settings):
    settings.FIELD_KEYS = ["n" * 40]
    with pytest.raises(ProbeFailed, match="type the server's key anew"):
        probing.probe(endpoint, played.NAME)
    assert Probe.objects.get().ended_at


def test_an_address_that_is_not_allowed(endpoint, settings):
    settings.ENDPOINT_NETWORKS = ()
    with pytest.raises(ProbeFailed, match="ENDPOINT_NETWORKS"):
        probing.probe(endpoint, played.NAME)


# --- two at a time


def test_one_probe_at_a_time_is_begun(endpoint):
    first = probing.begin(endpoint, played.NAME)
    assert first is not None
    assert probing.begin(endpoint, played.NAME) is None
    assert probing.begin(endpoint, "another") is not None
    probing.carry_out(first)
    assert probing.begin(endpoint, played.NAME) is not None


def test_a_probe_that_died_with_its_process_is_begun_anew(endpoint):
    probing.begin(endpoint, played.NAME)
    Probe.objects.update(asked_at=timezone.now() - probing.GIVEN_UP_AFTER - timedelta(seconds=1))
    assert probing.begin(endpoint, played.NAME) is not None


def test_of_two_probes_the_one_that_began_later_counts(endpoint, server):
    early = probing.begin(endpoint, played.NAME)
    server.played = played.llama_server()
    probing.probe(endpoint, played.NAME)
    server.played = played.vllm()
    probing.carry_out(early)
    assert probing.findings(endpoint, played.NAME)[Capability.PROMPT_LOG_PROBABILITIES].verdict == "no"


def test_the_task_may_run_twice(endpoint, server):
    probe = probing.begin(endpoint, played.NAME)
    tasks.probe_model(probe_id=probe.pk)
    n_asked = len(server.played.asked)
    assert n_asked
    tasks.probe_model(probe_id=probe.pk)
    assert len(server.played.asked) == n_asked
    tasks.probe_model(probe_id=probe.pk + 1)  # its endpoint was deleted meanwhile


def test_a_failed_probe_does_not_fail_the_worker(endpoint, server):
    probe = probing.begin(endpoint, played.NAME)
    Endpoint.objects.update(base_url="http://127.0.0.1:1023/v1")
    tasks.probe_model(probe_id=probe.pk)
    probe.refresh_from_db()
    assert "cannot be reached" in probe.failure


def test_progress_is_seen_while_it_goes_on(endpoint, server, monkeypatch):
    seen = []
    findings = probing._Conversation.findings

    def watched(self, *args):
        for finding in findings(self, *args):
            seen.append(Probe.objects.get().n_done)
            yield finding

    monkeypatch.setattr(probing._Conversation, "findings", watched)
    probing.probe(endpoint, played.NAME)
    assert seen == list(range(8))
    assert Probe.objects.get().n_done == 8


# --- the command


def run(*arguments):
    output = StringIO()
    call_command("probe", *arguments, stdout=output, no_color=True)
    return output.getvalue()


def test_the_command_prints_the_table(endpoint):
    printed = run("lab")
    assert "vLLM 0.32.0" in printed
    assert printed.count("yes") >= 8
    assert f"{played.NAME}" in printed
    assert "4,096" in printed or "4096" in printed
    assert SECRET not in printed


def test_the_command_probes_one_model(endpoint, server):
    server.played = replace(played.vllm(), any_name=True)
    assert "other" in run("lab", "--model", "other")
    assert {result.served_name for result in ProbeResult.objects.all()} == {"other"}


def test_the_command_fails_where_nothing_can_be_asked(endpoint, server):
    with pytest.raises(CommandError, match="lab"):
        run("nowhere")
    server.played = lambda asked: Script(500, body=[b"{}"])
    with pytest.raises(CommandError, match="--model"):
        run("lab")
    Endpoint.objects.update(base_url="http://127.0.0.1:1023/v1")
    with pytest.raises(CommandError, match="cannot be reached") as caught:
        run("lab", "--model", "x")
    assert caught.value.returncode == 1


def test_the_command_speaks_turkish(endpoint):
    with translation.override("tr"):
        assert played.NAME in run("lab")
