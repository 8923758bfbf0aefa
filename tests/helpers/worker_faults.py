"""What a test brings into a real worker, with Celery's `--include`: an engine that keeps a journal, a shorter lease, and
memory that runs out."""

import os

from evaluation import runs, scribe
from llms.engines.registry import ENGINES

ENGINES["journal"] = "tests.helpers.journal_engine:JournalEngine"
runs.LEASE_SECONDS = scribe.LEASE_SECONDS = 10


def let_memory_run_out(most_rows):
    """In every batch of more rows than this."""
    import torch

    from llms.engines.huggingface.scoring.computing import Computation

    whole = Computation.hidden

    def hidden(self, batch, stem):
        if len(batch.tokens) > most_rows:
            raise torch.OutOfMemoryError("out of memory, as a test wants it")
        return whole(self, batch, stem)

    Computation.hidden = hidden


if most_rows := os.environ.get("TEST_MOST_ROWS"):
    let_memory_run_out(int(most_rows))
