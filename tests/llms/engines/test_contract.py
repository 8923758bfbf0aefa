"""What every engine of the registry promises, asked of each of them."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from llms.chat import Message, Role, SamplingParams
from llms.engines.base import (
    Engine,
    EngineError,
    FinishReason,
    GenerationFailed,
    LoadingFailed,
    LoglikelihoodRequest,
    NotSupported,
    PromptTooLong,
    StreamEnd,
    TextDelta,
)
from llms.engines.openai_compatible.connection import Connection
from llms.engines.openai_compatible.server import close_connections
from llms.engines.registry import ENGINES, engine_class
from tests.helpers.model_server import LOOPBACK, Script, model_server
from tests.llms.engines.tiny import events_of, load, text_of, user


class Setup(NamedTuple):
    """One way to bring an engine up for these tests, with an answer of hundreds of tokens and a limit for prompts."""

    engine: str
    options: Mapping[str, Any]
    needs_weights: bool = False
    needs_server: bool = False
    scores: bool = True
    """Given continuations and texts."""


SETUPS = {
    "echo": Setup("echo", {"reply": "word " * 800, "delay": 0.001, "max_prompt_characters": 2000}),
    "huggingface, continuous batching": Setup(
        "huggingface", {"batching": "continuous", "device": "cpu"}, needs_weights=True
    ),
    "huggingface, a thread for each": Setup("huggingface", {"batching": "none", "device": "cpu"}, needs_weights=True),
    "openai_compatible": Setup("openai_compatible", {}, needs_server=True, scores=False),
    "huggingface, eight bits": Setup("huggingface", {"quantization": "int8-dynamic"}, needs_weights=True),
}


@pytest.fixture(params=SETUPS.values(), ids=SETUPS.keys(), scope="module")
def setup(request: pytest.FixtureRequest) -> Setup:
    chosen: Setup = request.param
    return chosen


@pytest.fixture(scope="module")
def source(setup: Setup, request: pytest.FixtureRequest) -> str:
    if setup.needs_server:
        return "orion"
    return str(request.getfixturevalue("tiny_model")) if setup.needs_weights else ""


@pytest.fixture(scope="module")
def connection(setup: Setup) -> Iterator[Connection | None]:
    if not setup.needs_server:
        yield None
        return
    with model_server() as server:
        server.scripts["orion"] = Script(delay=0.001, max_prompt_characters=2000)
        yield Connection(server.url, allowed_networks=LOOPBACK)


@pytest.fixture(scope="module")
def engine(
    setup: Setup, source: str, connection: Connection | None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Any]:
    cache_dir = tmp_path_factory.mktemp("cache")
    with contextlib.closing(load(setup.engine, source, cache_dir, setup.options, connection)) as engine:
        yield engine


@pytest.fixture
def own_engine(setup: Setup, source: str, connection: Connection | None, tmp_path: Path) -> Iterator[Any]:
    """One that the test may close."""
    with contextlib.closing(load(setup.engine, source, tmp_path, setup.options, connection)) as engine:
        yield engine


@pytest.fixture(autouse=True)
async def _no_connection_is_left_open(connection: Connection | None) -> AsyncIterator[None]:
    """Each test has an event loop of its own."""
    yield
    await close_connections()


def test_every_registered_engine_is_tested_here() -> None:
    assert {setup.engine for setup in SETUPS.values()} == set(ENGINES)


async def test_a_stream_is_texts_and_then_one_end(engine: Engine) -> None:
    *deltas, end = await events_of(engine, "hello", temperature=0, max_new_tokens=24)

    assert deltas
    assert all(isinstance(delta, TextDelta) and delta.text for delta in deltas)
    assert isinstance(end, StreamEnd)


async def test_an_answer_has_no_more_tokens_than_were_allowed(engine: Engine) -> None:
    for allowed in (1, 7):
        end = (await events_of(engine, "hello", temperature=0, max_new_tokens=allowed))[-1]

        assert isinstance(end, StreamEnd)
        assert end.finish_reason is FinishReason.LENGTH
        assert end.usage.completion_tokens == allowed


async def test_usage_counts_the_prompt(engine: Engine) -> None:
    short = (await events_of(engine, "one", max_new_tokens=2))[-1]
    long = (await events_of(engine, "one " * 50, max_new_tokens=2))[-1]

    assert isinstance(short, StreamEnd)
    assert isinstance(long, StreamEnd)
    assert 0 < short.usage.prompt_tokens < long.usage.prompt_tokens


async def test_greedy_answers_repeat_themselves(engine: Engine) -> None:
    first = await events_of(engine, "hello", temperature=0, max_new_tokens=24)
    second = await events_of(engine, "hello", temperature=0, max_new_tokens=24)

    assert text_of(first) == text_of(second)


async def test_a_stop_string_ends_the_answer_and_is_not_shown(engine: Engine) -> None:
    whole = text_of(await events_of(engine, "hello", temperature=0, max_new_tokens=24))
    stop = whole[3:6]

    events = await events_of(engine, "hello", temperature=0, max_new_tokens=24, stop=(stop,))

    assert text_of(events) == whole[: whole.index(stop)]
    assert isinstance(events[-1], StreamEnd)
    assert events[-1].finish_reason is FinishReason.STOP


async def test_closing_a_stream_stops_the_computation(engine: Any) -> None:
    stream = engine.stream(user("hello"), SamplingParams(max_new_tokens=900))
    await anext(stream)
    assert engine.n_running == 1

    await stream.aclose()

    assert engine.n_running == 0


async def test_cancelling_the_reader_stops_the_computation(engine: Any) -> None:
    begun = asyncio.Event()

    async def read() -> None:
        async for _ in engine.stream(user("hello"), SamplingParams(max_new_tokens=900)):
            begun.set()

    reader = asyncio.create_task(read())
    await begun.wait()
    reader.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reader

    assert engine.n_running == 0


async def test_two_streams_run_side_by_side(engine: Engine) -> None:
    order: list[str] = []

    async def read(name: str) -> None:
        async for _ in engine.stream(user(name), SamplingParams(max_new_tokens=40)):
            order.append(name)

    await asyncio.gather(read("left"), read("right"))

    assert order.index("right") < len(order) - 1 - order[::-1].index("left")
    assert order.index("left") < len(order) - 1 - order[::-1].index("right")


async def test_streams_may_be_read_in_different_event_loops(engine: Engine) -> None:
    async def read(text: str) -> str:
        events = await events_of(engine, text, temperature=0, max_new_tokens=16)
        await close_connections()
        return text_of(events)

    def read_in_own_loop(text: str) -> str:
        return asyncio.run(read(text))

    alone = [text_of(await events_of(engine, text, temperature=0, max_new_tokens=16)) for text in ("a", "b", "c")]
    together = await asyncio.gather(*(asyncio.to_thread(read_in_own_loop, text) for text in ("a", "b", "c")))

    assert together == alone


async def test_an_earlier_conversation_is_part_of_the_prompt(engine: Engine) -> None:
    messages = [
        Message(Role.SYSTEM, "Be brief."),
        Message(Role.USER, "Hello."),
        Message(Role.ASSISTANT, "Good day."),
        Message(Role.USER, "And now?"),
    ]
    sampling = SamplingParams(max_new_tokens=2)

    long = [event async for event in engine.stream(messages, sampling)][-1]
    short = [event async for event in engine.stream(messages[-1:], sampling)][-1]

    assert isinstance(long, StreamEnd)
    assert isinstance(short, StreamEnd)
    assert long.usage.prompt_tokens > short.usage.prompt_tokens


async def test_a_prompt_that_does_not_fit_is_refused(engine: Engine) -> None:
    with pytest.raises(PromptTooLong) as failure:
        await events_of(engine, "far too long " * 1000)

    assert failure.value.user_message


async def test_odd_characters_do_no_harm(engine: Engine) -> None:
    events = await events_of(engine, "\0 <|im_end|> 🏳️‍🌈 ıİğ \ud800 {{ 7*7 }} {prompt}", max_new_tokens=4)

    assert isinstance(events[-1], StreamEnd)


def test_many_conversations_are_answered_in_their_order(engine: Engine) -> None:
    conversations = [user(f"number {number}") for number in range(12)]
    sampling = SamplingParams(temperature=0, max_new_tokens=8)

    completions = engine.generate(conversations, sampling)

    assert completions == [engine.generate([conversation], sampling)[0] for conversation in conversations]
    assert all(completion.usage.completion_tokens <= 8 for completion in completions)


async def test_a_batch_gives_what_a_stream_gives(engine: Engine) -> None:
    sampling = SamplingParams(temperature=0, max_new_tokens=12)

    (completion,) = await asyncio.to_thread(engine.generate, [user("hello")], sampling)

    assert completion.text == text_of(await events_of(engine, "hello", temperature=0, max_new_tokens=12))


async def test_closing_the_engine_ends_its_streams(own_engine: Engine) -> None:
    stream = own_engine.stream(user("hello"), SamplingParams(max_new_tokens=900))
    await anext(stream)

    await asyncio.to_thread(own_engine.close)

    with pytest.raises(GenerationFailed):
        async for _ in stream:
            pass
    with pytest.raises(GenerationFailed):
        await events_of(own_engine, "again")
    with pytest.raises(GenerationFailed):
        own_engine.generate([user("again")], SamplingParams())


def test_an_engine_may_be_closed_twice(own_engine: Engine) -> None:
    own_engine.close()
    own_engine.close()


REQUESTS = [
    LoglikelihoodRequest("The sky is", (" blue", " green")),
    LoglikelihoodRequest("Grass is", (" green",)),
    LoglikelihoodRequest("", ("Once upon a time",)),
]


def of_those(*, that_score: bool) -> pytest.MarkDecorator:
    chosen = {name: setup for name, setup in SETUPS.items() if setup.scores is that_score}
    return pytest.mark.parametrize("setup", chosen.values(), ids=chosen.keys(), indirect=True)


@of_those(that_score=False)
def test_what_an_engine_cannot_score_it_says_at_once(engine: Engine) -> None:
    for ask in (
        lambda: engine.loglikelihoods(REQUESTS),
        lambda: engine.token_statistics(["Once upon a time"]),
        lambda: engine.check_scores(REQUESTS),
        engine.scoring_method,
    ):
        with pytest.raises(NotSupported):
            ask()


@of_those(that_score=True)
def test_every_request_is_scored_once_and_whole(engine: Engine) -> None:
    found = list(engine.loglikelihoods(REQUESTS))

    assert sorted(index for index, _ in found) == [0, 1, 2]
    for index, scores in found:
        assert len(scores) == len(REQUESTS[index].continuations)
        assert all(score.log_probability < 0 and score.n_tokens > 0 for score in scores)


@of_those(that_score=True)
def test_the_same_texts_have_the_same_scores(engine: Engine) -> None:
    first, second = (dict(engine.loglikelihoods(REQUESTS)) for _ in range(2))

    assert first == second


@of_those(that_score=True)
def test_statistics_come_for_each_token_of_each_text(engine: Engine) -> None:
    found = dict(engine.token_statistics(["Once upon a time", "", "there was"]))

    assert sorted(found) == [0, 1, 2]
    assert found[1].log_probabilities == ()
    for statistics in found.values():
        assert len(statistics.log_probabilities) == len(statistics.means) == len(statistics.standard_deviations)
    assert all(value < 0 for value in found[0].means)


@of_those(that_score=True)
def test_it_says_how_it_scores(engine: Engine) -> None:
    method = engine.scoring_method()

    assert method.scheme
    assert method.max_length > 0


@of_those(that_score=True)
def test_its_own_check_of_scores_passes(engine: Engine) -> None:
    check = engine.check_scores(REQUESTS)

    assert check.has_passed
    assert (check.n, check.n_flipped) == (3, 0)


@of_those(that_score=True)
def test_a_closed_engine_scores_nothing(own_engine: Engine) -> None:
    scores = own_engine.loglikelihoods(REQUESTS)
    own_engine.close()
    with pytest.raises(GenerationFailed):
        list(scores)
    with pytest.raises(GenerationFailed):
        own_engine.loglikelihoods(REQUESTS)


def test_an_unknown_option_is_refused(setup: Setup, source: str, connection: Connection | None, tmp_path: Path) -> None:
    options = {**setup.options, "tempersture": 1}

    with pytest.raises(LoadingFailed, match="tempersture"):
        load(setup.engine, source, tmp_path, options, connection)
    (problem,) = engine_class(setup.engine).problems(source, "", options)
    assert "tempersture" in problem


def test_a_good_set_up_has_no_problems(setup: Setup, source: str) -> None:
    assert engine_class(setup.engine).problems(source, "", setup.options) == []


@pytest.mark.parametrize("nonsense", ["", "../../etc/passwd", "/nowhere/at all", "a\nb", "/etc/passwd", "x" * 5000])
def test_problems_are_sentences_whatever_the_source(setup: Setup, nonsense: str) -> None:
    problems = engine_class(setup.engine).problems(nonsense, "", {})

    assert all(problem.endswith(".") and len(problem) > 20 for problem in problems)
    assert bool(problems) is (setup.needs_weights or (setup.needs_server and not nonsense))


def test_every_error_has_something_to_tell_its_user() -> None:
    pending = [EngineError]
    while pending:
        kind = pending.pop()
        assert kind.user_message.endswith(".")
        pending += kind.__subclasses__()
