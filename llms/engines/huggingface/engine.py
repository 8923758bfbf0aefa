"""The engine that runs a model in this process, with transformers. Imports torch only when a model is loaded."""

import asyncio
import logging
import threading
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from llms.chat import Message, SamplingParams
from llms.engines.base import (
    Completion,
    Engine,
    EngineError,
    Footprint,
    GenerationFailed,
    LoadingFailed,
    LoglikelihoodRequest,
    PromptTooLong,
    RequestScores,
    ScoringMethod,
    SelfCheck,
    StreamEnd,
    StreamEvent,
    TextDelta,
    TextStatistics,
    never,
)
from llms.engines.huggingface import checks
from llms.engines.huggingface.answers import AnswerWriter
from llms.engines.huggingface.boundary import foreign_errors_as
from llms.engines.huggingface.jobs import Deliver, Job
from llms.engines.huggingface.memory import available_memory, footprint
from llms.engines.huggingface.options import HuggingFaceOptions
from llms.engines.huggingface.parts import parts_of
from llms.engines.openai_compatible.connection import Connection
from llms.engines.options import read_options
from llms.identity import Hashes, identity_of

if TYPE_CHECKING:
    from llms.engines.huggingface.jobs import Backend
    from llms.engines.huggingface.loading import Loaded
    from llms.engines.huggingface.scoring.scorer import Scorer

logger = logging.getLogger(__name__)

LEAST_ANSWER_TOKENS = 32
"""A prompt that leaves less room than this, and less than was asked for, is too long."""
SEATS_FOR_STREAMS = 2
"""Answers computed at once that `generate` leaves free, so that a battle need not wait for a benchmark."""


class HuggingFaceEngine(Engine):
    """Safe from any thread and any event loop."""

    holds_weights = True

    def __init__(self, loaded: "Loaded", backend: "Backend", n_batch_seats: int) -> None:
        self._loaded: Loaded | None = loaded
        self._backend = backend
        self._n_batch_seats = n_batch_seats
        # Long conversations take a while to tokenise: not in the event loop, nor behind what else its threads do.
        self._encoder = ThreadPoolExecutor(1, thread_name_prefix="prompts")
        self._scorer: Scorer | None = None
        self._scorer_lock = threading.Lock()

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
        chosen = read_options(HuggingFaceOptions, options)
        with foreign_errors_as(LoadingFailed, f"loading {source}"):
            from llms.engines.huggingface.backends import start_backend  # noqa: PLC0415 - imports torch
            from llms.engines.huggingface.loading import load  # noqa: PLC0415

            loaded = load(source, revision, chosen, cache_dir, logger.info)
            backend = start_backend(loaded, chosen)
        return cls(loaded, backend, max(1, chosen.max_concurrent - SEATS_FOR_STREAMS))

    @classmethod
    def prepare(
        cls, source: str, revision: str, options: Mapping[str, Any], *, cache_dir: Path, report: Callable[[str], None]
    ) -> Footprint:
        chosen = read_options(HuggingFaceOptions, options)
        with foreign_errors_as(LoadingFailed, f"preparing {source}"):
            from llms.engines.huggingface.loading import local_folder  # noqa: PLC0415 - imports torch

            return footprint(local_folder(source, revision, chosen, cache_dir, report), chosen)

    @classmethod
    def available_memory(cls, device: str) -> int:
        return available_memory(device)

    @classmethod
    def identity(cls, source: str, revision: str, options: Mapping[str, Any], hashes: Hashes) -> str:
        chosen = read_options(HuggingFaceOptions, options)
        with foreign_errors_as(LoadingFailed, f"reading {source}"):
            parts = parts_of(source, revision, chosen.adapter)
            return identity_of(parts, hashes) if parts else ""

    @classmethod
    def problems(cls, source: str, revision: str, options: Mapping[str, Any]) -> list[str]:
        return checks.problems(source, revision, options)

    @property
    def n_running(self) -> int:
        """Answers that are being computed at the moment."""
        return self._backend.n_running

    async def stream(self, messages: Sequence[Message], sampling: SamplingParams) -> AsyncGenerator[StreamEvent]:
        loop = asyncio.get_running_loop()
        events: asyncio.Queue[StreamEvent | EngineError] = asyncio.Queue()

        def deliver(event: StreamEvent | EngineError) -> None:
            try:
                loop.call_soon_threadsafe(events.put_nowait, event)
            except RuntimeError:
                # The reader's loop was closed without a word.
                self._backend.cancel(job)

        try:
            job = await loop.run_in_executor(self._encoder, self._job, messages, sampling, deliver)
        except RuntimeError as error:
            raise GenerationFailed("the engine is closed") from error
        self._backend.submit(job)
        try:
            while True:
                event = await events.get()
                if isinstance(event, EngineError):
                    raise event
                yield event
                if isinstance(event, StreamEnd):
                    return
        finally:
            self._backend.cancel(job)

    def generate(self, conversations: Sequence[Sequence[Message]], sampling: SamplingParams) -> list[Completion]:
        """The first conversation that fails ends the call."""
        seats = threading.Semaphore(self._n_batch_seats)
        failures: list[EngineError] = []
        answers: list[_Collected] = []
        try:
            for messages in conversations:
                seats.acquire()
                if failures:
                    raise failures[0]
                answer = _Collected(seats, failures)
                answer.job = self._job(messages, sampling, answer.deliver)
                answers.append(answer)
                self._backend.submit(answer.job)
            return [answer.completion.result() for answer in answers]
        finally:
            for answer in answers:
                self._backend.cancel(answer.job)

    def prompt_text(self, messages: Sequence[Message]) -> str | None:
        loaded = self._loaded
        if loaded is None:
            raise GenerationFailed("the engine is closed")
        with foreign_errors_as(GenerationFailed, "writing out a prompt"):
            text: str = loaded.tokenizer.decode(loaded.prompts.encode(messages), clean_up_tokenization_spaces=False)
        return text

    def loglikelihoods(self, requests: Sequence[LoglikelihoodRequest]) -> Iterator[RequestScores]:
        return self._scoring().loglikelihoods(requests)

    def token_statistics(self, texts: Sequence[str]) -> Iterator[TextStatistics]:
        return self._scoring().token_statistics(texts)

    def scoring_method(self) -> ScoringMethod:
        return self._scoring().method()

    def check_scores(
        self, requests: Sequence[LoglikelihoodRequest], *, stopping: Callable[[], bool] = never
    ) -> SelfCheck | None:
        from llms.engines.huggingface.scoring.self_check import compare  # noqa: PLC0415 - imports torch

        return compare(self._scoring(), requests, stopping)

    def compute_plainly(self, reason: str) -> None:
        self._scoring().fall_back(reason)

    def close(self) -> None:
        self._encoder.shutdown(wait=False)
        self._backend.close()
        with self._scorer_lock:
            loaded, self._loaded = self._loaded, None
            if self._scorer is not None:
                self._scorer.close()
                self._scorer = None
        if loaded is not None:
            from llms.engines.huggingface.loading import free_memory  # noqa: PLC0415 - imports torch

            if loaded.base:
                loaded.base.end()
            del loaded
            free_memory()

    def _scoring(self) -> "Scorer":
        """Set up when somebody first asks: most engines only ever answer."""
        with self._scorer_lock, foreign_errors_as(GenerationFailed, "setting up scoring"):
            loaded = self._loaded
            if loaded is None:
                raise GenerationFailed("the engine is closed")
            if self._scorer is None:
                from llms.engines.huggingface.scoring.scorer import Scorer  # noqa: PLC0415 - imports torch

                self._scorer = Scorer(loaded.model, loaded.tokenizer)
            return self._scorer

    def _job(self, messages: Sequence[Message], sampling: SamplingParams, deliver: Deliver) -> Job:
        loaded = self._loaded
        if loaded is None:
            raise GenerationFailed("the engine is closed")
        with foreign_errors_as(GenerationFailed, "tokenising a conversation"):
            prompt = loaded.prompts.encode(messages)
        room = loaded.max_context - len(prompt)
        if room < min(sampling.max_new_tokens, LEAST_ANSWER_TOKENS):
            raise PromptTooLong(f"the prompt has {len(prompt)} tokens, the context {loaded.max_context}")
        limited = sampling.limited_to(room)
        writer = AnswerWriter(loaded.decode, limited, n_prompt_tokens=len(prompt), end_tokens=loaded.end_tokens)
        return Job(prompt, limited, writer, deliver)


class _Collected:
    """One answer, gathered for somebody who waits for the whole of it."""

    job: Job

    def __init__(self, seats: threading.Semaphore, failures: list[EngineError]) -> None:
        self.completion: Future[Completion] = Future()
        self._seats = seats
        self._failures = failures
        self._text = ""

    def deliver(self, event: StreamEvent | EngineError) -> None:
        match event:
            case TextDelta():
                self._text += event.text
            case StreamEnd():
                self.completion.set_result(Completion(self._text, event.finish_reason, event.usage))
                self._seats.release()
            case EngineError():
                self._failures.append(event)
                self.completion.set_exception(event)
                self._seats.release()
