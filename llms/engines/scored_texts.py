"""Texts to tokens, exactly as lm-evaluation-harness does it, so that the numbers are those that people publish.

The rules are the same wherever a model runs; what cuts a text into tokens is not: a tokenizer here, or a server.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple, Protocol

from llms.engines.base import LoglikelihoodRequest, RequestRejected
from llms.sentences import filled, mark

Tokens = list[int]
UNLIMITED = 1 << 30
"""Tokens, where nobody knows how many a model reads: then nothing is left out here."""


class Cutter(Protocol):
    """Safe from any thread."""

    @property
    def first_token(self) -> int | None:
        """The beginning of a text, else its end; None where the vocabulary has neither, or nobody knows."""
        ...

    def cut(self, texts: Sequence[str], *, is_beginning: bool) -> list[Tokens]:
        """`is_beginning`: whether the tokenizer may put its own first token in front. It does not where the first text
        begins with it already."""
        ...


class ScoredText(NamedTuple):
    tokens: Tokens
    n_scored: int
    """How many tokens at its end are asked for; all earlier ones are only read."""
    was_truncated: bool = False


class Needed(NamedTuple):
    """What has to be cut before a request can be put together."""

    texts: tuple[str, ...]
    is_beginning: bool


def needed(request: LoglikelihoodRequest) -> Needed:
    context, continuations = request.context, request.continuations
    bare = context.rstrip()
    if space := context[len(bare) :]:
        continuations = tuple(space + continuation for continuation in continuations)
    if not bare:
        return Needed(tuple(encodable(text) for text in continuations), is_beginning=False)
    texts = (bare, *(bare + continuation for continuation in continuations))
    return Needed(tuple(encodable(text) for text in texts), is_beginning=True)


class Rules:
    """From what is cut to what is scored."""

    def __init__(self, first_token: int | None, max_length: int) -> None:
        self._first_token = first_token
        self._max_length = max_length

    def pairs(self, wanted: Needed, cut: Sequence[Tokens]) -> list[ScoredText]:
        """The context with each of the continuations."""
        if not wanted.is_beginning:
            return [self._shortened(*self._after_nothing(tokens)) for tokens in cut]
        head, *wholes = cut
        return [self._shortened(head or self._nothing(), whole[len(head) :]) for whole in wholes]

    def windows(self, tokens: Tokens) -> Iterator[ScoredText]:
        """A text in pieces that the model can see at once, each of its tokens scored once: the first piece after the
        model's first token, the last one after as much of the text as fits.

        Unlike lm-evaluation-harness, a first token that the tokenizer adds by itself is not scored as if somebody had
        written it."""
        whole = [*self._nothing(), *tokens]
        for start in range(1, len(whole), self._max_length):
            end = min(start + self._max_length, len(whole))
            yield ScoredText(whole[max(0, end - 1 - self._max_length) : end], end - start)

    def _after_nothing(self, tokens: Tokens) -> tuple[Tokens, Tokens]:
        nothing = self._nothing()
        return (tokens[:1], tokens[1:]) if tokens[:1] == nothing else (nothing, tokens)

    def _nothing(self) -> Tokens:
        if self._first_token is None:
            words = mark(
                "Nobody knows with which token a text begins here. Give a context; or, for the model of a server, name "
                "its tokenizer in the model's options, for example %(example)s."
            )
            raise RequestRejected(filled(words, example='{"tokenizer": "/models/orion"}'))
        return [self._first_token]

    def _shortened(self, context: Tokens, continuation: Tokens) -> ScoredText:
        """With as much of the end as the model can see: it reads all tokens but the last."""
        if not continuation:
            raise RequestRejected("a continuation has no token of its own: it is empty, or a part of its context")
        tokens = context + continuation
        kept = tokens[-(self._max_length + 1) :]
        return ScoredText(kept, min(len(continuation), len(kept) - 1), len(kept) < len(tokens))


class TextEncoder:
    """The rules with a tokenizer that is here. As safe as its cutter."""

    def __init__(self, cutter: Cutter, max_length: int) -> None:
        self._cutter = cutter
        self._rules = Rules(cutter.first_token, max_length)

    def pairs(self, request: LoglikelihoodRequest) -> list[ScoredText]:
        wanted = needed(request)
        cut = self._cutter.cut(wanted.texts, is_beginning=wanted.is_beginning) if wanted.texts else []
        return self._rules.pairs(wanted, cut) if cut else []

    def windows(self, text: str) -> Iterator[ScoredText]:
        (tokens,) = self._cutter.cut([encodable(text)], is_beginning=False)
        return self._rules.windows(tokens)


def encodable(text: str) -> str:
    """Halves of characters cannot be cut: they count as question marks."""
    return text.encode("utf-8", "replace").decode("utf-8")
