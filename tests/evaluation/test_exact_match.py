import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluation.scoring.exact_match import matches, normalised


@pytest.mark.parametrize(
    ("answer", "target"),
    [
        ("Paris", "paris."),
        ("The answer is **Paris**.", "Paris"),
        ("First 12, then 15.\nAnswer: 15", "15"),
        ("I add them up.\n#### 1,234", "1234"),
        ("The answer is 3. No: the answer is 4.\n", "4"),
        ("an owl", "The Owl"),
        ("$1,000.00", "1000"),
        ("-5", "−5.0"),
        ("well-known", "well known"),
        ("Straße", "STRASSE"),
        ("0.50", "0.5"),
        ("“yes”", "yes"),
    ],
)
def test_it_takes_what_means_the_same(answer, target):
    assert matches(answer, ["something else", target])


@pytest.mark.parametrize(
    ("answer", "target"),
    [
        ("5", "-5"),
        ("1.5", "15"),
        ("", ""),
        ("…", "!"),
        ("Paris and Rome", "Paris"),
        ("3.14", "3.141"),
        ("1" * 60, "1" * 59),
    ],
)
def test_it_does_not_take_what_means_something_else(answer, target):
    assert not matches(answer, [target])


def test_rules_can_be_chosen_and_unknown_ones_are_named():
    assert normalised("The  Owl", ["spaces"]) == "The Owl"
    with pytest.raises(ValueError, match="no rule is called caps; known are answer_line, case"):
        normalised("x", ["caps"])


@given(st.text())
def test_no_text_breaks_it_and_twice_is_once(text):
    rules = ["case", "punctuation", "spaces"]
    once = normalised(text, rules)

    assert normalised(once, rules) == once
    normalised(text)


@given(st.integers(-(10**12), 10**12))
def test_a_number_is_itself_however_it_is_written(number):
    assert matches(f"{number:,}.00", [str(number)])
