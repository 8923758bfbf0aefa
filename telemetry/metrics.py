"""What Prometheus may read of this process. No label names a language model: that would tell a voter who writes.

Labels have as many values as there are endpoints, routes and error codes, never as many as there are visitors. Whoever
counts many times asks for the labelled metric once, as `StreamMeter` does, and then only counts.
"""

import time

from prometheus_client import Counter, Gauge, Histogram

HERE = "this process"
"""In place of an endpoint's name: weights that are loaded here."""

ACTIVE_TURNS = Gauge("hakem_active_turns", "Turns that are being answered", multiprocess_mode="livesum")
TURNS = Counter("hakem_turns", "Turns begun")
VOTES = Counter("hakem_votes", "Votes cast", ["outcome"])
FIRST_TOKEN = Histogram(
    "hakem_first_token_seconds",
    "From the question to a model's first words, the waiting line not counted",
    ["endpoint"],
    buckets=(0.05, 0.1, 0.25, 0.5, 1, 2, 4, 8, 15, 30, 60),
)
INTER_TOKEN = Histogram(
    "hakem_inter_token_seconds",
    "Between two pieces of an answer, as they came from the model",
    ["endpoint"],
    buckets=(0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20),
)
TOKENS = Counter("hakem_tokens", "Pieces of answers that came from models", ["endpoint"])
ENGINE_ERRORS = Counter("hakem_engine_errors", "Answers that failed, by where and why", ["endpoint", "kind"])
ENGINE_RETRIES = Counter("hakem_engine_retries", "Requests to a model server that were sent again", ["server"])
WAITING = Gauge("hakem_waiting", "Answers that stand in line before a model server", multiprocess_mode="livesum")
REQUESTS = Histogram(
    "hakem_http_seconds",
    "Requests for pages and the API",
    ["method", "route", "status"],
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)


class StreamMeter:
    """Times one answer as it comes from its model."""

    def __init__(self, endpoint: str) -> None:
        self._first, self._between = FIRST_TOKEN.labels(endpoint), INTER_TOKEN.labels(endpoint)
        self._tokens = TOKENS.labels(endpoint)
        self._has_begun = False
        self._last = time.perf_counter()

    def begin_again(self) -> None:
        """It stood in line until now."""
        self._last = time.perf_counter()

    def note_text(self) -> None:
        now = time.perf_counter()
        (self._between if self._has_begun else self._first).observe(now - self._last)
        self._tokens.inc()
        self._has_begun, self._last = True, now
