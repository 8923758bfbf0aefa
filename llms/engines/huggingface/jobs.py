"""Answers being computed, and the queue in front of whatever computes them."""

import itertools
import threading
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from llms.chat import SamplingParams
from llms.engines.base import EngineError, EngineOverloaded, GenerationFailed, StreamEvent
from llms.engines.huggingface.answers import AnswerWriter
from llms.engines.huggingface.boundary import foreign_errors_as
from llms.engines.huggingface.options import PAGE_TOKENS

Deliver = Callable[[StreamEvent | EngineError], None]
_numbers = itertools.count(1)


class Job:
    """One answer: what to compute, and who is told. `deliver` is called from threads of the backend."""

    def __init__(self, prompt: Sequence[int], sampling: SamplingParams, writer: AnswerWriter, deliver: Deliver) -> None:
        self.number = next(_numbers)
        self.id = f"answer-{self.number}"
        self.prompt = list(prompt)
        self.sampling = sampling
        self.tokens: list[int] = []
        self.is_over = False
        self._writer = writer
        self._deliver = deliver

    @property
    def n_pages(self) -> int:
        """Pages of the cache that it can come to fill."""
        return -(-(len(self.prompt) + self.sampling.max_new_tokens) // PAGE_TOKENS)

    def feed(self, tokens: Sequence[int]) -> None:
        """Take newly generated tokens."""
        self.tokens += tokens
        try:
            with foreign_errors_as(GenerationFailed, "writing an answer"):
                for event in self._writer.take(tokens):
                    self._deliver(event)
            self.is_over = self._writer.is_over
        except EngineError as error:
            self.fail(error)

    def fail(self, error: EngineError) -> None:
        if not self.is_over:
            self.is_over = True
            self._deliver(error)


@dataclass(frozen=True, slots=True)
class Limits:
    max_concurrent: int
    max_waiting: int
    n_pages: int
    """What all running answers may come to fill together."""


class Backend(ABC):
    """Computes answers. Admits them in the order in which they came, as soon as there is room even for the longest
    course they can take: so an answer that has begun never has to give way.

    Its methods may be called from any thread.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._lock = threading.RLock()
        self._running: dict[str, Job] = {}
        self._waiting: deque[Job] = deque()
        self._is_closed = False

    @property
    def n_running(self) -> int:
        return len(self._running)

    def submit(self, job: Job) -> None:
        with self._lock:
            if self._is_closed:
                raise GenerationFailed("the engine is closed")
            has_to_wait = bool(self._waiting) or not self._has_room(job)
            if has_to_wait and len(self._waiting) >= self._limits.max_waiting:
                raise EngineOverloaded(f"{len(self._waiting)} answers are waiting already")
            self._waiting.append(job)
            self._admit()

    def cancel(self, job: Job) -> None:
        """Stop computing. Nothing happens when the answer is over already."""
        with self._lock:
            if self._running.pop(job.id, None):
                self._stop(job)
                self._admit()
            elif job in self._waiting:
                self._waiting.remove(job)

    def close(self) -> None:
        """Fail what runs or waits, and free threads and memory."""
        with self._lock:
            if self._is_closed:
                return
            self._is_closed = True
            jobs = [*self._running.values(), *self._waiting]
            self._running.clear()
            self._waiting.clear()
        for job in jobs:
            self._stop(job)
            job.fail(GenerationFailed("the engine was closed"))
        self._shut_down()

    def _finished(self, job: Job) -> None:
        with self._lock:
            self._running.pop(job.id, None)
            self._admit()

    def _admit(self) -> None:
        while self._waiting and self._has_room(self._waiting[0]):
            job = self._waiting.popleft()
            self._running[job.id] = job
            try:
                with foreign_errors_as(GenerationFailed, "beginning an answer"):
                    self._start(job)
            except EngineError as error:
                del self._running[job.id]
                job.fail(error)

    def _has_room(self, job: Job) -> bool:
        n_pages = sum(running.n_pages for running in self._running.values())
        return len(self._running) < self._limits.max_concurrent and n_pages + job.n_pages <= self._limits.n_pages

    @abstractmethod
    def _start(self, job: Job) -> None:
        """Begin; return at once. Called with the lock held."""

    @abstractmethod
    def _stop(self, job: Job) -> None:
        """See to it that no more tokens are computed for a job that was begun or not."""

    @abstractmethod
    def _shut_down(self) -> None:
        """Free everything. Nothing runs any more."""
