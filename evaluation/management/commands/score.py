"""`manage.py score`: outputs that were recorded elsewhere, scored here, with the code that scores our own runs."""

import json
import math
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from evaluation import recorded_runs
from evaluation.errors import EvaluationError
from evaluation.recorded_runs import Stored
from evaluation.scoring.recorded.files import RecordedRow, recorded_rows
from evaluation.scoring.recorded.report import SCORERS, Report, Sources, scorer
from llms.translations import translated

MOST_REASONS = 5
FILES = {
    "difficulty": "AlpacaEval's instruction_difficulty.csv; default: as found in BENCHMARK_DATA_DIR",
    "gamed": "AlpacaEval's df_gamed.csv; default: as found in BENCHMARK_DATA_DIR",
    "weights": "AlpacaEval's published weights of length control; default: as found in BENCHMARK_DATA_DIR",
}


class Command(BaseCommand):
    help = (
        "Score recorded outputs: ifeval (key or prompt, and response), gaia (response, which is the answer alone, and"
        " target), mt_bench (what the judge wrote: judgment, or g1_judgment and g2_judgment), alpaca_eval (annotations,"
        " or preferences with the lengths of both answers)."
        " Writes JSON with `metrics`, and `samples` in the order of the file."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("benchmark", choices=sorted(SCORERS))
        parser.add_argument("--responses", type=Path, required=True, help="JSON lines, a JSON list or CSV; also .gz")
        parser.add_argument("--out", type=Path, required=True, help="where the JSON goes")
        parser.add_argument(
            "--model",
            help="Also store them as an imported run of this model: its slug, or a name, which is listed if nobody has"
            " it (ifeval)",
        )
        for name, words in FILES.items():
            parser.add_argument(f"--{name}", type=Path, help=words)

    def handle(self, *args: Any, **options: Any) -> None:
        files = {name: options[name] for name in FILES if options[name]}
        try:
            if options["model"]:
                recorded_runs.check_storable(options["benchmark"])
            rows = recorded_rows(options["responses"])
            sources = Sources(folder=settings.BENCHMARK_DATA_DIR, files=files)
            report = scorer(options["benchmark"])(rows, sources)
        except EvaluationError as error:
            raise CommandError(translated(error.user_message)) from error
        self._write(report, options["benchmark"], options["out"])
        self._tell(report)
        if options["model"]:
            self._store(options["benchmark"], rows, llm=options["model"], file=options["responses"].name)
        if report.n_errors == len(report.samples):
            raise CommandError(f"Nothing was scored: --help says what the rows of {options['benchmark']} need.")

    def _store(self, benchmark: str, rows: Sequence[RecordedRow], *, llm: str, file: str) -> None:
        try:
            stored = recorded_runs.store(benchmark, rows, llm=llm, file=file)
        except EvaluationError as error:
            raise CommandError(translated(error.user_message)) from error
        self.stdout.write(self.style.SUCCESS(_stored_words(stored)))
        if stored.n_unknown:
            self.stdout.write(
                self.style.WARNING(
                    f"  rows left out of the run, as they answer no published prompt: {stored.n_unknown}"
                )
            )

    def _write(self, report: Report, benchmark: str, path: Path) -> None:
        content = {"benchmark": benchmark, "metrics": report.metrics, "samples": report.samples}
        try:
            path.write_text(json.dumps(_finite(content), indent=1) + "\n", encoding="utf-8")
        except OSError as error:
            raise CommandError(f"{path} cannot be written ({error.strerror}): give another --out.") from error

    def _tell(self, report: Report) -> None:
        for name, value in report.metrics.items():
            if isinstance(value, int | float):
                self.stdout.write(f"  {name}: {value:.4f}" if isinstance(value, float) else f"  {name}: {value}")
        models = report.metrics.get("models", {})
        if len(models) > 1:
            self.stdout.write(f"  models: {', '.join(models)}")
        self.stdout.write(f"  {len(report.samples)} rows")
        if report.n_errors:
            self.stdout.write(
                self.style.WARNING(f"  {report.n_errors} of them without a score: see `error` in the file")
            )
            for row, reason in _first_reasons(report):
                self.stderr.write(f"  row {row}: {reason}")


def _first_reasons(report: Report) -> list[tuple[int, str]]:
    """Each with the first row that has it, from 1."""
    first: dict[str, int] = {}
    for row, sample in enumerate(report.samples, start=1):
        if "error" in sample:
            first.setdefault(translated(sample["error"]), row)
    return [(row, reason) for reason, row in islice(first.items(), MOST_REASONS)]


def _stored_words(stored: Stored) -> str:
    run, examined, llm, is_new = stored.imported
    of_whom = f"{llm.slug}{' (listed)' if is_new else ''}"
    if run is None:
        return f"the same responses of {of_whom} are stored already"
    return f"run {run.pk}: {examined.n_samples} samples of {of_whom}, marked “imported”"


def _finite(value: Any) -> Any:
    """JSON has no NaN and no infinity, whatever Python's writer says."""
    if isinstance(value, dict):
        return {name: _finite(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
