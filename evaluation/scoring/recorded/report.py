"""What scoring a file of recorded outputs gives, and how each benchmark is asked for it."""

import importlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from evaluation.errors import UnknownBenchmark
from evaluation.scoring.recorded.files import RecordedRow
from llms.sentences import filled, mark

SCORERS: Final[Mapping[str, str]] = {
    "alpaca_eval": "evaluation.scoring.recorded.alpaca_eval:score",
    "gaia": "evaluation.scoring.recorded.gaia:score",
    "ifeval": "evaluation.scoring.recorded.ifeval:score",
    "mt_bench": "evaluation.scoring.recorded.mt_bench:score",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    metrics: Mapping[str, Any]
    samples: Sequence[Mapping[str, Any]]
    """One per row, in the order of the file; with `error` in words where a row could not be scored."""

    @property
    def n_errors(self) -> int:
        return sum("error" in sample for sample in self.samples)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """Where the benchmark's own rows are, and files of a run's own."""

    folder: Path | None
    """BENCHMARK_DATA_DIR."""
    files: Mapping[str, Path] = field(default_factory=dict)


Scorer = Callable[[Sequence[RecordedRow], Sources], Report]


def scorer(benchmark: str) -> Scorer:
    """Raises UnknownBenchmark."""
    try:
        path = SCORERS[benchmark]
    except KeyError:
        words = mark("Outputs of “%(name)s” cannot be scored from a file; those of %(known)s can.")
        raise UnknownBenchmark(filled(words, name=benchmark, known=", ".join(SCORERS))) from None
    module, _, attribute = path.partition(":")
    found: Scorer = getattr(importlib.import_module(module), attribute)
    return found
