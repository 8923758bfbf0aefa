"""What every engine promises: five methods, a few plain values, and one tree of errors.

    EngineError                     something that a user may be told, in `user_message`
    ├── NotSupported                this engine cannot do that, and never will as it is set up
    ├── LoadingFailed               the weights could not be brought up
    ├── PromptTooLong               the conversation does not fit the model's context
    ├── RequestRejected             a server does not want the request: a name, a field
    │   └── AccessRefused           nor any other: the key is wrong, or the address leads elsewhere
    ├── EngineUnreachable           a server does not answer                           (retryable)
    ├── EngineOverloaded            no room for another stream at the moment           (retryable)
    ├── GenerationFailed            the computation broke in the middle               (retryable)
    └── DeadlineExceeded            one of the four time-outs                          (retryable)
        ├── LoadingTimeout
        ├── FirstTokenTimeout
        ├── StalledStream
        └── TotalTimeout

Messages are marked for translation by `mark`, which returns them unchanged: engines know no Django, and the edge that
shows a message translates it.
"""

import asyncio
import contextlib
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar

from llms.chat import Message, SamplingParams
from llms.sentences import mark


class EngineError(Exception):
    """An engine could not do what it was asked.

    The exception's own text is for the log and may name files, models and hosts. `user_message` is for voters: it
    never says which model failed.
    """

    code: ClassVar[str] = "engine_error"
    user_message: ClassVar[str] = mark("The model could not answer. Try again, or start a new battle.")
    retryable: ClassVar[bool] = False


class NotSupported(EngineError):
    code = "not_supported"
    user_message = mark("This model cannot do what was asked of it.")


class LoadingFailed(EngineError):
    code = "loading_failed"
    user_message = mark("The model could not be started. An administrator can see why in the log.")


class PromptTooLong(EngineError):
    code = "prompt_too_long"
    user_message = mark("The conversation is too long for this model. Shorten the prompt or start a new battle.")


class RequestRejected(EngineError):
    code = "rejected"
    user_message = mark("The model could not be asked. An administrator can see why in the log.")


class AccessRefused(RequestRejected):
    """The endpoint itself is set up wrongly: its key, or its address."""

    code = "access_refused"


class EngineUnreachable(EngineError):
    code = "unreachable"
    user_message = mark("The model cannot be reached. Try again in a moment.")
    retryable = True


class EngineOverloaded(EngineError):
    code = "overloaded"
    user_message = mark("The model is busy with other battles. Try again in a moment.")
    retryable = True


class GenerationFailed(EngineError):
    code = "generation_failed"
    user_message = mark("The model broke off in the middle of its answer. Try again.")
    retryable = True


class DeadlineExceeded(EngineError):
    retryable = True


class LoadingTimeout(DeadlineExceeded):
    code = "loading_timeout"
    user_message = mark("The model is still being loaded. Try again in a few minutes.")


class FirstTokenTimeout(DeadlineExceeded):
    code = "first_token_timeout"
    user_message = mark("The model did not begin to answer in time. Try again.")


class StalledStream(DeadlineExceeded):
    code = "stalled"
    user_message = mark("The model stopped in the middle of its answer. Try again.")


class TotalTimeout(DeadlineExceeded):
    code = "total_timeout"
    user_message = mark("The answer took too long. Try again, or ask for something shorter.")


class FinishReason(StrEnum):
    STOP = "stop"
    """The model ended its answer."""
    LENGTH = "length"
    """The answer reached the allowed number of tokens."""
    FILTERED = "content_filter"
    """The server held the rest back."""


@dataclass(frozen=True, slots=True)
class Usage:
    """None where a server does not say: then nobody knows."""

    prompt_tokens: int | None
    completion_tokens: int | None


@dataclass(frozen=True, slots=True)
class TextDelta:
    """A piece of the answer. Never empty; pieces joined in order are the whole answer."""

    text: str


@dataclass(frozen=True, slots=True)
class ReasoningDelta:
    """A piece of what the model thinks before it answers, where a server keeps the two apart."""

    text: str


@dataclass(frozen=True, slots=True)
class Queued:
    """The engine serves others first. Comes again whenever that changes, and every few seconds."""

    n_before: int


@dataclass(frozen=True, slots=True)
class StreamEnd:
    """Always the last event of a stream that did not fail."""

    finish_reason: FinishReason
    usage: Usage


StreamEvent = TextDelta | ReasoningDelta | Queued | StreamEnd


@dataclass(frozen=True, slots=True)
class Completion:
    text: str
    finish_reason: FinishReason
    usage: Usage


@dataclass(frozen=True, slots=True)
class LoglikelihoodRequest:
    """Score each continuation after the same context."""

    context: str
    continuations: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ContinuationScore:
    log_probability: float
    """Summed over the continuation's tokens, in nats."""
    is_greedy: bool
    """Whether greedy decoding would have produced exactly this continuation."""
    n_tokens: int


@dataclass(frozen=True, slots=True)
class TokenStatistics:
    """Per token of a text: its log-probability, and mean and standard deviation of the log-probabilities under the
    model's full distribution at that place. Nats; all three of the same length."""

    log_probabilities: tuple[float, ...]
    means: tuple[float, ...]
    standard_deviations: tuple[float, ...]


class Engine(ABC):
    """A loaded model. One object serves all battles and runs of a process at the same time.

    `stream` is called from an event loop; the other methods block and are called from worker threads.
    """

    @abstractmethod
    def stream(self, messages: Sequence[Message], sampling: SamplingParams) -> AsyncGenerator[StreamEvent]:
        """Answer a conversation piece by piece: `TextDelta`s, then one `StreamEnd`, or an `EngineError`. Before them
        there may be `Queued`, and `ReasoningDelta`s.

        Closing the generator (`aclose`), or cancelling the task that reads it, stops the computation itself.
        """

    def generate(self, conversations: Sequence[Sequence[Message]], sampling: SamplingParams) -> list[Completion]:
        """Answer many conversations, in their order, as fast as the engine can."""
        raise NotSupported(f"{type(self).__name__} does not generate in batches")

    def loglikelihoods(self, requests: Sequence[LoglikelihoodRequest]) -> list[tuple[ContinuationScore, ...]]:
        """Score given continuations; one tuple a request, one score a continuation, in order."""
        raise NotSupported(f"{type(self).__name__} does not score given continuations")

    def token_statistics(self, texts: Sequence[str]) -> list[TokenStatistics]:
        """Statistics of each token of each text, in order."""
        raise NotSupported(f"{type(self).__name__} does not give statistics of tokens")

    @abstractmethod
    def close(self) -> None:
        """Free memory, threads and connections. Streams that still run end with `GenerationFailed`."""


@dataclass(frozen=True, slots=True)
class Deadlines:
    """How long a stream may keep its reader waiting, in seconds."""

    first_token: float = 60.0
    between_tokens: float = 20.0
    total: float = 300.0


async def within_deadlines(stream: AsyncGenerator[StreamEvent], deadlines: Deadlines) -> AsyncGenerator[StreamEvent]:
    """The same stream, which fails when it keeps its reader waiting. Time in a waiting line does not count: a line that
    moves says so. Closes the inner stream in any case."""
    loop = asyncio.get_running_loop()
    end_at = loop.time() + deadlines.total
    patience: float = deadlines.first_token
    too_slow: type[DeadlineExceeded] = FirstTokenTimeout
    async with contextlib.aclosing(stream):
        while True:
            remaining = end_at - loop.time()
            try:
                async with asyncio.timeout(min(patience, remaining)):
                    event = await anext(stream)
            except StopAsyncIteration:
                return
            except TimeoutError:
                raise (too_slow if patience < remaining else TotalTimeout)(
                    f"no event for {min(patience, remaining):.1f} s"
                ) from None
            yield event
            if isinstance(event, Queued):
                end_at = loop.time() + deadlines.total
            else:
                patience, too_slow = deadlines.between_tokens, StalledStream


def error_class(code: str) -> type[EngineError]:
    """The error behind a stored code; the root of the tree for one that a later version may have dropped."""
    pending: list[type[EngineError]] = [EngineError]
    while pending:
        candidate = pending.pop()
        if candidate.code == code:
            return candidate
        pending += candidate.__subclasses__()
    return EngineError
