"""What the API takes and gives. English whoever asks: programs read it."""

from dataclasses import replace
from datetime import datetime
from typing import Annotated, Any, Final, Literal

from ninja import Field, Schema
from pydantic import ConfigDict

from evaluation.benchmarks.base import Draw, Options
from evaluation.benchmarks.registry import benchmark
from evaluation.datasets import DataKind
from evaluation.models import Run, RunMetric, SampleResult
from evaluation.plans import Wish
from evaluation.prompts import Template
from evaluation.records import storable_number, storable_number_or_none

MOST_ROWS = 200
LARGEST_ID = 2**31
SMALL_NUMBER = 2**15
NO_NUL: Final = r"^[^\x00]*$"
"""No name has one, and PostgreSQL cannot even look for it."""
Name = Annotated[str, Field(pattern=NO_NUL)]


class RunQuery(Schema):
    model: Name = Field("", max_length=80, description="The model's slug.")
    benchmark: Name = Field("", max_length=80)
    status: Literal["", "queued", "running", "paused", "succeeded", "failed", "cancelled", "imported"] = ""
    before: int = Field(0, ge=0, lt=LARGEST_ID, description="Only runs with a smaller id.")
    limit: int = Field(50, ge=1, le=MOST_ROWS)


class SampleQuery(Schema):
    after: int = Field(-1, ge=-1, lt=LARGEST_ID, description="Only samples behind this index.")
    limit: int = Field(50, ge=1, le=MOST_ROWS)
    verdict: Literal["", "right", "wrong"] = ""


class MetricRow(Schema):
    name: str
    scope: str
    part: str
    value: float | str
    standard_error: float | None
    lower: float | None
    upper: float | None
    n: int
    is_headline: bool


class RunRow(Schema):
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "id": 12,
                    "model": "orion-7b",
                    "benchmark": "piqa",
                    "status": "succeeded",
                    "rows": "published",
                    "fingerprint": "3f2a91c0d4e5b677",
                    "protocol": "piqa v1, 0-shot, without chat template, all 1838 rows",
                    "may_be_ranked": True,
                    "n_samples": 1838,
                    "n_done": 1838,
                    "value": 0.7821,
                    "lower": 0.7627,
                    "upper": 0.8004,
                }
            ]
        }
    )

    id: int
    model: str
    benchmark: str
    status: str
    wanted: str
    """What was asked of it and may not be done yet: run, pause or cancel."""
    rows: str
    """published, sample or private."""
    n_shots: int
    limit: int | None
    fingerprint: str
    """Only scores with the same one may be compared."""
    protocol: str
    may_be_ranked: bool
    """Whether it holds a score for each of all published rows."""
    priority: int
    n_samples: int
    n_done: int
    n_errors: int
    n_truncated: int
    value: float | str | None
    standard_error: float | None
    lower: float | None
    upper: float | None
    metrics: list[MetricRow]
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    seconds: float
    error: str
    """Why it failed; for researchers and administrators."""


class RunPage(Schema):
    runs: list[RunRow]
    next: str | None


class SampleRow(Schema):
    id: str
    index: int
    subject: str
    prompts: list[str]
    choices: list[dict[str, Any]]
    answer: str
    target: int | list[str] | None
    predictions: dict[str, int]
    values: dict[str, float | str]
    is_right: bool | None
    was_truncated: bool
    error: str


class SamplePage(Schema):
    samples: list[SampleRow]
    next: str | None


class RunWish(Schema):
    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {"models": ["orion-7b", "lyra-13b"], "benchmarks": ["mmlu", "piqa"], "limit": 100, "priority": 5},
                {"models": ["orion-7b"], "benchmarks": ["arc_challenge"], "n_shots": 25, "draw": "lm_eval"},
            ]
        },
    )

    models: list[Name] = Field(min_length=1, max_length=100, description="Slugs.")
    benchmarks: list[Name] = Field(min_length=1, max_length=100)
    n_shots: int | None = Field(None, ge=0, le=1000, description="Empty: the benchmark's own number.")
    draw: Draw | None = None
    seed: int | None = Field(None, ge=0, lt=2**63)
    template: Template | None = Field(None, description="Whether prompts pass through the model's chat template.")
    variant: Name | None = Field(None, max_length=40)
    limit: int | None = Field(None, ge=1, lt=LARGEST_ID, description="The first rows only, of each subject.")
    rows: DataKind = Field(DataKind.PUBLISHED, description="Of a private benchmark its own, whatever is said here.")
    priority: int = Field(0, gt=-SMALL_NUMBER, lt=SMALL_NUMBER)

    def wishes(self) -> list[Wish]:
        """Raises UnknownBenchmark."""
        return [
            Wish(
                benchmark=name,
                options=self._adapted(benchmark(name).default_options),
                limit=self.limit,
                data=self.rows,
                priority=self.priority,
            )
            for name in dict.fromkeys(self.benchmarks)
        ]

    def _adapted(self, own: Options) -> Options:
        """What is said here wins over the benchmark's own."""
        names = ("n_shots", "draw", "seed", "template", "variant")
        given: dict[str, Any] = {name: getattr(self, name) for name in names}
        return replace(own, **{name: value for name, value in given.items() if value is not None})


def row_of(run: Run, *, inside: bool) -> dict[str, Any]:
    metrics = run.metrics.all()
    return {
        "id": run.pk,
        "model": run.llm.slug,
        "rows": run.data,
        "n_shots": run.protocol.get("n_shots", 0),
        "protocol": str(run.summary),
        "value": storable_number_or_none(run.value),
        "may_be_ranked": run.is_rankable,
        "metrics": [_metric(metric) for metric in metrics],
        "error": str(run.error) if inside else "",
        **{name: getattr(run, name) for name in AS_STORED},
    }


AS_STORED = (
    "benchmark",
    "status",
    "wanted",
    "limit",
    "fingerprint",
    "priority",
    "n_samples",
    "n_done",
    "n_errors",
    "n_truncated",
    "standard_error",
    "lower",
    "upper",
    "created_at",
    "started_at",
    "finished_at",
    "seconds",
)


def sample_of(row: SampleResult) -> dict[str, Any]:
    names = ("index", "subject", "choices", "answer", "target", "predictions", "values", "is_right", "was_truncated")
    stored = {name: getattr(row, name) for name in names}
    return {"id": row.sample_id, "prompts": list(row.prompt.texts), "error": str(row.error), **stored}


def _metric(metric: RunMetric) -> dict[str, Any]:
    names = ("name", "scope", "part", "standard_error", "lower", "upper", "n", "is_headline")
    return {**{name: getattr(metric, name) for name in names}, "value": storable_number(metric.value)}
