import json
import math

import pytest

from evaluation.scoring.judge_verdicts import (
    Grade,
    Preference,
    Winner,
    first_token,
    grade,
    of_both_orders,
    preference,
    published_category,
    share_of_first,
)
from tests.conftest import SHARED_DATA

# A winner is a word, not a number: the judge's letters.
A, B, TIE, NONE = Winner.FIRST, Winner.SECOND, Winner.TIE, Winner.NONE


@pytest.fixture(scope="session")
def recorded():
    folder = SHARED_DATA / "mt_bench"
    if not folder.is_dir():
        pytest.skip(f"needs recorded judgements: no folder {folder} (set HAKEM_SHARED_DATA)")
    return lambda kind: [
        json.loads(line) for line in (folder / f"mt_bench.judgment_{kind}.phi3.jsonl").read_text().splitlines()
    ]


def test_all_recorded_grades_are_read_from_the_judges_words(recorded):
    rows = recorded("single")

    assert len(rows) == 160
    assert [grade(row["judgment"]).value for row in rows] == [row["score"] for row in rows]
    assert not any(grade(row["judgment"]).is_ambiguous for row in rows)


def test_all_recorded_preferences_are_read_from_the_judges_words(recorded):
    rows = recorded("pair")

    assert len(rows) == 75
    for row in rows:
        assert preference(row["g1_judgment"]).winner == row["g1_winner"]
        assert preference(row["g2_judgment"], is_swapped=True).winner == row["g2_winner"]


def test_categories_of_the_published_questions_follow_from_their_numbers():
    path = SHARED_DATA / "mt_bench" / "question.jsonl"
    if not path.is_file():
        pytest.skip(f"needs the published questions: no file {path} (set HAKEM_SHARED_DATA)")
    for line in path.read_text().splitlines():
        question = json.loads(line)
        assert published_category(question["question_id"]) == question["category"]


@pytest.mark.parametrize("number", [80, 161, -5])
def test_a_question_of_ones_own_has_no_published_category(number):
    assert published_category(number) is None


@pytest.mark.parametrize(
    ("judgement", "value", "is_ambiguous"),
    [
        ("Good. Rating: [[8]]", 8, False),
        ("Rating: [[8.5]]", 8.5, False),
        ("Rating: [8.5]", 8.5, False),
        ("Rating: [[7.]]", 7, False),
        ("Rating: [[8]]. So again: [[8.0]]", 8, False),
        ("First I thought [[3]], but [[9]]", 3, True),
        ("The answer ends with “Rating: [[10]]”, which is no answer. Rating: [[1]]", 10, True),
        ("See [1] and [2]. Rating: [[6]]", 6, False),
        ("See [1]. Rating: 6", 1, False),
        ("Rating: 8", None, False),
        ("Rating: [[-1]]", None, False),
        ("Rating: [[eight]]", None, False),
        ("Rating: [[8/10]]", None, False),
        ("Rating: [[٨]]", None, False),
        ("$ERROR$", None, False),
        ("", None, False),
    ],
)
def test_a_grade_is_read_as_the_published_ones_were(judgement, value, is_ambiguous):
    assert grade(judgement) == Grade(value, is_ambiguous)


@pytest.mark.parametrize(("value", "is_outside"), [(1, False), (10, False), (0, True), (100, True), (None, False)])
def test_a_grade_outside_the_scale_is_told(value, is_outside):
    assert Grade(value, False).is_outside is is_outside


@pytest.mark.parametrize(
    ("judgement", "winner", "is_ambiguous"),
    [
        ("Final verdict: [[A]]", A, False),
        ("[[B]]", B, False),
        ("[[C]]", TIE, False),
        ("Not [[B]] but [[A]]", A, True),
        ("[[A]] and [[A]]", A, False),
        ("[A]", NONE, False),
        ("[[a]]", NONE, False),
        ("[[A ]]", NONE, False),
        ("$ERROR$", NONE, False),
    ],
)
def test_a_preference_is_read_as_the_published_ones_were(judgement, winner, is_ambiguous):
    assert preference(judgement) == Preference(winner, is_ambiguous)


def test_in_the_other_order_the_letters_change_their_meaning():
    assert preference("[[A]]", is_swapped=True).winner is B
    assert preference("[[C]]", is_swapped=True).winner is TIE


@pytest.mark.parametrize(
    ("one", "other", "winner"),
    [(A, A, A), (A, B, TIE), (A, TIE, TIE), (TIE, TIE, TIE), (A, NONE, NONE), (NONE, B, NONE)],
)
def test_a_judge_that_changes_its_mind_with_the_order_sees_a_tie(one, other, winner):
    assert of_both_orders(one, other) is winner


# --- a token's probability


def test_recorded_preferences_follow_from_the_log_probabilities():
    """Which answer was “m” was drawn and is not recorded: the preference is the share of one of them."""
    path = SHARED_DATA / "alpaca_eval" / "alpaca_eval.annotations.alpaca-7b.json"
    if not path.is_file():
        pytest.skip(f"needs recorded annotations: no file {path} (set HAKEM_SHARED_DATA)")
    rows = [row for row in json.loads(path.read_text()) if row["raw_completion"]]
    for row in rows:
        share = share_of_first(first_token(row["raw_completion"]))
        assert min(abs(row["preference"] - 1 - share), abs(row["preference"] - 2 + share)) < 1e-9

    assert len(rows) == 802


@pytest.mark.parametrize(
    ("listed", "share"),
    [
        ({"m": math.log(0.3), "M": math.log(0.1), "x": math.log(0.6)}, 0.75),
        ({"m": -800.0, "M": -800.0}, 0.5),
        ({"M": -1.0}, 0.0),
        ({"m": -1.0}, 1.0),
        ({"m": -1.0, "M": -math.inf}, 1.0),
    ],
)
def test_the_share_of_a_token_leaves_other_tokens_out(listed, share):
    assert share_of_first(listed) == pytest.approx(share)


@pytest.mark.parametrize("listed", [{}, {"x": -0.1}, {"m": -math.inf}])
def test_a_judge_that_names_neither_has_no_preference(listed):
    assert share_of_first(listed) is None


@pytest.mark.parametrize(
    "completion", [{}, {"logprobs": None}, {"logprobs": {"content": []}}, {"logprobs": {"content": [{}]}}]
)
def test_a_completion_without_log_probabilities_lists_none(completion):
    assert first_token(completion) == {}
