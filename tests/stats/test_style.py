import numpy as np
import pytest

from stats.comparisons import LengthMismatchError
from stats.style import FEATURES, style_of

LEFT = ["# Title\n\nsome **bold** words", "- one\n- two\n1. three", "one two three four"]
RIGHT = ["some plain words", "# A\n# B\n\n**x**", "one two"]


def test_features_are_relative_differences_in_standard_deviations():
    style = style_of(LEFT, RIGHT)

    assert style.names == FEATURES
    np.testing.assert_allclose(style.covariates.mean(axis=0), 0, atol=1e-12)
    np.testing.assert_allclose(style.covariates.std(axis=0), 1)
    headers = np.array([1.0, -1.0, 0.0])
    lists = np.array([0.0, 1.0, 0.0])
    for name, raw in (("headers", headers), ("lists", lists)):
        np.testing.assert_allclose(style.covariates[:, FEATURES.index(name)], (raw - raw.mean()) / raw.std())


def test_what_never_differs_is_left_out():
    assert style_of(["a b", "a"], ["a", "a b c"]).names == ("length",)
    assert style_of([], []).covariates.shape == (0, 0)


def test_every_answer_needs_its_opponent():
    with pytest.raises(LengthMismatchError, match="2 texts on the left and 1"):
        style_of(["a", "b"], ["a"])
