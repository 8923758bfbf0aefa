"""What weights have computed once is not computed again: an engine around an engine, with its memory in the database.

A key is a digest over the identity of the weights (which covers tokenizer, template and adapter), the options that
they are loaded with, dtype, the length that the model sees, and the texts. Weights that nothing pins are remembered
within one run only: nobody knows whether the next run meets the same.
"""

import hashlib
import json
import math
import zlib
from collections import deque
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from typing import Final, TypeVar

import numpy as np

from evaluation.models import CachedScore, CachedStatistics, Run
from llms.chat import Message, SamplingParams
from llms.engines.base import (
    Completion,
    ContinuationScore,
    Engine,
    LoglikelihoodRequest,
    RequestScores,
    ScoringMethod,
    SelfCheck,
    StreamEvent,
    TextStatistics,
    TokenStatistics,
    never,
)

KEYS_AT_ONCE: Final = 500
Key = bytes
Row = TypeVar("Row", CachedScore, CachedStatistics)


class Memory:
    """The keys of one run, and what is to be written. Filled by the thread that computes, saved by the one that
    stores."""

    def __init__(self, run: Run, weights_identity: str, method: ScoringMethod) -> None:
        unpinned = [f"run {run.pk}", run.llm.source, run.llm.revision, run.llm.endpoint_id]
        conditions = [run.llm.options, method.dtype, method.max_length]
        self._scope = json.dumps([weights_identity or unpinned, *conditions], sort_keys=True)
        self._run_id = None if weights_identity else run.pk
        self._scores: deque[CachedScore] = deque()
        self._statistics: deque[CachedStatistics] = deque()
        self.n_hits = 0

    def key(self, *texts: str) -> Key:
        written = json.dumps([self._scope, *texts])
        return hashlib.sha256(written.encode()).digest()

    def scores(self, keys: Sequence[Key]) -> dict[Key, ContinuationScore]:
        found: dict[Key, ContinuationScore] = {}
        for start in range(0, len(keys), KEYS_AT_ONCE):
            for row in CachedScore.objects.filter(key__in=keys[start : start + KEYS_AT_ONCE]):
                found[bytes(row.key)] = ContinuationScore(
                    row.log_probability, row.is_greedy, row.n_tokens, row.was_truncated
                )
        return found

    def statistics(self, keys: Sequence[Key]) -> dict[Key, TokenStatistics]:
        found: dict[Key, TokenStatistics] = {}
        for start in range(0, len(keys), KEYS_AT_ONCE):
            for row in CachedStatistics.objects.filter(key__in=keys[start : start + KEYS_AT_ONCE]):
                found[bytes(row.key)] = _unpacked(bytes(row.compressed))
        return found

    def keep_score(self, key: Key, score: ContinuationScore) -> None:
        if score.log_probability == score.log_probability:  # NaN is not worth keeping: it is a failure
            row = CachedScore(
                key=key,
                run_id=self._run_id,
                log_probability=score.log_probability,
                is_greedy=score.is_greedy,
                n_tokens=score.n_tokens,
                was_truncated=score.was_truncated,
            )
            self._scores.append(row)

    def keep_statistics(self, key: Key, statistics: TokenStatistics) -> None:
        self._statistics.append(CachedStatistics(key=key, run_id=self._run_id, compressed=_packed(statistics)))

    def save(self) -> None:
        """Inside the transaction that stores the samples; what a failed one took along is computed again some day."""
        # in the order of their keys, as everybody writes them: two runs must not wait for each other crosswise
        CachedScore.objects.bulk_create(_emptied(self._scores), ignore_conflicts=True)
        CachedStatistics.objects.bulk_create(_emptied(self._statistics), ignore_conflicts=True)


class RememberingEngine(Engine):
    """Asks the engine behind it only for what its memory does not hold."""

    def __init__(self, engine: Engine, memory: Memory) -> None:
        self._engine = engine
        self._memory = memory

    def loglikelihoods(self, requests: Sequence[LoglikelihoodRequest]) -> Iterator[RequestScores]:
        keys = [
            tuple(self._memory.key(request.context, text) for text in request.continuations) for request in requests
        ]
        known = self._memory.scores([key for own in keys for key in own])
        missing = [place for place, own in enumerate(keys) if not all(key in known for key in own)]
        answers = self._engine.loglikelihoods([requests[place] for place in missing]) if missing else iter(())
        return self._scores(keys, known, missing, answers)

    def _scores(
        self,
        keys: Sequence[tuple[Key, ...]],
        known: dict[Key, ContinuationScore],
        missing: Sequence[int],
        answers: Iterator[RequestScores],
    ) -> Iterator[RequestScores]:
        try:
            for place in sorted(set(range(len(keys))) - set(missing)):
                self._memory.n_hits += 1
                yield RequestScores(place, tuple(known[key] for key in keys[place]))
            for index, scores in answers:
                place = missing[index]
                for key, score in zip(keys[place], scores, strict=True):
                    self._memory.keep_score(key, score)
                yield RequestScores(place, scores)
        finally:
            _close(answers)

    def token_statistics(self, texts: Sequence[str]) -> Iterator[TextStatistics]:
        keys = [self._memory.key(text) for text in texts]
        known = self._memory.statistics(keys)
        missing = [place for place, key in enumerate(keys) if key not in known]
        answers = self._engine.token_statistics([texts[place] for place in missing]) if missing else iter(())
        return self._statistics(keys, known, missing, answers)

    def _statistics(
        self,
        keys: Sequence[Key],
        known: dict[Key, TokenStatistics],
        missing: Sequence[int],
        answers: Iterator[TextStatistics],
    ) -> Iterator[TextStatistics]:
        try:
            for place in sorted(set(range(len(keys))) - set(missing)):
                self._memory.n_hits += 1
                yield TextStatistics(place, known[keys[place]])
            for index, statistics in answers:
                self._memory.keep_statistics(keys[missing[index]], statistics)
                yield TextStatistics(missing[index], statistics)
        finally:
            _close(answers)

    # --- passed on

    def generate(self, conversations: Sequence[Sequence[Message]], sampling: SamplingParams) -> list[Completion]:
        return self._engine.generate(conversations, sampling)

    def stream(self, messages: Sequence[Message], sampling: SamplingParams) -> AsyncGenerator[StreamEvent]:
        return self._engine.stream(messages, sampling)

    def scoring_method(self) -> ScoringMethod:
        return self._engine.scoring_method()

    def prompt_text(self, messages: Sequence[Message]) -> str | None:
        return self._engine.prompt_text(messages)

    def check_scores(
        self, requests: Sequence[LoglikelihoodRequest], *, stopping: Callable[[], bool] = never
    ) -> SelfCheck | None:
        return self._engine.check_scores(requests, stopping=stopping)

    def compute_plainly(self, reason: str) -> None:
        self._engine.compute_plainly(reason)

    def close(self) -> None:
        """The engine behind it belongs to the pool."""


def _emptied(rows: deque[Row]) -> list[Row]:
    return sorted((rows.popleft() for _ in range(len(rows))), key=lambda row: bytes(row.key))


def _packed(statistics: TokenStatistics) -> bytes:
    """A column that a server does not give is all NaN."""
    nothing = (math.nan,) * len(statistics.log_probabilities)
    moments = (statistics.means or nothing, statistics.standard_deviations or nothing)
    columns = [statistics.log_probabilities, *moments]
    return zlib.compress(np.array(columns, dtype="<f8").tobytes())


def _unpacked(compressed: bytes) -> TokenStatistics:
    columns = np.frombuffer(zlib.decompress(compressed), dtype="<f8").reshape(3, -1)
    values, *moments = (tuple(column.tolist()) for column in columns)
    return TokenStatistics(values, *(() if all(map(math.isnan, column)) else column for column in moments))


def _close(answers: Iterator[object]) -> None:
    close = getattr(answers, "close", None)
    if close:
        close()
