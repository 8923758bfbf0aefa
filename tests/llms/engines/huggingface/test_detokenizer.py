from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as some

from llms.engines.huggingface.detokenizer import MAX_HELD, REPLACEMENT, Detokenizer
from tests.llms.engines.tiny import byte_tokenizer


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    return byte_tokenizer()


def pieces_of(tokenizer: Any, tokens: Sequence[int]) -> list[str]:
    detokenizer = Detokenizer(lambda ids: decode(tokenizer, ids))
    return [*(detokenizer.push(token) for token in tokens), detokenizer.flush()]


def decode(tokenizer: Any, tokens: Sequence[int]) -> str:
    text: str = tokenizer.decode(tokens, skip_special_tokens=True, clean_up_tokenization_spaces=False)
    return text


@given(text=some.text(max_size=40))
@example("Rüzgâr ığdır İSTANBUL şöyle 👩‍👩‍👧‍👦 🏳️‍🌈 你好，世界 नमस्ते مرحبا\n\n\tend  ")
def test_no_character_is_ever_shown_in_halves(tokenizer: Any, text: str) -> None:
    text = text.replace(REPLACEMENT, "")
    pieces = pieces_of(tokenizer, tokenizer.encode(text, add_special_tokens=False))

    assert "".join(pieces) == text
    assert REPLACEMENT not in "".join(pieces)


@given(tokens=some.lists(some.integers(0, 255), max_size=60))
def test_pieces_of_any_bytes_join_to_the_whole(tokenizer: Any, tokens: list[int]) -> None:
    assert "".join(pieces_of(tokenizer, tokens)) == decode(tokenizer, tokens)


def test_each_character_is_shown_as_soon_as_it_is_complete(tokenizer: Any) -> None:
    assert pieces_of(tokenizer, tokenizer.encode("aü🙂", add_special_tokens=False)) == [
        *("a", "", "ü", "", "", "", "🙂", ""),
    ]


def test_special_tokens_are_not_shown(tokenizer: Any) -> None:
    tokens = [*tokenizer.encode("a"), *tokenizer.all_special_ids, *tokenizer.encode("b")]

    assert "".join(pieces_of(tokenizer, tokens)) == "ab"


def test_a_character_that_was_cut_is_shown_as_the_tokenizer_shows_it(tokenizer: Any) -> None:
    tokens = tokenizer.encode("ok 🙂", add_special_tokens=False)[:-1]

    assert pieces_of(tokenizer, tokens)[-1] == REPLACEMENT
    assert "".join(pieces_of(tokenizer, tokens)) == decode(tokenizer, tokens)


def test_text_that_really_consists_of_replacement_characters_flows(tokenizer: Any) -> None:
    pieces = pieces_of(tokenizer, tokenizer.encode(REPLACEMENT * 50, add_special_tokens=False))

    assert "".join(pieces) == REPLACEMENT * 50
    assert any(pieces[: MAX_HELD + 1])


def test_spaces_before_words_survive_where_the_first_one_is_dropped() -> None:
    words = {1: "▁Hello", 2: "▁", 3: "▁world", 4: "!", 5: "ing"}

    def decode_words(ids: Sequence[int]) -> str:
        return "".join(words[token] for token in ids).replace("▁", " ").removeprefix(" ")

    for tokens in ([1, 3, 4], [1, 2, 3, 5], [2, 2, 1, 2, 2, 4], [3, 1, 2]):
        detokenizer = Detokenizer(decode_words)
        pieces = [*(detokenizer.push(token) for token in tokens), detokenizer.flush()]
        assert "".join(pieces) == decode_words(tokens)
