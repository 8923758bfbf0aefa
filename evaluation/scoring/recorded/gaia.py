"""GAIA: answers (`response`) beside their truths (`target`), with `level` and `task_id` where the rows have them. No
question is needed, nor shipped: GAIA is not to be passed on.

A row that cannot be scored stays in its place with its error, and counts in no metric; an empty response is scored.
"""

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from evaluation.benchmarks.rows import Row, shown
from evaluation.errors import BadRow
from evaluation.scoring import gaia
from evaluation.scoring.recorded.files import RecordedRow
from evaluation.scoring.recorded.report import Report, Sources
from llms.sentences import filled, mark
from stats.ratios import ratio_of_sums

MARK: Final = "final answer:"


class Scored(NamedTuple):
    task: str
    """Empty where the row does not say."""
    level: str
    response: str
    target: str
    is_correct: bool


def score(rows: Sequence[RecordedRow], sources: Sources) -> Report:
    scored: list[Scored] = []
    samples = []
    for row in rows:
        try:
            one = _scored(row)
            scored.append(one)
            samples.append({**_names(row), "correct": one.is_correct, "kind": gaia.kind_of(one.target)})
        except BadRow as error:
            samples.append({**_names(row), "error": error.user_message})
    return Report(metrics=_metrics(scored, n_rows=len(rows)), samples=samples)


def _scored(row: RecordedRow) -> Scored:
    if isinstance(row, str):
        raise BadRow(row)
    response, target = _written(row, "response"), _written(row, "target")
    task, level = _name(row, "task_id"), _name(row, "level") or _name(row, "Level")
    return Scored(task, level, response, target, gaia.is_correct(response, target))


def _written(row: Row, field: str) -> str:
    """Numbers count as they are written: the published scorer takes them as well."""
    value = row.get(field)
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise BadRow(filled(mark("“%(field)s” must be a text, not %(value)s"), field=field, value=shown(value)))
    return str(value)


def _name(row: Row, field: str) -> str:
    value = row.get(field)
    return "" if value is None else str(value)


def _names(row: RecordedRow) -> dict[str, Any]:
    """What the row is called comes back with it."""
    return {} if isinstance(row, str) else {name: row[name] for name in ("task_id", "level", "Level") if name in row}


def _metrics(scored: Sequence[Scored], *, n_rows: int) -> dict[str, Any]:
    tasks = [one.task for one in scored if one.task]
    levels = sorted({one.level for one in scored if one.level})
    return {
        **_accuracy(scored),
        "n_errors": n_rows - len(scored),
        "n_repeated": len(tasks) - len(set(tasks)),
        "n_targets_of_punctuation": sum(_is_of_punctuation(one.target) for one in scored),
        "n_responses_with_mark": sum(MARK in one.response.lower() for one in scored),
        "levels": {level: _accuracy([one for one in scored if one.level == level]) for level in levels},
        "kinds": {kind: _accuracy(of_kind) for kind in gaia.Kind if (of_kind := _of_kind(scored, kind))},
    }


def _accuracy(scored: Sequence[Scored]) -> dict[str, float | None]:
    if not scored:
        return {"accuracy": None, "accuracy_stderr": None, "n_scored": 0}
    share = ratio_of_sums([float(one.is_correct) for one in scored], [1] * len(scored))
    return {"accuracy": share.value, "accuracy_stderr": share.standard_error, "n_scored": len(scored)}


def _of_kind(scored: Sequence[Scored], kind: gaia.Kind) -> list[Scored]:
    return [one for one in scored if gaia.kind_of(one.target) is kind]


def _is_of_punctuation(target: str) -> bool:
    """Such as the "?" in place of a truth that is not published: answers of punctuation match it."""
    return gaia.kind_of(target) is gaia.Kind.STRING and not gaia.normalised(target)
