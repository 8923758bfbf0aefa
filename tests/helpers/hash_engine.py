"""A model that is a hash: the log-probabilities that tests/evaluation/golden/make_golden.py gives lm-evaluation-harness."""

import hashlib

from llms.engines.base import (
    Completion,
    ContinuationScore,
    Engine,
    FinishReason,
    RequestScores,
    TextStatistics,
    TokenStatistics,
    Usage,
)


def log_probability(context, continuation):
    digest = hashlib.sha256(f"{context}\0{continuation}".encode()).digest()
    return -int.from_bytes(digest[:4]) / 2**32 * 20


class HashEngine(Engine):
    """Answers in an order of its own, the last request first, as an engine may."""

    def __init__(self, *, truncated=(), scores=None, render=None):
        self.asked = []
        self.n_given = 0
        self.closed = False
        self._truncated = truncated
        self._render = render
        self._scores = scores or log_probability

    def prompt_text(self, messages):
        return self._render and self._render(messages)

    async def stream(self, messages, sampling):
        raise NotImplementedError
        yield

    def generate(self, conversations, sampling):
        return [self._completion(conversation) for conversation in conversations]

    def _completion(self, conversation):
        words = conversation[-1].content.split()
        text = " ".join(words[: 1 + int(-log_probability("", conversation[-1].content)) % len(words)])
        return Completion(text, FinishReason.STOP, Usage(len(words), len(text.split())))

    def loglikelihoods(self, requests):
        self.asked += requests
        return self._given(requests)

    def _given(self, requests):
        try:
            for index in reversed(range(len(requests))):
                request = requests[index]
                self.n_given += 1
                yield RequestScores(index, tuple(self._score(request.context, text) for text in request.continuations))
        finally:
            self.closed = True

    def _score(self, context, text):
        was_truncated = any(word in context for word in self._truncated)
        return ContinuationScore(self._scores(context, text), False, len(text.split()), was_truncated)

    def token_statistics(self, texts):
        self.asked += texts
        return iter([TextStatistics(index, self._statistics(text)) for index, text in reversed(list(enumerate(texts)))])

    def _statistics(self, text):
        numbers = tuple(self._scores("", word) for word in text.split())
        return TokenStatistics(numbers, numbers, numbers)

    def close(self):
        self.closed = True
