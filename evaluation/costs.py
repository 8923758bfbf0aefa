"""What a run will cost, before it starts."""

from collections.abc import Sequence
from typing import NamedTuple

from django.db.models import QuerySet

from evaluation.benchmarks.base import Method, Sample
from evaluation.models import Run
from evaluation.runner import Prepared, requests
from llms.models import LanguageModel
from stats.proportions import smallest_difference

RUNS_TO_LEARN_FROM = 5


class Estimate(NamedTuple):
    n_samples: int
    n_requests: int
    n_characters: int
    """Of all contexts and continuations; about four make a token."""
    seconds: float | None
    """By the speed of former runs; None before there is one."""
    smallest_difference: float | None
    """Of two shares of right answers that so many samples can tell apart; None where it is no such share, or where the
    samples are too few for any."""


def estimate(llm: LanguageModel, prepared: Prepared) -> Estimate:
    sizes = [_size(prepared, sample, shots) for sample, shots in zip(prepared.samples, prepared.shots, strict=True)]
    n_characters = sum(characters for _, characters in sizes)
    speed = _characters_per_second(llm, prepared)
    n_samples, is_share = len(prepared.samples), prepared.benchmark.method is not Method.TOKEN_STATISTICS
    return Estimate(
        n_samples=n_samples,
        n_requests=sum(n for n, _ in sizes),
        n_characters=n_characters,
        seconds=n_characters / speed if speed else None,
        smallest_difference=smallest_difference(n_samples) if is_share and n_samples else None,
    )


def characters_of(prepared: Prepared) -> dict[str, int]:
    """By the id of the sample; together those of the estimate."""
    pairs = zip(prepared.samples, prepared.shots, strict=True)
    return {sample.id: _size(prepared, sample, shots)[1] for sample, shots in pairs}


def _size(prepared: Prepared, sample: Sample, shots: Sequence[Sample]) -> tuple[int, int]:
    """Requests and characters of one sample; a chat template adds a little."""
    benchmark = prepared.benchmark
    if benchmark.method is not Method.LOGLIKELIHOOD:
        return 1, sum(len(prompt.as_text()) for prompt in benchmark.prompts(sample, shots))
    asked = requests(benchmark, sample, shots)
    return len(asked), sum(len(request.context) + sum(map(len, request.continuations)) for request in asked)


def _characters_per_second(llm: LanguageModel, prepared: Prepared) -> float | None:
    """Of the same benchmark with as many shots, else of any: how much of the prompts is shared makes a difference."""
    measured = Run.objects.filter(llm=llm, seconds__gt=0, n_done__gt=0, n_cached=0)
    alike = measured.filter(benchmark=prepared.benchmark.name, options__n_shots=prepared.options.n_shots)
    return _speed_of(alike.order_by("-pk")) or _speed_of(measured.order_by("-pk"))


def _speed_of(runs: QuerySet[Run]) -> float | None:
    names = ("n_characters", "n_characters_done", "n_done", "n_samples", "seconds")
    rows = [run for run in runs.only(*names)[:RUNS_TO_LEARN_FROM] if run.n_samples]
    characters = sum(run.n_characters_done or run.n_characters * run.n_done / run.n_samples for run in rows)
    seconds = sum(run.seconds for run in rows)
    return characters / seconds if characters and seconds else None
