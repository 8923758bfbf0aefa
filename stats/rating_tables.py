"""Votes in, one table of ratings out, whatever the method: the rows that `python -m stats` prints and writes."""

import difflib
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from stats.bradley_terry import Anchor
from stats.comparisons import Comparisons, Outcome, PairCounts, sums_at
from stats.errors import StatsError, UnratedItemError
from stats.ranks import pairwise_rank_ranges
from stats.rating_methods import METHODS, NamedAnchor, Rated, RatingOptions, VotesToRate, check_options


class UnknownAnchorError(StatsError):
    pass


class RatingRow(NamedTuple):
    """Rating points; None for what the votes leave open. `n_battles` are the votes that counted."""

    name: str
    rating: float | None
    lower: float | None
    upper: float | None
    rank_lower: int | None
    rank_upper: int | None
    n_battles: int
    status: str = ""


@dataclass(frozen=True, kw_only=True)
class RatingTable:
    """Rows from the highest rating down, then those without one by name. `notes` are sentences to show with them."""

    method: str
    rows: tuple[RatingRow, ...]
    confidence_level: float
    notes: tuple[str, ...] = ()

    @property
    def rated(self) -> tuple[RatingRow, ...]:
        return tuple(row for row in self.rows if row.rating is not None)


def rate(
    names: tuple[str, ...],
    votes: Comparisons | PairCounts,
    *,
    method: str,
    options: RatingOptions | None = None,
) -> RatingTable:
    """Fit by a method of `METHODS`; Elo and style need the votes one by one, the others no more than their counts.

    Raises StatsError: an anchor that is no model or has no rating, a bad level, options that do not go together.
    """
    options = options or RatingOptions()
    check_options(method, options, style=options.style is not None)
    if isinstance(votes, Comparisons):
        given = VotesToRate(PairCounts.from_comparisons(votes), votes)
    else:
        given = VotesToRate(votes)
    anchor = _anchor(names, options.anchor) if options.anchor else None
    try:
        rated = METHODS[method](given, options, anchor)
    except UnratedItemError as error:
        named = options.anchor.name if options.anchor else ""
        raise UnratedItemError(f"These votes give {named!r} no rating, so it cannot be the anchor.") from error
    rows = _rows(names, rated, _n_battles(given.counts, options.counting))
    return RatingTable(
        method=method,
        rows=tuple(sorted(rows, key=lambda row: (row.rating is None, -(row.rating or 0.0), row.name))),
        confidence_level=options.confidence_level,
        notes=tuple(rated.notes),
    )


def _anchor(names: tuple[str, ...], named: NamedAnchor) -> Anchor:
    if named.name not in names:
        folded = {name.casefold(): name for name in names}
        alike = [folded[name] for name in difflib.get_close_matches(named.name.casefold(), folded)]
        hint = f" There is {' and '.join(map(repr, alike))}." if alike else ""
        raise UnknownAnchorError(f"The anchor {named.name!r} is the name of no model in these votes.{hint}")
    return Anchor(names.index(named.name), named.rating)


def _n_battles(counts: PairCounts, counting: list[Outcome]) -> list[int]:
    met = np.tile(counts.totals[:, counting].sum(axis=1), 2)
    totals = sums_at(np.concatenate([counts.left, counts.right]), met, length=counts.n_items)
    return [round(total) for total in totals.tolist()]


def _rows(names: tuple[str, ...], rated: Rated, n_battles: list[int]) -> list[RatingRow]:
    ranges = pairwise_rank_ranges(rated.uncertainty).ranges if rated.uncertainty else [None] * len(names)
    open_ended = np.full(len(names), np.nan)
    lower = rated.uncertainty.lower if rated.uncertainty else open_ended
    upper = rated.uncertainty.upper if rated.uncertainty else open_ended
    return [
        RatingRow(
            name=name,
            rating=_finite(rated.ratings[item]),
            lower=_finite(lower[item]),
            upper=_finite(upper[item]),
            rank_lower=rank.lower if rank else None,
            rank_upper=rank.upper if rank else None,
            n_battles=n_battles[item],
            status=rated.words[item],
        )
        for item, (name, rank) in enumerate(zip(names, ranges, strict=True))
    ]


def _finite(number: float) -> float | None:
    return float(number) if np.isfinite(number) else None


__all__ = ["METHODS", "NamedAnchor", "RatingOptions", "RatingRow", "RatingTable", "UnknownAnchorError", "rate"]
