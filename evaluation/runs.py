"""The life of a run: requested, executed, paused, resumed, cancelled, and taken over when its worker is gone.

The row decides, never a message. Every step is an update that names the state it expects; a run that changes hands gets
another epoch, and whoever held the former one can write nothing more.
"""

import contextlib
import functools
import logging
from collections.abc import Iterable, Iterator
from concurrent.futures import Future
from datetime import timedelta
from typing import Any, Final

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import F, Q
from django.db.models.functions import Coalesce, Now

from evaluation import environments, plans
from evaluation.aggregation import Metric, summarise
from evaluation.benchmarks.registry import benchmark
from evaluation.caching import Memory, RememberingEngine
from evaluation.errors import EvaluationError
from evaluation.models import CachedScore, CachedStatistics, Run, RunLog, RunMetric, RunQuerySet, SampleResult
from evaluation.plans import Plan, Wish
from evaluation.records import SCORE_FIELDS, scores_of
from evaluation.runner import Prepared, evaluate
from evaluation.scores import SampleScore
from evaluation.scribe import LEASE_SECONDS, Halt, Scribe, Stopping, headline_fields
from llms import identification
from llms.engines.base import Engine, EngineError
from llms.models import LanguageModel
from llms.pool import pool
from llms.sentences import Sentence, filled, mark
from telemetry import context

logger = logging.getLogger(__name__)

MOST_RUNS: Final = 200
"""That may be started, paused or cancelled at once."""
SECONDS_APART: Final = 30
"""Who asks twice for the same within them has clicked twice."""
HINT_SECONDS: Final = 30
"""A waiting run of which no worker was told for so long is announced again: messages may get lost."""
MOST_LOSSES: Final = 3
"""A run whose worker vanishes so often in a row, without a sample between, is not tried again."""
RETRY_SECONDS: Final = (1, 5, 20, 60)
"""After an error that may pass. Begins anew with each sample that succeeds."""
RESUMED: Final = mark("resumed after %(n)s of %(total)s samples")


class Halted(Exception):
    """The scribe says why."""


# --- what people ask for


def request(llm: LanguageModel, wish: Wish, *, requested_by: User | None = None) -> Run:
    """A new run in the queue. Whoever calls tells the workers, with `tasks.announce`. Raises EvaluationError."""
    return request_planned(llm, plans.plan(llm, wish), requested_by=requested_by)


def request_planned(llm: LanguageModel, planned: Plan, *, requested_by: User | None = None) -> Run:
    run = plans.run_from(llm, planned)
    run.requested_by = requested_by
    with transaction.atomic():
        run.save()
        note(run, filled(mark("requested: %(summary)s"), summary=planned.prepared.protocol.summary))
    return run


def request_once(wanted: Iterable[tuple[LanguageModel, Plan]], *, requested_by: User) -> list[Run]:
    """As `request_planned`, but of what the same person asked for a moment ago the runs that there are. Two requests at
    the same time are told apart by the person's row: the second one waits, and finds the runs of the first."""
    with transaction.atomic():
        User.objects.select_for_update().only("pk").get(pk=requested_by.pk)
        return [
            _asked_just_now(llm, planned, requested_by) or request_planned(llm, planned, requested_by=requested_by)
            for llm, planned in wanted
        ]


def _asked_just_now(llm: LanguageModel, planned: Plan, requested_by: User) -> Run | None:
    """Not one that was stopped or broke since: that is asked for anew on purpose."""
    wanted = plans.run_from(llm, planned)
    same = {name: getattr(wanted, name) for name in ("llm", "fingerprint", "private_version", "limit", "priority")}
    ago = Now() - timedelta(seconds=SECONDS_APART)
    made = Run.objects.filter(**same, requested_by=requested_by, created_at__gt=ago, wanted=Run.Wanted.RUN)
    return made.exclude(status__in=Run.RESUMABLE).order_by("pk").last()


def pause(run: Run) -> bool:
    """At once where it waits; where it runs, after the batch at work. False: there is nothing to pause."""
    is_done = _move(run, Run.Status.QUEUED, status=Run.Status.PAUSED, wanted=Run.Wanted.PAUSE)
    return is_done or _move(run, Run.Status.RUNNING, wanted=Run.Wanted.PAUSE)


def pause_now(run_id: int, epoch: int) -> bool:
    """For who holds it, and will not finish the batch at work. Whatever comes of that is not written."""
    held = Run.objects.filter(pk=run_id, epoch=epoch, status=Run.Status.RUNNING)
    return bool(held.update(status=Run.Status.PAUSED, wanted=Run.Wanted.PAUSE, epoch=F("epoch") + 1))


def cancel(run: Run) -> bool:
    """What is scored stays. False: it has ended already."""
    changes = {"status": Run.Status.CANCELLED, "wanted": Run.Wanted.CANCEL, "finished_at": Now()}
    is_done = any(_move(run, status, **changes) for status in (Run.Status.QUEUED, Run.Status.PAUSED))
    return is_done or _move(run, Run.Status.RUNNING, wanted=Run.Wanted.CANCEL)


def resume(run: Run) -> bool:
    """Back into the queue, from where it stopped: also one that failed or was cancelled. False: it need not be."""
    changes = {
        "status": Run.Status.QUEUED,
        "wanted": Run.Wanted.RUN,
        "epoch": F("epoch") + 1,
        "n_losses": 0,
        "error": "",
        "finished_at": None,
        "hinted_at": None,
    }
    # A pause that its worker has not obeyed yet is taken back; if it has heard of it, it puts the run into the queue.
    if _rows(run, Run.Status.RUNNING).filter(wanted=Run.Wanted.PAUSE).update(wanted=Run.Wanted.RUN):
        return True
    if any(_move(run, status, **changes) for status in Run.RESUMABLE):
        note(run, filled(RESUMED, n=run.n_done, total=run.n_samples))
        return True
    return False


def set_priority(run: Run, priority: int) -> bool:
    """For when it next waits. False: it has ended."""
    return bool(Run.objects.filter(pk=run.pk).exclude(status__in=Run.ENDED).update(priority=priority))


# --- what workers do


def next_waiting(queue: str | None = None) -> Run | None:
    """The most urgent run; of one queue, or of all."""
    waiting = Run.objects.waiting()
    return (waiting if queue is None else waiting.in_queue(queue)).first()


def execute(run_id: int, epoch: int, *, stopping: Stopping = lambda: False) -> bool:
    """Score what is not scored yet. False: somebody else has it, or nobody wants it any more."""
    claimed = Run.objects.filter(pk=run_id, epoch=epoch, status=Run.Status.QUEUED, wanted=Run.Wanted.RUN)
    if not claimed.update(
        status=Run.Status.RUNNING, heartbeat_at=Now(), started_at=Coalesce("started_at", Now()), error=""
    ):
        return False
    run = Run.objects.select_related("llm__endpoint").get(pk=run_id)
    with context.bound(run=run.pk):
        _execute(run, stopping)
    return True


def work_off(queue: str | None = None, *, stopping: Stopping = lambda: False) -> None:
    """All that waits, one after the other, the most urgent first."""
    while not stopping():
        run = next_waiting(queue)
        if run is None:
            return
        execute(run.pk, run.epoch, stopping=stopping)


def reconcile() -> list[Run]:
    """Take back what vanished workers held. Gives the runs of which the workers should be told, and notes that they
    were; two that do this at once are not told the same."""
    now_stale = Q(heartbeat_at__lt=Now() - timedelta(seconds=LEASE_SECONDS))
    for run in Run.objects.filter(now_stale, status=Run.Status.RUNNING):
        _take_back(run)
    untold = Q(hinted_at=None) | Q(hinted_at__lt=Now() - timedelta(seconds=HINT_SECONDS))
    waiting = Run.objects.waiting().filter(untold).select_related("llm")
    return [run for run in waiting if _rows(run, Run.Status.QUEUED).filter(untold).update(hinted_at=Now())]


def note(run: Run, words: Sentence) -> None:
    RunLog.objects.create(run=run, words=words)
    logger.info("run %s: %s", run.pk, words)


# --- execution


def _execute(run: Run, stopping: Stopping) -> None:
    scribe, failure = Scribe(run, stopping), ""
    scribe.start()
    try:
        if run.llm.endpoint_id is None:
            pool.expect(run.llm, identification.identify(run.llm))  # an engine of former weights leaves
        with pool.hold(run.llm) as loading:  # loads while the rows are read
            prepared = plans.prepared_of(run)
            _score(run, prepared, _loaded(loading, scribe), scribe)
    except Halted:
        pass
    except EvaluationError as error:
        failure = error.user_message
    except EngineError as error:
        logger.warning("run %s failed: %s", run.pk, error)
        failure = _said(error)
    except Exception as error:  # the edge: a run must not stay behind as running
        logger.exception("run %s broke", run.pk)
        words = mark("It broke (%(why)s). An administrator can see more in the log; what is scored is kept.")
        failure = filled(words, why=f"{type(error).__name__}: {error}"[:300])
    finally:
        scribe.finish()
    _conclude(run, scribe, failure)


def _loaded(loading: Future[Engine], scribe: Scribe) -> Engine:
    while True:
        try:
            return loading.result(timeout=0.5)
        except TimeoutError:
            if scribe.halt:
                raise Halted from None


def _score(run: Run, prepared: Prepared, engine: Engine, scribe: Scribe) -> None:
    identity = identification.identify(run.llm)
    if run.llm.endpoint_id is None and not pool.expect(run.llm, identity):
        words = mark("The weights of %(llm)s changed while they were being loaded: resume when nothing writes them.")
        raise EvaluationError(filled(words, llm=run.llm.name))
    tell, stopping = functools.partial(note, run), functools.partial(_has_halted, scribe)
    method = environments.settle(run, prepared.benchmark, engine, tell=tell, stopping=stopping)
    if method is None:
        raise Halted
    memory = Memory(run, identity, method)
    scribe.begin(prepared, memory)
    remembering = RememberingEngine(engine, memory)
    n_failed = 0
    while True:
        n_before = len(scribe.done)
        try:
            _ask(prepared, remembering, scribe)
            return
        except EngineError as error:
            n_failed = n_failed + 1 if len(scribe.done) == n_before else 1
            if not error.retryable or n_failed > len(RETRY_SECONDS):
                raise
            logger.warning("run %s: %s; trying again", run.pk, error)
        if scribe.wait(RETRY_SECONDS[n_failed - 1]):
            raise Halted


def _has_halted(scribe: Scribe) -> bool:
    return scribe.halt is not None


def _ask(prepared: Prepared, engine: Engine, scribe: Scribe) -> None:
    with _closed_at_the_end(evaluate(prepared, engine, done=scribe.done)) as scores:
        for score in scores:
            scribe.add(score)
            if scribe.halt:
                raise Halted
    if scribe.halt is Halt.LOST:
        raise Halted


@contextlib.contextmanager
def _closed_at_the_end(scores: Iterator[SampleScore]) -> Iterator[Iterator[SampleScore]]:
    """Closing a generator stops the computation behind it."""
    try:
        yield scores
    finally:
        close = getattr(scores, "close", None)
        if close:
            close()


# --- its end


def _conclude(run: Run, scribe: Scribe, failure: str) -> None:
    match scribe.halt:
        case Halt.LOST:
            logger.warning("run %s is no longer ours; stopped", run.pk)
        case _ if failure:
            _leave(run, Run.Status.FAILED, error=failure, finished_at=Now(), **scribe.tally())
            note(run, filled(mark("failed: %(why)s"), why=failure))
        case _ if scribe.n_stored == run.n_samples:
            _succeed(run, scribe)
        case Halt.PAUSE | Halt.CANCEL:
            _leave_as_wanted(run, scribe, filled(RESUMED, n=scribe.n_stored, total=run.n_samples))
        case Halt.SHUTDOWN:
            _leave_as_wanted(run, scribe, filled(mark("put back into the queue: its worker was stopped")))
        case _:
            words = mark("Only %(n)s of %(total)s samples came back. Resume it, which asks for the others again.")
            failure = filled(words, n=scribe.n_stored, total=run.n_samples)
            _leave(run, Run.Status.FAILED, error=failure, finished_at=Now(), **scribe.tally())


def _succeed(run: Run, scribe: Scribe) -> None:
    summary = summarise(benchmark(run.benchmark), scores_of(SampleResult.objects.filter(run=run).values(*SCORE_FIELDS)))
    if summary.headline is None:
        words = mark("None of the %(n)s samples could be scored: open one to see why.")
        _leave(run, Run.Status.FAILED, error=filled(words, n=run.n_samples), finished_at=Now())
        return
    with transaction.atomic():
        if not _leave(run, Run.Status.SUCCEEDED, finished_at=Now(), **headline_fields(summary)):
            return
        RunMetric.objects.filter(run=run).delete()
        rows = [metric_row(run, metric, is_headline=metric == summary.headline) for metric in summary.metrics]
        RunMetric.objects.bulk_create(rows)
        for remembered in (CachedScore, CachedStatistics):
            remembered.objects.filter(run=run).delete()
        note(run, filled(mark("succeeded in %(seconds)s s"), seconds=round(scribe.seconds, 1)))


def metric_row(run: Run, metric: Metric, *, is_headline: bool) -> RunMetric:
    return RunMetric(
        run=run,
        name=metric.name,
        scope=metric.scope.value,
        part=metric.part,
        value=metric.value,
        standard_error=metric.standard_error,
        lower=metric.lower,
        upper=metric.upper,
        n=metric.n,
        is_headline=is_headline,
    )


def _take_back(run: Run) -> None:
    """Its holder has not been heard of for too long. What people wanted of it meanwhile is done now."""
    now_stale = Q(heartbeat_at__lt=Now() - timedelta(seconds=LEASE_SECONDS))
    changes: dict[str, Any] = {"epoch": F("epoch") + 1, "n_losses": F("n_losses") + 1, "hinted_at": None}
    words = mark("its worker was lost after %(n)s samples; back in the queue")
    if run.wanted == Run.Wanted.PAUSE:
        changes["status"], words = Run.Status.PAUSED, mark("its worker was lost after %(n)s samples; paused")
    elif run.wanted == Run.Wanted.CANCEL:
        changes |= {"status": Run.Status.CANCELLED, "finished_at": Now()}
        words = mark("its worker was lost after %(n)s samples; cancelled")
    elif run.n_losses + 1 >= MOST_LOSSES:
        failure = mark("Its worker was lost %(n)s times without scoring a sample: is there too little memory?")
        changes |= {"status": Run.Status.FAILED, "finished_at": Now(), "error": filled(failure, n=MOST_LOSSES)}
        words = mark("its worker was lost after %(n)s samples; given up")
    else:
        changes["status"] = Run.Status.QUEUED
    if _rows(run, Run.Status.RUNNING).filter(now_stale, wanted=run.wanted).update(**changes):
        note(run, filled(words, n=run.n_done))


def _leave_as_wanted(run: Run, scribe: Scribe, words_if_queued: Sentence) -> None:
    """People may have changed their minds since the scribe heard them, and may do so again while this reads."""
    counted = scribe.tally()
    while (wanted := _held(run).values_list("wanted", flat=True).first()) is not None:
        changes: dict[str, Any] = {"status": Run.Status.QUEUED, "epoch": F("epoch") + 1, "hinted_at": None}
        words = words_if_queued
        if wanted == Run.Wanted.PAUSE:
            changes, words = {"status": Run.Status.PAUSED}, filled(mark("paused"))
        elif wanted == Run.Wanted.CANCEL:
            changes, words = {"status": Run.Status.CANCELLED, "finished_at": Now()}, filled(mark("cancelled"))
        if _held(run).filter(wanted=wanted).update(**changes, **counted):
            note(run, words)
            return


def _leave(run: Run, status: str, **changes: Any) -> bool:
    """Give the run out of our hands, if it is still in them."""
    return bool(_held(run).update(status=status, **changes))


def _held(run: Run) -> RunQuerySet:
    return _rows(run, Run.Status.RUNNING).filter(epoch=run.epoch)


def _move(run: Run, from_status: str, **changes: Any) -> bool:
    return bool(_rows(run, from_status).update(**changes))


def _rows(run: Run, status: str) -> RunQuerySet:
    return Run.objects.filter(pk=run.pk, status=status)


def _said(error: EngineError) -> str:
    """For administrators: the engine's own words where it has any, which name files and servers."""
    return error.args[0] if error.args and isinstance(error.args[0], str) else error.user_message
