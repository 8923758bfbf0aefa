"""What a look at one thing brings to light."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple


class State(StrEnum):
    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"
    UNKNOWN = "unknown"
    """Something else has to be mended first."""


@dataclass(frozen=True, slots=True)
class Finding:
    state: State
    words: str
    mend: str = ""
    """A command, or what to do."""
    about: str = ""
    """Where one look finds several things: which of them."""


class Check(NamedTuple):
    group: str
    name: str
    look: Callable[[], "Finding | Iterable[Finding]"]
    seconds: float = 10.0
    """After these it counts as hanging."""
    needs: str = ""
    """The name of the check that must not have found a problem: without a database half of them could only wait."""


class Result(NamedTuple):
    group: str
    name: str
    finding: Finding


def ok(words: str, about: str = "") -> Finding:
    return Finding(State.OK, words, about=about)


def warning(words: str, mend: str, about: str = "") -> Finding:
    return Finding(State.WARNING, words, mend, about)


def problem(words: str, mend: str, about: str = "") -> Finding:
    return Finding(State.PROBLEM, words, mend, about)


def unknown(words: str, about: str = "") -> Finding:
    return Finding(State.UNKNOWN, words, about=about)


def first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def gigabytes(n_bytes: float) -> str:
    return f"{n_bytes / 1e9:.1f} GB"
