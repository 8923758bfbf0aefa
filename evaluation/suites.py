"""Named lists of benchmarks, for the stages of a model's making."""

from typing import Final, NamedTuple

from evaluation.benchmarks.base import Options
from evaluation.benchmarks.registry import BENCHMARKS, benchmark
from evaluation.errors import InvalidOptions
from evaluation.plans import Wish, why_not
from llms.models import LanguageModel
from llms.sentences import Sentence, filled, mark


class Entry(NamedTuple):
    benchmark: str
    options: Options | None = None
    limit: int | None = None


FIVE: Final = (
    Entry("mmlu"),
    Entry("hellaswag"),
    Entry("arc_challenge"),
    Entry("winogrande"),
    Entry("piqa"),
)
SUITES: Final[dict[str, tuple[Entry, ...]]] = {
    "during-pretraining": (Entry("perplexity"), Entry("hellaswag", limit=1000)),
    "after-pretraining": FIVE,
    "after-finetuning": (*FIVE, Entry("ifeval"), Entry("alpaca_eval"), Entry("mt_bench"), Entry("gaia")),
}


class Applicability(NamedTuple):
    entry: Entry
    obstacle: Sentence | None
    """Why it is not applicable."""


def entries_for(llm: LanguageModel, suite: str) -> list[Applicability]:
    """Raises InvalidOptions."""
    if suite not in SUITES:
        words = mark("No suite is called “%(name)s”: choose one of %(known)s.")
        raise InvalidOptions(filled(words, name=suite, known=", ".join(SUITES)))
    return [Applicability(entry, _obstacle(llm, entry)) for entry in SUITES[suite]]


def wish_of(entry: Entry) -> Wish:
    return Wish(benchmark=entry.benchmark, options=entry.options, limit=entry.limit)


def missing(entry: Entry) -> Sentence | None:
    """Why it cannot be asked of any model."""
    if entry.benchmark not in BENCHMARKS:
        return filled(mark("This version has no benchmark “%(name)s” yet."), name=entry.benchmark)
    return None


def _obstacle(llm: LanguageModel, entry: Entry) -> Sentence | None:
    return missing(entry) or why_not(llm, benchmark(entry.benchmark))
