"""Private sets are examined in the background: after each upload, and again when another run on them has ended. The
rows say what is due, so that nothing is lost with a message or a worker."""

import logging
from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Final

import numpy as np
from django.conf import settings
from django.db.models import Count, F, Q, QuerySet
from django.db.models.functions import Now
from django.utils import timezone

from evaluation.benchmarks.private import LETTERS
from evaluation.benchmarks.rows import one_of
from evaluation.choices_only import Item
from evaluation.health_records import as_json, from_json
from evaluation.models import PrivateBenchmark, PrivateVersion, Run, SampleResult
from evaluation.private_benchmarks import questions_of
from evaluation.public_items import items_here
from evaluation.set_health import health_of, with_answers
from evaluation.wrong_keys import NO_ANSWER, IntArray

logger = logging.getLogger(__name__)

GIVEN_UP_AFTER: Final = timedelta(minutes=30)
"""Who has examined a set for longer is taken for dead."""


def due() -> QuerySet[PrivateVersion]:
    n_runs = Count("runs", filter=Q(runs__status=Run.Status.SUCCEEDED))
    abandoned = Q(examining_since=None) | Q(examining_since__lt=Now() - GIVEN_UP_AFTER)
    stale = Q(n_runs_examined=None) | ~Q(n_runs_examined=F("n_runs"))
    return PrivateVersion.objects.annotate(n_runs=n_runs).filter(abandoned & stale).order_by("-pk")


def make_due(version: PrivateVersion) -> None:
    """Somebody wants it done again: other public rows may be here by now. Who examines it at the moment has looked at
    the former ones, and writes nothing any more."""
    PrivateVersion.objects.filter(pk=version.pk).update(n_runs_examined=None, examining_since=None)


def examine_due() -> None:
    for version_id in list(due().values_list("pk", flat=True)):
        _examine_claimed(version_id)


def _examine_claimed(version_id: int) -> None:
    """Somebody else may have been quicker."""
    version = due().select_related("benchmark").filter(pk=version_id).first()
    if version is None:
        return
    since = timezone.now()
    former = PrivateVersion.objects.filter(pk=version.pk, examining_since=version.examining_since)
    if not former.update(examining_since=since):
        return
    version.refresh_from_db(fields=["health", "n_runs_examined"])
    n_runs = version.runs.filter(status=Run.Status.SUCCEEDED).count()
    try:
        health = examined(version)
    except Exception as error:  # the edge of a task: the page must say so, and the next set must have its turn
        logger.exception("%s could not be examined", version)
        health = {"failure": f"{type(error).__name__}: {error}"[:300]}
    done = {"health": health, "n_runs_examined": n_runs, "examining_since": None}
    if not PrivateVersion.objects.filter(pk=version.pk, examining_since=since).update(**done):
        logger.info("%s was asked for again, or given to another worker, meanwhile", version)


def examined(version: PrivateVersion) -> dict[str, Any]:
    """Texts do not change: they are compared once, and again where somebody asks for it."""
    items = _items(version)
    stored = version.health or {}
    if version.n_runs_examined is None or "n_items" not in stored:
        has_choices = any(item.choices for item in items)
        public = items_here(settings.BENCHMARK_DATA_DIR, settings.HUB_ROWS_DIR, with_choices=has_choices)
        health, compared_with = health_of(items, public=public), sorted(public)
    else:
        health, compared_with = from_json(stored), stored["compared_with"]
    asked = _newest_of_each_model(version)
    if asked:
        health = with_answers(health, items, _predictions(asked, version, [item.id for item in items]))
    return as_json(health) | {"compared_with": compared_with, "n_models": len(asked)}


def _items(version: PrivateVersion) -> list[Item]:
    rows = tuple(version.items.order_by("place").values_list("row", flat=True))
    if version.benchmark.form == PrivateBenchmark.Form.EXACT_MATCH:
        return [Item(row["id"], row["question"], (), 0) for row in rows]
    return [
        Item(row["id"], row["question"], tuple(row["choices"]), one_of(row, "answer", LETTERS[: len(row["choices"])]))
        for row in rows
    ]


def _newest_of_each_model(version: PrivateVersion) -> list[int]:
    ended = version.runs.filter(status=Run.Status.SUCCEEDED).order_by("pk")
    return list({llm_id: pk for pk, llm_id in ended.values_list("pk", "llm_id")}.values())


def _predictions(run_ids: Sequence[int], version: PrivateVersion, ids: Sequence[str]) -> IntArray:
    """Of shape (runs, items)."""
    questions = questions_of(version)
    row_of = {run_id: row for row, run_id in enumerate(run_ids)}
    column_of = {name: column for column, name in enumerate(ids)}
    found = np.full((len(run_ids), len(ids)), NO_ANSWER, dtype=np.int64)
    stored = SampleResult.objects.filter(run_id__in=run_ids, is_right__isnull=False)
    answers = stored.values_list("run_id", "sample_id", "predictions", "is_right")
    for run_id, sample_id, predictions, is_right in answers.iterator():
        taken = predictions.get(questions.headline, NO_ANSWER) if predictions else int(not is_right)
        found[row_of[run_id], column_of[sample_id]] = taken
    return found
