"""The slow part of a check, behind the page: a probe of a server, a digest over gigabytes. The page looks again."""

import logging
import threading
from collections.abc import Callable
from typing import NamedTuple

from django.core.cache import cache
from django.db import connections

from llms import identification, probing
from llms.engines.base import EngineError
from llms.models import LanguageModel, Probe
from llms.probing import ProbeFailed
from llms.translations import translated

logger = logging.getLogger(__name__)

READING_SECONDS = 1800
"""After so long a reading of files counts as lost, as when its process ended in the middle."""


class Check(NamedTuple):
    """How far the last check of a model is."""

    is_running: bool
    failure: str = ""
    """Why it found nothing out, with the mend; empty if it did."""
    n_done: int = 0
    n_all: int = 0
    """0 where nobody can tell how much there is to do."""


def begin(llm: LanguageModel) -> bool:
    """Starts it, unless it runs already, here or in another process."""
    work = _work_for(llm)
    if work is None:
        return False
    threading.Thread(target=_run, args=(llm, work), name=f"check-{llm.pk}", daemon=True).start()
    return True


def state(llm: LanguageModel) -> Check:
    if llm.endpoint is None:
        return Check(bool(cache.get(_reading(llm))), translated(cache.get(_failed(llm), "")))
    row = Probe.objects.filter(endpoint=llm.endpoint, served_name=llm.source).first()
    if row is None:
        return Check(False, translated(cache.get(_failed(llm), "")))
    return Check(probing.is_under_way(row), translated(probing.failure_of(row)), row.n_done, probing.N_CAPABILITIES)


def _work_for(llm: LanguageModel) -> Callable[[], object] | None:
    """None if somebody is at it. Whoever writes the row, or the mark in the cache, is the one who does it."""
    if llm.endpoint is not None:
        row = probing.begin(llm.endpoint, llm.source)
        return None if row is None else lambda: probing.carry_out(row)
    return (lambda: None) if cache.add(_reading(llm), True, READING_SECONDS) else None


def _run(llm: LanguageModel, work: Callable[[], object]) -> None:
    cache.delete(_failed(llm))
    try:
        work()
        identification.identify(llm)
    except (ProbeFailed, EngineError) as error:
        cache.set(_failed(llm), error.args[0], READING_SECONDS)
    except Exception as error:  # the edge of a thread: nobody else would hear of it
        logger.exception("the check of %s broke", llm.slug)
        cache.set(_failed(llm), str(error) or type(error).__name__, READING_SECONDS)
    finally:
        cache.delete(_reading(llm))
        connections.close_all()


def _reading(llm: LanguageModel) -> str:
    return f"check-reading-{llm.pk}"


def _failed(llm: LanguageModel) -> str:
    return f"check-failed-{llm.pk}"
