"""What the engine adds around transformers: failures, limits, queues, and the end of the process."""

import asyncio
import contextlib
import logging
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from llms.chat import SamplingParams
from llms.engines.base import EngineOverloaded, FinishReason, GenerationFailed, LoadingFailed, PromptTooLong, StreamEnd
from llms.engines.huggingface.continuous import ChosenTokens, ContinuousBackend
from llms.engines.huggingface.thread_each import ThreadEachBackend
from tests.llms.engines.tiny import change_json, events_of, load, text_of, user

BOTH_WAYS = pytest.mark.parametrize("batching", ["continuous", "none"])
Start = Callable[..., Any]


@pytest.fixture
def start(tiny_model: Path, tmp_path: Path) -> Iterator[Start]:
    """Bring an engine up, by default with the tiny model; closed after the test."""
    with contextlib.ExitStack() as stack:

        def start_one(source: Path = tiny_model, **options: Any) -> Any:
            return stack.enter_context(contextlib.closing(load("huggingface", source, tmp_path, options)))

        yield start_one


def forward_counter(engine: Any) -> list[float]:
    """Grows by the time of each computation of the model."""
    calls: list[float] = []
    engine._loaded.model.register_forward_hook(lambda *_: calls.append(time.monotonic()))
    return calls


def slow_down(engine: Any) -> None:
    """Some hundred tokens then take some seconds, however fast the machine is."""
    engine._loaded.model.register_forward_pre_hook(lambda *_: time.sleep(0.01))


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(30):
        while not condition():  # noqa: ASYNC110 - nothing in the engine tells
            await asyncio.sleep(0.005)


async def begun(engine: Any, text: str = "hello", max_new_tokens: int = 300) -> Any:
    """A stream that has shown its first piece."""
    stream = engine.stream(user(text), SamplingParams(max_new_tokens=max_new_tokens))
    await anext(stream)
    return stream


@BOTH_WAYS
async def test_after_a_stream_is_closed_the_model_computes_nothing_more(start: Start, batching: str) -> None:
    engine = start(batching=batching)
    slow_down(engine)
    calls = forward_counter(engine)
    stream = await begun(engine)

    await stream.aclose()
    await asyncio.sleep(0.3)
    n_calls = len(calls)
    await asyncio.sleep(0.3)

    assert 0 < n_calls < 300
    assert len(calls) == n_calls


@BOTH_WAYS
async def test_a_failure_inside_the_model_fails_the_stream_and_the_next_one_works(start: Start, batching: str) -> None:
    engine = start(batching=batching)
    slow_down(engine)
    stream = await begun(engine)

    def fail(*_: object) -> None:
        raise RuntimeError("a cosmic ray")

    hook = engine._loaded.model.register_forward_pre_hook(fail)
    with pytest.raises(GenerationFailed, match=r"cosmic ray|stopped"):
        async for _ in stream:
            pass
    hook.remove()

    assert isinstance((await events_of(engine, "again", max_new_tokens=4))[-1], StreamEnd)


async def test_jobs_that_wait_survive_the_death_of_the_manager(start: Start) -> None:
    engine = start(batching="continuous", max_concurrent=1)
    slow_down(engine)
    stream = await begun(engine)
    waiting = asyncio.create_task(events_of(engine, "patience", max_new_tokens=4))
    await until(lambda: engine._backend._waiting)

    def fail(*_: object) -> None:
        hook.remove()
        raise RuntimeError("a cosmic ray")

    hook = engine._loaded.model.register_forward_pre_hook(fail)
    with pytest.raises(GenerationFailed):
        async for _ in stream:
            pass

    assert isinstance((await waiting)[-1], StreamEnd)


async def test_a_manager_that_cannot_be_replaced_fails_everybody(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = start(batching="continuous", max_concurrent=1)
    slow_down(engine)
    stream = await begun(engine)
    waiting = asyncio.create_task(events_of(engine, "patience"))
    await until(lambda: engine._backend._waiting)

    def fail(*_: object) -> None:
        raise RuntimeError("a cosmic ray")

    monkeypatch.setattr(engine._backend, "_new_manager", fail)
    engine._loaded.model.register_forward_pre_hook(fail)

    with pytest.raises(GenerationFailed):
        async for _ in stream:
            pass
    with pytest.raises(GenerationFailed):
        await waiting
    with pytest.raises(GenerationFailed):
        await events_of(engine, "again")


@BOTH_WAYS
async def test_numbers_that_are_none_fail_the_stream(start: Start, batching: str) -> None:
    engine = start(batching=batching)
    engine._loaded.model.lm_head.weight.data.fill_(float("nan"))

    for temperature in (0.0, 1.0):
        with pytest.raises(GenerationFailed, match=r"no number|not finite"):
            await events_of(engine, "hello", temperature=temperature)


@BOTH_WAYS
async def test_an_engine_with_no_room_left_says_so(start: Start, batching: str) -> None:
    engine = start(batching=batching, max_concurrent=1, max_waiting=1)
    slow_down(engine)
    running = await begun(engine)
    waiting = asyncio.create_task(events_of(engine, "patience", max_new_tokens=4))
    await until(lambda: engine._backend._waiting)

    with pytest.raises(EngineOverloaded):
        await events_of(engine, "me too", max_new_tokens=4)

    assert not waiting.done()
    await running.aclose()
    assert isinstance((await waiting)[-1], StreamEnd)


@BOTH_WAYS
async def test_a_stream_that_waits_can_be_cancelled(start: Start, batching: str) -> None:
    engine = start(batching=batching, max_concurrent=1)
    slow_down(engine)
    running = await begun(engine)
    waiting = asyncio.create_task(events_of(engine, "patience", max_new_tokens=4))
    await until(lambda: engine._backend._waiting)

    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting

    assert engine.n_running == 1
    await running.aclose()
    assert engine.n_running == 0


async def test_many_answers_share_a_cache_that_holds_few_of_them(start: Start) -> None:
    engine = start(batching="continuous", max_concurrent=6, cache_tokens=512, max_context=256)

    answers = await asyncio.gather(
        *(events_of(engine, "x" * (7 * number % 90), max_new_tokens=20 + 5 * number) for number in range(24))
    )

    for number, answer in enumerate(answers):
        assert isinstance(answer[-1], StreamEnd)
        assert answer[-1].usage.completion_tokens <= 20 + 5 * number


async def test_leaving_again_and_again_leaks_no_room(start: Start) -> None:
    engine = start(batching="continuous", max_concurrent=4, cache_tokens=512, max_context=256)

    for _ in range(20):
        streams = [await begun(engine, "y" * 80, max_new_tokens=100) for _ in range(2)]
        for stream in streams:
            await stream.aclose()

    assert isinstance((await events_of(engine, "z" * 100, max_new_tokens=100))[-1], StreamEnd)


@BOTH_WAYS
async def test_an_answer_may_fill_the_context_but_not_more(start: Start, batching: str) -> None:
    engine = start(batching=batching, max_context=128)
    n_around = (await events_of(engine, "", max_new_tokens=1))[-1].usage.prompt_tokens  # type: ignore[union-attr]

    end = (await events_of(engine, "x" * (128 - 40 - n_around), max_new_tokens=500, temperature=0))[-1]

    assert isinstance(end, StreamEnd)
    assert end.usage.prompt_tokens == 128 - 40
    assert end.usage.completion_tokens == 40
    assert end.finish_reason is FinishReason.LENGTH
    with pytest.raises(PromptTooLong):
        await events_of(engine, "x" * (128 - 20 - n_around), max_new_tokens=500)


@BOTH_WAYS
async def test_a_seed_repeats_an_answer_whatever_else_runs(start: Start, batching: str) -> None:
    engine = start(batching=batching)
    seeded: dict[str, Any] = {"temperature": 1.0, "top_p": 0.9, "seed": 7, "max_new_tokens": 16}

    alone = text_of(await events_of(engine, "hello", **seeded))
    others = [events_of(engine, f"other {number}", max_new_tokens=16) for number in range(3)]
    in_company = text_of((await asyncio.gather(events_of(engine, "hello", **seeded), *others))[0])
    unseeded = {text_of(await events_of(engine, "hello", **seeded | {"seed": None})) for _ in range(3)}

    assert in_company == alone
    assert len(unseeded) == 3


async def test_both_ways_of_computing_give_the_same_greedy_answer(start: Start) -> None:
    continuous, each = start(batching="continuous"), start(batching="none")

    for text in ("hello", "x" * 300):
        one = await events_of(continuous, text, temperature=0, max_new_tokens=24)
        other = await events_of(each, text, temperature=0, max_new_tokens=24)
        assert text_of(one) == text_of(other)


async def test_a_model_without_attention_falls_back_to_threads(
    start: Start, model_copy: Path, caplog: pytest.LogCaptureFixture
) -> None:
    save_mamba(model_copy)

    with caplog.at_level(logging.WARNING, "llms"):
        engine = start(model_copy)

    assert isinstance(engine._backend, ThreadEachBackend)
    assert "ContinuousBackend cannot run this model" in caplog.text
    assert isinstance((await events_of(engine, "hello", max_new_tokens=4))[-1], StreamEnd)
    with pytest.raises(LoadingFailed):
        start(model_copy, batching="continuous")


def save_mamba(folder: Path) -> None:
    from transformers import MambaConfig, MambaForCausalLM

    config = MambaConfig(
        vocab_size=258, hidden_size=32, state_size=4, num_hidden_layers=2, eos_token_id=0, pad_token_id=0
    )
    MambaForCausalLM(config).save_pretrained(folder)


def test_a_way_of_computing_that_gives_wrong_tokens_is_found_out(
    start: Start, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(ChosenTokens, "_choose", lambda self, logits, number: int(logits.argmin()))

    with caplog.at_level(logging.WARNING, "llms"):
        engine = start()

    assert isinstance(engine._backend, ThreadEachBackend)
    assert "other tokens" in caplog.text


def test_models_usually_run_in_continuous_batches(start: Start) -> None:
    assert isinstance(start()._backend, ContinuousBackend)


def test_closing_frees_every_thread(start: Start) -> None:
    before = set(threading.enumerate())
    engine = start()
    asyncio.run(events_of(engine, "hello", max_new_tokens=4))
    assert set(threading.enumerate()) > before

    engine.close()

    assert set(threading.enumerate()) <= before


@BOTH_WAYS
def test_closing_frees_the_weights(start: Start, batching: str) -> None:
    engine = start(batching=batching)
    model = weakref.ref(engine._loaded.model)

    engine.close()

    assert model() is None


@pytest.mark.slow
@BOTH_WAYS
def test_a_process_that_forgets_to_close_ends_all_the_same(tiny_model: Path, tmp_path: Path, batching: str) -> None:
    program = f"""
import asyncio
from pathlib import Path
from llms.chat import SamplingParams
from tests.llms.engines.tiny import load, user
engine = load("huggingface", {str(tiny_model)!r}, Path({str(tmp_path)!r}), {{"batching": {batching!r}}})
loop = asyncio.new_event_loop()
stream = engine.stream(user("hello"), SamplingParams(max_new_tokens=900))
loop.run_until_complete(anext(stream))
print("leaving")
"""
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120)

    assert ended.stdout == "leaving\n"
    assert ended.returncode == 0, ended.stderr


@pytest.mark.slow
def test_checking_a_model_loads_no_torch(tiny_model: Path) -> None:
    program = f"""
import sys
from llms.engines.registry import engine_class
assert engine_class("huggingface").problems({str(tiny_model)!r}, "", {{}}) == []
assert "torch" not in sys.modules and "transformers" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)


def test_missing_tensors_are_not_made_up(start: Start, model_copy: Path) -> None:
    from safetensors.torch import load_file, save_file

    weights = load_file(model_copy / "model.safetensors")
    del weights["model.layers.1.mlp.up_proj.weight"]
    save_file(weights, model_copy / "model.safetensors", {"format": "pt"})

    with pytest.raises(LoadingFailed, match="lack 1 of"):
        start(model_copy)


def test_a_hub_model_that_cannot_be_fetched_says_what_to_do(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)

    with pytest.raises(LoadingFailed, match="network"):
        start(Path("nobody/has-this-model"))


def test_a_context_beyond_the_model_is_refused(start: Start) -> None:
    with pytest.raises(LoadingFailed, match="1024 tokens only"):
        start(max_context=4096)


def test_a_device_that_is_not_there_is_refused(start: Start) -> None:
    with pytest.raises(LoadingFailed, match="no device cuda:7"):
        start(device="cuda:7")


def test_what_the_loader_refuses_the_checks_name_too(start: Start, model_copy: Path) -> None:
    change_json(model_copy / "config.json", auto_map={"AutoModelForCausalLM": "modeling_evil.Evil"})

    with pytest.raises(LoadingFailed, match="program code"):
        start(model_copy)


def test_a_damaged_model_fails_to_load_with_a_reason(start: Start, model_copy: Path) -> None:
    change_json(model_copy / "config.json", model_type="unheard-of")

    with pytest.raises(LoadingFailed, match="unheard-of"):
        start(model_copy)


async def test_half_precision_works(start: Start) -> None:
    engine = start(dtype="bfloat16")

    assert isinstance((await events_of(engine, "hello", max_new_tokens=8))[-1], StreamEnd)
