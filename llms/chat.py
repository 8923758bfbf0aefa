"""The values that everybody passes around a conversation. Pure: no Django, no engine."""

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Self

from llms.sentences import filled, mark


class Role(StrEnum):
    SYSTEM = "system"
    USER = "user"
    ASSISTANT = "assistant"


@dataclass(frozen=True, slots=True)
class Message:
    role: Role
    content: str


@dataclass(frozen=True, slots=True)
class SamplingParams:
    """How an answer is decoded. Temperature 0 is greedy decoding, whatever the other values say."""

    temperature: float = 0.7
    top_p: float = 1.0
    top_k: int = 0
    """0 keeps the whole vocabulary."""
    max_new_tokens: int = 512
    stop: tuple[str, ...] = ()
    seed: int | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.temperature <= 5:
            words = mark("temperature must lie between 0 and 5, not %(value)s")
            raise ValueError(filled(words, value=self.temperature))
        if not 0 < self.top_p <= 1:
            raise ValueError(filled(mark("top_p must lie above 0 and at most 1, not %(value)s"), value=self.top_p))
        if self.top_k < 0:
            raise ValueError(filled(mark("top_k must be 0 (off) or positive, not %(value)s"), value=self.top_k))
        if self.max_new_tokens < 1:
            words = mark("%(name)s must be at least %(least)s, not %(value)s")
            raise ValueError(filled(words, name="max_new_tokens", least=1, value=self.max_new_tokens))
        if any(not stop for stop in self.stop):
            raise ValueError(filled(mark("a stop string must not be empty")))

    @property
    def is_greedy(self) -> bool:
        return self.temperature == 0

    def limited_to(self, max_new_tokens: int) -> Self:
        """The same decoding, with at most this many new tokens."""
        return replace(self, max_new_tokens=min(self.max_new_tokens, max_new_tokens))
