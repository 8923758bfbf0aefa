"""Samples of a run, filtered and page by page.

Pages go by the samples' places and not by offsets: the thousandth page costs what the first one costs. The lists leave
prompts out, which are long and compressed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from django.db.models import Count, Q, QuerySet
from django.http import QueryDict
from django.utils.translation import gettext_lazy as _

from evaluation.aggregation import Scope
from evaluation.models import Run, SampleResult

SAMPLES_A_PAGE: Final = 50
LONGEST_SEARCH: Final = 200
VERDICTS: Final = {
    "": _("all"),
    "wrong": _("wrong"),
    "right": _("right"),
    "truncated": _("truncated"),
    "errored": _("without a score"),
}
CONDITIONS: Final = {
    "": Q(),
    "wrong": Q(is_right=False),
    "right": Q(is_right=True),
    "truncated": Q(was_truncated=True),
    "errored": ~Q(error=""),
}
LISTED: Final = ("run_id", "sample_id", "index", "subject", "question", "choices", "answer", "target", "predictions")
LISTED_TOO: Final = ("values", "is_right", "was_truncated", "error")


@dataclass(frozen=True, slots=True)
class SampleFilter:
    verdict: str = ""
    subject: str = ""
    text: str = ""

    @classmethod
    def of(cls, query: QueryDict) -> "SampleFilter":
        """What the address asks for. An unknown verdict is none."""
        verdict = query.get("verdict", "")
        text = " ".join(query.get("q", "").replace("\0", "").split())[:LONGEST_SEARCH]
        subject = query.get("subject", "").replace("\0", "")
        return cls(verdict if verdict in CONDITIONS else "", subject, text)

    @property
    def query(self) -> str:
        """As the address has it, in one order."""
        found = QueryDict(mutable=True)
        found.update({name: value for name, value in self._parts() if value})
        return found.urlencode()

    def _parts(self) -> tuple[tuple[str, str], ...]:
        return (("verdict", self.verdict), ("subject", self.subject), ("q", self.text))

    @property
    def is_narrow(self) -> bool:
        return bool(self.verdict or self.subject or self.text)

    def apply(self, run: Run) -> QuerySet[SampleResult]:
        found = SampleResult.objects.filter(CONDITIONS[self.verdict], run=run)
        if self.subject:
            found = found.filter(subject=self.subject)
        if self.text:
            found = found.filter(Q(question__icontains=self.text) | Q(answer__icontains=self.text))
        return found


class SamplePage(NamedTuple):
    samples: Sequence[SampleResult]
    n_found: int
    newer: str
    """What the address of the page before this one adds to the filter; empty on the first one."""
    older: str


def page_of(run: Run, chosen: SampleFilter, query: QueryDict) -> SamplePage:
    found = chosen.apply(run)
    listed = found.only(*LISTED, *LISTED_TOO)
    before, after = _place(query.get("before")), _place(query.get("after"))
    if before is not None:
        backwards = list(listed.filter(index__lt=before).order_by("-index")[: SAMPLES_A_PAGE + 1])
        has_more_before, has_more_after = len(backwards) > SAMPLES_A_PAGE, True
        samples = list(reversed(backwards[:SAMPLES_A_PAGE]))
    else:
        start = Q() if after is None else Q(index__gt=after)
        forwards = list(listed.filter(start).order_by("index")[: SAMPLES_A_PAGE + 1])
        has_more_before, has_more_after = after is not None, len(forwards) > SAMPLES_A_PAGE
        samples = forwards[:SAMPLES_A_PAGE]
    newer = f"before={samples[0].index}" if samples and has_more_before else ""
    older = f"after={samples[-1].index}" if samples and has_more_after else ""
    return SamplePage(samples, found.count(), newer, older)


def _place(given: str | None) -> int | None:
    return int(given) if given is not None and given.isdecimal() and len(given) <= 9 else None


class Verdict(NamedTuple):
    key: str
    label: str
    n: int


def verdicts_of(run: Run) -> list[Verdict]:
    """Those that some samples have, with their numbers; in one look at the rows, which most of the times an index
    answers alone."""
    n_right = Count("pk", filter=CONDITIONS["right"])
    n_wrong = Count("pk", filter=CONDITIONS["wrong"])
    counts = SampleResult.objects.filter(run=run).aggregate(all=Count("pk"), right=n_right, wrong=n_wrong)
    numbers: dict[str, Any] = {"": counts["all"], "wrong": counts["wrong"], "right": counts["right"]}
    numbers |= {"truncated": run.n_truncated, "errored": run.n_errors}
    return [Verdict(key, str(label), numbers[key]) for key, label in VERDICTS.items() if numbers[key] or not key]


def subjects_of(run: Run) -> list[tuple[str, str]]:
    """Names and what people read; from the metrics where there are any, because these are few."""
    found = set(run.metrics.filter(scope=Scope.SUBJECT).values_list("part", flat=True))
    if not found:
        rows = SampleResult.objects.filter(run=run).exclude(subject="").order_by()
        found = set(rows.values_list("subject", flat=True).distinct())
    return [(name, name.replace("_", " ")) for name in sorted(found)]


class Neighbours(NamedTuple):
    """Places of the samples before and after one, within a filter."""

    before: int | None
    after: int | None


def neighbours(sample: SampleResult, chosen: SampleFilter) -> Neighbours:
    places = chosen.apply(sample.run).values_list("index", flat=True)
    before = places.filter(index__lt=sample.index).order_by("-index").first()
    after = places.filter(index__gt=sample.index).order_by("index").first()
    return Neighbours(before, after)
