"""Before a model's first run on a kind of device: does the fast way to compute scores give what plain rows give, here?

Fifty requests of the built-in rows, which share beginnings as those of benchmarks do: examples before questions,
endings after one context, two answers to a goal.
"""

from collections.abc import Callable
from itertools import islice
from typing import Any, Final

from evaluation import runner
from evaluation.benchmarks.base import Options
from evaluation.benchmarks.registry import benchmark
from evaluation.datasets import from_samples
from llms import device_checks
from llms.engines.base import SHARED_PREFIXES, Engine, LoglikelihoodRequest, ScoringMethod, never
from llms.models import DeviceCheck, LanguageModel
from llms.sentences import Sentence, filled, mark

ROWS: Final = (("mmlu", Options(n_shots=2), 20), ("hellaswag", Options(), 10), ("piqa", Options(), 20))
"""Benchmark, how it is asked, and how many of its rows."""
FAILED_BEFORE: Final = mark("in the self-check on this device the scores were off by %(nats)s nats")


def requests() -> list[LoglikelihoodRequest]:
    found: list[LoglikelihoodRequest] = []
    for name, options, n_rows in ROWS:
        chosen = benchmark(name)
        prepared = runner.prepare(chosen, from_samples(chosen, with_pool=options.n_shots > 0), options)
        for sample, shots in islice(zip(prepared.samples, prepared.shots, strict=True), n_rows):
            found += runner.requests(chosen, sample, shots)
    return found


def settle(
    llm: LanguageModel, engine: Engine, *, stopping: Callable[[], bool], tell: Callable[[Sentence], None]
) -> DeviceCheck | None:
    """See to it that the engine computes in a way that is right here: by what is remembered, else by a check. None
    where there is one way only, or where it was told to stop. `llm` as `identification.identify` left it."""
    method = engine.scoring_method()
    known = device_checks.find(llm, method)
    if method.scheme != SHARED_PREFIXES:
        return known
    if known is None:
        tell(filled(mark("checking once whether shared prefixes give the scores of plain rows on this device")))
        known = check(llm, engine, method, stopping=stopping)
        if known:
            tell(in_words(known))
    elif not known.has_passed:
        tell(in_words(known))
        engine.compute_plainly(filled(FAILED_BEFORE, nats=nats(known)))
    return known


def check(
    llm: LanguageModel, engine: Engine, method: ScoringMethod, *, stopping: Callable[[], bool] = never
) -> DeviceCheck | None:
    """Anew, whatever is remembered. None where it was told to stop."""
    found = engine.check_scores(requests(), stopping=stopping)
    return device_checks.keep(llm, method, found) if found else None


def in_words(check: DeviceCheck) -> Sentence:
    words = mark(
        "self-check on %(device)s (%(dtype)s): largest difference %(nats)s nats, %(n_flipped)s of %(n)s answers "
        "flipped, %(fast)s s instead of %(plain)s s; %(verdict)s"
    )
    verdict = mark("passed") if check.has_passed else mark("failed: plain rows are computed here")
    return filled(
        words,
        device=check.hardware,
        dtype=check.dtype,
        nats=nats(check),
        n_flipped=check.n_flipped,
        n=check.n,
        fast=round(check.seconds_fast, 1),
        plain=round(check.seconds_plain, 1),
        verdict=filled(verdict),
    )


def as_record(check: DeviceCheck) -> dict[str, Any]:
    """For a run's environment."""
    return {
        "hardware": check.hardware,
        "n": check.n,
        "largest_difference": check.largest_difference,
        "n_flipped": check.n_flipped,
        "seconds_fast": round(check.seconds_fast, 3),
        "seconds_plain": round(check.seconds_plain, 3),
        "has_passed": check.has_passed,
        "checked_at": check.checked_at.isoformat(),
    }


def nats(check: DeviceCheck) -> float | str:
    """Rounded to two digits; a number, so that each language writes its own decimal sign."""
    return "∞" if check.largest_difference >= device_checks.LARGEST else float(f"{check.largest_difference:.2g}")
