"""What pages say about benchmarks: their cards, their rows here, one item, and the suites that they are in."""

from dataclasses import dataclass
from typing import Final, NamedTuple
from zlib import crc32

from django.conf import settings
from django.core.cache import cache
from django.utils.translation import gettext as _

from evaluation.benchmarks.base import Benchmark, Draw, Method
from evaluation.benchmarks.registry import BENCHMARKS, benchmark
from evaluation.datasets import Availability, from_samples, inventory
from evaluation.errors import DataMissing
from evaluation.models import PrivateBenchmark
from evaluation.prompts import Template
from evaluation.published import SETUPS, Setup
from evaluation.suites import SUITES, Entry, entries_for
from llms.models import LanguageModel
from llms.sentences import mark
from llms.translations import translated

LOOKED_FOR_SECONDS: Final = 60
"""So long what is here of the rows is remembered: to look means to read them."""
LONGEST_PROMPT: Final = 1500
METHODS: Final = {
    Method.LOGLIKELIHOOD: mark("the probability that the model gives to each choice"),
    Method.GENERATION: mark("what the model writes"),
    Method.TOKEN_STATISTICS: mark("the probability that the model gives to a text"),
}
DRAWS: Final = {
    Draw.FIRST: mark("the first rows as they are stored"),
    Draw.FIXED: mark("drawn once, the same for all"),
    Draw.LM_EVAL: mark("drawn anew for each question, as lm-evaluation-harness does"),
}


@dataclass(frozen=True, slots=True)
class Card:
    """A benchmark in the list, and at the head of its page."""

    benchmark: Benchmark
    found: Availability
    n_built_in: int

    @property
    def title(self) -> str:
        return _(self.benchmark.card.title)

    @property
    def measures(self) -> str:
        return _(self.benchmark.card.measures)

    @property
    def capability(self) -> str:
        return str(PrivateBenchmark.Capability(self.benchmark.capability.value).label)

    @property
    def faults(self) -> list[str]:
        return [_(fault) for fault in self.benchmark.card.known_faults]

    @property
    def is_here(self) -> bool:
        return self.found.n_rows is not None

    @property
    def is_whole(self) -> bool:
        return self.is_here and self.found.n_published in (None, self.found.n_rows)

    @property
    def is_unreadable(self) -> bool:
        """Why, names files of this server."""
        return not self.is_here and bool(self.found.source)

    @property
    def advice(self) -> str:
        return translated(self.found.advice) if self.found.advice else ""


class Choice(NamedTuple):
    text: str
    is_right: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleItem:
    """One of the built-in rows, as a model gets it."""

    prompt: str
    choices: tuple[Choice, ...]
    answers: tuple[str, ...]


class Fact(NamedTuple):
    name: str
    value: str


class SuiteEntry(NamedTuple):
    entry: Entry
    title: str
    is_known: bool
    obstacle: str


class Suite(NamedTuple):
    name: str
    purpose: str
    entries: tuple[SuiteEntry, ...]


PURPOSES: Final = {
    "during-pretraining": mark("While a model is being trained: quick, and steady from checkpoint to checkpoint."),
    "after-pretraining": mark("A base model, before it has learnt to follow instructions."),
    "after-finetuning": mark("A model that converses: the same, and following instructions, conversation and tools."),
}


def cards() -> list[Card]:
    return [Card(benchmark(found.name), found, n_built_in(found.name)) for found in _inventory()]


def card_of(name: str) -> Card:
    return next(card for card in cards() if card.benchmark.name == name)


def n_built_in(name: str) -> int:
    try:
        return len(from_samples(benchmark(name)).rows)
    except DataMissing:
        return 0


def sample_item(chosen: Benchmark) -> SampleItem | None:
    try:
        row = from_samples(chosen).rows[0]
    except DataMissing:
        return None
    sample = chosen.samples([row])[0]
    prompt = chosen.prompts(sample, ())[0].as_text()
    shown = prompt if len(prompt) <= LONGEST_PROMPT else f"{prompt[:LONGEST_PROMPT]}…"
    if isinstance(sample.target, tuple):
        return SampleItem(prompt=shown, choices=(), answers=sample.target)
    choices = tuple(Choice(text, place == sample.target) for place, text in enumerate(sample.choices))
    return SampleItem(prompt=shown, choices=choices, answers=())


def protocol_facts(chosen: Benchmark) -> list[Fact]:
    """How it is asked unless somebody chooses otherwise."""
    options = chosen.default_options
    template = _("yes") if options.template is Template.CHAT else _("no")
    found = [
        Fact(_("Asked for"), _(METHODS[chosen.method])),
        Fact(_("Prompt"), _(chosen.prompt_form)),
        Fact(_("Chat template"), template),
        Fact(_("Metrics"), ", ".join([chosen.headline, *(name for name in chosen.metrics if name != chosen.headline)])),
        Fact(_("Version"), str(chosen.version)),
    ]
    if chosen.draws:
        n_shots = str(options.n_shots)
        shots = f"{n_shots}, {_(DRAWS[options.draw])}" if options.n_shots else n_shots
        found.insert(2, Fact(_("Examples in the prompt"), shots))
    if chosen.variants:
        found.append(Fact(_("Variants"), ", ".join(chosen.variants)))
    return found


def setups_of(chosen: Benchmark) -> list[Setup]:
    return [setup for setup in SETUPS if setup.benchmark == chosen.name]


def suites(llm: LanguageModel | None) -> list[Suite]:
    """With a model, why what does not apply to it does not."""
    return [Suite(name, _(PURPOSES[name]), _entries(name, llm)) for name in SUITES]


def _entries(suite: str, llm: LanguageModel | None) -> tuple[SuiteEntry, ...]:
    if llm is None:
        return tuple(_entry(entry, "") for entry in SUITES[suite])
    found = entries_for(llm, suite)
    return tuple(_entry(entry, translated(obstacle) if obstacle else "") for entry, obstacle in found)


def _entry(entry: Entry, obstacle: str) -> SuiteEntry:
    is_known = entry.benchmark in BENCHMARKS
    title = _(benchmark(entry.benchmark).card.title) if is_known else entry.benchmark
    missing = "" if is_known else _("This version has no benchmark “%(name)s” yet.") % {"name": entry.benchmark}
    return SuiteEntry(entry, title, is_known, obstacle or missing)


def _inventory() -> list[Availability]:
    folder, hub = settings.BENCHMARK_DATA_DIR, settings.HUB_ROWS_DIR
    key = f"benchmark-inventory-{crc32(f'{folder} {hub}'.encode())}"
    found: list[Availability] | None = cache.get(key)
    if found is None or {one.name for one in found} != set(BENCHMARKS):
        found = inventory(folder, hub)
        cache.set(key, found, LOOKED_FOR_SECONDS)
    return found
