"""Votes in, one table of ratings out, whatever the method: the rows that `python -m stats` prints and writes."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final, NamedTuple

import numpy as np

from stats.both_bad import bar_sandwich, fit_against_bar
from stats.bradley_terry import Anchor, Gauge, fit
from stats.comparisons import Comparisons, FloatArray, Outcome, PairCounts, StatsError
from stats.connectivity import ItemStatus
from stats.covariate_passes import ControlledComparisons
from stats.covariate_uncertainty import covariate_sandwich
from stats.covariates import fit_with_covariates
from stats.elo import elo
from stats.ranks import pairwise_rank_ranges
from stats.style import Style
from stats.tie_uncertainty import tie_sandwich
from stats.ties import TieModel, TieStatus, fit_with_ties
from stats.uncertainty import Uncertainty, sandwich

STATUS_WORDS: Final[Mapping[ItemStatus, str]] = {
    ItemStatus.NO_COMPARISONS: "no votes that count",
    ItemStatus.RATED: "",
    ItemStatus.DISCONNECTED: "no chain of votes links it with the rated models",
    ItemStatus.ONLY_WON: "has only won",
    ItemStatus.ONLY_LOST: "has only lost",
    ItemStatus.SEPARATED_ABOVE: "above the rated models, by an unknown distance",
    ItemStatus.SEPARATED_BELOW: "below the rated models, by an unknown distance",
    ItemStatus.SEPARATED: "the votes give an order but no distances",
}


class UnknownAnchorError(StatsError):
    pass


class NamedAnchor(NamedTuple):
    name: str
    rating: float


class UnsupportedOptionError(StatsError):
    pass


class RatingOptions(NamedTuple):
    """`undecided` are the outcomes that count, as half a win or as a tie; the others are left out.

    With `style` its covariates are controlled for, by Bradley-Terry alone, and what they are worth is noted.
    With `both_bad_loses` "both bad" is a loss of both against a bar (see `both_bad`), and only Bradley-Terry can do it.
    """

    undecided: frozenset[Outcome] = frozenset({Outcome.TIE, Outcome.BOTH_BAD})
    anchor: NamedAnchor | None = None
    confidence_level: float = 0.95
    both_bad_loses: bool = False
    style: Style | None = None


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


class _Rated(NamedTuple):
    ratings: FloatArray
    uncertainty: Uncertainty | None
    words: list[str]
    notes: list[str]


def rate(
    names: tuple[str, ...], comparisons: Comparisons, *, method: str, options: RatingOptions | None = None
) -> RatingTable:
    """Fit by a method of `METHODS`. Raises StatsError: an anchor that is no model or has no rating, a bad level."""
    options = options or RatingOptions()
    if options.anchor and options.anchor.name not in names:
        raise UnknownAnchorError(f"The anchor {options.anchor.name!r} is the name of no model in these votes.")
    _check(method, options)
    anchor = Anchor(names.index(options.anchor.name), options.anchor.rating) if options.anchor else None
    rated = METHODS[method](comparisons, options, anchor)
    counting = {Outcome.LEFT, Outcome.RIGHT, *options.undecided}
    if options.both_bad_loses:
        counting.add(Outcome.BOTH_BAD)
    counted = np.isin(comparisons.outcome, sorted(counting))
    ends = np.concatenate([comparisons.left[counted], comparisons.right[counted]])
    rows = _rows(names, rated, np.bincount(ends, minlength=len(names)).tolist())
    return RatingTable(
        method=method,
        rows=tuple(sorted(rows, key=lambda row: (row.rating is None, -(row.rating or 0.0), row.name))),
        confidence_level=options.confidence_level,
        notes=tuple(rated.notes),
    )


def _check(method: str, options: RatingOptions) -> None:
    if options.both_bad_loses and method != "bradley-terry":
        raise UnsupportedOptionError(f"Only bradley-terry knows a bar to which both can lose, not {method}.")
    if options.style and (options.both_bad_loses or method != "bradley-terry"):
        raise UnsupportedOptionError("Style can be controlled for by bradley-terry alone, and not with a bar.")


def _rows(names: tuple[str, ...], rated: _Rated, n_battles: list[int]) -> list[RatingRow]:
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


def _bradley_terry(comparisons: Comparisons, options: RatingOptions, anchor: Anchor | None) -> _Rated:
    counts = PairCounts.from_comparisons(comparisons)
    if options.both_bad_loses:
        return _against_bar(counts, options, anchor)
    if options.style:
        return _with_style(comparisons, options, options.style, anchor=anchor)
    fitted = fit(counts, half_wins=options.undecided, gauge=anchor or Gauge.VOTE_WEIGHTED_MEAN)
    uncertainty = sandwich(counts, fitted, confidence_level=options.confidence_level)
    words = [STATUS_WORDS[status] for status in fitted.statuses]
    return _Rated(fitted.ratings, uncertainty, words, _unconverged(fitted.converged))


def _against_bar(counts: PairCounts, options: RatingOptions, anchor: Anchor | None) -> _Rated:
    if Outcome.TIE not in options.undecided:
        kept = np.arange(len(Outcome)) != Outcome.TIE
        counts = replace(counts, totals=counts.totals * kept, squares=counts.squares * kept)
    fitted = fit_against_bar(counts, gauge=anchor or Gauge.VOTE_WEIGHTED_MEAN)
    with_bar = bar_sandwich(counts, fitted, confidence_level=options.confidence_level)
    uncertainty = replace(with_bar, ratings=with_bar.ratings[:-1], covariance=with_bar.covariance[:-1, :-1])
    words = [STATUS_WORDS[status] for status in fitted.statuses[:-1]]
    notes = _unconverged(fitted.converged)
    if np.isfinite(fitted.ratings[-1]):
        interval = f"{with_bar.lower[-1]:.1f} … {with_bar.upper[-1]:.1f}"
        notes.append(f"The bar below which both are bad stands at {fitted.ratings[-1]:.1f} ({interval}).")
    return _Rated(fitted.ratings[:-1], uncertainty, words, notes)


def _with_style(comparisons: Comparisons, options: RatingOptions, style: Style, *, anchor: Anchor | None) -> _Rated:
    data = ControlledComparisons(comparisons=comparisons, covariates=style.covariates)
    fitted = fit_with_covariates(data, half_wins=options.undecided, gauge=anchor or Gauge.VOTE_WEIGHTED_MEAN)
    uncertainty = covariate_sandwich(fitted, confidence_level=options.confidence_level)
    points = uncertainty.coefficients.in_points()
    worth = zip(style.names, points.estimates, points.lower, points.upper, strict=True)
    notes = [
        f"One standard deviation of {name} is worth {e:.1f} points ({a:.1f} … {b:.1f})." for name, e, a, b in worth
    ]
    words = [STATUS_WORDS[status] for status in fitted.statuses]
    return _Rated(fitted.ratings, uncertainty.ratings, words, _unconverged(fitted.converged) + notes)


def _with_ties(tie_model: TieModel) -> "_Method":
    def rated(comparisons: Comparisons, options: RatingOptions, anchor: Anchor | None) -> _Rated:
        counts = PairCounts.from_comparisons(comparisons)
        gauge = anchor or Gauge.VOTE_WEIGHTED_MEAN
        fitted = fit_with_ties(counts, tie_model=tie_model, tied=options.undecided, gauge=gauge)
        uncertainty = tie_sandwich(counts, fitted, confidence_level=options.confidence_level).ratings
        words = [STATUS_WORDS[status] for status in fitted.statuses]
        notes = _unconverged(fitted.converged)
        if fitted.tie_status is TieStatus.ESTIMATED:
            notes.append(f"Equal models tie with probability {fitted.tie_probability_of_equals:.3f}.")
        return _Rated(fitted.ratings, uncertainty, words, notes)

    return rated


def _elo(comparisons: Comparisons, options: RatingOptions, anchor: Anchor | None) -> _Rated:
    played = elo(comparisons, half_wins=options.undecided)
    ratings = played.ratings if anchor is None else played.ratings - played.ratings[anchor.item] + anchor.rating
    never = STATUS_WORDS[ItemStatus.NO_COMPARISONS]
    words = ["" if n else never for n in played.n_comparisons.tolist()]
    note = "Elo depends on the order of the votes and has no interval; it is here for contrast."
    return _Rated(np.where(played.n_comparisons > 0, ratings, np.nan), None, words, [note])


def _unconverged(converged: bool) -> list[str]:
    return [] if converged else ["The fit did not converge: do not publish these ratings."]


_Method = Callable[[Comparisons, RatingOptions, Anchor | None], _Rated]

METHODS: Final[Mapping[str, _Method]] = {
    "bradley-terry": _bradley_terry,
    "rao-kupper": _with_ties(TieModel.RAO_KUPPER),
    "davidson": _with_ties(TieModel.DAVIDSON),
    "elo": _elo,
}
