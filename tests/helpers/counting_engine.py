"""An engine for the pool that counts what it computes, stops where a test wants, and fails where it is told to."""

import threading

from llms.engines.base import GenerationFailed
from tests.helpers.hash_engine import HashEngine

PATH = "tests.helpers.counting_engine:CountingEngine"


class CountingEngine(HashEngine):
    """Its class is the switchboard: an engine in the pool is made anew in each test."""

    holds_weights = False
    n_computed = 0
    pinned = True
    fails_after = None
    """Requests of one call, after which it fails."""
    n_failures_left = 0
    error = GenerationFailed
    before_each = None
    """Called with the number of requests answered so far."""
    _lock = threading.Lock()

    @classmethod
    def reset(cls):
        cls.n_computed, cls.pinned, cls.fails_after, cls.n_failures_left = 0, True, None, 0
        cls.error, cls.before_each = GenerationFailed, None

    @classmethod
    def from_options(cls, source, revision, options, *, cache_dir, connection=None):
        return cls()

    @classmethod
    def prepare(cls, source, revision, options, *, cache_dir, report):
        return None

    @classmethod
    def identity(cls, source, revision, options, hashes):
        return f"weights of {source}" if cls.pinned else ""

    @classmethod
    def problems(cls, source, revision, options):
        return []

    def scoring_method(self):
        from llms.engines.base import ScoringMethod

        return ScoringMethod("plain rows", "", "float32", "cpu", 2048, {"counting": "1"})

    def loglikelihoods(self, requests):
        return self._counted(super().loglikelihoods(requests))

    def token_statistics(self, texts):
        return self._counted(super().token_statistics(texts))

    def _counted(self, answers):
        cls = type(self)
        for n, answer in enumerate(answers):
            if cls.before_each:
                cls.before_each(cls.n_computed)
            if cls.fails_after is not None and n >= cls.fails_after and cls.n_failures_left:
                cls.n_failures_left -= 1
                raise cls.error("it broke on purpose")
            with cls._lock:
                cls.n_computed += 1
            yield answer
