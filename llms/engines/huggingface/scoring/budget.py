"""How much is computed at once: as much as the memory allows."""

import logging
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

import torch

from llms.engines.base import GenerationFailed
from llms.engines.huggingface.loading import free_memory
from llms.engines.huggingface.scoring.planning import Row

logger = logging.getLogger(__name__)

ON_PROCESSOR = 1024
"""Tokens. More does not make a processor faster, only its activations larger."""
ON_ACCELERATOR = 16384
COPIES = 16
"""A token of a stem, which is only copied for each row, takes that much less memory than one that is computed."""
ADVICE = "; free memory on this device, choose a smaller dtype, or a smaller model"

Computed = TypeVar("Computed")


class Budget:
    """Halves when memory runs out, and stays there."""

    def __init__(self, device: torch.device) -> None:
        self.n_tokens = ON_PROCESSOR if device.type == "cpu" else ON_ACCELERATOR

    def batches(
        self, rows: Sequence[Row], depth: int, compute: Callable[[Sequence[Row]], Computed]
    ) -> Iterator[Computed]:
        """Rows of like length together, longest first: what does not fit shows at once."""
        pending = sorted(rows, key=lambda row: (row.is_plain, row.n_tokens), reverse=True)
        while pending:
            batch = self._next(pending, depth)
            computed = within_memory(lambda batch=batch: compute(batch))  # type: ignore[misc]
            if computed is None:
                self._halve(batch)
                continue
            del pending[: len(batch)]
            yield computed

    def _next(self, pending: Sequence[Row], depth: int) -> Sequence[Row]:
        """At least one row. Plain rows need no mask, and do not mix with others."""
        first = pending[0]
        n_rows = max(1, int(self.n_tokens / (first.n_tokens + depth / COPIES)))
        return [row for row in pending[:n_rows] if row.is_plain == first.is_plain]

    def _halve(self, batch: Sequence[Row]) -> None:
        longest = batch[0].n_tokens
        if len(batch) == 1:
            raise GenerationFailed(f"the memory does not suffice for a row of {longest} tokens{ADVICE}")
        self.n_tokens = max(1, min(self.n_tokens, longest * len(batch)) // 2)
        logger.warning("memory ran out at %d rows of %d tokens; going on with fewer", len(batch), longest)


def within_memory(compute: Callable[[], Computed]) -> Computed | None:
    """None when memory ran out; then it is given back first."""
    try:
        return compute()
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
    # Here, where the error no longer holds the tensors of the computation.
    free_memory()
    return None


def is_out_of_memory(error: Exception) -> bool:
    """Devices without an error of their own say it in words."""
    words = ("can't allocate memory", "not enough memory", "out of memory", "CUBLAS_STATUS_ALLOC_FAILED")
    return isinstance(error, (torch.OutOfMemoryError, MemoryError)) or any(word in str(error) for word in words)
