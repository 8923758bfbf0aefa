"""From what somebody wishes to what a run will do: rows, samples, protocol, cost. Writes nothing."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final, NamedTuple

from django.conf import settings

from evaluation import costs, private_benchmarks
from evaluation.benchmarks.base import Benchmark, Draw, Method, Options
from evaluation.benchmarks.registry import benchmark, is_private
from evaluation.costs import Estimate
from evaluation.datasets import DataKind, RowSet, from_samples, published_rows
from evaluation.errors import EvaluationError, InvalidOptions
from evaluation.models import PrivateVersion, Run
from evaluation.prompts import Template
from evaluation.runner import Prepared, prepare
from llms.engines.base import Engine
from llms.engines.registry import UnknownEngine, engine_class
from llms.models import LanguageModel
from llms.sentences import Sentence, filled, mark

NEEDED: Final = {
    Method.LOGLIKELIHOOD: "loglikelihoods",
    Method.GENERATION: "generate",
    Method.TOKEN_STATISTICS: "token_statistics",
}
"""What an engine must be able to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    benchmark: str
    options: Options | None = None
    """None for the benchmark's own."""
    limit: int | None = None
    """The first rows only, of each subject where there are subjects."""
    data: DataKind = DataKind.PUBLISHED
    """Of a private set its own, whatever is said here, unless it is the built-in sample, which it has not."""
    priority: int = 0


class Plan(NamedTuple):
    wish: Wish
    prepared: Prepared
    origin: str
    estimate: Estimate
    private_version: PrivateVersion | None = None


class Questions(NamedTuple):
    """What a wish asks of any model."""

    wish: Wish
    prepared: Prepared
    origin: str
    version: PrivateVersion | None


def plan(llm: LanguageModel, wish: Wish) -> Plan:
    """Raises EvaluationError. May download rows that are not here yet."""
    check(llm, wish)
    return plan_for(llm, questions(wish))


def plans_of(llms: Sequence[LanguageModel], wishes: Iterable[Wish]) -> list[tuple[LanguageModel, Plan]]:
    """Every wish for every model. Raises EvaluationError, and that before any row is read where an engine cannot."""
    wished = list(wishes)
    for llm in llms:
        for wish in wished:
            check(llm, wish)
    asked = [questions(wish) for wish in wished]
    return [(llm, plan_for(llm, one)) for llm in llms for one in asked]


def check(llm: LanguageModel, wish: Wish) -> None:
    """Raises EvaluationError where the benchmark cannot be asked of the model."""
    obstacle = why_not(llm, _asked(wish)[0])
    if obstacle:
        raise InvalidOptions(obstacle)


def plan_for(llm: LanguageModel, asked: Questions) -> Plan:
    """The same questions may be planned for many models: to read and draw them is most of the work."""
    return Plan(asked.wish, asked.prepared, asked.origin, costs.estimate(llm, asked.prepared), asked.version)


def questions(wish: Wish, *, may_download: bool = True) -> Questions:
    """Raises EvaluationError."""
    chosen, version = _asked(wish)
    if wish.limit is not None and wish.limit < 1:
        raise InvalidOptions(filled(mark("A limit is 1 or more: leave it empty for all rows.")))
    options = wish.options or chosen.default_options
    with_pool = options.n_shots > 0
    rows = _rows(chosen, wish.data, version, with_pool=with_pool, may_download=may_download)
    prepared = prepare(chosen, rows, options, limit=wish.limit)
    if not prepared.samples:
        raise InvalidOptions(filled(mark("%(benchmark)s has no rows here: look at its files."), benchmark=chosen.name))
    return Questions(wish, prepared, rows.source, version)


def why_not(llm: LanguageModel, chosen: Benchmark) -> Sentence | None:
    """Why the benchmark cannot be asked of the model; None where it can."""
    if llm.status == LanguageModel.Status.LISTED:
        words = mark("%(llm)s is only listed and has no engine: register where it runs first.")
        return filled(words, llm=llm.name)
    try:
        cls = engine_class(llm.engine)
    except UnknownEngine as error:
        return filled(mark("%(llm)s cannot be run: %(why)s."), llm=llm.name, why=str(error))
    needed = NEEDED[chosen.method]
    if getattr(cls, needed) is getattr(Engine, needed):
        words = mark("%(benchmark)s needs %(method)s, which the engine of %(llm)s does not give.")
        return filled(words, benchmark=chosen.card.title, method=chosen.method.value, llm=llm.name)
    return None


def prepared_of(run: Run) -> Prepared:
    """What a run asks, anew from its rows. Raises EvaluationError: also where the rows are others by now."""
    version, options = run.private_version, options_of(run.options)
    chosen = benchmark(run.benchmark) if version is None else private_benchmarks.questions_of(version)
    rows = _rows(chosen, DataKind(run.data), version, with_pool=options.n_shots > 0)
    prepared = prepare(chosen, rows, options, limit=run.limit)
    if prepared.protocol.fingerprint != run.fingerprint:
        words = mark(
            "The rows of %(benchmark)s, or how it asks, have changed since this run was requested. Start anew."
        )
        raise EvaluationError(filled(words, benchmark=run.benchmark))
    return prepared


def options_of(stored: dict[str, Any]) -> Options:
    draw, template = Draw(stored["draw"]), Template(stored["template"])
    return Options(**{**stored, "draw": draw, "template": template})


def run_from(llm: LanguageModel, planned: Plan) -> Run:
    """Not saved yet."""
    protocol = planned.prepared.protocol
    return Run(
        llm=llm,
        benchmark=planned.wish.benchmark,
        data=protocol.data.value,
        private_version=planned.private_version,
        origin=planned.origin[:500],
        options=asdict(planned.prepared.options),
        limit=planned.wish.limit,
        fingerprint=protocol.fingerprint,
        protocol=asdict(protocol),
        summary=protocol.summary,
        may_be_ranked=protocol.may_be_ranked,
        priority=planned.wish.priority,
        n_samples=planned.estimate.n_samples,
        n_characters=planned.estimate.n_characters,
    )


def _asked(wish: Wish) -> tuple[Benchmark, PrivateVersion | None]:
    if not is_private(wish.benchmark):
        return benchmark(wish.benchmark), None
    if wish.data is DataKind.SAMPLE:
        raise InvalidOptions(filled(mark("A private set has no built-in sample: choose its own rows.")))
    version = private_benchmarks.newest(wish.benchmark)
    return private_benchmarks.questions_of(version), version


def _rows(
    chosen: Benchmark,
    data: DataKind,
    version: PrivateVersion | None,
    *,
    with_pool: bool,
    may_download: bool = True,
) -> RowSet:
    if version is not None:
        return private_benchmarks.rows_of(version)
    if data is DataKind.SAMPLE:
        return from_samples(chosen, with_pool=with_pool)
    if data is DataKind.PRIVATE:
        words = mark("%(benchmark)s is a public benchmark: choose its published rows or the built-in sample.")
        raise InvalidOptions(filled(words, benchmark=chosen.name))
    folder, hub = settings.BENCHMARK_DATA_DIR, settings.HUB_ROWS_DIR
    return published_rows(chosen, folder, hub, with_pool=with_pool, may_download=may_download)
