"""From generated tokens to the events of a stream. Pure: knows neither torch nor threads."""

from collections.abc import Collection, Iterator, Sequence

from llms.chat import SamplingParams
from llms.engines.base import FinishReason, StreamEnd, StreamEvent, TextDelta, Usage
from llms.engines.huggingface.detokenizer import Decode, Detokenizer
from llms.engines.stop_strings import StopFilter


class AnswerWriter:
    """One answer in the making."""

    def __init__(
        self, decode: Decode, sampling: SamplingParams, *, n_prompt_tokens: int, end_tokens: Collection[int]
    ) -> None:
        self._detokenizer = Detokenizer(decode)
        self._stops = StopFilter(sampling.stop)
        self._max_new_tokens = sampling.max_new_tokens
        self._n_prompt_tokens = n_prompt_tokens
        self._end_tokens = end_tokens
        self._n_tokens = 0
        self.is_over = False

    def take(self, tokens: Sequence[int]) -> Iterator[StreamEvent]:
        """Events for newly generated tokens. Tokens after the end of the answer are ignored."""
        for token in tokens:
            if self.is_over:
                return
            self._n_tokens += 1
            if token in self._end_tokens:
                yield from self._end(FinishReason.STOP)
                return
            if text := self._stops.push(self._detokenizer.push(token)):
                yield TextDelta(text)
            if self._stops.found or self._n_tokens >= self._max_new_tokens:
                yield from self._end(FinishReason.LENGTH)

    def _end(self, reason: FinishReason) -> Iterator[StreamEvent]:
        self.is_over = True
        text = self._stops.push(self._detokenizer.flush()) + self._stops.flush()
        if text:
            yield TextDelta(text)
        usage = Usage(self._n_prompt_tokens, self._n_tokens)
        yield StreamEnd(FinishReason.STOP if self._stops.found else reason, usage)
