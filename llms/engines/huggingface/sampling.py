"""Chooses the next token. Both ways of generating use it, so that they differ in speed only."""

from collections.abc import Collection
from typing import Any

import torch
import transformers
from torch import Tensor

from llms.chat import SamplingParams

FIRST_CANDIDATES = 512
"""Nucleus sampling sorts this many tokens first; seldom does the nucleus hold more, and a whole vocabulary is slow."""


class BrokenLogits(ArithmeticError):
    """The model computed something that is no number."""


class TokenChooser:
    """Draws the tokens of one answer. Its random numbers are its own: a seed gives the same draws in any company.

    The order is that of transformers: temperature, top-k, top-p.
    """

    def __init__(self, sampling: SamplingParams) -> None:
        self._sampling = sampling
        self._generator = torch.Generator()
        if sampling.seed is None:
            self._generator.seed()
        else:
            # Any whole number may be a seed, whereas a generator takes 64 bits.
            self._generator.manual_seed(sampling.seed % 2**63)

    def choose(self, logits: Tensor) -> int:
        """The next token from a row of logits."""
        best = logits.max()
        if not torch.isfinite(best):
            raise BrokenLogits("the logits are not finite")
        if self._sampling.is_greedy:
            return int(logits.argmax())
        # Subtracting the best keeps the smallest temperature from overflowing.
        scores = (logits.float() - best).div(self._sampling.temperature)
        tokens: Tensor | None = None
        if 0 < self._sampling.top_k < scores.numel():
            scores, tokens = scores.topk(self._sampling.top_k)
        if self._sampling.top_p < 1:
            scores, tokens = self._nucleus(scores, tokens)
        # Drawn on the processor, where the generator lives, so that a seed means the same on every device.
        place = int(torch.multinomial(scores.softmax(-1).cpu(), 1, generator=self._generator))
        return place if tokens is None else int(tokens[place])

    def _nucleus(self, scores: Tensor, tokens: Tensor | None) -> tuple[Tensor, Tensor]:
        """The most probable tokens whose probabilities reach top_p together; at least one."""
        total = scores.logsumexp(-1)
        for n_candidates in (min(FIRST_CANDIDATES, scores.numel()), scores.numel()):
            ordered, places = scores.topk(n_candidates)
            before = (ordered - total).exp().cumsum(-1).roll(1)
            before[0] = 0
            n_kept = int((before < self._sampling.top_p).sum())
            if n_kept < n_candidates:
                break
        kept = places[:n_kept]
        return ordered[:n_kept], kept if tokens is None else tokens[kept]


def greedy_generation(end_tokens: Collection[int], **settings: Any) -> Any:
    """What to tell transformers: take the best token, for a chooser has put the one that it drew above all others.

    What a checkpoint recommends (temperature, penalties, lengths) is left out: it must not seep into what was asked.
    """
    configuration: Any = transformers.GenerationConfig
    return configuration(
        do_sample=False, eos_token_id=sorted(end_tokens), pad_token_id=min(end_tokens, default=0), **settings
    )
