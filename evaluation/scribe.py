"""Who scores a run holds its pen: keeps the lease, writes what comes, and hears when to stop.

A thread of its own, because a batch may be computed for minutes, in which the lease must not run out and nothing that
is done may wait to be stored. Every transaction begins with an UPDATE that names epoch and status: where it finds no
row, the run is somebody else's by now, and nothing is written.
"""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from enum import Enum, auto
from typing import Any, Final

from django.db import DatabaseError, InterfaceError, connection, transaction
from django.db.models.functions import Now

from evaluation import costs
from evaluation.aggregation import Summary, summarise
from evaluation.caching import Memory
from evaluation.models import PromptText, Run, SampleResult
from evaluation.records import SCORE_FIELDS, prompt_row, sample_row, scores_of
from evaluation.runner import Prepared
from evaluation.scores import SampleScore

logger = logging.getLogger(__name__)

FLUSH_SECONDS: Final = 0.5
LEASE_SECONDS: Final = 30
"""Without a heartbeat for so long a run counts as abandoned."""
ROWS_AT_ONCE: Final = 500
SUMMARY_SECONDS: Final = 2.0
SHARE_FOR_SUMMARIES: Final = 0.05
"""Of the time, at most, goes into the metric so far."""


class Halt(Enum):
    LOST = auto()
    """Another holds the run now, or nobody could be told for too long that we do."""
    PAUSE = auto()
    CANCEL = auto()
    SHUTDOWN = auto()
    """This process ends; another may go on."""


WISHES: Final = {Run.Wanted.PAUSE: Halt.PAUSE, Run.Wanted.CANCEL: Halt.CANCEL}
Stopping = Callable[[], bool]


class Scribe:
    def __init__(self, run: Run, stopping: Stopping) -> None:
        self._run, self._stopping = run, stopping
        self._waiting: deque[SampleScore] = deque()
        self._prepared: Prepared | None = None
        self._memory: Memory | None = None
        self._scores: list[SampleScore] = []
        """All that are stored, without their texts."""
        self._halted = threading.Event()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._keep, name=f"run-{run.pk}", daemon=True)
        self._places: dict[str, int] = {}
        self._characters: dict[str, int] = {}
        """Of each sample that may come."""
        self._n_characters = 0
        """Of those that are stored."""
        self._added: set[str] = set()
        self._heard_at = time.monotonic()
        self._scoring_since: float | None = None
        self._summary_due = 0.0
        self._n_summarised = 0
        self.halt: Halt | None = None

    # --- for the thread that computes

    def start(self) -> None:
        self._thread.start()

    def begin(self, prepared: Prepared, memory: Memory) -> None:
        """From now on samples come."""
        self._scores = scores_of(SampleResult.objects.filter(run=self._run).values(*SCORE_FIELDS))
        self._added = {score.sample_id for score in self._scores}
        self._places = {sample.id: index for index, sample in enumerate(prepared.samples)}
        self._characters = costs.characters_of(prepared)
        self._n_characters = self._characters_of(self._scores)
        self._prepared, self._memory = prepared, memory
        self._scoring_since = time.monotonic()

    @property
    def done(self) -> set[str]:
        """Ids of the samples that need not be asked again."""
        return set(self._added)

    def add(self, score: SampleScore) -> None:
        self._added.add(score.sample_id)
        self._waiting.append(score)

    def wait(self, seconds: float) -> bool:
        """Whether it halted meanwhile."""
        return self._halted.wait(seconds)

    def finish(self) -> None:
        """Store the rest. Afterwards nothing is written any more."""
        self._ended.set()
        self._thread.join()
        if self.halt is not Halt.LOST:
            self._tick(patience=0)

    def summary(self) -> Summary | None:
        return summarise(self._prepared.benchmark, self._scores) if self._prepared else None

    def tally(self) -> dict[str, Any]:
        """Fields of the run: the metric of all that is stored. None of them where nothing is."""
        summary = self.summary() if self._scores else None
        return headline_fields(summary) if summary else {}

    @property
    def n_stored(self) -> int:
        return len(self._scores)

    @property
    def seconds(self) -> float:
        """With those of former attempts."""
        since = self._scoring_since
        return float(self._run.seconds + (time.monotonic() - since if since is not None else 0.0))

    # --- in its own thread

    def _keep(self) -> None:
        try:
            while not self._ended.wait(FLUSH_SECONDS) and self.halt is not Halt.LOST:
                self._tick(patience=LEASE_SECONDS)
        except Exception:  # the edge of a thread: whoever computes must hear that nothing is stored any more
            logger.exception("the samples of run %s cannot be stored", self._run.pk)
            self._stop(Halt.LOST)
        finally:
            connection.close()

    def _tick(self, *, patience: float) -> None:
        """A database that is away for a moment costs nothing; for longer than the lease, it costs the run."""
        try:
            while self._write() and self.halt is not Halt.LOST:
                pass
            self._heard_at = time.monotonic()
        except (DatabaseError, InterfaceError) as error:
            connection.close()
            if time.monotonic() - self._heard_at > patience:
                raise
            logger.warning("run %s could not be written, trying again: %s", self._run.pk, error)

    def _write(self) -> bool:
        """One transaction. Whether there is more to write."""
        batch = [self._waiting.popleft() for _ in range(min(len(self._waiting), ROWS_AT_ONCE))]
        try:
            with transaction.atomic():
                wanted = self._hold(batch)
                if wanted is not None:
                    self._store(batch)
        except BaseException:
            self._waiting.extendleft(reversed(batch))
            raise
        if wanted is None:
            self._stop(Halt.LOST)
            return False
        self._scores += [_bare(score) for score in batch]
        self._n_characters += self._characters_of(batch)
        if wanted in WISHES:
            self._stop(WISHES[Run.Wanted(wanted)])
        elif self._stopping():
            self._stop(Halt.SHUTDOWN)
        return bool(self._waiting)

    def _hold(self, batch: list[SampleScore]) -> str | None:
        """Prolongs the lease, and says what people want of the run; None where it is not ours."""
        changes: dict[str, Any] = {"heartbeat_at": Now()}
        if self._scoring_since is not None:
            changes |= {"n_done": len(self._scores) + len(batch), "seconds": self.seconds}
            changes["n_characters_done"] = self._n_characters + self._characters_of(batch)
            changes |= self._so_far()
        if batch:
            changes |= {"n_losses": 0, "n_cached": self._n_cached()}
        held = Run.objects.filter(pk=self._run.pk, epoch=self._run.epoch, status=Run.Status.RUNNING)
        return held.values_list("wanted", flat=True).get() if held.update(**changes) else None

    def _store(self, batch: list[SampleScore]) -> None:
        if self._prepared is None or self._memory is None:
            return
        prompts, rows = {}, []
        for score in batch:
            prompt = prompt_row(score.prompts)
            prompts[prompt.digest] = prompt
            row = sample_row(score, self._prepared.benchmark, prompt=prompt)
            row.run, row.index = self._run, self._places[score.sample_id]
            rows.append(row)
        # in the order of their keys, as everybody writes them: two runs must not wait for each other crosswise
        PromptText.objects.bulk_create([prompts[digest] for digest in sorted(prompts)], ignore_conflicts=True)
        SampleResult.objects.bulk_create(rows, ignore_conflicts=True)
        self._memory.save()

    def _characters_of(self, scores: list[SampleScore]) -> int:
        return sum(self._characters.get(score.sample_id, 0) for score in scores)

    def _n_cached(self) -> int:
        return self._run.n_cached + (self._memory.n_hits if self._memory else 0)

    def _so_far(self) -> dict[str, Any]:
        """The metric of what was stored before this batch, from time to time."""
        if time.monotonic() < self._summary_due or self._n_summarised == len(self._scores):
            return {}
        began_at, self._n_summarised = time.monotonic(), len(self._scores)
        fields = self.tally()
        took = time.monotonic() - began_at
        self._summary_due = time.monotonic() + max(SUMMARY_SECONDS, took / SHARE_FOR_SUMMARIES)
        return fields

    def _stop(self, halt: Halt) -> None:
        self.halt = halt
        self._halted.set()


def headline_fields(summary: Summary) -> dict[str, Any]:
    found = summary.headline
    return {
        "value": found.value if found else None,
        "standard_error": found.standard_error if found else None,
        "lower": found.lower if found else None,
        "upper": found.upper if found else None,
        "n_errors": summary.n_errors,
        "n_truncated": summary.n_truncated,
    }


def _bare(score: SampleScore) -> SampleScore:
    return SampleScore(
        sample_id=score.sample_id,
        subject=score.subject,
        prompts=(),
        target=(),
        values=score.values,
        was_truncated=score.was_truncated,
        error=score.error,
    )
