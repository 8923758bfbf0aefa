"""An engine for real workers: it computes in batches, writes down every request that it computes, and stops in the middle
of a batch until a test lets it go on."""

import hashlib
import os
import time
from pathlib import Path

from llms.engines.base import RequestScores
from tests.helpers.hash_engine import HashEngine

BATCH = 2


class JournalEngine(HashEngine):
    holds_weights = False

    def __init__(self, options):
        super().__init__()
        self._journal = Path(options["journal"])
        self._n_written = 0

    @classmethod
    def from_options(cls, source, revision, options, *, cache_dir, connection=None):
        return cls(options)

    @classmethod
    def prepare(cls, source, revision, options, *, cache_dir, report):
        return None

    @classmethod
    def identity(cls, source, revision, options, hashes):
        return ""

    @classmethod
    def problems(cls, source, revision, options):
        return []

    def scoring_method(self):
        from llms.engines.base import ScoringMethod

        return ScoringMethod("plain rows", "", "float32", "cpu", 2048, {})

    def loglikelihoods(self, requests):
        for start in range(0, len(requests), BATCH):
            batch = requests[start : start + BATCH]
            self._write(batch)
            self._wait()
            for place, request in enumerate(batch, start=start):
                yield RequestScores(place, tuple(self._score(request.context, text) for text in request.continuations))

    def _write(self, batch):
        """In one piece, and at once: whoever is killed afterwards has written it."""
        lines = "".join(f"{os.getpid()} {hash_of(request)}\n" for request in batch)
        with self._journal.open("a") as journal:
            journal.write(lines)
        self._n_written += len(batch)

    def _wait(self):
        """While the batch is more than this process may compute."""
        while self._n_written > allowed(self._journal):
            time.sleep(0.05)


def allow(journal, n_requests):
    """To each process that computes from now on."""
    written = journal.with_suffix(".new")
    written.write_text(str(n_requests))
    written.rename(journal.with_suffix(".allowed"))


def allowed(journal):
    return int(journal.with_suffix(".allowed").read_text())


def hash_of(request):
    return hashlib.sha256(repr(request).encode()).hexdigest()[:16]
