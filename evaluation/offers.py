"""Before runs start: what each would ask and cost, or why it is not possible."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from django.utils.formats import number_format
from django.utils.translation import gettext as _

from evaluation import plans, wording
from evaluation.benchmarks.base import Method
from evaluation.benchmarks.registry import benchmark
from evaluation.errors import DataMissing, EvaluationError, UnknownBenchmark
from evaluation.plans import Plan, Questions, Wish
from llms.models import LanguageModel
from llms.translations import translated

CHARACTERS_A_TOKEN = 4
Asked = dict[int, Questions | EvaluationError]
"""By wish, so that each is read once for all models."""


class Wanted(NamedTuple):
    """A wish, or why a suite's entry cannot be one."""

    title: str
    wish: Wish | None
    obstacle: str = ""


@dataclass(frozen=True, slots=True)
class Offer:
    llm: LanguageModel
    title: str
    plan: Plan | None
    obstacle: str
    """Why there is no plan, and what to do."""
    lacks_rows: bool = False
    """Its rows are not here: they may be on the hub."""

    @property
    def summary(self) -> str:
        return translated(self.plan.prepared.protocol.summary) if self.plan else ""

    @property
    def n_samples(self) -> int:
        return self.plan.estimate.n_samples if self.plan else 0

    @property
    def tokens(self) -> str:
        n = self.plan.estimate.n_characters // CHARACTERS_A_TOKEN if self.plan else 0
        return number_format(n, force_grouping=True)

    @property
    def time(self) -> str:
        seconds = self.plan.estimate.seconds if self.plan else None
        return wording.duration(seconds) if seconds else ""

    @property
    def smallest_difference(self) -> str:
        found = self.plan.estimate.smallest_difference if self.plan else None
        return _("%(number)s points") % {"number": wording.decimal(100 * found, 1)} if found else ""

    @property
    def why_no_difference(self) -> str:
        """Nothing is such a share, or nothing could be told apart with so few samples."""
        if self.plan is None:
            return ""
        if self.plan.prepared.benchmark.method is Method.TOKEN_STATISTICS:
            return _("no share of right answers")
        return _("too few samples to tell anything apart")


def wanted(wish: Wish) -> Wanted:
    try:
        return Wanted(benchmark(wish.benchmark).card.title, wish)
    except UnknownBenchmark as error:
        return Wanted(wish.benchmark, None, translated(error.user_message))


def offers(llms: Iterable[LanguageModel], wishes: Sequence[Wanted], *, may_download: bool = False) -> list[Offer]:
    """Of every model and every wish; the questions are read once for all models."""
    asked: Asked = {}
    return [_offer(llm, one, asked, may_download=may_download) for llm in llms for one in wishes]


def _offer(llm: LanguageModel, one: Wanted, asked: Asked, *, may_download: bool) -> Offer:
    if one.wish is None:
        return Offer(llm, one.title, None, one.obstacle)
    try:
        plans.check(llm, one.wish)
        key = id(one)
        if key not in asked:
            asked[key] = _questions(one.wish, may_download=may_download)
        questions = asked[key]
        if isinstance(questions, EvaluationError):
            raise questions
        return Offer(llm, one.title, plans.plan_for(llm, questions), "")
    except EvaluationError as error:
        return Offer(llm, one.title, None, translated(error.user_message), isinstance(error, DataMissing))


def _questions(wish: Wish, *, may_download: bool) -> Questions | EvaluationError:
    try:
        return plans.questions(wish, may_download=may_download)
    except EvaluationError as error:
        return error


class Total(NamedTuple):
    n_runs: int
    n_samples: int
    time: str
    """Of the runs whose time is known, one after the other; empty where none is."""
    is_whole: bool
    """Whether the time of every run is known."""
    lacks_rows: bool


def total(found: Sequence[Offer]) -> Total:
    estimates = [offer.plan.estimate for offer in found if offer.plan]
    seconds = [estimate.seconds for estimate in estimates if estimate.seconds]
    n_samples = sum(estimate.n_samples for estimate in estimates)
    time = wording.duration(sum(seconds)) if seconds else ""
    lacks_rows = any(offer.lacks_rows for offer in found)
    return Total(len(estimates), n_samples, time, len(seconds) == len(estimates), lacks_rows)
