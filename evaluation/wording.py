"""Numbers of runs as people read them, in the language of whoever asks."""

import math
from decimal import Decimal

from django.utils.formats import number_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from evaluation.benchmarks.base import Benchmark, Method
from evaluation.benchmarks.registry import benchmark
from evaluation.errors import UnknownBenchmark
from evaluation.models import Run

SHARES = (
    "acc", "acc_norm", "acc_bytes", "exact_match", "prompt_level_strict_acc", "inst_level_strict_acc",
    "prompt_level_loose_acc", "inst_level_loose_acc",
)  # fmt: skip
"""Metrics that are shares of right answers: told in percent."""


GROUPS = {
    "stem": gettext_lazy("STEM"),
    "humanities": gettext_lazy("humanities"),
    "social_sciences": gettext_lazy("social sciences"),
    "other": gettext_lazy("other subjects"),
}


def benchmark_of(run: Run) -> Benchmark | None:
    """None where this version does not know it (any more): its stored numbers can be read all the same."""
    try:
        return benchmark(run.benchmark)
    except UnknownBenchmark:
        return None


def title(run: Run, found: Benchmark | None) -> str:
    return found.card.title if found else run.benchmark


def is_share(metric: str) -> bool:
    return metric in SHARES


def measures_share(found: Benchmark | None) -> bool:
    return found is None or found.method is not Method.TOKEN_STATISTICS


def decimal(value: float, digits: int) -> str:
    """Rounded: `number_format` alone would cut digits off. A perplexity may be infinite."""
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    return number_format(f"{value:.{digits}f}", digits)


def percent(share: float, digits: int = 1) -> str:
    return _("%(number)s%%") % {"number": decimal(100 * share, digits)}


def amount(value: float, *, as_share: bool) -> str:
    return percent(value) if as_share else decimal(value, 4)


def points(error: float, *, as_share: bool) -> str:
    """A standard error, in the unit of what it belongs to."""
    return decimal(100 * error, 1) if as_share else decimal(error, 4)


def significant(value: float, digits: int = 2) -> str:
    """Rounded to its first digits, and never with an exponent: `number_format` would group its characters."""
    return number_format(format(Decimal(f"{value:.{digits}g}"), "f"))


def duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return _("%(hours)s h %(minutes)s min") % {"hours": hours, "minutes": minutes}
    if minutes:
        return _("%(minutes)s min %(seconds)s s") % {"minutes": minutes, "seconds": rest}
    return _("%(seconds)s s") % {"seconds": rest}


def group(name: str) -> str:
    """Of subjects; one that we have no words for keeps its name."""
    return str(GROUPS.get(name, name.replace("_", " ")))
