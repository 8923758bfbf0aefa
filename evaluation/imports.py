"""Results of other tools become runs: first everything is read and checked, and only if all is well is anything
written. Each run is written whole or not at all, and the same files only once."""

import pickle
import tempfile
import weakref
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final, NamedTuple

from django.conf import settings
from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django.db.models import Q
from django.db.models.functions import Now

from evaluation.aggregation import Metric, Summary, summarise
from evaluation.benchmarks.base import Benchmark
from evaluation.benchmarks.registry import benchmark
from evaluation.benchmarks.rows import shown
from evaluation.datasets import RowSet, rows_and_pool_here
from evaluation.foreign.aggregates import summary_of
from evaluation.foreign.archives import Limits, opened
from evaluation.foreign.reading import names_of, read
from evaluation.foreign.recognition import Recognised, recognise
from evaluation.foreign.results import BadFile, ForeignRun, Problem, Skipped
from evaluation.models import PromptText, Run, RunMetric, SampleResult
from evaluation.protocols import Protocol, rows_in_words
from evaluation.records import prompt_row, sample_row
from evaluation.runs import metric_row, note
from evaluation.scores import SampleScore
from evaluation.scribe import headline_fields
from llms.models import LanguageModel, Visibility
from llms.sentences import Sentence, filled, mark
from llms.slugs import slugs_for
from llms.storable import storable

ROWS_AT_ONCE: Final = 500
LONGEST_ID: Final = 200
"""Of a sample, as the database has it."""


class Examined(NamedTuple):
    """One run as it will be, without its samples."""

    file: str
    digest: str
    llm: str
    revision: str
    benchmark: str
    options: Mapping[str, Any]
    protocol: Protocol
    summary: Summary
    reason: Sentence
    is_ours: bool
    n_samples: int
    has_samples: bool
    tool: str
    foreign: Mapping[str, Any]
    """finished_at and environment, as the files say."""
    place: int
    """Of its samples in the spool."""


class Imported(NamedTuple):
    run: Run | None
    """None where the same files had been imported before."""
    examined: Examined
    llm: LanguageModel
    is_new_llm: bool


class Examination:
    """What the files hold. Samples wait in a temporary file, not in memory: there may be hundreds of thousands."""

    def __init__(self) -> None:
        self.runs: list[Examined] = []
        self.skipped: list[Skipped] = []
        self.problems: list[Problem] = []
        self._spool = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the examination
        weakref.finalize(self, self._spool.close)

    def put(self, scores: Sequence[SampleScore]) -> int:
        place = self._spool.seek(0, 2)
        pickle.dump(list(scores), self._spool)
        return place

    def scores_of(self, examined: Examined) -> list[SampleScore]:
        self._spool.seek(examined.place)
        scores: list[SampleScore] = pickle.load(self._spool)  # noqa: S301 - our own, written above
        return scores


def examine(path: Path, *, limits: Limits = Limits()) -> Examination:  # noqa: B008 - an immutable
    """Reads and checks everything, and writes nothing. Raises BadFile: nothing there can be read at all."""
    examination = Examination()
    with opened(path, limits) as content:
        examination.problems += content.problems
        for name in names_of(content):
            found = read(content, name)
            examination.problems += found.problems
            examination.skipped += found.skipped
            for run in found.runs:
                _examine(run, examination)
    if not (examination.runs or examination.problems or examination.skipped):
        words = mark("%(path)s holds no results: give the folder with the files results_….json or ….eval.")
        raise BadFile(filled(words, path=path.name))
    return examination


def bring_in(
    examination: Examination,
    *,
    llm: LanguageModel | None = None,
    visibility: Visibility = Visibility.INTERNAL,
    requested_by: User | None = None,
) -> list[Imported]:
    """`llm` for all of them, instead of those that the files name. Unknown ones are listed, with that visibility.
    Raises BadFile where anything is wrong with any file."""
    if examination.problems:
        file, reason = examination.problems[0]
        words = mark("%(n)s files cannot be used, so nothing was imported. %(file)s: %(why)s")
        raise BadFile(filled(words, n=len({problem.file for problem in examination.problems}), file=file, why=reason))
    chosen = {name: llm or known_llm(*name) for name in {(run.llm, run.revision) for run in examination.runs}}
    return [
        _write(examined, examination, chosen[(examined.llm, examined.revision)], (visibility, requested_by))
        for examined in examination.runs
    ]


def known_llm(name: str, revision: str) -> LanguageModel | None:
    """The registered one that the files mean. Raises BadFile where it could be several."""
    bare = name.split("/", 1)[1] if name.startswith(("hf/", "vllm/", "openai/")) and "/" in name else name
    names = {name, bare}
    same_source = Q(source__in=names, revision__in={revision, "main"} if not revision else {revision})
    found = list(LanguageModel.objects.filter(Q(slug__in=names) | Q(name__in=names) | same_source)[:2])
    exact = [one for one in found if one.slug in names] or found
    if len(exact) > 1:
        words = mark("“%(name)s” could be %(one)s or %(other)s: say which.")
        raise BadFile(filled(words, name=name, one=exact[0].slug, other=exact[1].slug))
    return exact[0] if exact else None


def _examine(run: ForeignRun, examination: Examination) -> None:
    chosen = benchmark(run.benchmark)
    try:
        recognised = recognise(run, chosen, _rows_here)
        _check_ids(recognised.scores)
        summary = _summary(run, chosen, recognised)
    except BadFile as error:
        examination.problems.append(Problem(run.file, error.user_message))
        return
    examination.runs.append(
        Examined(
            file=run.file,
            digest=run.digest,
            llm=run.llm,
            revision=run.revision,
            benchmark=run.benchmark,
            options=asdict(run.options),
            protocol=recognised.protocol,
            summary=summary,
            reason=recognised.reason,
            is_ours=recognised.is_ours,
            n_samples=run.n_samples,
            has_samples=run.has_samples,
            tool=f"{run.tool} {run.tool_version}".strip(),
            foreign={"finished_at": run.finished_at, "environment": dict(run.environment)},
            place=examination.put(recognised.scores if run.has_samples else ()),
        )
    )


def _check_ids(scores: Sequence[SampleScore]) -> None:
    seen: set[str] = set()
    for name in (storable(score.sample_id) for score in scores):
        if len(name) > LONGEST_ID:
            raise BadFile(filled(mark("“%(field)s” is longer than %(most)s characters"), field="id", most=LONGEST_ID))
        if name in seen:
            words = mark("Two samples are called %(value)s: give each one a name of its own.")
            raise BadFile(filled(words, value=shown(name)))
        seen.add(name)


def _summary(run: ForeignRun, chosen: Benchmark, recognised: Recognised) -> Summary:
    if recognised.is_ours:
        summary = summarise(chosen, recognised.scores)
    else:
        summary = summary_of(run, chosen, sum(bool(score.error) for score in recognised.scores))
    if summary.headline is None:
        raise BadFile(filled(mark("“%(task)s” has no metric that can be shown."), task=run.task))
    return summary


def _rows_here(chosen: Benchmark) -> RowSet | None:
    return rows_and_pool_here(chosen, settings.BENCHMARK_DATA_DIR, settings.HUB_ROWS_DIR)


def _write(
    examined: Examined, examination: Examination, known: LanguageModel | None, asked: tuple[Visibility, User | None]
) -> Imported:
    visibility, requested_by = asked
    with transaction.atomic():
        llm, is_new = (known, False) if known else _listed(examined, visibility)
        if Run.objects.filter(llm=llm, source_digest=examined.digest).exists():
            return Imported(None, examined, llm, is_new)
        try:
            with transaction.atomic():
                run = _saved(examined, llm, requested_by)
        except IntegrityError:  # somebody imports the same at the same moment
            return Imported(None, examined, llm, is_new)
        metrics = examined.summary.metrics
        RunMetric.objects.bulk_create(
            metric_row(run, metric, is_headline=metric == examined.summary.headline) for metric in metrics
        )
        _save_samples(run, examination.scores_of(examined), headline=examined.summary.headline)
        words = mark("imported from %(file)s of %(tool)s: %(reason)s")
        note(run, filled(words, file=examined.file, tool=examined.tool, reason=examined.reason))
    return Imported(run, examined, llm, is_new)


def _listed(examined: Examined, visibility: Visibility) -> tuple[LanguageModel, bool]:
    """One that nobody has registered. Its source is what the files call it, so that the next import finds it."""
    name = examined.llm.rstrip("/").rpartition("/")[2] or examined.llm
    name = f"{name}@{examined.revision}" if examined.revision else name
    found = LanguageModel.objects.filter(
        source=examined.llm, revision=examined.revision, status=LanguageModel.Status.LISTED
    ).first()
    if found:
        return found, False
    fields = {"name": name[:120], "source": examined.llm, "revision": examined.revision, "visibility": visibility}
    for slug in slugs_for(name):
        llm, is_new = LanguageModel.objects.get_or_create(
            slug=slug, defaults={**fields, "status": LanguageModel.Status.LISTED}
        )
        if is_new or (llm.source == examined.llm and llm.status == LanguageModel.Status.LISTED):
            return llm, is_new
    raise AssertionError("slugs do not end")


def _saved(examined: Examined, llm: LanguageModel, requested_by: User | None) -> Run:
    protocol, finished_at = examined.protocol, examined.foreign["finished_at"]
    return Run.objects.create(
        llm=llm,
        benchmark=examined.benchmark,
        data=protocol.data.value,
        origin=storable(examined.file)[:500],
        options=examined.options,
        fingerprint=protocol.fingerprint,
        protocol=asdict(protocol),
        summary=summary_words(examined),
        may_be_ranked=protocol.may_be_ranked,
        status=Run.Status.IMPORTED,
        source_digest=examined.digest,
        requested_by=requested_by,
        n_samples=examined.n_samples,
        n_done=examined.n_samples,
        started_at=finished_at,
        finished_at=finished_at or Now(),
        environment=dict(examined.foreign["environment"]),
        **headline_fields(examined.summary),
    )


def summary_words(examined: Examined) -> Sentence:
    """The protocol in one line. Of one that is its own nothing is said that its files do not say."""
    protocol, tool = examined.protocol, examined.tool
    if examined.is_ours:
        return filled(mark("%(protocol)s, imported from %(tool)s"), protocol=protocol.summary, tool=tool)
    words = mark("%(task)s as %(tool)s asks it, %(n_shots)s-shot, %(rows)s")
    task = protocol.prompt_form.partition(": ")[2]
    return filled(words, task=task, tool=tool, n_shots=protocol.n_shots, rows=rows_in_words(protocol))


def _save_samples(run: Run, scores: Sequence[SampleScore], *, headline: Metric | None) -> None:
    """Right is what the run's own headline counts as right: a chat that picks letters has no other."""
    chosen, counted = benchmark(run.benchmark), headline.name if headline else ""
    for start in range(0, len(scores), ROWS_AT_ONCE):
        prompts: dict[str, PromptText] = {}
        rows: list[SampleResult] = []
        for index, score in enumerate(scores[start : start + ROWS_AT_ONCE], start=start):
            prompt = prompt_row(score.prompts)
            prompts[prompt.digest] = prompt
            row = sample_row(score, chosen, prompt=prompt)
            row.run, row.index = run, index
            row.is_right = bool(score.values[counted]) if counted in score.values else row.is_right
            rows.append(row)
        PromptText.objects.bulk_create([prompts[digest] for digest in sorted(prompts)], ignore_conflicts=True)
        SampleResult.objects.bulk_create(rows)
