"""An engine that follows a script: for tests, for load tests, and to show what each kind of failure looks like.

What it answers is settled by its options and the conversation alone. A chunk of the script stands for a token.
"""

import asyncio
import contextlib
import hashlib
import math
import threading
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Self

from llms.chat import Message, Role, SamplingParams
from llms.engines.base import (
    Completion,
    ContinuationScore,
    Engine,
    FinishReason,
    GenerationFailed,
    LoglikelihoodRequest,
    PromptTooLong,
    RequestScores,
    ScoringMethod,
    SelfCheck,
    StreamEnd,
    StreamEvent,
    TextDelta,
    TextStatistics,
    TokenStatistics,
    Usage,
    error_class,
    never,
)
from llms.engines.openai_compatible.connection import Connection
from llms.engines.options import BadOptions, read_options
from llms.engines.stop_strings import StopFilter
from llms.sentences import filled, mark

ErrorCode = Literal[
    "not_supported",
    "loading_failed",
    "prompt_too_long",
    "overloaded",
    "generation_failed",
    "first_token_timeout",
    "stalled",
    "total_timeout",
]
PROMPT = "{prompt}"
FOR_EVER = math.inf
LONGEST_TEXT = 2048
"""Tokens that scoring sees at once."""


@dataclass(frozen=True, slots=True)
class EchoOptions:
    reply: str | None = None
    """The answer; `{prompt}` in it stands for the last message. Without any script: that message itself."""
    replies: tuple[str, ...] = ()
    """Answers to choose from, by a digest of the conversation."""
    chunks: tuple[str, ...] = ()
    """The answer, cut into exactly these chunks."""
    chunk_size: int = 4
    """Characters a chunk, for `reply` and `replies`."""
    first_delay: float = 0.0
    """Seconds before the first chunk."""
    delay: float = 0.0
    """Seconds before every further chunk."""
    fail_at: int | None = None
    """Fail in place of this chunk; the first is 0. An answer that ends before it succeeds."""
    fail_with: ErrorCode = "generation_failed"
    fail_times: int | None = None
    """Only this many answers fail, later ones succeed. Without `fail_at` they fail in place of the first chunk."""
    hang_at: int | None = None
    """Stay silent for ever in place of this chunk."""
    finish_reason: Literal["stop", "length"] = "stop"
    max_prompt_characters: int | None = None
    """A longer conversation is refused as too long."""

    def __post_init__(self) -> None:
        scripts = [name for name in ("reply", "replies", "chunks") if getattr(self, name) not in (None, ())]
        if len(scripts) > 1:
            words = mark("%(one)s cannot stand beside %(other)s: give one script")
            raise ValueError(filled(words, one=scripts[0], other=scripts[1]))
        if self.chunk_size < 1:
            words = mark("%(name)s must be at least %(least)s, not %(value)s")
            raise ValueError(filled(words, name="chunk_size", least=1, value=self.chunk_size))
        if not all(self.chunks):
            raise ValueError(filled(mark("chunks must not hold an empty text")))
        for name in ("first_delay", "delay", "fail_at", "fail_times", "hang_at", "max_prompt_characters"):
            value = getattr(self, name)
            if value is not None and value < 0:
                raise ValueError(filled(mark("%(name)s must not be negative"), name=name))


@dataclass(frozen=True, slots=True)
class Pause:
    """A step of the script: stay silent for so many seconds."""

    seconds: float


class EchoEngine(Engine):
    def __init__(self, options: EchoOptions) -> None:
        self._options = options
        self._lock = threading.Lock()
        self._n_failed = 0
        self._closed = False
        self._ended = threading.Event()
        self._running: dict[asyncio.Event, asyncio.AbstractEventLoop] = {}
        """For each stream an event that ends it, and the loop in which that event may be set."""

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
        """The other arguments may say anything: there is nothing to load."""
        return cls(read_options(EchoOptions, options))

    @classmethod
    def problems(cls, source: str, revision: str, options: Mapping[str, Any]) -> list[str]:
        try:
            read_options(EchoOptions, options)
        except BadOptions as error:
            return [error.args[0]]
        return []

    @property
    def n_running(self) -> int:
        """Streams that somebody reads at the moment."""
        return len(self._running)

    async def stream(self, messages: Sequence[Message], sampling: SamplingParams) -> AsyncGenerator[StreamEvent]:
        ended = asyncio.Event()
        with self._lock:
            if self._closed:
                raise GenerationFailed("the engine is closed")
            self._running[ended] = asyncio.get_running_loop()
        try:
            for step in self._script(messages, sampling):
                if isinstance(step, Pause):
                    await _pause(step.seconds, ended)
                else:
                    yield step
        finally:
            with self._lock:
                del self._running[ended]

    def generate(self, conversations: Sequence[Sequence[Message]], sampling: SamplingParams) -> list[Completion]:
        """All answers at once, without pauses. Where the script fails or hangs, the whole call fails."""
        self._must_be_open()
        return [self._complete(messages, sampling) for messages in conversations]

    def loglikelihoods(self, requests: Sequence[LoglikelihoodRequest]) -> Iterator[RequestScores]:
        """Made up from a digest of the texts, but what the script would answer is likeliest. Pauses before each request
        as before a chunk, and fails or hangs in place of a request where the script does so in place of a chunk."""
        self._must_be_open()
        return (RequestScores(index, self._scores(requests[index])) for index in self._paced(len(requests)))

    def token_statistics(self, texts: Sequence[str]) -> Iterator[TextStatistics]:
        self._must_be_open()
        return (TextStatistics(index, self._statistics(texts[index])) for index in self._paced(len(texts)))

    def scoring_method(self) -> ScoringMethod:
        return ScoringMethod("script", "", "", "", LONGEST_TEXT, {})

    def check_scores(
        self, requests: Sequence[LoglikelihoodRequest], *, stopping: Callable[[], bool] = never
    ) -> SelfCheck:
        """There is one way only."""
        self._must_be_open()
        return SelfCheck(len(requests), 0.0, 0, 0.0, 0.0, has_passed=True)

    def close(self) -> None:
        self._ended.set()
        with self._lock:
            self._closed = True
            for ended, loop in self._running.items():
                # A loop that is closed already has no reader left to tell.
                with contextlib.suppress(RuntimeError):
                    loop.call_soon_threadsafe(ended.set)

    def _complete(self, messages: Sequence[Message], sampling: SamplingParams) -> Completion:
        text = ""
        for step in self._script(messages, sampling):
            match step:
                case TextDelta():
                    text += step.text
                case StreamEnd():
                    return Completion(text, step.finish_reason, step.usage)
                case Pause() if step.seconds == FOR_EVER:
                    break
        raise GenerationFailed("the script hangs here")

    def _must_be_open(self) -> None:
        if self._closed:
            raise GenerationFailed("the engine is closed")

    def _paced(self, n: int) -> Iterator[int]:
        """Numbers up to n, with the script's pauses and failures before them."""
        options = self._options
        for place in range(n):
            seconds = FOR_EVER if place == options.hang_at else options.delay if place else options.first_delay
            if self._ended.wait(None if seconds == FOR_EVER else seconds):
                raise GenerationFailed("the engine was closed")
            if place == self._fails_at() and self._may_fail():
                raise error_class(options.fail_with)(f"the script fails at request {place}")
            yield place

    def _scores(self, request: LoglikelihoodRequest) -> tuple[ContinuationScore, ...]:
        answer = "".join(self._chunks([Message(Role.USER, request.context)]))
        return tuple(self._score(request.context, text, text == answer) for text in request.continuations)

    def _score(self, context: str, continuation: str, is_greedy: bool) -> ContinuationScore:
        statistics = self._statistics(continuation, context)
        n_tokens = len(statistics.means)
        log_probability = -0.001 * n_tokens if is_greedy else sum(statistics.log_probabilities)
        was_truncated = len(context) + len(continuation) > LONGEST_TEXT * self._options.chunk_size
        return ContinuationScore(log_probability, is_greedy, n_tokens, was_truncated)

    def _statistics(self, text: str, context: str = "") -> TokenStatistics:
        """A chunk is a token. Each is somewhere between likely and unlikely."""
        size = self._options.chunk_size
        ends = range(min(size, len(text)), len(text) + size, size) if text else ()
        shares = [_share(context + text[:end]) for end in ends]
        return TokenStatistics(
            tuple(-0.5 - 8 * share for share in shares),
            tuple(-4 - share for share in shares),
            tuple(1 + share for share in shares),
        )

    def _script(self, messages: Sequence[Message], sampling: SamplingParams) -> Iterator[Pause | StreamEvent]:
        """One answer, step by step."""
        options = self._options
        n_characters = sum(len(message.content) for message in messages)
        if options.max_prompt_characters is not None and n_characters > options.max_prompt_characters:
            raise PromptTooLong(f"{n_characters} characters, {options.max_prompt_characters} are allowed")
        chunks = self._chunks(messages)
        stops = StopFilter(sampling.stop)
        n_tokens = 0
        for place, chunk in enumerate(chunks[: sampling.max_new_tokens]):
            yield Pause(options.delay if place else options.first_delay)
            if place == options.hang_at:
                yield Pause(FOR_EVER)
            if place == self._fails_at() and self._may_fail():
                raise error_class(options.fail_with)(f"the script fails at chunk {place}")
            n_tokens += 1
            if text := stops.push(chunk):
                yield TextDelta(text)
            if stops.found:
                break
        if text := stops.flush():
            yield TextDelta(text)
        n_words = sum(len(message.content.split()) for message in messages)
        yield StreamEnd(self._finish_reason(stops.found, n_tokens < len(chunks)), Usage(n_words, n_tokens))

    def _finish_reason(self, stopped: bool, is_cut: bool) -> FinishReason:
        if stopped:
            return FinishReason.STOP
        return FinishReason.LENGTH if is_cut else FinishReason(self._options.finish_reason)

    def _chunks(self, messages: Sequence[Message]) -> Sequence[str]:
        options = self._options
        if options.chunks:
            return options.chunks
        reply = PROMPT if options.reply is None else options.reply
        if options.replies:
            reply = options.replies[_digest(messages) % len(options.replies)]
        # Replaced literally: a prompt is foreign text, and no template language may run over it.
        text = reply.replace(PROMPT, messages[-1].content if messages else "")
        return [text[start : start + options.chunk_size] for start in range(0, len(text), options.chunk_size)]

    def _fails_at(self) -> int | None:
        options = self._options
        return 0 if options.fail_at is None and options.fail_times is not None else options.fail_at

    def _may_fail(self) -> bool:
        """Count a failure, unless all that were ordered have happened."""
        with self._lock:
            self._n_failed += 1
            return self._options.fail_times is None or self._n_failed <= self._options.fail_times


async def _pause(seconds: float, ended: asyncio.Event) -> None:
    """Wait, and fail when the engine is closed meanwhile. Gives way to other tasks even when there is no wait."""
    if seconds == 0:
        await asyncio.sleep(0)
    else:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(ended.wait(), None if seconds == FOR_EVER else seconds)
    if ended.is_set():
        raise GenerationFailed("the engine was closed")


def _share(text: str) -> float:
    """The same number between 0 and 1 for the same text."""
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(digest[:6]) / (1 << 48)


def _digest(messages: Sequence[Message]) -> int:
    digest = hashlib.sha256()
    for message in messages:
        digest.update(f"{message.role}\0{message.content}\0".encode("utf-8", "surrogatepass"))
    return int.from_bytes(digest.digest())
