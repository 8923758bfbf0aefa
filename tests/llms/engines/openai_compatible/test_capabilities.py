"""A probe tells what a server can do and names what it does wrong: every fault of real servers, played."""

import asyncio
import json
from dataclasses import replace

import pytest

from llms.engines.openai_compatible import completion_questions
from llms.engines.openai_compatible.asking import QUOTED_CHARACTERS, Asker, Patience, Unanswered
from llms.engines.openai_compatible.capabilities import CAPABILITIES, KeyRefused, findings
from llms.engines.openai_compatible.connection import Connection
from llms.engines.openai_compatible.server import Server
from llms.engines.openai_compatible.server_facts import ServerFacts
from llms.models import Capability
from llms.sentences import Sentence
from tests.helpers import played_servers as played
from tests.helpers.model_server import CLOSE, HANG, LOOPBACK, Script, event, model_server
from tests.helpers.waiting import eventually

PATIENCE = Patience(one_reply=5.0, about_itself=2.0, all_together=60.0, when_busy=0.01)
ALL_RIGHT = {
    "chat": "yes",
    "tools": "yes",
    "generated_log_probabilities": "yes",
    "tokenization": "yes",
    "prompt_log_probabilities": "yes",
    "token_ids": "yes",
    "no_new_tokens": "yes",
    "context_length": "yes",
}


@pytest.fixture(scope="module")
def running():
    with model_server() as server:
        yield server


class Report(dict):
    """Finding by capability."""

    server = identity = ""
    models: tuple = ()

    @property
    def verdicts(self):
        return {name: finding.verdict.value for name, finding in self.items()}


@pytest.fixture
def probe(running):
    async def probe(kind, *, name=played.NAME, key="", patience=PATIENCE):
        running.played = kind
        asker = Asker(Server(Connection(running.url, api_key=key, allowed_networks=LOOPBACK)), patience)
        facts, report = ServerFacts(asker), Report()
        try:
            stated = await facts.server()
            served = await facts.of(name)
            report.server, report.models, report.identity = stated.server, stated.models, served.identity
            may_be_long = stated.kind != "transformers serve"
            async for finding in findings(asker, name, served.context, may_be_long=may_be_long):
                report[finding.capability] = finding
        finally:
            await asker.close()
            running.played = None
        return report

    return probe


def test_the_probe_and_the_registry_know_the_same_capabilities():
    assert set(CAPABILITIES) == set(Capability.values)


# --- the kinds of servers


async def test_vllm_can_do_all_and_is_believed(probe):
    report = await probe(played.vllm())
    assert report.verdicts == ALL_RIGHT
    assert report.server == "vLLM 0.32.0"
    assert report.models == (played.NAME,)
    assert report.identity == f"vLLM /cache/models--lab--orion@{played.COMMIT}"
    assert report["context_length"].number == 4096
    assert report["generated_log_probabilities"].number == 20
    assert "and [DONE]" in report["chat"].evidence
    expected = played.log_probability(played.cut("Water is made of hydrogen and"), " oxygen")
    shown = f"{expected:.3f}".replace("-", "−")
    assert f"“ oxygen”, has {shown}, and had {shown} when" in report["prompt_log_probabilities"].evidence
    assert "goes on with “ oxygen”" in report["token_ids"].evidence


async def test_llama_cpp_python_is_shifted_by_one(probe):
    report = await probe(played.llama_cpp_python())
    assert report.server == "llama-cpp-python 0.3.36"
    assert report.identity == ""
    assert report.verdicts == ALL_RIGHT | {
        "prompt_log_probabilities": "wrong",
        "token_ids": "no",
        "no_new_tokens": "wrong",
        "tokenization": "no",
    }
    assert "shifted by one" in report["prompt_log_probabilities"].evidence
    assert "status 500" in report["token_ids"].evidence
    assert "went on writing" in report["no_new_tokens"].evidence
    assert report["context_length"].number == 2048


async def test_llama_server_scores_no_prompts(probe):
    report = await probe(played.llama_server())
    assert report.server == "llama.cpp b6000-abc1234"
    assert report.verdicts == ALL_RIGHT | {"prompt_log_probabilities": "no", "no_new_tokens": "wrong"}
    assert "any name" in report["chat"].evidence
    assert "shape of chat completions" in report["generated_log_probabilities"].evidence
    assert "echo was ignored" in report["prompt_log_probabilities"].evidence
    assert "wrote “ oxygen” all the same" in report["no_new_tokens"].evidence
    assert report["context_length"].number == 1024


async def test_transformers_serve_ignores_fields(probe):
    report = await probe(played.transformers_serve())
    assert report.server == "transformers serve"
    assert report.identity == ""  # main is a branch
    assert report.verdicts == ALL_RIGHT | {
        "generated_log_probabilities": "no",
        "prompt_log_probabilities": "no",
        "token_ids": "no",
        "tokenization": "no",
        "context_length": "unknown",
    }
    assert "without [DONE]" in report["chat"].evidence
    assert f"“{played.NAME}@main”" in report["chat"].evidence
    assert "ignored, with status 200" in report["prompt_log_probabilities"].evidence


async def test_no_prompt_longer_than_its_context_kills_transformers_serve(probe):
    kind = played.transformers_serve()
    await probe(kind)
    assert max(len(json.dumps(asked.body)) for asked in kind.asked) < 2000


async def test_ollama_scores_only_what_it_writes(probe):
    report = await probe(played.ollama())
    assert report.server == "Ollama 0.13.1"
    assert report.identity == f"Ollama sha256:{played.DIGEST}"
    assert report.verdicts == ALL_RIGHT | {
        "prompt_log_probabilities": "no",
        "token_ids": "no",
        "no_new_tokens": "wrong",
        "tokenization": "no",
    }
    assert report["context_length"].number == 131072
    assert "OLLAMA_CONTEXT_LENGTH" in report["context_length"].evidence


async def test_sglang_states_the_version_of_its_weights(probe):
    kind = played.sglang()
    report = await probe(kind)
    assert (report.server, report.identity) == ("SGLang 0.5.4", "SGLang lab/orion-7b step-1200")
    kind.facts["/model_info"]["weight_version"] = "default"
    assert (await probe(kind)).identity == ""
    kind.facts["/get_server_info"]["revision"] = played.COMMIT
    assert (await probe(kind)).identity == f"SGLang lab/orion-7b@{played.COMMIT}"


async def test_text_generation_inference_states_its_commit(probe):
    report = await probe(played.text_generation_inference())
    assert report.server == "text-generation-inference 3.3.6"
    assert report.identity == f"text-generation-inference lab/orion-7b@{played.COMMIT}"
    assert report["context_length"].number == 4096
    assert report["tokenization"].verdict == "unknown"  # nothing counts the tokens that it reads


async def test_a_hosted_service_refuses_the_usual_fields(probe):
    kind = played.hosted()
    report = await probe(kind)
    assert (report.server, report.identity) == ("", "")
    assert report["chat"].verdict == "yes"
    assert '{"token_limit_field": "max_completion_tokens", "send_temperature": false}' in report["chat"].evidence
    assert report["tools"].verdict == "yes"
    assert report["generated_log_probabilities"].evidence.startswith("Over chats only")
    assert report["generated_log_probabilities"].number == 20
    assert report["prompt_log_probabilities"].verdict == "no"
    assert "status 404" in report["prompt_log_probabilities"].evidence


# --- faults, one at a time


@pytest.mark.parametrize(
    ("fault", "capability", "verdict", "words"),
    [
        ({"pieces": 1}, "chat", "wrong", "not write piece by piece"),
        ({"pieces": 0}, "chat", "wrong", "not write piece by piece"),
        ({"done": False, "finish": None}, "chat", "wrong", "without [DONE] and without a finish_reason"),
        ({"finish": None}, "chat", "yes", "without a finish_reason"),
        ({"name": "another"}, "chat", "no", "does not exist"),
        ({"refuses": ("stream",)}, "chat", "no", "status 400"),
        ({"tools": "text"}, "tools", "no", "It is sunny in Ankara."),
        ({"tools": "broken"}, "tools", "wrong", '{"city": '),
        ({"tools": "object"}, "tools", "wrong", "Ankara"),
        ({"refuses": ("tools",)}, "tools", "no", "status 400"),
        ({"most_alternatives": 5}, "generated_log_probabilities", "yes", "5 alternatives"),
        ({"log_probabilities": "positive"}, "generated_log_probabilities", "wrong", "3.500"),
        ({"log_probabilities": "none"}, "generated_log_probabilities", "yes", "Over chats only"),
        ({"log_probabilities": "none"}, "prompt_log_probabilities", "no", "no log-probabilities with it"),
        ({"echo": "shifted"}, "prompt_log_probabilities", "wrong", "shifted by one"),
        ({"echo": "wrong"}, "prompt_log_probabilities", "wrong", "when it was written"),
        ({"echo": "short"}, "prompt_log_probabilities", "wrong", "entries came back for a prompt of 7 tokens"),
        ({"echo": "first"}, "prompt_log_probabilities", "wrong", "nothing comes before it"),
        ({"echo": "holes"}, "prompt_log_probabilities", "wrong", "not only the first"),
        ({"echo": "not top"}, "prompt_log_probabilities", "wrong", "was the most probable token"),
        ({"echo": "null"}, "prompt_log_probabilities", "no", "all null"),
        ({"echo": "no numbers"}, "prompt_log_probabilities", "no", "no log-probabilities with it"),
        ({"echo": "ignored"}, "prompt_log_probabilities", "no", "ignored, with status 200"),
        ({"echo": "generated"}, "prompt_log_probabilities", "no", "that of the token it wrote"),
        ({"completions": "404"}, "prompt_log_probabilities", "no", "status 404"),
        ({"ids": "text"}, "token_ids", "wrong", "was taken for one of"),
        ({"ids": "uncounted"}, "token_ids", "unknown", "does not count"),
        ({"zero": "refused"}, "no_new_tokens", "no", "must be at least 1"),
        ({"zero": "one"}, "no_new_tokens", "wrong", "all the same"),
        ({"zero": "on"}, "no_new_tokens", "wrong", "until the connection was closed"),
        ({"tokenize": "llama"}, "tokenization", "yes", "6 tokens"),
        ({"tokenize": "tgi"}, "tokenization", "yes", "6 tokens"),
        ({"tokenize": "more"}, "tokenization", "wrong", "into 7 tokens, and the model reads 6"),
        ({"first_delay": 1.5}, "generated_log_probabilities", "yes", "log-probability"),
    ],
    ids=lambda value: str(value) if isinstance(value, dict | str) else None,
)
async def test_each_fault_is_named(fault, capability, verdict, words, probe):
    report = await probe(replace(played.vllm(), **fault))
    assert (report[capability].verdict, words) == (verdict, words)
    assert words in report[capability].evidence


async def test_a_prompt_that_proves_nothing_is_followed_by_another(probe, monkeypatch):
    """Where the word before it is as probable as the word itself, a shift could not be seen."""
    monkeypatch.setattr(played, "_FACTS", {"hydrogen": " and", **played._FACTS})
    kind = played.vllm()
    report = await probe(kind)
    assert report["prompt_log_probabilities"].verdict == "yes"
    assert "Paris" in report["prompt_log_probabilities"].evidence


async def test_a_slow_first_call_is_waited_for_and_an_endless_one_is_not(probe):
    patience = replace(PATIENCE, one_reply=0.4)
    kind = replace(played.vllm(), first_delay=30.0)
    report = await probe(kind, patience=patience)
    assert report["generated_log_probabilities"].verdict == "unknown"
    assert "within 0.4 seconds" in report["generated_log_probabilities"].evidence
    assert report["chat"].verdict == "yes"


async def test_all_together_it_ends(probe):
    kind = replace(played.vllm(), first_delay=30.0)
    report = await probe(kind, patience=replace(PATIENCE, all_together=0.5))
    assert list(report) == list(CAPABILITIES)
    assert report["no_new_tokens"].verdict == "unknown"


async def test_it_can_be_cancelled_and_the_server_hears_of_it(probe, running):
    def hangs(asked):
        return Script(body=[HANG]) if "chat" in asked.path else Script(body=[b"{}"])

    n_left = running.n_left
    running.asked.clear()
    task = asyncio.create_task(probe(hangs))
    await eventually(lambda: running.n_active > 0 and any("chat" in asked.path for asked in running.asked))
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await eventually(lambda: running.n_left > n_left)


async def test_a_busy_server_is_asked_once_more(probe):
    kind, n_refused = played.vllm(), 0

    def busy_at_first(asked):
        nonlocal n_refused
        if "chat" in asked.path and not n_refused:
            n_refused += 1
            return Script(429, {"Retry-After": "0"}, [b'{"error": "slow down"}'])
        return kind(asked)

    assert (await probe(busy_at_first)).verdicts == ALL_RIGHT
    always = await probe(lambda asked: Script(429, body=[b"{}"]) if "chat" in asked.path else kind(asked))
    assert always["chat"].verdict == "unknown"
    assert "busy" in always["chat"].evidence


async def test_a_wrong_key_is_no_verdict(probe):
    kind = played.vllm()
    with pytest.raises(KeyRefused):
        await probe(lambda asked: Script(401, body=[b"{}"]) if asked.path.startswith("/v1") else kind(asked))


async def test_nobody_there(running):
    asker = Asker(Server(Connection("http://127.0.0.1:1023/v1", allowed_networks=LOOPBACK)), PATIENCE)
    with pytest.raises(Unanswered, match="Nobody answers there"):
        await ServerFacts(asker).server()


# --- hostile servers

SECRET = "sk-very-secret-indeed"
HOSTILE = [
    b"",
    b"[]",
    b"null",
    b'{"choices": null, "data": {}}',
    b'{"choices": [[]], "data": [[], {"id": 3}, {"id": "\\ud800"}, {"id": ""}]}',
    b'{"choices": [{"message": [], "logprobs": {"content": [null, {}]}, "text": 7}], "usage": {"prompt_tokens": -1}}',
    b'{"choices": [{"message": {"tool_calls": [7]}, "logprobs": {"token_logprobs": ["x", 1e999, NaN]}, "text": "a"}]}',
    b'{"choices": [{"message": {"tool_calls": "x"}, "logprobs": {"token_logprobs": [1'
    + b"0" * 4000
    + b'], "tokens": 3}}]}',
    b'{"version": {"a": []}, "model_info": [], "models": 4, "info": {"title": ["\\u0000"]}, "tokens": [true, "x"]}',
    b"[" * 200_000,
    b'{"data": [{"id": "x"}], "choices": [{"text": "\\u202egnol\\u0000 \\ud800", "message": {"content": "\\u202e\\u0000"}}]}',
    f'{{"error": "your key {SECRET} is bad", "choices": [{{"text": "{SECRET}", "message": {{"content": "{SECRET}"}}}}]}}'.encode(),
]


@pytest.mark.parametrize("body", HOSTILE, ids=range(len(HOSTILE)))
@pytest.mark.parametrize("status", [200, 400])
async def test_whatever_is_answered_there_is_a_verdict_that_can_be_shown(body, status, probe):
    def answers(asked):
        if asked.body.get("stream"):
            return Script(status, body=[body.decode(), event("a"), CLOSE] if status == 200 else [body])
        return Script(status, body=[body])

    report = await probe(answers, key=SECRET)
    assert list(report) == list(CAPABILITIES)
    for finding in report.values():
        assert isinstance(finding.evidence, Sentence)
        assert finding.evidence.isprintable()
        assert SECRET[:8] not in finding.evidence
        assert len(finding.evidence) < 4 * QUOTED_CHARACTERS
    assert all(name.isprintable() for name in (report.server, report.identity, *report.models))


async def test_a_flood_is_not_read_to_its_end(probe, running):
    def floods(asked):
        return Script(body=[event("a" * 1000)] * 5000) if asked.body.get("stream") else Script(body=[b"{}"])

    report = await probe(floods)
    assert report["chat"].verdict == "wrong"


def test_the_known_answers_differ_from_what_stands_beside_them():
    assert len(set(completion_questions.PROMPTS)) == 3
