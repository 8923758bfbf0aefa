"""Engines that misbehave, or remember what they were asked."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from concurrent.futures import Future

from llms.chat import Message, SamplingParams
from llms.engines.base import Engine, FinishReason, LoadingFailed, StreamEnd, StreamEvent, TextDelta, Usage
from llms.models import LanguageModel


class ListeningEngine(Engine):
    """Answers with a number that counts up, and remembers every conversation."""

    def __init__(self) -> None:
        self.conversations: list[list[tuple[str, str]]] = []
        self.samplings: list[SamplingParams] = []

    async def stream(self, messages: Sequence[Message], sampling: SamplingParams) -> AsyncGenerator[StreamEvent]:
        self.conversations.append([(message.role.value, message.content) for message in messages])
        self.samplings.append(sampling)
        yield TextDelta(f"answer {len(self.conversations)}")
        yield StreamEnd(FinishReason.STOP, Usage(1, 2))

    def close(self) -> None: ...


class BrokenEngine(ListeningEngine):
    """Has a defect: raises what no engine may raise."""

    async def stream(self, messages: Sequence[Message], sampling: SamplingParams) -> AsyncGenerator[StreamEvent]:
        yield TextDelta("So far so ")
        raise RuntimeError("a tensor has the wrong shape")


class EndlessEngine(ListeningEngine):
    """Writes until it is stopped, and counts how many do."""

    n_running = 0

    async def stream(self, messages: Sequence[Message], sampling: SamplingParams) -> AsyncGenerator[StreamEvent]:
        self.n_running += 1
        try:
            while True:
                yield TextDelta("word ")
                await asyncio.sleep(0.002)
        finally:
            self.n_running -= 1


class Shelf:
    """Stands in for the pool: an engine for each model, by name."""

    def __init__(self, **engines: Engine) -> None:
        self.engines = engines
        self.on_load: Callable[[LanguageModel], None] = lambda llm: None

    def load(self, llm: LanguageModel) -> "Future[Engine]":
        self.on_load(llm)
        future: Future[Engine] = Future()
        engine = self.engines.get(llm.name.split()[0].lower())
        if engine:
            future.set_result(engine)
        else:
            future.set_exception(LoadingFailed(f"{llm.name} is not on the shelf"))
        return future

    @contextlib.contextmanager
    def hold(self, llm: LanguageModel) -> "Iterator[Future[Engine]]":
        yield self.load(llm)
