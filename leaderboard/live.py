"""The board that follows each vote: a full refit from the counts, whenever the ledger has moved."""

import logging
import math
from collections.abc import Iterable

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from arena import battles
from arena.models import Standing
from leaderboard.models import LiveBoard, LiveRating
from leaderboard.sources import votes
from leaderboard.sources.votes import VoteSource
from llms.models import Visibility
from stats import bradley_terry
from stats.bradley_terry import BradleyTerryFit
from stats.connectivity import ItemStatus
from stats.ranks import RankRanges, pairwise_rank_ranges
from stats.uncertainty import Uncertainty, sandwich

logger = logging.getLogger(__name__)


def refresh(audience: Visibility) -> bool:
    """Compute the board anew if the ledger has moved since. Returns whether it did. Safe to run twice at once: the
    one that finds the board moved on meanwhile leaves it alone."""
    board, _ = LiveBoard.objects.get_or_create(audience=audience)
    mark = votes.mark(audience)
    if mark == board.mark:
        return False
    source = votes.read(audience)
    fit = bradley_terry.fit(source.counts)
    uncertainty = sandwich(source.counts, fit)
    ratings = _ratings(board, source, fit, uncertainty, pairwise_rank_ranges(uncertainty))
    with transaction.atomic():
        won = LiveBoard.objects.filter(pk=board.pk, mark=board.mark).update(
            mark=mark,
            computed_at=timezone.now(),
            n_votes=int(source.counts.n_comparisons),
            n_left_out=votes.left_out(audience),
            converged=fit.converged,
        )
        if not won:
            return False
        board.ratings.all().delete()
        LiveRating.objects.bulk_create(ratings)
        if fit.converged:
            battles.accept_standings(audience, _standings(audience, ratings))
        else:  # the board carries a warning; a reveal could not, and goes on with the last good numbers
            logger.error("the fit of the %s did not converge: gradient norm %g", board, fit.gradient_norm)
    return True


def refresh_all() -> int:
    return sum(refresh(audience) for audience in Visibility)


def _ratings(
    board: LiveBoard, source: VoteSource, fit: BradleyTerryFit, uncertainty: Uncertainty, ranks: RankRanges
) -> list[LiveRating]:
    counts = source.counts
    n_votes, points = counts.comparisons_per_item(), counts.points_per_item()
    lines = []
    for index, llm in enumerate(source.llms):
        rank = ranks.ranges[index]
        lines.append(
            LiveRating(
                board=board,
                llm=llm,
                status=fit.statuses[index],
                rating=_or_none(fit.ratings[index]),
                lower=_or_none(uncertainty.lower[index]),
                upper=_or_none(uncertainty.upper[index]),
                rank_lower=rank.lower if rank else None,
                rank_upper=rank.upper if rank else None,
                n_votes=int(n_votes[index]),
                points=float(points[index]),
                preliminary=bool(n_votes[index] < settings.PRELIMINARY_VOTES),
            )
        )
    return lines


def _standings(audience: Visibility, ratings: Iterable[LiveRating]) -> list[Standing]:
    """What the arena may know: the models that have a rating."""
    fields = ("rating", "lower", "upper", "rank_lower", "rank_upper", "n_votes", "preliminary")
    return [
        Standing(llm_id=line.llm_id, audience=audience, **{name: getattr(line, name) for name in fields})
        for line in ratings
        if line.status == ItemStatus.RATED and line.rank_lower is not None
    ]


def _or_none(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
