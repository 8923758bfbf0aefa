"""The tokenizer of a loaded model, as what cuts texts."""

import copy
import threading
from collections.abc import Sequence
from typing import Any

from llms.engines.scored_texts import TextEncoder, Tokens


class TokenizerCutter:
    """Safe from any thread."""

    def __init__(self, tokenizer: Any) -> None:
        # A fast tokenizer that two threads use at once may raise "Already borrowed": this one is ours alone.
        self._tokenizer = copy.deepcopy(tokenizer)
        self._lock = threading.Lock()
        first = tokenizer.bos_token_id if tokenizer.bos_token_id is not None else tokenizer.eos_token_id
        self.first_token: int | None = first
        self._first_text: str = "" if first is None else tokenizer.decode(first)

    def cut(self, texts: Sequence[str], *, is_beginning: bool) -> list[Tokens]:
        adds = is_beginning and not (self._first_text and texts[0].startswith(self._first_text))
        with self._lock:
            encoded = self._tokenizer(
                list(texts),
                add_special_tokens=adds,
                return_attention_mask=False,
                return_token_type_ids=False,
                verbose=False,
            )
        tokens: list[Tokens] = encoded["input_ids"]
        return tokens


def text_encoder(tokenizer: Any, max_length: int) -> TextEncoder:
    return TextEncoder(TokenizerCutter(tokenizer), max_length)
