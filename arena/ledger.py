"""The only writer of pair counts. Always called inside the transaction that changes what is counted."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, date, datetime
from typing import NamedTuple

from django.db import connection, transaction
from django.db.models import F
from django.db.models.functions import Coalesce, Now
from django.utils import timezone

from arena.models import (
    ImportedVote,
    ImportedVoteQuerySet,
    PairCount,
    Vote,
    VoteExclusion,
    VoteExclusionQuerySet,
    VoteImport,
)


class Cell(NamedTuple):
    """What one pair count stands for."""

    category: str
    day: date
    left_id: int
    right_id: int
    outcome: str


class Tally(NamedTuple):
    n: int
    sum_inverse_probability: float
    sum_inverse_probability_squared: float

    def plus(self, probability: float | None) -> "Tally":
        inverse = 1 / probability if probability else 0.0
        return Tally(
            self.n + 1, self.sum_inverse_probability + inverse, self.sum_inverse_probability_squared + inverse**2
        )


NOTHING = Tally(0, 0.0, 0.0)


class NothingToDo(Exception):
    """It is as was asked for already. A sentence for whoever asked."""


def count(vote: Vote) -> None:
    """Add a vote to its cells. A new cell may be made by two transactions at once: the loser finds the winner's."""
    added = NOTHING.plus(vote.battle.probability)
    for cell in cells_of(vote):
        row, _ = PairCount.objects.get_or_create(**cell._asdict())
        PairCount.objects.filter(pk=row.pk).update(
            n=F("n") + added.n,
            sum_inverse_probability=F("sum_inverse_probability") + added.sum_inverse_probability,
            sum_inverse_probability_squared=F("sum_inverse_probability_squared")
            + added.sum_inverse_probability_squared,
            updated_at=Now(),
        )


def count_imported(source: VoteImport, votes: Iterable[ImportedVote]) -> None:
    """Add votes from elsewhere, unless their file is excluded. Whoever calls has locked its row."""
    if not VoteExclusion.objects.in_force().filter(source=source).exists():
        rows = (_Row(vote.cast_at or source.began_at, vote.llm_a_id, vote.llm_b_id, vote.outcome) for vote in votes)
        _change(_tallied(rows))


@transaction.atomic
def exclude(counted: Vote | VoteImport, *, reason: str, note: str = "") -> VoteExclusion:
    """From now on it counts no more. Raises NothingToDo."""
    _lock(counted)
    if _exclusions_of(counted).in_force().exists():
        raise NothingToDo(f"The {counted} is left out already.")
    exclusion = VoteExclusion.objects.create(
        vote=counted if isinstance(counted, Vote) else None,
        source=counted if isinstance(counted, VoteImport) else None,
        reason=reason,
        note=note,
    )
    _change(_tallies_of(counted), sign=-1)
    return exclusion


@transaction.atomic
def restore(excluded: Vote | VoteImport) -> None:
    """It counts again. Raises NothingToDo."""
    _lock(excluded)
    if not _exclusions_of(excluded).in_force().update(restored_at=Now()):
        raise NothingToDo(f"The {excluded} is not left out.")
    _change(_tallies_of(excluded))


def _lock(counted: Vote | VoteImport) -> None:
    rows = Vote.objects if isinstance(counted, Vote) else VoteImport.objects
    rows.select_for_update().get(pk=counted.pk)


def _exclusions_of(counted: Vote | VoteImport) -> VoteExclusionQuerySet:
    rows = VoteExclusion.objects.all()
    return rows.filter(vote=counted) if isinstance(counted, Vote) else rows.filter(source=counted)


def _tallies_of(counted: Vote | VoteImport) -> dict[Cell, Tally]:
    if isinstance(counted, Vote):
        return {cell: NOTHING.plus(counted.battle.probability) for cell in cells_of(counted)}
    return _tallied(_rows_of(counted.votes.all()))


class _Row(NamedTuple):
    """Of an imported vote, no more than is counted: there may be millions."""

    at: datetime
    left_id: int
    right_id: int
    outcome: str


def _rows_of(votes: ImportedVoteQuerySet) -> Iterator[_Row]:
    rows = votes.annotate(at=Coalesce("cast_at", "source__began_at"))
    for row in rows.values_list("at", "llm_a_id", "llm_b_id", "outcome").iterator(chunk_size=2000):
        yield _Row(*row)


def _tallied(rows: Iterable[_Row]) -> dict[Cell, Tally]:
    """Their pairs were drawn with no known probability."""
    return {cell: Tally(n, 0.0, 0.0) for cell, n in Counter(cell for row in rows for cell in _cells(*row)).items()}


def _change(tallies: Mapping[Cell, Tally], *, sign: int = 1) -> None:
    """Cell by cell in order: two who change many then wait for each other, rather than each for a cell that the other
    one holds. There may be as many as votes, and to put each statement together takes ten times as long as the rest."""
    if sign > 0:  # what is taken away was counted, so that its cells are there
        rows = [PairCount(**cell._asdict()) for cell in sorted(tallies)]
        PairCount.objects.bulk_create(rows, batch_size=500, ignore_conflicts=True)
    ops = connection.ops
    now = ops.adapt_datetimefield_value(timezone.now())
    with connection.cursor() as cursor:
        cursor.executemany(
            "UPDATE arena_paircount SET n = n + %s, sum_inverse_probability = sum_inverse_probability + %s,"
            " sum_inverse_probability_squared = sum_inverse_probability_squared + %s, updated_at = %s"
            " WHERE category = %s AND day = %s AND left_id = %s AND right_id = %s AND outcome = %s",
            [
                (*(sign * part for part in tally), now, cell[0], ops.adapt_datefield_value(cell.day), *cell[2:])
                for cell, tally in sorted(tallies.items())
            ],
        )


def cells_of(vote: Vote) -> list[Cell]:
    return _cells(vote.created_at, vote.battle.llm_a_id, vote.battle.llm_b_id, vote.outcome)


def _cells(at: datetime, left_id: int, right_id: int, outcome: str) -> list[Cell]:
    return [Cell(PairCount.OVERALL, at.astimezone(UTC).date(), left_id, right_id, outcome)]


def recount() -> dict[Cell, Tally]:
    """The counts as the votes themselves give them, those that are excluded left out."""
    tallies: dict[Cell, Tally] = defaultdict(lambda: NOTHING)
    for vote in Vote.objects.countable().select_related("battle").iterator(chunk_size=2000):
        for cell in cells_of(vote):
            tallies[cell] = tallies[cell].plus(vote.battle.probability)
    for row in _rows_of(ImportedVote.objects.countable()):
        for cell in _cells(*row):
            tallies[cell] = tallies[cell].plus(None)
    return dict(tallies)


def differences() -> list[str]:
    """Where the stored counts and the votes disagree, in words. Empty is as it must be."""
    expected, stored = recount(), _stored()
    found = []
    for cell in sorted(expected.keys() | stored.keys()):
        wanted, has = expected.get(cell, NOTHING), stored.get(cell, NOTHING)
        if not _agree(wanted, has):
            place = f"{cell.category} {cell.day} {cell.left_id}-{cell.right_id} {cell.outcome}"
            found.append(f"{place}: {has} is stored, the votes give {wanted}")
    return found


@transaction.atomic
def rebuild() -> int:
    """Throw the counts away and make them from the votes. Returns how many cells there are now."""
    PairCount.objects.all().delete()
    rows = [PairCount(**cell._asdict(), **tally._asdict()) for cell, tally in recount().items()]
    PairCount.objects.bulk_create(rows, batch_size=500)
    return len(rows)


def _stored() -> dict[Cell, Tally]:
    rows = PairCount.objects.values_list(*Cell._fields, *Tally._fields)
    return {Cell(*row[: len(Cell._fields)]): Tally(*row[len(Cell._fields) :]) for row in rows}


def _agree(one: Tally, other: Tally) -> bool:
    """Sums of floats depend on their order in the last digits."""
    return one.n == other.n and all(
        abs(x - y) <= 1e-9 * max(1.0, abs(x)) for x, y in zip(one[1:], other[1:], strict=True)
    )
