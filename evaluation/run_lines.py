"""A run in one line of a table: how far it is, what came out so far."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.utils import timezone
from django.utils.formats import number_format
from django.utils.translation import gettext as _

from evaluation import wording
from evaluation.benchmarks.base import Benchmark
from evaluation.models import Run, RunMetric
from evaluation.scribe import LEASE_SECONDS
from llms.translations import translated

TONES: Final = {
    Run.Status.RUNNING: "accent",
    Run.Status.PAUSED: "warn",
    Run.Status.SUCCEEDED: "ok",
    Run.Status.FAILED: "bad",
}
LIVE: Final = (Run.Status.QUEUED, Run.Status.RUNNING)
"""Those that change without anybody's doing: pages follow them."""
ALIKE: Final = 0.9
"""Times left that differ by less, by characters and by rows, need no explanation."""


@dataclass(frozen=True, slots=True)
class RunLine:
    run: Run
    benchmark: Benchmark | None
    """None where this version does not know it (any more)."""
    now: datetime
    metric: str
    """What its value is: of results of another tool not always the benchmark's own headline."""

    @property
    def title(self) -> str:
        return wording.title(self.run, self.benchmark)

    @property
    def tone(self) -> str:
        return TONES.get(Run.Status(self.run.status), "")

    @property
    def is_live(self) -> bool:
        return self.run.status in LIVE

    @property
    def has_progress(self) -> bool:
        """Whether a bar tells something: not before the first sample, nor after the last."""
        return self.run.status != Run.Status.IMPORTED and 0 < self.run.n_done < self.run.n_samples

    @property
    def is_part(self) -> bool:
        """Whether its result is not of all rows of the benchmark: it was asked for fewer, or has not scored all yet."""
        return self.has_progress or self.run.protocol.get("is_whole") is False

    @property
    def progress_words(self) -> str:
        """Samples done, speed and time left, as far as they are known. The time left goes by characters, so where it
        contradicts the speed in samples it says why."""
        words = [_("%(done)s of %(total)s") % {"done": _count(self.run.n_done), "total": _count(self.run.n_samples)}]
        if self.rate is not None and self.run.status == Run.Status.RUNNING:
            words.append(_("%(rate)s/s") % {"rate": wording.decimal(self.rate, 1)})
            words.append(self._time_left)
        return " · ".join(words)

    @property
    def _time_left(self) -> str:
        run, left = self.run, self.run.seconds_left or 0.0
        at_this_rate = (run.n_samples - run.n_done) / self.rate if self.rate else 0.0
        words = _("about %(time)s left")
        if left < ALIKE * at_this_rate:
            words = _("about %(time)s left (the rows get shorter)")
        elif left * ALIKE > at_this_rate:
            words = _("about %(time)s left (the rows get longer)")
        return words % {"time": wording.duration(left)}

    @property
    def rate(self) -> float | None:
        """Samples in a second, over all the time in which it was scored."""
        run = self.run
        return run.n_done / run.seconds if run.n_done and run.seconds else None

    @property
    def result(self) -> str:
        """With its standard error, as lm-evaluation-harness prints it: of rows that are no sample of all, without."""
        run, as_share = self.run, wording.measures_share(self.benchmark)
        if run.value is None:
            return ""
        value = wording.amount(run.value, as_share=as_share)
        if run.standard_error is None or self.has_progress:
            return value
        return f"{value} ± {wording.points(run.standard_error, as_share=as_share)}"

    @property
    def scoring_time(self) -> str:
        return wording.duration(self.run.seconds)

    @property
    def summary_words(self) -> str:
        """Its protocol in one line."""
        return translated(self.run.summary)

    @property
    def wish_words(self) -> str:
        """What was asked of it and is not done yet."""
        if self.run.status != Run.Status.RUNNING:
            return ""
        if self.run.wanted == Run.Wanted.PAUSE:
            return _("will pause after the batch at work")
        if self.run.wanted == Run.Wanted.CANCEL:
            return _("will stop after the batch at work")
        return ""

    @property
    def can_be_paused(self) -> bool:
        return self.run.status in LIVE and self.run.wanted == Run.Wanted.RUN

    @property
    def can_be_resumed(self) -> bool:
        is_pausing = self.run.status == Run.Status.RUNNING and self.run.wanted == Run.Wanted.PAUSE
        return self.run.status in Run.RESUMABLE or is_pausing

    @property
    def can_be_cancelled(self) -> bool:
        return not self.run.has_ended and self.run.wanted != Run.Wanted.CANCEL

    @property
    def is_silent(self) -> bool:
        """Its worker has not been heard of for longer than its lease: it will be taken back."""
        heard = self.run.heartbeat_at
        is_running = self.run.status == Run.Status.RUNNING
        return is_running and heard is not None and self.now - heard > timedelta(seconds=LEASE_SECONDS)


def line_of(run: Run) -> RunLine:
    return lines_of([run])[0]


def lines_of(runs: Iterable[Run]) -> list[RunLine]:
    """Each benchmark is looked up once: private ones are in the database."""
    runs = list(runs)
    found: dict[str, Benchmark | None] = {}
    for run in runs:
        if run.benchmark not in found:
            found[run.benchmark] = wording.benchmark_of(run)
    headlines, now = RunMetric.objects.headlines_of(runs), timezone.now()
    return [RunLine(run, found[run.benchmark], now, _metric(run, found[run.benchmark], headlines)) for run in runs]


def _metric(run: Run, found: Benchmark | None, headlines: dict[int, str]) -> str:
    return headlines.get(run.pk) or (found.headline if found else "")


def _count(number: int) -> str:
    return number_format(number, 0, force_grouping=True)
