"""Which protocol a foreign run followed: ours, if it asked exactly what we would have asked; else one of its own.

Nothing is taken on trust: the rows, the examples and each prompt with its continuation are compared with ours.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Final, NamedTuple

from evaluation.benchmarks.base import Benchmark, Method, Sample
from evaluation.benchmarks.rows import Row
from evaluation.datasets import DataKind, RowSet, from_samples
from evaluation.errors import EvaluationError
from evaluation.foreign.results import BadFile, ForeignRun, ForeignSample, Part
from evaluation.prompts import Template
from evaluation.protocols import NORMALISATIONS, Protocol
from evaluation.runner import Prepared, prepare, requests, scored_choice
from evaluation.scores import SampleScore
from llms.engines.base import ContinuationScore
from llms.sentences import Sentence, filled, mark

TOLERANCE: Final = 1e-6
FindRows = Callable[[Benchmark], RowSet | None]
"""The published rows with those that examples are drawn from, if they are on this machine."""


class Recognised(NamedTuple):
    protocol: Protocol
    scores: tuple[SampleScore, ...]
    is_ours: bool
    reason: Sentence
    """Why the protocol is its own; or that it is ours."""


class NotOurs(Exception):
    """Carries the sentence that says why."""


def recognise(run: ForeignRun, chosen: Benchmark, find_rows: FindRows) -> Recognised:
    """Raises BadFile: samples that do not give the result beside them."""
    try:
        prepared, samples = _as_ours(run, chosen, find_rows)
    except NotOurs as error:
        scores = tuple(sample.score for part in run.parts for sample in part.samples)
        return Recognised(own_protocol(run, chosen), scores, False, error.args[0])
    scores = tuple(_scored(chosen, own, sample) for own, sample in zip(prepared.samples, samples, strict=True))
    for part in run.parts:
        _check_result(part, [score for score in scores if score.subject == part.subject])
    words = filled(mark("rows, examples and prompts are those of Hakem"))
    return Recognised(prepared.protocol, scores, True, words)


def own_protocol(run: ForeignRun, chosen: Benchmark) -> Protocol:
    """What it says about itself; never equal to one of ours, which has no such extras."""
    n_published = chosen.n_rows.get(chosen.scored_split)
    parts = run.parts
    has_all_parts = chosen.subjects is None or len(parts) == len(chosen.subjects.group_of) or not parts[0].subject
    is_unlimited = all(part.n_published in (None, part.n_samples) for part in parts)
    return Protocol(
        benchmark=chosen.name,
        version=chosen.version,
        data=DataKind.PUBLISHED,
        rows_digest="",
        n_rows=run.n_samples,
        is_whole=has_all_parts and is_unlimited and n_published in (None, run.n_samples),
        n_shots=run.options.n_shots,
        draw=run.options.draw,
        seed=None,
        shots_digest="",
        template=run.options.template,
        variant=run.options.variant,
        prompt_form=f"{run.tool}: {run.task}",
        normalisation=NORMALISATIONS[run.method],
        method=run.method,
        extras=(("tool", run.tool), ("version", run.task_version), ("settings", run.settings)),
    )


def _as_ours(run: ForeignRun, chosen: Benchmark, find_rows: FindRows) -> tuple[Prepared, list[ForeignSample]]:
    samples = [sample for part in sorted(run.parts, key=lambda part: part.subject) for sample in part.samples]
    rows = [sample.row for sample in samples if sample.row is not None]
    if run.method is not Method.LOGLIKELIHOOD or chosen.method is not Method.LOGLIKELIHOOD:
        raise NotOurs(filled(mark("%(tool)s scores it in another way"), tool=run.tool))
    if not run.has_samples or len(rows) < len(samples):
        raise NotOurs(filled(mark("without its samples nobody can tell which rows and prompts it asked")))
    if run.options.template is Template.CHAT:
        raise NotOurs(filled(mark("prompts behind a chat template cannot be compared")))
    try:
        prepared = prepare(chosen, _row_set(run, chosen, rows, find_rows), run.options)
    except EvaluationError as error:
        raise NotOurs(error.user_message) from None
    if prepared.protocol.data is DataKind.SAMPLE and len(rows) < len(from_samples(chosen).rows):
        prepared = replace(prepared, protocol=replace(prepared.protocol, is_whole=False))
    for own, shots, sample in zip(prepared.samples, prepared.shots, samples, strict=True):
        asked = [(one.context, text) for one in requests(chosen, own, shots) for text in one.continuations]
        if tuple(asked) != sample.requests or len(sample.score.choices) != len(own.choices):
            raise NotOurs(filled(mark("it asks otherwise than Hakem, first in sample %(sample)s"), sample=own.id))
    return prepared, samples


def _row_set(run: ForeignRun, chosen: Benchmark, rows: list[Row], find_rows: FindRows) -> RowSet:
    """Built-in rows are told by their digests: what is made of them must stay labelled as a sample."""
    with_pool = run.options.n_shots > 0
    built_in = from_samples(chosen, with_pool=with_pool)
    ours = {chosen.digest(row) for row in built_in.rows}
    if all(chosen.digest(row) in ours for row in rows):
        return replace(built_in, rows=rows)
    if not with_pool:
        return RowSet(kind=DataKind.PUBLISHED, source=run.file, rows=rows)
    published = find_rows(chosen)
    if published is None:
        words = mark("the rows that its examples come from are not here: see manage.py benchmarks")
        raise NotOurs(filled(words))
    return replace(published, rows=rows)


def _scored(chosen: Benchmark, own: Sample, sample: ForeignSample) -> SampleScore:
    scores = [
        ContinuationScore(choice.log_probability, choice.is_greedy, choice.n_tokens, was_truncated=False)
        for choice in sample.score.choices
    ]
    return scored_choice(chosen, own, [context for context, _ in _distinct(sample)], scores)


def _distinct(sample: ForeignSample) -> tuple[tuple[str, str], ...]:
    """One context where all choices have the same."""
    contexts = {context for context, _ in sample.requests}
    return sample.requests[:1] if len(contexts) == 1 else sample.requests


def _check_result(part: Part, scores: list[SampleScore]) -> None:
    for metric, value in part.metrics.items():
        counted = [score.values[metric] for score in scores if metric in score.values]
        if counted and abs(sum(counted) / len(counted) - value) > TOLERANCE:
            words = mark(
                "The samples give %(metric)s %(counted)s where the results say %(value)s: they are not of one"
                " evaluation. Put the files of each evaluation into a folder of its own."
            )
            raise BadFile(
                filled(words, metric=metric, counted=round(sum(counted) / len(counted), 6), value=round(value, 6))
            )
