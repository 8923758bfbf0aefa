"""Private benchmarks in the database: added, replaced by a newer upload, archived, deleted; and found by name for runs.

An upload is stored whole or not at all. A newer one is a new version: runs keep the rows that they asked.
"""

from typing import Final, NamedTuple

from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django.db.models import ProtectedError, QuerySet
from django.db.models.functions import Now

from evaluation.benchmarks.base import Capability
from evaluation.benchmarks.private import PrivateBenchmark as Questions
from evaluation.benchmarks.registry import PRIVATE_PREFIX, is_private
from evaluation.datasets import DataKind, RowSet, checksum
from evaluation.errors import BadRows, EvaluationError, UnknownBenchmark
from evaluation.models import PrivateBenchmark, PrivateItem, PrivateVersion
from evaluation.private_sets import KINDS, Form, PrivateSet
from llms.sentences import filled, mark

ITEMS_AT_ONCE: Final = 500


class NotAsItIs(EvaluationError):
    """A change that the database or the set's own history forbids."""


class Naming(NamedTuple):
    slug: str
    title: str
    capability: str = Capability.KNOWLEDGE.value


# --- found


def find(name: str) -> Questions | None:
    """For the registry: the newest version's questions."""
    version = _newest().filter(benchmark__slug=_slug(name)).first()
    return None if version is None else questions_of(version)


def newest(name: str) -> PrivateVersion:
    """What a new run asks. Raises UnknownBenchmark, NotAsItIs."""
    version = _newest().filter(benchmark__slug=_slug(name)).first() if is_private(name) else None
    if version is None:
        words = mark("There is no private benchmark “%(name)s”: manage.py benchmarks lists those that there are.")
        raise UnknownBenchmark(filled(words, name=name))
    if version.benchmark.archived_at is not None:
        words = mark("%(title)s is archived: bring it back before you start a run.")
        raise NotAsItIs(filled(words, title=version.benchmark.title))
    return version


def questions_of(version: PrivateVersion) -> Questions:
    known = version.benchmark
    kind = KINDS[Form(known.form)]
    return kind(known.name, known.title, capability=Capability(known.capability), version=version.number)


def rows_of(version: PrivateVersion) -> RowSet:
    rows = tuple(version.items.order_by("place").values_list("row", flat=True))
    source = f"{version.benchmark.name} v{version.number}"
    return RowSet(kind=DataKind.PRIVATE, source=source, rows=rows)


# --- changed


def add(uploaded: PrivateSet, naming: Naming, *, by: User | None = None) -> PrivateVersion:
    """Raises BadRows, NotAsItIs."""
    _check(uploaded)
    row = PrivateBenchmark(**naming._asdict(), form=uploaded.form.value, created_by=by)
    try:
        with transaction.atomic():
            row.save()
            return _store(uploaded, row, number=1, by=by)
    except IntegrityError:
        words = mark("The short name “%(slug)s” is taken: choose another one, or replace that set's items.")
        raise NotAsItIs(filled(words, slug=naming.slug)) from None


def replace(known: PrivateBenchmark, uploaded: PrivateSet, *, by: User | None = None) -> PrivateVersion:
    """Raises BadRows, NotAsItIs."""
    _check(uploaded)
    if uploaded.form.value != known.form:
        words = mark("%(title)s is a set of another form: scores of both could not be compared. Add a new set.")
        raise NotAsItIs(filled(words, title=known.title))
    former = known.versions.latest("number")
    try:
        with transaction.atomic():
            version = _store(uploaded, known, number=former.number + 1, by=by)
            if version.digest == former.digest:
                words = mark("The file holds the very items of version %(number)s: there is nothing to replace.")
                raise NotAsItIs(filled(words, number=former.number))
            return version
    except IntegrityError:
        words = mark("Somebody else has just replaced the items of %(title)s: look at theirs, then try again.")
        raise NotAsItIs(filled(words, title=known.title)) from None


def archive(known: PrivateBenchmark) -> None:
    PrivateBenchmark.objects.filter(pk=known.pk, archived_at=None).update(archived_at=Now())


def bring_back(known: PrivateBenchmark) -> None:
    PrivateBenchmark.objects.filter(pk=known.pk).update(archived_at=None)


def delete(known: PrivateBenchmark) -> None:
    """Raises NotAsItIs: what a run has asked must stay readable."""
    try:
        with transaction.atomic():
            known.delete()
    except (ProtectedError, IntegrityError):
        words = mark("Runs have asked %(title)s, so it cannot be deleted: archive it.")
        raise NotAsItIs(filled(words, title=known.title)) from None


def _check(uploaded: PrivateSet) -> None:
    if uploaded.problems:
        line, reason = uploaded.problems[0]
        words = mark("%(n)s things are wrong with the file; the first is in line %(line)s: %(why)s.")
        raise BadRows(filled(words, n=len(uploaded.problems), line=line, why=reason))


def _store(uploaded: PrivateSet, row: PrivateBenchmark, *, number: int, by: User | None) -> PrivateVersion:
    samples = uploaded.benchmark(row.name, row.title).samples(uploaded.rows)
    version = PrivateVersion.objects.create(
        benchmark=row, number=number, n_items=len(uploaded.rows), digest=checksum(samples), uploaded_by=by
    )
    numbered = enumerate(zip(uploaded.rows, uploaded.lines, strict=True))
    items = (
        PrivateItem(
            version=version, place=place, line=line, row={name: item[name] for name in Questions.fields if name in item}
        )
        for place, (item, line) in numbered
    )
    PrivateItem.objects.bulk_create(items, batch_size=ITEMS_AT_ONCE)
    return version


def _newest() -> QuerySet[PrivateVersion]:
    """Without their health, which is large and for one page only."""
    return PrivateVersion.objects.select_related("benchmark").defer("health").order_by("-number")


def _slug(name: str) -> str:
    return name.removeprefix(PRIVATE_PREFIX)
