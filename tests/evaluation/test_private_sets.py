import io
import json

import pytest

from evaluation.benchmarks.base import Options
from evaluation.datasets import DataKind
from evaluation.errors import DataUnreadable
from evaluation.private_sets import Form, read_private_set
from evaluation.runner import evaluate, prepare
from tests.helpers.hash_engine import HashEngine

GOOD = {"id": "q1", "question": "Who signs?", "choices": ["the desk", "the lead", "nobody"], "answer": "B"}


def read(*rows, **options):
    lines = [row if isinstance(row, bytes) else json.dumps(row).encode() for row in rows]
    data = b"\n".join(lines)
    return read_private_set(io.BytesIO(data), size=len(data), **options)


def told(*rows):
    return [(problem.line, str(problem.reason)) for problem in read(*rows).problems]


def test_a_good_set_runs_like_any_other():
    rows = [{**GOOD, "id": f"q{i}", "answer": "ABC"[i % 3]} for i in range(6)]
    found = read(*rows)
    prepared = prepare(found.benchmark("ours", "Our rules"), found.row_set("upload"), Options(n_shots=1), limit=4)

    scores = list(evaluate(prepared, HashEngine()))

    assert (found.form, found.problems) == (Form.MULTIPLE_CHOICE, ())
    assert sorted(score.sample_id for score in scores) == ["q0", "q1", "q2", "q3"]
    assert prepared.protocol.data is DataKind.PRIVATE
    assert not prepared.protocol.is_whole


def test_answers_may_be_texts():
    found = read(
        {"id": "a", "question": "How many?", "answer": ["27", "27 days"]}, {"id": "b", "question": "x", "answer": "y"}
    )

    assert (found.form, found.problems) == (Form.EXACT_MATCH, ())
    assert found.benchmark("ours", "Ours").samples(found.rows)[0].target == ("27", "27 days")


@pytest.mark.parametrize(
    ("line", "reasons"),
    [
        ({**GOOD, "id": "q2", "question": None}, ["“question” is missing"]),
        ({"id": "q2", "choices": ["a", "b"], "answer": "A", "qestion": "x"}, ["“question” is missing: rename “qestion”"]),
        ({**GOOD, "id": "q2", "question": "", "answer": "D"}, ["“question” is empty", "“answer” must be a letter from A to C, not 'D'"]),
        ({**GOOD, "id": "q2", "answer": "the lead"}, ["“answer” must be a letter: write “B” in place of the choice itself"]),
        ({**GOOD, "id": "q2", "answer": 1}, ["“answer” must be a letter from A to C, not the number 1: A is the first choice"]),
        ({**GOOD, "id": "q2", "answer": None}, ["“answer” is missing"]),
        ({**GOOD, "id": "q2", "choices": ["a", "a "]}, ["two choices are equal: only one of them can be right"]),
        ({**GOOD, "id": "q2", "choices": ["a"]}, ["“choices” must have 2 to 26 entries, not 1"]),
        ({**GOOD, "id": "q2", "choices": ["a", ""]}, ["entry 2 of “choices” must be a text that is not empty, not ''"]),
        ({**GOOD, "id": "q2", "choices": "ab"}, ["“choices” must be a list, not 'ab'"]),
        ({**GOOD, "id": "q2", "choices": ["a\0", "b"]}, ["“choices” holds a NUL character: remove it"]),
        ({**GOOD, "id": "q2", "question": "a\0"}, ["“question” holds a NUL character: remove it"]),
        ({**GOOD, "id": "q2", "question": "\ud800"}, ["“question” holds half of a character (a lone surrogate)"]),
        ({**GOOD, "id": "q2", "subject": 5}, ["“subject” must be a text, not 5"]),
        ({**GOOD, "id": 7}, ["“id” must be a text, not 7"]),
        ({**GOOD, "id": "x" * 101}, ["“id” is longer than 100 characters"]),
        (GOOD, ["“id” 'q1' is that of line 1 as well: give each item one of its own"]),
        (b"[1]", ['not an object but [1]: write {"id": …, "question": …, "answer": …}']),
        (b'{"id": "q2"', ["not JSON at character 12 (Expecting ',' delimiter): write one object per line"]),
        (b'{"id": "\xe9"}', ["not UTF-8 at byte 9 of the line: save the file as UTF-8"]),
        (b"\xef\xbb\xbf{}", ["a byte order mark in the middle of the file: remove it (files were joined here)"]),
        (b"[" * 100_000, ["not JSON that can be read: write one object per line"]),
        (b"1" * 5000, ["not JSON that can be read: write one object per line"]),
        (b" " + b"x" * 300_000, ["the line is longer than 200 kB: shorten it"]),
    ],
)  # fmt: skip
def test_each_fault_is_named_with_its_line_and_its_mend(line, reasons):
    assert told(GOOD, b"", line) == [(3, reason) for reason in reasons]


def test_faults_of_written_answers_are_named():
    first = {"id": "a", "question": "x", "answer": "y"}

    assert told(
        first, {**GOOD, "id": "b"}, {**first, "id": "c", "answer": [""]}, {**first, "id": "d", "answer": ["\0"]}
    ) == [
        (2, "“choices” in a set that began without them: put these items into a set of their own"),
        (3, "entry 1 of “answer” must be a text that is not empty, not ''"),
        (4, "“answer” holds a NUL character: remove it"),
    ]


def test_a_byte_order_mark_at_the_beginning_does_no_harm():
    assert told(b"\xef\xbb\xbf" + json.dumps(GOOD).encode()) == []


@pytest.mark.parametrize(
    ("data", "words"), [(b"\xff\xfex\0", "UTF-16. Save it as UTF-8"), (b"\n \n", "The file is empty")]
)
def test_a_file_that_is_no_set_is_refused(data, words):
    with pytest.raises(DataUnreadable, match=words):
        read(data)


class Unreadable(io.BytesIO):
    def read(self, *args):
        raise AssertionError("nothing may be read")


def test_a_file_over_the_cap_is_refused_before_a_byte_is_read():
    with pytest.raises(DataUnreadable, match="larger than 20 MB: split it"):
        read_private_set(Unreadable(), size=20_000_001)


def test_a_file_that_lied_about_its_size_is_refused():
    with pytest.raises(DataUnreadable, match="larger than"):
        read_private_set(io.BytesIO(b"x" * 2_000_000), size=10, most_bytes=1_000_000)


def test_too_many_items_are_refused(monkeypatch):
    monkeypatch.setattr("evaluation.private_sets.MOST_ITEMS", 2)

    assert told(GOOD, {**GOOD, "id": "b"}, {**GOOD, "id": "c"}) == [
        (3, "3 items are more than the 2 of one set: split the file.")
    ]


def test_a_thousand_bad_lines_give_a_thousand_precise_errors():
    kinds = [b"not json", {**GOOD, "answer": "Z"}, {"id": "x"}, b'{"question": "\xff"}']
    lines = [{**kind, "id": f"q{i}"} if isinstance(kind := kinds[i % 4], dict) else kind for i in range(1000)]

    problems = read(GOOD, *lines).problems

    assert {problem.line for problem in problems} == set(range(2, 1002))
