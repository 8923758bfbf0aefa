"""Scores texts with a loaded model, batch by batch."""

import importlib.metadata
import logging
import threading
from collections.abc import Generator, Iterator, Sequence
from typing import Any

import numpy as np
import torch

from llms.engines.base import (
    PLAIN_ROWS,
    SHARED_PREFIXES,
    ContinuationScore,
    EngineError,
    GenerationFailed,
    LoglikelihoodRequest,
    RequestScores,
    ScoringMethod,
    TextStatistics,
    TokenStatistics,
)
from llms.engines.huggingface.boundary import foreign_errors_as
from llms.engines.huggingface.memory import kind_of_hardware
from llms.engines.huggingface.scoring import support
from llms.engines.huggingface.scoring.budget import ADVICE, Budget, within_memory
from llms.engines.huggingface.scoring.computing import Computation, Stem
from llms.engines.huggingface.scoring.paths import Path, Paths, paths_of
from llms.engines.huggingface.scoring.planning import EVERY_STEM, Costs, Row, plain_rows, plan
from llms.engines.huggingface.scoring.planning import Stem as PlannedStem
from llms.engines.huggingface.scoring.statistics import Measured, measure
from llms.engines.huggingface.scoring.texts import text_encoder
from llms.engines.huggingface.scoring.trees import batch_of
from llms.engines.scored_texts import ScoredText
from llms.sentences import filled, mark

logger = logging.getLogger(__name__)

LIBRARIES = ("torch", "transformers", "tokenizers")
TRIAL_REQUESTS = (
    LoglikelihoodRequest(
        "The quick brown fox jumps over the lazy dog", (" and runs away.", " and runs home.", " once")
    ),
    LoglikelihoodRequest("The quick brown fox jumps over the old fence and", (" sleeps", " then sleeps there")),
)
EXACT, ROUNDED = 1e-3, 0.25
"""Nats by which scores may differ between the ways to compute them: in float32, and where numbers are shorter."""


class Scorer:
    """Safe from any thread. Those who score at the same time take turns, batch by batch."""

    def __init__(self, model: Any, tokenizer: Any) -> None:
        self.max_length = support.max_length(model, tokenizer)
        self.tolerance = EXACT if support.is_exact(model) else ROUNDED
        self._computation: Computation | None = Computation(model)
        self._encoder = text_encoder(tokenizer, self.max_length)
        self._budget = Budget(self._computation.device)
        self._turn = threading.Lock()
        self._costs = Costs.of_width(model.config.get_text_config().hidden_size)
        self._window = support.window(model)
        self._dtype = str(model.dtype).removeprefix("torch.")
        self._obstacle = support.obstacle(model) or self._failed_trial()
        if self._obstacle:
            logger.warning("scores are computed in plain rows: %s", self._obstacle)

    def loglikelihoods(
        self, requests: Sequence[LoglikelihoodRequest], *, is_plain: bool = False
    ) -> Generator[RequestScores]:
        owners: list[tuple[int, int, bool]] = []
        scores: list[list[ContinuationScore | None]] = [[None] * len(request.continuations) for request in requests]

        def texts() -> Iterator[ScoredText]:
            for index, request in enumerate(requests):
                for number, text in enumerate(self._encoder.pairs(request)):
                    owners.append((index, number, text.was_truncated))
                    yield text

        costs = None if is_plain or self._obstacle else self._costs
        for batch in self._measured(texts(), costs):
            done: dict[int, None] = {}
            for found in batch:
                index, number, was_truncated = owners[found.number]
                scores[index][number] = _score(found, was_truncated)
                done[index] = None
            for index in done:
                whole = [score for score in scores[index] if score is not None]
                if len(whole) == len(scores[index]):
                    yield RequestScores(index, tuple(whole))
        yield from (RequestScores(index, ()) for index, empty in enumerate(scores) if not empty)

    def token_statistics(self, texts: Sequence[str]) -> Iterator[TextStatistics]:
        owners: list[int] = []
        windows: list[dict[int, Measured | None]] = [{} for _ in texts]
        """Of each text, in order."""

        def pieces() -> Iterator[ScoredText]:
            for index, text in enumerate(texts):
                for piece in self._encoder.windows(text):
                    windows[index][len(owners)] = None
                    owners.append(index)
                    yield piece

        for batch in self._measured(pieces(), None, has_moments=True):
            for found in batch:
                index = owners[found.number]
                windows[index][found.number] = found
                whole = [window for window in windows[index].values() if window is not None]
                if len(whole) == len(windows[index]):
                    yield TextStatistics(index, _joined(whole))
        nothing = TokenStatistics((), (), ())
        yield from (TextStatistics(index, nothing) for index, empty in enumerate(windows) if not empty)

    def method(self) -> ScoringMethod:
        reason = self._obstacle
        if not reason and self._window is not None and self._window < self.max_length:
            words = mark("texts longer than the sliding window of %(n)s tokens are computed in plain rows")
            reason = filled(words, n=self._window)
        return ScoringMethod(
            PLAIN_ROWS if self._obstacle else SHARED_PREFIXES,
            reason,
            self._dtype,
            str(self._open().device),
            self.max_length,
            {name: importlib.metadata.version(name) for name in LIBRARIES},
            kind_of_hardware(str(self._open().device)),
        )

    def fall_back(self, reason: str) -> None:
        """Compute plain rows from now on."""
        logger.warning("scores are computed in plain rows: %s", reason)
        self._obstacle = reason

    def close(self) -> None:
        """Iterators that still run end with `GenerationFailed`."""
        self._computation = None

    def _open(self) -> Computation:
        computation = self._computation
        if computation is None:
            raise GenerationFailed("the engine is closed")
        return computation

    def _failed_trial(self) -> str:
        """Whether all ways to share give what plain rows give: an empty text, or what speaks against it."""
        try:
            plain, tree, stems = (self._trial(costs) for costs in (None, self._costs, EVERY_STEM))
        except EngineError as error:
            return filled(mark("a trial failed: %(why)s"), why=str(error))
        difference = max(float(np.abs(np.array(plain) - other).max()) for other in (tree, stems))
        words = mark("in a trial the scores were off by %(nats)s nats")
        return "" if difference <= self.tolerance else filled(words, nats=float(f"{difference:.3g}"))

    def _trial(self, costs: Costs | None) -> list[float]:
        texts = [text for request in TRIAL_REQUESTS for text in self._encoder.pairs(request)]
        batches = list(self._measured(iter(texts), costs))
        found = {measured.number: measured.log_probabilities.sum() for batch in batches for measured in batch}
        return [float(found[number]) for number in range(len(texts))]

    def _measured(
        self, texts: Iterator[ScoredText], costs: Costs | None, *, has_moments: bool = False
    ) -> Iterator[list[Measured]]:
        """Batch by batch. Without costs: in plain rows."""
        with foreign_errors_as(GenerationFailed, "tokenising"):
            paths = paths_of(texts)
        limit = 0 if costs is None else self.max_length if self._window is None else self._window
        shared = [path for path in paths if len(path) <= limit]
        batches = self._in_stems(Paths(shared), costs or self._costs, has_moments)
        plain = Paths([path for path in paths if len(path) > limit])
        for computed in (batches, self._in_rows(plain, plain_rows(plain), Stem(), has_moments)):
            while True:
                with foreign_errors_as(GenerationFailed, "scoring"):
                    batch = next(computed, None)
                if batch is None:
                    break
                yield batch

    def _in_stems(self, paths: Paths, costs: Costs, has_moments: bool) -> Iterator[list[Measured]]:
        pending = [(PlannedStem(0, len(paths), 0), Stem())]
        while pending:
            planned, shorter = pending.pop()
            stem = self._grown(shorter, paths.paths[planned.start], planned.depth) if planned.depth else shorter
            rows, stems = plan(paths, planned, costs)
            yield from self._in_rows(paths, rows, stem, has_moments)
            pending += [(longer, stem) for longer in reversed(stems)]

    def _grown(self, stem: Stem, path: Path, depth: int) -> Stem:
        tokens = torch.from_numpy(path.tokens[stem.n_tokens : depth].astype(np.int64))
        with self._turn, torch.no_grad():
            grown = within_memory(lambda: self._open().grow(stem, tokens))
        if grown is None:
            raise GenerationFailed(f"the memory does not suffice for a beginning of {depth} tokens{ADVICE}")
        return grown

    def _in_rows(self, paths: Paths, rows: Sequence[Row], stem: Stem, has_moments: bool) -> Iterator[list[Measured]]:
        def compute(some: Sequence[Row]) -> list[Measured]:
            with self._turn, torch.no_grad():
                computation = self._open()
                batch = batch_of(paths, some, stem.n_tokens)
                hidden = computation.hidden(batch, stem)
                return measure(
                    batch.answers,
                    lambda places: computation.logits(hidden[places]),
                    has_moments=has_moments,
                    device=computation.device,
                )

        return self._budget.batches(rows, stem.n_tokens, compute)


def _score(found: Measured, was_truncated: bool) -> ContinuationScore:
    return ContinuationScore(
        float(found.log_probabilities.sum()), bool(found.is_first.all()), len(found.is_first), was_truncated
    )


def _joined(windows: Sequence[Measured]) -> TokenStatistics:
    return TokenStatistics(
        tuple(np.concatenate([window.log_probabilities for window in windows]).tolist()),
        tuple(np.concatenate([window.means for window in windows]).tolist()),
        tuple(np.concatenate([window.standard_deviations for window in windows]).tolist()),
    )
