"""What every engine promises: seven methods, a few plain values, and one tree of errors.

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

from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

from llms.chat import Message, SamplingParams
from llms.identity import Hashes
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
    """Score each continuation after the same context. Texts as they are fed: a chat template is the caller's affair.

    An empty context stands for the model's beginning of text. White space at the end of a context counts as the
    beginning of each continuation. The tokenizer's own first token is put in front, unless it stands there already.
    """

    context: str
    continuations: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ContinuationScore:
    log_probability: float
    """Summed over the continuation's tokens, in nats."""
    is_greedy: bool
    """Whether greedy decoding would have produced exactly this continuation."""
    n_tokens: int
    was_truncated: bool = False
    """The text was longer than the model's context, and its beginning was left out."""


class RequestScores(NamedTuple):
    index: int  # type: ignore[assignment]  # hides the method of tuples, which nobody needs here
    """Which of the requests."""
    scores: tuple[ContinuationScore, ...]
    """One a continuation, in order."""


@dataclass(frozen=True, slots=True)
class TokenStatistics:
    """Per token of a text: its log-probability, and mean and standard deviation of the log-probabilities under the
    model's full distribution at that place. Nats; all three of the same length, but the latter two empty where a server
    gives log-probabilities alone."""

    log_probabilities: tuple[float, ...]
    means: tuple[float, ...]
    standard_deviations: tuple[float, ...]


class TextStatistics(NamedTuple):
    index: int  # type: ignore[assignment]  # hides the method of tuples, which nobody needs here
    """Which of the texts."""
    statistics: TokenStatistics


SHARED_PREFIXES, PLAIN_ROWS = mark("shared prefixes"), mark("plain rows")


@dataclass(frozen=True, slots=True)
class ScoringMethod:
    """How an engine computes scores, for the record of a run."""

    scheme: str
    """`shared prefixes`, or `plain rows`: each continuation with its whole context. Of a server: how it is asked."""
    reason: str
    """Why all or some of the rows are plain; empty where none are, or where nothing else was ever possible."""
    dtype: str
    device: str
    max_length: int
    """Tokens that the model sees at once; the beginning of a longer text is left out."""
    versions: Mapping[str, str]
    """Of the libraries that compute."""
    hardware: str = ""
    """What kind of device it is: the same for all of the kind, wherever they are."""
    evidence: str = ""
    """Of a server: why its numbers can be believed."""


@dataclass(frozen=True, slots=True)
class SelfCheck:
    """Scores computed both ways on this machine, compared."""

    n: int
    """Requests that were compared."""
    largest_difference: float
    """Of two log-probabilities of the same continuation, in nats."""
    n_flipped: int
    """Requests for which another continuation comes first."""
    seconds_fast: float
    seconds_plain: float
    has_passed: bool
    """Otherwise the engine computes plain rows from now on, and `scoring_method` says so."""


def never() -> bool:
    return False


class Footprint(NamedTuple):
    """What an engine will take of a device's memory, in bytes. An estimate, on the safe side."""

    device: str
    """`cpu`, `cuda:0`, `mps`."""
    own: int
    """For this engine alone, as long as it is loaded."""
    base: int = 0
    """For weights that engines with the same `base_key` share."""
    base_key: str = ""
    keeps_base: bool = True
    """False where the shared weights are only what its own are made from."""
    hardware: str = "cpu"
    """The device by a name that is the same in every process."""


class Engine(ABC):
    """A loaded model. One object serves all battles and runs of a process at the same time.

    `stream` is called from an event loop; the other methods block and are called from worker threads.
    """

    holds_weights: ClassVar[bool] = False
    """Whether it computes in this process: then it takes its time to load, and memory, and may have to give way."""

    @classmethod
    def prepare(
        cls, source: str, revision: str, options: Mapping[str, Any], *, cache_dir: Path, report: Callable[[str], None]
    ) -> Footprint | None:
        """Do what a load needs before it takes memory, as fetching and converting, and say how much it will take. None
        for an engine that holds no weights. Blocks; raises `LoadingFailed`."""
        return None

    @classmethod
    def identity(cls, source: str, revision: str, options: Mapping[str, Any], hashes: Hashes) -> str:
        """Which weights these are, see `llms.identity`; empty where nothing pins them. Raises `EngineError`."""
        return ""

    @classmethod
    def available_memory(cls, device: str) -> int:
        """Bytes that a load on a device may take at the moment."""
        raise NotSupported(f"{cls.__name__} takes no memory of {device}")

    @property
    def n_running(self) -> int:
        """Answers that are being written at the moment."""
        return 0

    @abstractmethod
    def stream(self, messages: Sequence[Message], sampling: SamplingParams) -> AsyncGenerator[StreamEvent]:
        """Answer a conversation piece by piece: `TextDelta`s, then one `StreamEnd`, or an `EngineError`. Before them
        there may be `Queued`, and `ReasoningDelta`s.

        Closing the generator (`aclose`), or cancelling the task that reads it, stops the computation itself.
        """

    def generate(self, conversations: Sequence[Sequence[Message]], sampling: SamplingParams) -> list[Completion]:
        """Answer many conversations, in their order, as fast as the engine can."""
        raise NotSupported(f"{type(self).__name__} does not generate in batches")

    def loglikelihoods(self, requests: Sequence[LoglikelihoodRequest]) -> Iterator[RequestScores]:
        """Score given continuations. Requests come back in any order, each once and whole, as soon as the batch that
        ends it is done; closing the iterator stops between batches. What the engine cannot do it says at once, not
        when the iterator is first asked."""
        raise NotSupported(f"{type(self).__name__} does not score given continuations")

    def token_statistics(self, texts: Sequence[str]) -> Iterator[TextStatistics]:
        """Statistics of each token of each text, in any order. A text longer than the model's context is read in
        windows, in which each of its tokens is scored once."""
        raise NotSupported(f"{type(self).__name__} does not give statistics of tokens")

    def scoring_method(self) -> ScoringMethod:
        """How the two methods above compute."""
        raise NotSupported(f"{type(self).__name__} does not score given continuations")

    def prompt_text(self, messages: Sequence[Message]) -> str | None:
        """The very text that the model is given for a conversation; None where its server writes it."""
        return None

    def check_scores(
        self, requests: Sequence[LoglikelihoodRequest], *, stopping: Callable[[], bool] = never
    ) -> SelfCheck | None:
        """Score the requests with all that makes it fast, and again one continuation a row, and compare. None where it
        was told to stop, which it asks between batches."""
        raise NotSupported(f"{type(self).__name__} has one way to score only")

    def compute_plainly(self, reason: str) -> None:
        """From now on one continuation a row, as after a check that failed."""
        raise NotSupported(f"{type(self).__name__} has one way to score only")

    @abstractmethod
    def close(self) -> None:
        """Free memory, threads and connections. Streams that still run end with `GenerationFailed`."""


def error_class(code: str) -> type[EngineError]:
    """The error behind a stored code; the root of the tree for one that a later version may have dropped."""
    pending: list[type[EngineError]] = [EngineError]
    while pending:
        candidate = pending.pop()
        if candidate.code == code:
            return candidate
        pending += candidate.__subclasses__()
    return EngineError
