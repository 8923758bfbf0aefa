import json

import numpy as np
import pytest

from stats.file_tables import coded
from stats.vote_answers import counted_metadata, counted_texts, texts_of, written

TURNS = [
    {"role": "user", "content": "q"},
    {"role": "assistant", "content": "one"},
    {"role": "user", "content": "more"},
    {"role": "assistant", "content": [{"type": "text", "text": "two"}, {"type": "image", "text": None}, "odd"]},
    {"role": "assistant", "content": None},
]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain words", "plain words"),
        ('"quoted"', '"quoted"'),
        ('["one", "two", null]', "one\n\ntwo"),
        ("[1, 2, 3]", "[1, 2, 3]"),
        ("[the end", "[the end"),
        ("[]", ""),
        ('[{"role": "user", "content": "q"}]', ""),
        ('[{"role": "assistant", "content": null}]', ""),
        ('[{"content": "x"}]', '[{"content": "x"}]'),
        (json.dumps(TURNS), "one\n\ntwo\n\n\n"),
        (str(TURNS), "one\n\ntwo\n\n\n"),
    ],
)
def test_texts_are_what_the_model_wrote(text, expected):
    assert written(text, conversation=False) == expected


@pytest.mark.parametrize("text", ["", "words", "[1]", "{}", "[{'role': 'user'} {'role': 'user'}]", "[" * 10_000])
def test_a_conversation_that_is_none_is_not_taken_for_a_text(text):
    assert written(text, conversation=True) is None


def test_what_python_printed_may_hold_any_backslash():
    assert written(r"[{'role': 'assistant', 'content': '\d'}]", conversation=True) == r"\d"


def test_texts_are_those_of_the_rows():
    column = coded(["x", None, '["y"]'])

    assert list(texts_of(column, np.array([2, 1, 0]), conversation=False)) == ["y", "", "x"]
    assert list(texts_of(column, np.array([2, 1, 0]), conversation=True)) == ["y", None, None]


def test_texts_are_counted():
    np.testing.assert_array_equal(counted_texts(["- a", None]), [[2, 0, 0, 1], [np.nan] * 4])
    assert counted_texts([]).shape == (0, 4)


def test_metadata_are_read_from_json_and_from_what_python_prints():
    sides = {"sum_assistant_a_tokens": 5, "list_count_a": {"ordered": 2}, "sum_assistant_b_tokens": 7}
    column = coded([json.dumps(sides), None, str(sides), "nothing", "[1]", '{"sum_assistant_a_tokens": 5}'])

    left, right = counted_metadata(column, np.array([0, 1, 2, 3, 4, 5]))

    unknown = [np.nan] * 4
    np.testing.assert_array_equal(left, [[5, 0, 0, 2], unknown, [5, 0, 0, 2], unknown, unknown, [5, 0, 0, 0]])
    np.testing.assert_array_equal(right, [[7, 0, 0, 0], unknown, [7, 0, 0, 0], unknown, unknown, unknown])
    assert counted_metadata(column, np.array([], dtype=int)).left.shape == (0, 4)
