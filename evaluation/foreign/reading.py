"""From the files of an import to what they say: which tool wrote each, and what is not for us."""

from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from evaluation.errors import EvaluationError
from evaluation.foreign import inspect_logs, lighteval, lm_eval
from evaluation.foreign.archives import Content, Entry
from evaluation.foreign.results import ForeignRun, OpenFile, Problem, Reading, Skipped
from evaluation.foreign.values import parsed
from llms.sentences import filled, mark

ReadDocument = Callable[[Mapping[str, Any], str, bytes, OpenFile], Reading]
TOOLS: Final[tuple[tuple[Callable[[Mapping[str, Any]], bool], ReadDocument], ...]] = (
    (lm_eval.is_one, lm_eval.read),
    (lighteval.is_one, lighteval.read),
    (inspect_logs.is_one, inspect_logs.read),
)


class Read(NamedTuple):
    """Of one file: its runs, or what is wrong with it."""

    runs: tuple[ForeignRun, ...] = ()
    skipped: tuple[Skipped, ...] = ()
    problems: tuple[Problem, ...] = ()


def names_of(content: Content) -> list[str]:
    """The files that may hold results; those with samples are opened when their results ask for them."""
    return sorted(name for name in content.entries if name.endswith((".json", ".eval")))


def read(content: Content, name: str) -> Read:
    def open_file(wanted: str) -> bytes | None:
        entry = content.entries.get(wanted) or _named(content, wanted)
        return entry.read() if entry else None

    try:
        reading = _read(content.entries[name], open_file)
    except EvaluationError as error:
        return Read(problems=(Problem(name, error.user_message),))
    return Read(reading.runs, reading.skipped)


def _read(entry: Entry, open_file: OpenFile) -> Reading:
    data = entry.read()
    if entry.name.endswith(".eval"):
        return inspect_logs.read_zip(entry.name, data)
    document = parsed(data)
    tool = next((read for is_one, read in TOOLS if isinstance(document, dict) and is_one(document)), None)
    if tool is None:
        words = mark("It holds no results of lm-evaluation-harness, lighteval or inspect.")
        return Reading((), (Skipped(entry.name, "", filled(words)),))
    return tool(document, entry.name, data, open_file)


def _named(content: Content, wanted: str) -> Entry | None:
    """lighteval keeps details in a folder of their own: their name, with its date, is unique."""
    ending = "/" + wanted
    return next((entry for name, entry in content.entries.items() if name.endswith(ending)), None)
