import numpy as np
import pytest

from stats.errors import LengthMismatchError
from stats.style import FEATURES, counts_of_metadata, counts_of_text, style_of

LEFT = [[4, 1, 1, 0], [6, 0, 0, 3], [4, 0, 0, 0]]
RIGHT = [[3, 0, 0, 0], [3, 2, 1, 0], [2, 0, 0, 0]]
ALL = np.array([True, True, True])


def test_features_are_relative_differences_in_standard_deviations():
    covariates = style_of(LEFT, RIGHT).covariates(ALL)

    assert (covariates.names, covariates.constant) == (FEATURES, ())
    np.testing.assert_allclose(covariates.values.mean(axis=0), 0, atol=1e-12)
    np.testing.assert_allclose(covariates.values.std(axis=0), 1)
    for name, raw in (("length", [1 / 7, 1 / 3, 1 / 3]), ("headers", [1, -1, 0]), ("lists", [0, 1, 0])):
        expected = (np.array(raw) - np.mean(raw)) / np.std(raw)
        np.testing.assert_allclose(covariates.values[:, FEATURES.index(name)], expected)


def test_only_the_comparisons_that_count_make_the_standard():
    style = style_of(LEFT, RIGHT)
    rows = np.array([True, True, False])

    some = style.covariates(rows)

    np.testing.assert_allclose(some.values, style_of(LEFT[:2], RIGHT[:2]).covariates(rows[:2]).values)


def test_what_never_differs_is_left_out():
    few = style_of(LEFT, RIGHT).covariates(np.array([False, False, True]))

    assert (few.names, few.constant, few.values.shape) == ((), FEATURES, (1, 0))
    assert style_of([], []).covariates(np.zeros(0, dtype=bool)).values.shape == (0, 0)


def test_every_answer_needs_its_opponent():
    with pytest.raises(LengthMismatchError, match="2 answers on the left and 1"):
        style_of(LEFT[:2], RIGHT[:1])


def test_a_text_is_counted():
    assert counts_of_text("# Title\n\nsome **bold** words\n- one\n2. two") == (14, 1, 1, 2)


METADATA = {
    "sum_assistant_a_tokens": 30,
    "header_count_a": {"h1": 1, "h2": 0, "h3": 2, "h4": None},
    "bold_count_a": {"**": 4, "__": 1},
    "list_count_a": {"ordered": 2, "unordered": 5},
    "sum_assistant_b_tokens": 12.0,
    "header_count_b": 3,
    "bold_count_b": None,
}


def test_metadata_are_added_up_as_arena_rank_does():
    assert counts_of_metadata(METADATA, "a") == (30, 3, 5, 7)
    assert counts_of_metadata(METADATA, "b") == (12, 3, 0, 0)


@pytest.mark.parametrize("length", [None, "12", -1, float("nan"), float("inf"), {}])
def test_without_a_length_there_is_no_style(length):
    assert counts_of_metadata(METADATA | {"sum_assistant_a_tokens": length}, "a") is None
