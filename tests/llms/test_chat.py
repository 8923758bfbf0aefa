"""How an answer is decoded."""

import pytest

from llms.chat import SamplingParams


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"temperature": -0.1}, "temperature"),
        ({"temperature": 5.1}, "temperature"),
        ({"temperature": float("nan")}, "temperature"),
        ({"top_p": 0}, "top_p"),
        ({"top_p": 1.1}, "top_p"),
        ({"top_k": -1}, "top_k"),
        ({"max_new_tokens": 0}, "max_new_tokens"),
        ({"stop": ("",)}, "stop"),
    ],
)
def test_what_cannot_be_decoded_with_is_refused(wrong, why):
    with pytest.raises(ValueError, match=why):
        SamplingParams(**wrong)


def test_temperature_zero_is_greedy():
    assert SamplingParams(temperature=0).is_greedy
    assert not SamplingParams(temperature=0.1).is_greedy


def test_a_limit_shortens_and_never_lengthens():
    assert SamplingParams(max_new_tokens=500).limited_to(100).max_new_tokens == 100
    assert SamplingParams(max_new_tokens=50, seed=7).limited_to(100) == SamplingParams(max_new_tokens=50, seed=7)
