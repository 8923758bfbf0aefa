"""Responses that were recorded elsewhere become an imported run, with the samples, verdicts and metrics that asking the
model here would have given it.

How they were generated nobody can tell, so the protocol says that they were answered elsewhere: such runs share a
column with each other, and never with one that was asked here.
"""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Final, NamedTuple

from django.conf import settings

from evaluation.aggregation import summarise
from evaluation.benchmarks.base import Benchmark, Sample
from evaluation.benchmarks.registry import benchmark
from evaluation.benchmarks.rows import Row, shown
from evaluation.datasets import RowSet, published_rows
from evaluation.errors import BadRow, BadRows, InvalidOptions
from evaluation.imports import Examination, Examined, Imported, bring_in
from evaluation.protocols import Protocol
from evaluation.runner import Prepared, prepare
from evaluation.scores import SampleScore
from evaluation.scoring.instructions.rows import prompt_of
from evaluation.scoring.recorded import ifeval
from evaluation.scoring.recorded.files import RecordedRow
from llms.sentences import filled, mark

SampleOf = Callable[[Row], str]
"""The name of the sample that a recorded row answers. Raises BadRow."""


def _ifeval_samples(rows: Sequence[Row]) -> SampleOf:
    prompts = ifeval.Prompts([prompt_of(row) for row in rows])
    return lambda row: prompts.of(row).key


FINDERS: Final[Mapping[str, Callable[[Sequence[Row]], SampleOf]]] = {"ifeval": _ifeval_samples}
ANSWERED_ELSEWHERE: Final = "the prompt as published, answered elsewhere; checked by rules"


class Stored(NamedTuple):
    imported: Imported
    n_unknown: int
    """Rows that answer no published prompt, and are no samples of the run."""


def check_storable(name: str) -> None:
    """Raises InvalidOptions."""
    if name not in FINDERS:
        words = mark("Outputs of “%(name)s” cannot be stored as a run, those of %(known)s can: leave --model out.")
        raise InvalidOptions(filled(words, name=name, known=", ".join(FINDERS)))


def store(name: str, rows: Sequence[RecordedRow], *, llm: str, file: str) -> Stored:
    """`llm` is a slug or a name; one that is not known is listed. The same responses are stored once. Raises
    EvaluationError, and writes nothing then."""
    check_storable(name)
    chosen = benchmark(name)
    published = published_rows(chosen, settings.BENCHMARK_DATA_DIR, settings.HUB_ROWS_DIR, may_download=False)
    responses, n_unknown = _responses(rows, FINDERS[name](published.rows))
    prepared = _prepared(chosen, published, responses)
    scores = [_scored(chosen, sample, responses[sample.id]) for sample in prepared.samples]
    if all(score.error for score in scores):
        words = mark("No response in %(file)s can be scored, the first because: %(why)s. Nothing was stored.")
        raise BadRows(filled(words, file=file, why=scores[0].error))
    examination = Examination()
    examination.runs.append(_examined(prepared, scores, (llm, file), examination.put(scores)))
    return Stored(bring_in(examination)[0], n_unknown)


def _responses(rows: Sequence[RecordedRow], sample_of: SampleOf) -> tuple[dict[str, object], int]:
    """By sample, and how many rows answer none."""
    found: dict[str, object] = {}
    for row in rows:
        if isinstance(row, str):
            continue
        try:
            name = sample_of(row)
        except BadRow:
            continue
        if name in found:
            words = mark("Sample %(name)s has more than one response, and a run has one: split the file by model.")
            raise BadRows(filled(words, name=shown(name)))
        found[name] = row.get("response")
    return found, len(rows) - len(found)


def _prepared(chosen: Benchmark, published: RowSet, responses: Mapping[str, object]) -> Prepared:
    """Over the rows that were answered."""
    asked = [row for row in published.rows if chosen.row_id(row) in responses]
    if not asked:
        words = mark("No row answers a published prompt of %(benchmark)s: check that the file is of this benchmark.")
        raise BadRows(filled(words, benchmark=chosen.name))
    prepared = prepare(chosen, replace(published, rows=asked), chosen.default_options)
    return replace(prepared, protocol=replace(prepared.protocol, prompt_form=ANSWERED_ELSEWHERE, extras=()))


def _scored(chosen: Benchmark, sample: Sample, response: object) -> SampleScore:
    values: Mapping[str, float] = {}
    error = ""
    try:
        values = chosen.judged(sample, ifeval.response_of({"response": response}))
    except BadRow as bad:
        error = bad.user_message
    return SampleScore(
        sample_id=sample.id,
        subject=sample.subject,
        question=sample.questions[0],
        prompts=sample.questions,
        target=sample.target,
        answer=response if isinstance(response, str) else "",
        values=values,
        error=error,
    )


def _examined(prepared: Prepared, scores: Sequence[SampleScore], named: tuple[str, str], place: int) -> Examined:
    llm, file = named
    return Examined(
        file=file,
        digest=_digest(prepared.protocol, scores),
        llm=llm,
        revision="",
        benchmark=prepared.benchmark.name,
        options=asdict(prepared.options),
        protocol=prepared.protocol,
        summary=summarise(prepared.benchmark, scores),
        reason=filled(mark("how they were generated is not known")),
        is_ours=True,
        n_samples=len(scores),
        has_samples=True,
        tool=filled(mark("recorded responses")),
        foreign={"finished_at": None, "environment": {}},
        place=place,
    )


def _digest(protocol: Protocol, scores: Sequence[SampleScore]) -> str:
    """Of what is answered, however the file is packed or sorted."""
    answers = [[score.sample_id, score.answer, not score.error] for score in scores]
    return hashlib.sha256(json.dumps([protocol.fingerprint, answers]).encode()).hexdigest()
