"""Votes as the numerics want them: from the ledger's pair counts, never from the votes themselves."""

import zlib
from collections import Counter
from typing import NamedTuple

from django.db.models import Count, Max, Q, Sum

from arena.models import Outcome as VoteOutcome
from arena.models import PairCount, PairCountQuerySet, VoteExclusion
from llms.models import LanguageModel, LanguageModelQuerySet, Visibility
from stats.comparisons import Outcome, PairCounts

OUTCOMES: dict[str, Outcome] = {
    VoteOutcome.A: Outcome.LEFT,
    VoteOutcome.B: Outcome.RIGHT,
    VoteOutcome.TIE: Outcome.TIE,
    VoteOutcome.BOTH_BAD: Outcome.BOTH_BAD,
}


class VoteSource(NamedTuple):
    """Position i of the counts is model i of `llms`."""

    llms: list[LanguageModel]
    counts: PairCounts


def mark(audience: Visibility) -> str:
    """Changes whenever the counts, the models on the board, or a model's visibility change."""
    counted = _cells(audience).aggregate(total=Sum("n"), latest=Max("updated_at"))
    shown = ",".join(str(pk) for pk in _llms(audience).order_by("pk").values_list("pk", flat=True))
    return f"{counted['total'] or 0} {counted['latest'] or ''} {zlib.crc32(shown.encode()):08x}"


def read(audience: Visibility, *, category: str = PairCount.OVERALL) -> VoteSource:
    """Counts first, then the models they name. A model that goes internal between the two is left out, with its votes;
    the mark has moved by then, and the next look finds the board as it should be. The models are those of the whole
    board in any category, so that one without votes in it is listed too."""
    cells = list(_cells(audience, category).values_list("left_id", "right_id", "outcome").annotate(total=Sum("n")))
    llms = llms_of(audience)
    position = {llm.pk: index for index, llm in enumerate(llms)}
    between_known = [
        (position[left], position[right], OUTCOMES[outcome], float(n))
        for left, right, outcome, n in cells
        if left in position and right in position
    ]
    return VoteSource(llms, PairCounts.from_cells(between_known, n_items=len(llms)))


def left_out(audience: Visibility) -> dict[str, int]:
    """How many votes between the models of this board do not count, by the code of the reason."""
    found: Counter[str] = Counter()
    for pair in ("vote__battle", "source__votes"):
        sides = {f"{pair}__llm_{side}__visibility": Visibility.PUBLIC for side in ("a", "b")}
        shown = sides if audience == Visibility.PUBLIC else {f"{pair}__isnull": False}
        excluded = VoteExclusion.objects.in_force().filter(**shown)  # in one call, so that it means the same votes
        found.update(dict(excluded.values_list("reason").annotate(Count(pair)).order_by()))
    return dict(sorted(found.items()))


def llms_of(audience: Visibility) -> list[LanguageModel]:
    """The models of this board, in the order of all that is counted for it."""
    return list(_llms(audience))


def _cells(audience: Visibility, category: str = PairCount.OVERALL) -> PairCountQuerySet:
    cells = PairCount.objects.filter(category=category, n__gt=0)  # all that was counted in one may be excluded
    return cells if audience == Visibility.INTERNAL else cells.between_public_models()


def _llms(audience: Visibility) -> LanguageModelQuerySet:
    """Models that may be drawn, and those that ever met another one on this board."""
    cells = _cells(audience)
    met = Q(pk__in=cells.values("left")) | Q(pk__in=cells.values("right"))
    llms = LanguageModel.objects.filter(met | Q(status=LanguageModel.Status.ENABLED))
    return llms if audience == Visibility.INTERNAL else llms.filter(visibility=Visibility.PUBLIC)
