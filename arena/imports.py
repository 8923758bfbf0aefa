"""Votes that were cast elsewhere, brought into the ledger: each row of a file once, whatever happens on the way.

A batch of rows and its counts are written in one transaction. An import that was broken off goes on where it stopped,
and one that is complete adds nothing.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from django.db import IntegrityError, transaction
from django.db.models.functions import Now

from arena import ledger
from arena.foreign_votes import ForeignVote, ForeignVotes
from arena.models import ImportedVote, Outcome, VoteImport
from llms.models import LanguageModel, Visibility
from llms.slugs import slugs_for
from llms.storable import storable
from stats.comparisons import Outcome as Side

ROWS_AT_ONCE: Final = 1000
"""In one transaction: on SQLite whoever votes meanwhile waits for its end."""
OUTCOMES: Final = {Side.LEFT: Outcome.A, Side.RIGHT: Outcome.B, Side.TIE: Outcome.TIE, Side.BOTH_BAD: Outcome.BOTH_BAD}


class CannotImport(Exception):
    """A sentence for whoever named the file, that says what to do next."""


class Plan(NamedTuple):
    """What an import would do. `llms` has None for a name that would be listed."""

    file: ForeignVotes
    llms: Mapping[str, LanguageModel | None]
    n_here: int


def plan(file: ForeignVotes, chosen: Mapping[str, LanguageModel]) -> Plan:
    """Writes nothing. `chosen` are the models that somebody says the names stand for. Raises CannotImport."""
    begun = VoteImport.objects.filter(digest=file.digest).first()
    if begun:
        return Plan(file, _as_begun(begun, file, chosen), begun.votes.count())
    known = _KnownLlms()
    llms = {name: chosen.get(name) or known.named(name) for name in file.votes.names}
    _check_meetings(file, llms)
    return Plan(file, llms, 0)


def bring_in(
    planned: Plan, *, visibility: Visibility, tell: Callable[[int], object] = lambda n_done: None
) -> tuple[VoteImport, int]:
    """Models that nobody registered are listed, with that visibility. Returns the import and how many votes it added.
    `tell` hears after each batch how many rows have been gone through."""
    file = planned.file
    source = _begun(planned, visibility)
    if source.completed_at:
        return source, 0
    n_added = 0
    for start in range(0, len(file), ROWS_AT_ONCE):
        rows = [file[index] for index in range(start, min(start + ROWS_AT_ONCE, len(file)))]
        n_added += _add(source, rows)
        tell(start + len(rows))
    VoteImport.objects.filter(pk=source.pk, completed_at=None).update(completed_at=Now())
    return source, n_added


def _begun(planned: Plan, visibility: Visibility) -> VoteImport:
    """The import of this file, with its models: by whoever came first."""
    file = planned.file
    try:
        with transaction.atomic():
            source, is_new = VoteImport.objects.get_or_create(digest=file.digest, defaults=_described(file))
            if is_new:
                llms = {name: llm or _listed(name, visibility) for name, llm in planned.llms.items()}
                source.llms = {storable(name): llm.pk for name, llm in llms.items()}
                source.save(update_fields=["llms"])
    except IntegrityError as error:  # a model went away, or its slug was taken at the same moment
        raise CannotImport(f"The registry of models changed meanwhile. Import {file.path} again.") from error
    return source


def _described(file: ForeignVotes) -> dict[str, Any]:
    return {
        "name": storable(file.path.name)[:255],
        "reading": file.reading.as_json(),
        "n_votes": len(file),
        "n_left_out": len(file.votes.bad_rows),
    }


def _add(source: VoteImport, rows: list[ForeignVote]) -> int:
    """Those of the rows that are not here yet, and their counts. Two who import the same file take turns."""
    with transaction.atomic():
        source = VoteImport.objects.select_for_update().get(pk=source.pk)
        between = (rows[0].row_number, rows[-1].row_number)
        here = set(source.votes.filter(row_number__range=between).values_list("row_number", flat=True))
        votes = [_vote(source, row) for row in rows if row.row_number not in here]
        ImportedVote.objects.bulk_create(votes)
        ledger.count_imported(source, votes)
    return len(votes)


def _vote(source: VoteImport, row: ForeignVote) -> ImportedVote:
    return ImportedVote(
        source=source,
        row_number=row.row_number,
        llm_a_id=source.llms[storable(row.left)],
        llm_b_id=source.llms[storable(row.right)],
        outcome=OUTCOMES[row.side],
        cast_at=row.cast_at,
        voter_digest=row.voter_digest,
        comparison_key=row.comparison_key,
    )


class _KnownLlms:
    """The registered models under all that a file may call them."""

    def __init__(self) -> None:
        self._by_slug: dict[str, LanguageModel] = {}
        self._by_name: defaultdict[str, dict[int, LanguageModel]] = defaultdict(dict)
        for llm in LanguageModel.objects.order_by("pk"):
            self._by_slug[llm.slug] = llm
            for name in filter(None, (llm.name, llm.source)):
                self._by_name[name][llm.pk] = llm

    def named(self, name: str) -> LanguageModel | None:
        """Raises CannotImport where it could be several."""
        if name in self._by_slug:
            return self._by_slug[name]
        found = list(self._by_name.get(storable(name), {}).values())
        if len(found) > 1:
            slugs = " or ".join(llm.slug for llm in found)
            raise CannotImport(f"{name!r} could be {slugs}. Say which: --model {name!r}={found[0].slug}")
        return found[0] if found else None


def _as_begun(begun: VoteImport, file: ForeignVotes, chosen: Mapping[str, LanguageModel]) -> dict[str, LanguageModel]:
    """The models it was begun with. Raises CannotImport for another reading of the same file: half of each would be
    neither."""
    if begun.reading != file.reading.as_json() or begun.n_votes != len(file):
        raise CannotImport(
            f"{file.path} was imported before, read otherwise ({begun.n_votes} votes, columns and words "
            f"{begun.reading}). Name the same columns and words again; votes are never taken back."
        )
    llms = LanguageModel.objects.in_bulk(begun.llms.values())
    as_begun = {name: llms[begun.llms[storable(name)]] for name in file.votes.names}
    for name, llm in chosen.items():
        if as_begun[name] != llm:
            raise CannotImport(f"{file.path} was imported before with {name!r} as {as_begun[name].slug}.")
    return as_begun


def _check_meetings(file: ForeignVotes, llms: Mapping[str, LanguageModel | None]) -> None:
    """Two names may stand for one model, unless they meet."""
    same = defaultdict(list)
    for number, name in enumerate(file.votes.names):
        if llm := llms[name]:
            same[llm.slug].append(number)
    twice = {slug: numbers for slug, numbers in same.items() if len(numbers) > 1}
    slug_of = {number: slug for slug, numbers in twice.items() for number in numbers}
    comparisons = file.votes.comparisons
    for left, right in sorted(set(zip(comparisons.left.tolist(), comparisons.right.tolist(), strict=True))):
        if left in slug_of and slug_of[left] == slug_of.get(right):
            names = f"{file.votes.names[left]!r} and {file.votes.names[right]!r}"
            raise CannotImport(
                f"In {file.path} {names} meet, and both stand for {slug_of[left]}. Say with --model NAME=SLUG which of "
                "the registered models they are."
            )


def _listed(name: str, visibility: Visibility) -> LanguageModel:
    """Its source is what the file calls it, so that the next import finds it under any later name."""
    name = storable(name)
    fields = {"name": name, "source": name, "visibility": visibility, "status": LanguageModel.Status.LISTED}
    for slug in slugs_for(name):
        llm, is_new = LanguageModel.objects.get_or_create(slug=slug, defaults=fields)
        if is_new:
            return llm
    raise AssertionError("slugs do not end")
