"""Every benchmark by name. To add a public one: write the class, add a line; the contract test runs over all of them.

Private ones, `private/…`, are in the database, of which this package knows nothing: the application says at its start
how one is found.
"""

import importlib
from collections.abc import Callable
from functools import cache
from typing import Final

from evaluation.benchmarks.base import Benchmark
from evaluation.errors import UnknownBenchmark
from llms.sentences import filled, mark

BENCHMARKS: dict[str, str] = {
    "mmlu": "evaluation.benchmarks.mmlu:Mmlu",
    "hellaswag": "evaluation.benchmarks.hellaswag:HellaSwag",
    "arc_challenge": "evaluation.benchmarks.arc_challenge:ArcChallenge",
    "winogrande": "evaluation.benchmarks.winogrande:WinoGrande",
    "piqa": "evaluation.benchmarks.piqa:Piqa",
    "ifeval": "evaluation.benchmarks.ifeval:Ifeval",
    "perplexity": "evaluation.benchmarks.perplexity:Perplexity",
}


PRIVATE_PREFIX: Final = "private/"
FindPrivate = Callable[[str], Benchmark | None]
_find_private: FindPrivate = lambda name: None  # noqa: E731


def find_private_with(find: FindPrivate) -> None:
    global _find_private
    _find_private = find


def is_private(name: str) -> bool:
    return name.startswith(PRIVATE_PREFIX)


def benchmark(name: str) -> Benchmark:
    """Raises UnknownBenchmark."""
    if not is_private(name):
        return _public(name)
    found = _find_private(name)
    if found is None:
        words = mark("There is no private benchmark “%(name)s”: manage.py benchmarks lists those that there are.")
        raise UnknownBenchmark(filled(words, name=name))
    return found


@cache
def _public(name: str) -> Benchmark:
    try:
        path = BENCHMARKS[name]
    except KeyError:
        words = mark("No benchmark is called “%(name)s”; known are %(known)s.")
        raise UnknownBenchmark(filled(words, name=name, known=", ".join(sorted(BENCHMARKS)))) from None
    module, _, attribute = path.partition(":")
    found: Benchmark = getattr(importlib.import_module(module), attribute)()
    return found


def benchmark_choices() -> list[tuple[str, str]]:
    """Choices for a model field; a callable, so that a new benchmark needs no migration."""
    return [(name, benchmark(name).card.title) for name in BENCHMARKS]
