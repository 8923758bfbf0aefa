from collections.abc import Sequence
from typing import Any

from llms.chat import SamplingParams
from llms.engines.base import FinishReason, StreamEnd, StreamEvent, TextDelta, Usage
from llms.engines.huggingface.answers import AnswerWriter

END = 0


def letters(tokens: Sequence[int]) -> str:
    return "".join(chr(token) for token in tokens)


def written(text: str, *, end: bool = False, **sampling: Any) -> list[StreamEvent]:
    writer = AnswerWriter(letters, SamplingParams(**sampling), n_prompt_tokens=9, end_tokens={END})
    events = []
    for token in [*map(ord, text), *([END] if end else [])]:
        events += list(writer.take([token]))
    return events


def test_the_end_token_ends_the_answer() -> None:
    assert written("ab", end=True) == [TextDelta("a"), TextDelta("b"), StreamEnd(FinishReason.STOP, Usage(9, 3))]


def test_the_last_allowed_token_ends_the_answer() -> None:
    assert written("abc", max_new_tokens=2)[-1] == StreamEnd(FinishReason.LENGTH, Usage(9, 2))


def test_an_end_token_in_the_last_place_is_an_end() -> None:
    assert written("ab", end=True, max_new_tokens=3)[-1] == StreamEnd(FinishReason.STOP, Usage(9, 3))


def test_a_stop_string_ends_the_answer_before_itself() -> None:
    events = written("one STOP two", stop=("STOP",))

    assert "".join(event.text for event in events if isinstance(event, TextDelta)) == "one "
    assert events[-1] == StreamEnd(FinishReason.STOP, Usage(9, 8))


def test_what_was_held_back_for_a_stop_string_is_shown_at_the_end() -> None:
    assert written("one STO", end=True, stop=("STOP",))[-2:] == [
        TextDelta("STO"),
        StreamEnd(FinishReason.STOP, Usage(9, 8)),
    ]


def test_nothing_follows_the_end() -> None:
    writer = AnswerWriter(letters, SamplingParams(), n_prompt_tokens=1, end_tokens={END})

    events = list(writer.take([ord("a"), END, ord("b"), END]))

    assert events == [TextDelta("a"), StreamEnd(FinishReason.STOP, Usage(1, 2))]
    assert list(writer.take([ord("c")])) == []
