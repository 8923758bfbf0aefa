"""What an import says of each run, in a line of a table."""

from typing import NamedTuple

from evaluation import imports, wording
from evaluation.benchmarks.registry import benchmark
from evaluation.imports import Examined, Imported
from evaluation.models import Run
from llms.models import LanguageModel
from llms.translations import translated


class Line(NamedTuple):
    benchmark: str
    llm: str
    is_new_llm: bool
    metric: str
    value: str
    n_samples: int
    has_samples: bool
    protocol: str
    reason: str
    """Why its protocol is ours or its own."""
    file: str
    run: Run | None


def planned_line(examined: Examined, llm: LanguageModel | None) -> Line:
    """Raises BadFile where the model could be several."""
    meant = llm or imports.known_llm(examined.llm, examined.revision)
    return _line(examined, meant.name if meant else examined.llm, is_new=meant is None, run=None)


def imported_line(imported: Imported) -> Line:
    return _line(imported.examined, imported.llm.name, is_new=imported.is_new_llm, run=imported.run)


def _line(examined: Examined, llm: str, *, is_new: bool, run: Run | None) -> Line:
    headline = examined.summary.headline
    return Line(
        benchmark=benchmark(examined.benchmark).card.title,
        llm=llm,
        is_new_llm=is_new,
        metric=headline.name if headline else "",
        value=wording.amount(headline.value, as_share=wording.is_share(headline.name)) if headline else "",
        n_samples=examined.n_samples,
        has_samples=examined.has_samples,
        protocol=translated(imports.summary_words(examined)),
        reason=translated(examined.reason),
        file=examined.file,
        run=run,
    )
