"""A private benchmark's file, read line by line: either every line is good, or each bad one is named with its mend.

The file is a stranger's: nothing of it is believed, and nothing is read of one that is too large.
"""

import difflib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, BinaryIO, Final, NamedTuple

from evaluation.benchmarks.private import LETTERS, PrivateBenchmark, PrivateExactMatch, PrivateMultipleChoice
from evaluation.benchmarks.rows import Row, shown, text, texts
from evaluation.datasets import DataKind, RowSet
from evaluation.errors import BadRow, DataUnreadable
from llms.sentences import Sentence, filled, mark

MOST_BYTES: Final = 20_000_000
MOST_LINE_BYTES: Final = 200_000
MOST_ITEMS: Final = 50_000
LONGEST_ID: Final = 100
LONGEST_SUBJECT: Final = 100
UTF8_BOM: Final = b"\xef\xbb\xbf"
UTF16_BOMS: Final = (b"\xff\xfe", b"\xfe\xff")


class Form(StrEnum):
    MULTIPLE_CHOICE = "multiple_choice"
    EXACT_MATCH = "exact_match"


KINDS: Final[Mapping[Form, type[PrivateBenchmark]]] = {
    Form.MULTIPLE_CHOICE: PrivateMultipleChoice,
    Form.EXACT_MATCH: PrivateExactMatch,
}


class LineProblem(NamedTuple):
    line: int
    """The first is 1, as editors count."""
    reason: Sentence


@dataclass(frozen=True, slots=True, kw_only=True)
class PrivateSet:
    form: Form
    rows: tuple[Row, ...]
    lines: tuple[int, ...]
    """Of each row."""
    problems: tuple[LineProblem, ...]
    """A set with any is not to be used."""

    def benchmark(self, name: str, title: str) -> PrivateBenchmark:
        return KINDS[self.form](name, title)

    def row_set(self, source: str) -> RowSet:
        return RowSet(kind=DataKind.PRIVATE, source=source, rows=self.rows)


def read_private_set(file: BinaryIO, *, size: int, most_bytes: int = MOST_BYTES) -> PrivateSet:
    """`size` is what the upload says it has; a larger one is refused before a byte is read, and one that lied after
    `most_bytes`. Raises DataUnreadable."""
    data = file.read(most_bytes + 1) if size <= most_bytes else None
    if data is None or len(data) > most_bytes:
        words = mark("The file is larger than %(most)s MB: split it into several sets.")
        raise DataUnreadable(filled(words, most=most_bytes // 1_000_000))
    if data.startswith(UTF16_BOMS):
        raise DataUnreadable(filled(mark("Line 1: the file is in UTF-16. Save it as UTF-8.")))
    return _checked(data.removeprefix(UTF8_BOM).split(b"\n"))


class _Line(NamedTuple):
    number: int
    row: Mapping[str, Any]


def _checked(lines: Sequence[bytes]) -> PrivateSet:
    problems: list[LineProblem] = []
    parsed: list[_Line] = []
    for number, line in enumerate(lines, start=1):
        if line.strip():
            try:
                parsed.append(_Line(number, _object(line)))
            except BadRow as error:
                problems.append(LineProblem(number, error.user_message))
    form = Form.MULTIPLE_CHOICE if any("choices" in row for _, row in parsed[:1]) else Form.EXACT_MATCH
    first_line_of: dict[str, int] = {}
    for number, row in parsed:
        problems += [LineProblem(number, reason) for reason in _problems(row, form)]
        problems += [LineProblem(number, reason) for reason in _id_problems(row, number, first_line_of)]
    if not parsed and not problems:
        raise DataUnreadable(filled(mark("The file is empty: give one JSON object per line.")))
    if len(parsed) > MOST_ITEMS:
        words = mark("%(n)s items are more than the %(most)s of one set: split the file.")
        problems.append(LineProblem(parsed[MOST_ITEMS].number, filled(words, n=len(parsed), most=MOST_ITEMS)))
    rows = tuple(row for _, row in parsed)
    in_order = tuple(sorted(problems, key=lambda problem: problem.line))
    return PrivateSet(form=form, rows=rows, lines=tuple(number for number, _ in parsed), problems=in_order)


def _object(line: bytes) -> Mapping[str, Any]:
    if len(line) > MOST_LINE_BYTES:
        raise BadRow(filled(mark("the line is longer than %(most)s kB: shorten it"), most=MOST_LINE_BYTES // 1000))
    if line.startswith(UTF8_BOM):
        raise BadRow(filled(mark("a byte order mark in the middle of the file: remove it (files were joined here)")))
    try:
        value = json.loads(line.decode())
    except UnicodeDecodeError as error:
        words = mark("not UTF-8 at byte %(place)s of the line: save the file as UTF-8")
        raise BadRow(filled(words, place=error.start + 1)) from None
    except json.JSONDecodeError as error:
        words = mark("not JSON at character %(place)s (%(why)s): write one object per line")
        raise BadRow(filled(words, place=error.colno, why=error.msg)) from None
    except (ValueError, RecursionError):
        raise BadRow(filled(mark("not JSON that can be read: write one object per line"))) from None
    if not isinstance(value, dict):
        words = mark('not an object but %(value)s: write {"id": …, "question": …, "answer": …}')
        raise BadRow(filled(words, value=shown(value)))
    return value


def _problems(row: Mapping[str, Any], form: Form) -> list[Sentence]:
    """All that is wrong with an item, so that one correction mends the line."""
    found = [reason for field in ("question",) for reason in _reasons(row, field)]
    if "subject" in row and row["subject"] is not None:
        found += _reasons(row, "subject") or _too_long(row["subject"], "subject", LONGEST_SUBJECT)
    if form is Form.MULTIPLE_CHOICE:
        return found + _choice_problems(row)
    if "choices" in row:
        found.append(
            filled(mark("“choices” in a set that began without them: put these items into a set of their own"))
        )
    return found + _answer_problems(row)


def _reasons(row: Mapping[str, Any], field: str) -> list[Sentence]:
    try:
        value = text(row, field)
    except BadRow as error:
        return [_with_hint(row, field, error.user_message)]
    return [] if "\0" not in value else [filled(mark("“%(field)s” holds a NUL character: remove it"), field=field)]


def _with_hint(row: Mapping[str, Any], field: str, reason: Sentence) -> Sentence:
    """A field that is missing may only be misspelt."""
    near = difflib.get_close_matches(field, [name for name in row if len(name) < 2 * len(field)], n=1)
    if field in row or not near:
        return reason
    return filled(mark("%(why)s: rename “%(near)s”"), why=reason, near=near[0])


def _choice_problems(row: Mapping[str, Any]) -> list[Sentence]:
    try:
        choices = texts(row, "choices", at_most=len(LETTERS))
    except BadRow as error:
        return [_with_hint(row, "choices", error.user_message)]
    found = []
    if len({choice.strip() for choice in choices}) < len(choices):
        found.append(filled(mark("two choices are equal: only one of them can be right")))
    if any("\0" in choice for choice in choices):
        found.append(filled(mark("“%(field)s” holds a NUL character: remove it"), field="choices"))
    return found + _letter_problems(row, choices)


def _letter_problems(row: Mapping[str, Any], choices: Sequence[str]) -> list[Sentence]:
    answer, allowed = row.get("answer"), LETTERS[: len(choices)]
    if answer in allowed:
        return []
    if answer is None:
        return _reasons(row, "answer")
    if isinstance(answer, str) and answer in choices:
        words = mark("“answer” must be a letter: write “%(letter)s” in place of the choice itself")
        return [filled(words, letter=allowed[choices.index(answer)])]
    if isinstance(answer, int) and not isinstance(answer, bool):
        words = mark("“answer” must be a letter from A to %(last)s, not the number %(value)s: A is the first choice")
        return [filled(words, last=allowed[-1], value=shown(answer))]
    words = mark("“answer” must be a letter from A to %(last)s, not %(value)s")
    return [filled(words, last=allowed[-1], value=shown(answer))]


def _answer_problems(row: Mapping[str, Any]) -> list[Sentence]:
    if not isinstance(row.get("answer"), list):
        return _reasons(row, "answer")
    try:
        answers = texts(row, "answer", at_least=1)
    except BadRow as error:
        return [error.user_message]
    nul = any("\0" in answer for answer in answers)
    return [filled(mark("“%(field)s” holds a NUL character: remove it"), field="answer")] if nul else []


def _too_long(value: str, field: str, most: int) -> list[Sentence]:
    words = mark("“%(field)s” is longer than %(most)s characters")
    return [filled(words, field=field, most=most)] if len(value) > most else []


def _id_problems(row: Mapping[str, Any], number: int, first_line_of: dict[str, int]) -> list[Sentence]:
    if found := _reasons(row, "id"):
        return found
    name = row["id"]
    if too_long := _too_long(name, "id", LONGEST_ID):
        return too_long
    first = first_line_of.setdefault(name, number)
    if first != number:
        words = mark("“id” %(value)s is that of line %(first)s as well: give each item one of its own")
        return [filled(words, value=shown(name), first=first)]
    return []
