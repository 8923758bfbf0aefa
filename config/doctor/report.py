"""Findings for people and for machines. Whatever a server said has passed the same net as the log."""

import json
from collections import Counter
from collections.abc import Sequence
from itertools import groupby
from operator import attrgetter

from config.doctor.findings import Result, State
from telemetry.logs import redacted

SIGNS = {State.OK: "✓", State.WARNING: "!", State.PROBLEM: "✗", State.UNKNOWN: "?"}
LONGEST_NAME = 24


def as_text(results: Sequence[Result], *, plain: bool) -> str:
    """Signs for a terminal, words for what reads them."""
    marks = {state: state.value if plain else SIGNS[state] for state in State}
    mark_width = max(map(len, marks.values()))
    width = min(LONGEST_NAME, max(len(result.name) for result in results))
    lines = []
    for group, members in groupby(results, key=attrgetter("group")):
        lines.append(group)
        for _, name, finding in members:
            lines.append(f"  {marks[finding.state]:{mark_width}} {name:{width}}  {_one_line(finding.words)}")
            if finding.mend:
                lines.append(f"  {'':{mark_width}} {'':{width}}  → {_one_line(finding.mend)}")
        lines.append("")
    return "\n".join([*lines, _summary(results)])


def as_json(results: Sequence[Result]) -> str:
    rows = [
        {
            "group": result.group,
            "name": result.name,
            "state": result.finding.state.value,
            "words": _one_line(result.finding.words),
            "mend": _one_line(result.finding.mend),
        }
        for result in results
    ]
    return json.dumps(rows, indent=2, ensure_ascii=False)


def _summary(results: Sequence[Result]) -> str:
    n = Counter(result.finding.state for result in results)
    if not n[State.PROBLEM] + n[State.WARNING] + n[State.UNKNOWN]:
        return "All is well."
    return f"{n[State.PROBLEM]} problems, {n[State.WARNING]} warnings, {n[State.UNKNOWN]} unknown, {n[State.OK]} ok."


def _one_line(words: str) -> str:
    return redacted(" ".join(word for word in words.split() if word.isprintable()))
