"""What the files of other tools say, in one form. Read by one module a tool, without a database."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from evaluation.benchmarks.base import Method, Options
from evaluation.benchmarks.rows import Row
from evaluation.errors import EvaluationError
from evaluation.scores import SampleScore
from llms.sentences import Sentence


class BadFile(EvaluationError):
    """A file that cannot be used; the sentence says why, and what to do."""


class Problem(NamedTuple):
    file: str
    reason: Sentence


class Skipped(NamedTuple):
    """Something that is in order, and not for us."""

    file: str
    what: str
    """A task; empty for the whole file."""
    reason: Sentence


@dataclass(frozen=True, slots=True, kw_only=True)
class ForeignSample:
    score: SampleScore
    """As the tool counted it."""
    row: Row | None
    """Of the data set, where the tool kept it."""
    requests: tuple[tuple[str, str], ...] = ()
    """Each context with the continuation that was scored after it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """What a file says of one subject, or of a benchmark without any."""

    subject: str
    metrics: Mapping[str, float]
    standard_errors: Mapping[str, float]
    n_samples: int
    n_published: int | None
    """Without a limit; None where the file does not say."""
    samples: tuple[ForeignSample, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ForeignRun:
    tool: str
    tool_version: str
    file: str
    digest: str
    """Of all that it was read from: the same files are imported once."""
    task: str
    task_version: str
    settings: str
    """A digest over how the tool asked, as far as it says so."""
    llm: str
    revision: str
    benchmark: str
    method: Method
    options: Options
    parts: tuple[Part, ...]
    finished_at: datetime | None
    environment: Mapping[str, Any] = field(default_factory=dict)

    @property
    def n_samples(self) -> int:
        return sum(part.n_samples for part in self.parts)

    @property
    def has_samples(self) -> bool:
        return all(len(part.samples) == part.n_samples for part in self.parts)


class Reading(NamedTuple):
    runs: tuple[ForeignRun, ...]
    skipped: tuple[Skipped, ...]


class Known(NamedTuple):
    """A tool's task that is a benchmark of ours, or one subject of it."""

    benchmark: str
    subject: str = ""
    variant: str = ""


OpenFile = Callable[[str], bytes | None]
"""The content of another file of the same import; None where there is none."""
