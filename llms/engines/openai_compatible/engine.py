"""Whatever speaks the chat protocol of OpenAI: vLLM, SGLang, llama.cpp, Ollama, LM Studio, hosted services."""

import asyncio
import contextlib
import random
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Self
from urllib.parse import urlsplit

from llms.chat import Message, SamplingParams
from llms.engines.base import (
    Completion,
    Engine,
    EngineError,
    FinishReason,
    GenerationFailed,
    LoadingFailed,
    LoglikelihoodRequest,
    Queued,
    ReasoningDelta,
    RequestRejected,
    RequestScores,
    ScoringMethod,
    StreamEnd,
    StreamEvent,
    TextDelta,
    TextStatistics,
    Usage,
)
from llms.engines.deadlines import Deadlines, within_deadlines
from llms.engines.openai_compatible.connection import Connection
from llms.engines.openai_compatible.replies import DONE, Chunk, read_chunk
from llms.engines.openai_compatible.scoring.scorer import ServedScorer
from llms.engines.openai_compatible.server import SILENCE_SECONDS, Server, Trouble, release, server_of
from llms.engines.options import BadOptions, read_options
from llms.engines.stop_strings import StopFilter
from llms.sentences import filled, mark
from telemetry.metrics import ENGINE_RETRIES

ATTEMPTS = 3
"""Before the first word. Once there is one, another try would be another answer."""
LONGEST_PAUSE_SECONDS = 10.0
LAST_BYTES_SECONDS = 0.3
MOST_CHARACTERS = 1_000_000
"""Of one answer and the thoughts before it: only a server that does not count its tokens writes more."""
PATIENCE = Deadlines(first_token=600.0, between_tokens=SILENCE_SECONDS, total=3600.0)
"""Of who asks for many answers and reads none: for a server that comes to no end. Others have their own."""
_NO_ENDPOINT = mark("This engine needs an endpoint: choose the server that has the model.")
_NO_REASON = mark("the server ended the stream without saying why")
_NO_NAME = mark("The source must be the model's name at its endpoint.")
LEAST_CONTEXT = 64


@dataclass(frozen=True, slots=True)
class EndpointOptions:
    token_limit_field: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"  # noqa: S105
    """Some hosted models know only the second."""
    send_temperature: bool = True
    """Some hosted models refuse any but their own."""
    reasoning_effort: Literal["none", "minimal", "low", "medium", "high"] | None = None
    tokenizer: str | None = None
    """A folder with tokenizer.json, or a hub id: benchmarks cut their texts with it. Unset: the server is asked to,
    which takes longer."""
    max_context: int | None = None
    """Tokens that the server reads at once; unset: what it states. Benchmarks cut longer texts at their beginning."""

    def __post_init__(self) -> None:
        if self.max_context is not None and self.max_context < LEAST_CONTEXT:
            words = mark("%(name)s must be at least %(least)s, not %(value)s")
            raise ValueError(filled(words, name="max_context", least=LEAST_CONTEXT, value=self.max_context))


class OpenAICompatibleEngine(Engine):
    def __init__(self, server: Server, name: str, options: EndpointOptions) -> None:
        self._server = server
        self._name = name
        self._options = options
        self._asks_for_usage = True
        self._lock = threading.Lock()
        self._is_closed = False
        self._n_running = 0
        self._scorer = ServedScorer(server, name, options.tokenizer, options.max_context)
        self._patience: dict[asyncio.Timeout, asyncio.AbstractEventLoop] = {}
        """A timeout without end for each stream that waits for its next event. Closing the engine ends them."""

    @classmethod
    def from_options(
        cls,
        source: str,
        revision: str,
        options: Mapping[str, Any],
        *,
        cache_dir: Path,
        connection: Connection | None = None,
    ) -> Self:
        """`source` is the model's name at the server. Nothing is asked of the server yet: it may come up later."""
        if connection is None:
            raise LoadingFailed(filled(_NO_ENDPOINT))
        if not source:
            raise LoadingFailed(filled(_NO_NAME))
        chosen = read_options(EndpointOptions, options)
        return cls(server_of(connection), source, chosen)

    @classmethod
    def problems(cls, source: str, revision: str, options: Mapping[str, Any]) -> list[str]:
        try:
            read_options(EndpointOptions, options)
        except BadOptions as error:
            return [error.args[0]]
        return [] if source else [filled(_NO_NAME)]

    @property
    def n_running(self) -> int:
        """Streams that somebody reads at the moment."""
        return self._n_running

    async def stream(self, messages: Sequence[Message], sampling: SamplingParams) -> AsyncGenerator[StreamEvent]:
        self._n_running += 1
        try:
            async with contextlib.aclosing(self._in_turn(messages, sampling)) as events:
                while (event := await self._next_of(events)) is not None:
                    yield event
        finally:
            self._n_running -= 1

    def generate(self, conversations: Sequence[Sequence[Message]], sampling: SamplingParams) -> list[Completion]:
        """As many at once as the endpoint allows. The first that fails ends all."""
        if self._is_closed:
            raise GenerationFailed("the engine is closed")
        return asyncio.run(self._generate(conversations, sampling))

    def loglikelihoods(self, requests: Sequence[LoglikelihoodRequest]) -> Iterator[RequestScores]:
        return self._scorer.loglikelihoods(requests)

    def token_statistics(self, texts: Sequence[str]) -> Iterator[TextStatistics]:
        return self._scorer.token_statistics(texts)

    def scoring_method(self) -> ScoringMethod:
        return self._scorer.method()

    def close(self) -> None:
        """Connections belong to the server, which other models may use."""
        with self._lock:
            if self._is_closed:
                return
            self._is_closed = True
            self._scorer.close()
            for timeout, loop in self._patience.items():
                with contextlib.suppress(RuntimeError):  # a loop that is closed has no reader left to tell
                    loop.call_soon_threadsafe(timeout.reschedule, 0)
        release(self._server)

    async def _generate(self, conversations: Sequence[Sequence[Message]], sampling: SamplingParams) -> list[Completion]:
        places = asyncio.Semaphore(self._server.connection.max_concurrent)

        async def complete(messages: Sequence[Message]) -> Completion:
            async with places:
                return await self._completion(messages, sampling)

        tasks = [asyncio.ensure_future(complete(messages)) for messages in conversations]
        try:
            return list(await asyncio.gather(*tasks))
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self._server.close()

    async def _completion(self, messages: Sequence[Message], sampling: SamplingParams) -> Completion:
        text, n_received = "", 0
        async with contextlib.aclosing(within_deadlines(self.stream(messages, sampling), PATIENCE)) as events:
            async for event in events:
                if isinstance(event, StreamEnd):
                    return Completion(text, event.finish_reason, event.usage)
                if isinstance(event, TextDelta):
                    text += event.text
                n_received += 0 if isinstance(event, Queued) else len(event.text)
                if n_received > MOST_CHARACTERS:
                    return Completion(text[:MOST_CHARACTERS], FinishReason.LENGTH, Usage(None, None))
        raise GenerationFailed("the stream ended without saying so")

    async def _next_of(self, events: AsyncGenerator[StreamEvent]) -> StreamEvent | None:
        """None at the end. Raises `GenerationFailed` when the engine is closed, however long the server is silent."""
        timeout = asyncio.timeout(None)
        try:
            async with timeout:
                with self._lock:
                    if self._is_closed:
                        raise GenerationFailed("the engine is closed")
                    self._patience[timeout] = asyncio.get_running_loop()
                return await anext(events, None)
        except TimeoutError:
            raise GenerationFailed("the engine was closed") from None
        finally:
            with self._lock:
                self._patience.pop(timeout, None)

    async def _in_turn(self, messages: Sequence[Message], sampling: SamplingParams) -> AsyncGenerator[StreamEvent]:
        line, is_served = self._server.line, False
        try:
            async with contextlib.aclosing(line.stand()) as standing:
                async for n_before in standing:
                    yield Queued(n_before)
                is_served = True
            async with contextlib.aclosing(self._with_retries(self._payload(messages, sampling), sampling)) as answer:
                async for event in answer:
                    yield event
        finally:
            if is_served:
                line.leave()

    async def _with_retries(self, payload: dict[str, Any], sampling: SamplingParams) -> AsyncGenerator[StreamEvent]:
        attempt = 0
        while True:
            try:
                async with contextlib.aclosing(self._attempt(payload, sampling)) as events:
                    async for event in events:
                        yield event
                return
            except Trouble as trouble:
                if self._refuses_to_count(payload, trouble.error):
                    del payload["stream_options"]
                    continue
                attempt += 1
                if trouble.after is None or attempt == ATTEMPTS or trouble.after > LONGEST_PAUSE_SECONDS:
                    raise trouble.error from trouble
                pause = max(trouble.after, 0.25 * 2**attempt * (0.5 + random.random()))  # noqa: S311 - only spreads them
            ENGINE_RETRIES.labels(urlsplit(self._server.connection.base_url).netloc).inc()
            await asyncio.sleep(pause)

    def _refuses_to_count(self, payload: Mapping[str, Any], error: EngineError) -> bool:
        """Older servers do not know `stream_options`. Later requests do not send it any more."""
        refuses = "stream_options" in payload and isinstance(error, RequestRejected) and "stream_options" in str(error)
        if refuses:
            self._asks_for_usage = False
        return refuses

    async def _attempt(self, payload: dict[str, Any], sampling: SamplingParams) -> AsyncGenerator[StreamEvent]:
        """Raises `Trouble` before the first event, `EngineError` from then on."""
        stops = StopFilter(sampling.stop)
        reason: FinishReason | None = None
        usage: Usage | None = None
        async with contextlib.aclosing(self._chunks(payload)) as chunks:
            async for data in chunks:
                if data == DONE:  # some say no more than this
                    reason = reason or FinishReason.STOP
                    continue
                chunk = self._read(data)
                reason, usage = chunk.finish_reason or reason, chunk.usage or usage
                if chunk.reasoning:
                    yield ReasoningDelta(chunk.reasoning)
                if text := stops.push(chunk.text):
                    yield TextDelta(text)
                if stops.found:  # a server that does not know stop strings would go on
                    reason = FinishReason.STOP
                    break
        if reason is None:
            raise GenerationFailed(filled(_NO_REASON))
        if text := stops.flush():
            yield TextDelta(text)
        yield StreamEnd(reason, usage or Usage(None, None))

    async def _chunks(self, payload: dict[str, Any]) -> AsyncGenerator[str]:
        events: AsyncIterator[str] = self._server.events("/chat/completions", payload)
        async with contextlib.aclosing(events) as open_events:  # type: ignore[type-var]
            async for data in open_events:
                if data.strip() == DONE:
                    yield DONE
                    break
                yield data
            with contextlib.suppress(TimeoutError):  # a reply that is read to its end leaves its connection to others
                async with asyncio.timeout(LAST_BYTES_SECONDS):
                    async for _ in open_events:
                        pass

    def _read(self, data: str) -> Chunk:
        return read_chunk(data, self._server.quoted)

    def _payload(self, messages: Sequence[Message], sampling: SamplingParams) -> dict[str, Any]:
        options = self._options
        payload: dict[str, Any] = {
            "model": self._name,
            "messages": [{"role": message.role.value, "content": _sendable(message.content)} for message in messages],
            "stream": True,
            options.token_limit_field: sampling.max_new_tokens,
        }
        if self._asks_for_usage:
            payload["stream_options"] = {"include_usage": True}
        if options.send_temperature:
            payload["temperature"] = sampling.temperature
        if sampling.top_p < 1:
            payload["top_p"] = sampling.top_p
        if sampling.top_k:
            payload["top_k"] = sampling.top_k
        if sampling.stop:
            payload["stop"] = list(sampling.stop)
        if sampling.seed is not None:
            payload["seed"] = sampling.seed
        if options.reasoning_effort:
            payload["reasoning_effort"] = options.reasoning_effort
        return payload


def _sendable(text: str) -> str:
    """Halves of characters, which JSON could carry, but no server expects."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
