"""Turns tokens into text one by one, although a character may need several tokens and a token several neighbours."""

from collections.abc import Callable, Sequence

REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
MAX_HELD = 32
"""Tokens held back at most. No character needs so many: what still ends in a replacement character is meant so."""

Decode = Callable[[Sequence[int]], str]


class Detokenizer:
    """The pieces, joined, are what decoding all tokens at once gives.

    New text is what the tokens since the last piece add to that piece's own tokens: these decide, for example, whether
    a space belongs between the two. Text that ends in the middle of a character is held back until it is complete.
    """

    def __init__(self, decode: Decode) -> None:
        self._decode = decode
        self._tokens: list[int] = []
        """The tokens of the last piece, then those that gave no text yet."""
        self._n_shown = 0
        self._shown = ""

    def push(self, token: int) -> str:
        self._tokens.append(token)
        text = self._decode(self._tokens)
        n_held = len(self._tokens) - self._n_shown
        if len(text) <= len(self._shown) or (text.endswith(REPLACEMENT) and n_held < MAX_HELD):
            return ""
        piece = text[len(self._shown) :]
        self._tokens = self._tokens[self._n_shown :]
        self._n_shown = len(self._tokens)
        self._shown = self._decode(self._tokens)
        return piece

    def flush(self) -> str:
        """What is left when no further token comes."""
        piece = self._decode(self._tokens)[len(self._shown) :]
        self._n_shown, self._shown = len(self._tokens), self._decode(self._tokens)
        return piece
