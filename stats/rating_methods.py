"""Every method by which votes become ratings, with the options that it knows, as one kind of result."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final, NamedTuple

import numpy as np

from stats.both_bad import bar_sandwich, fit_against_bar
from stats.bradley_terry import Anchor, Gauge, fit
from stats.comparisons import BoolArray, Comparisons, FloatArray, Outcome, PairCounts
from stats.connectivity import ItemStatus
from stats.covariate_passes import ControlledComparisons
from stats.covariate_uncertainty import covariate_sandwich
from stats.covariates import fit_with_covariates
from stats.elo import elo
from stats.errors import StatsError, UnratedItemError
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


class UnsupportedOptionError(StatsError):
    pass


class NamedAnchor(NamedTuple):
    name: str
    rating: float


class RatingOptions(NamedTuple):
    """`undecided` are the outcomes that count, as half a win or as a tie; the others are left out.

    With `style`, which has a row per comparison, its covariates are controlled for, by Bradley-Terry alone, and what
    they are worth is noted. With `both_bad_loses` "both bad" is a loss of both against a bar (see `both_bad`), and only
    Bradley-Terry can do it.
    """

    undecided: frozenset[Outcome] = frozenset({Outcome.TIE, Outcome.BOTH_BAD})
    anchor: NamedAnchor | None = None
    confidence_level: float = 0.95
    both_bad_loses: bool = False
    style: Style | None = None

    @property
    def counting(self) -> list[Outcome]:
        both_bad = {Outcome.BOTH_BAD} if self.both_bad_loses else set()
        return sorted({Outcome.LEFT, Outcome.RIGHT, *self.undecided, *both_bad})


class VotesToRate(NamedTuple):
    """The counts, and the votes themselves in the order in which they were cast, where these are known."""

    counts: PairCounts
    singly: Comparisons | None = None

    @property
    def one_by_one(self) -> Comparisons:
        if self.singly is None:
            raise UnsupportedOptionError("Elo ratings and style need the votes one by one, not their counts.")
        return self.singly


class Rated(NamedTuple):
    """Points, shape (n_items,), NaN without a rating; words say why that is; notes are sentences to show below."""

    ratings: FloatArray
    uncertainty: Uncertainty | None
    words: list[str]
    notes: list[str]


def check_options(method: str, options: RatingOptions, *, style: bool) -> None:
    """Raises UnsupportedOptionError."""
    if options.both_bad_loses and method != "bradley-terry":
        raise UnsupportedOptionError(f"Only bradley-terry knows a bar to which both can lose, not {method}.")
    if style and (options.both_bad_loses or method != "bradley-terry"):
        raise UnsupportedOptionError("Style can be controlled for by bradley-terry alone, and not with a bar.")
    if method in ("rao-kupper", "davidson") and Outcome.TIE not in options.undecided:
        raise UnsupportedOptionError(f"{method} is a model of ties and cannot drop them; bradley-terry can.")


def _bradley_terry(votes: VotesToRate, options: RatingOptions, anchor: Anchor | None) -> Rated:
    if options.both_bad_loses:
        return _against_bar(votes.counts, options, anchor)
    if options.style:
        return _with_style(votes.one_by_one, options, options.style, anchor=anchor)
    fitted = fit(votes.counts, half_wins=options.undecided, gauge=anchor or Gauge.VOTE_WEIGHTED_MEAN)
    uncertainty = sandwich(votes.counts, fitted, confidence_level=options.confidence_level)
    words = [STATUS_WORDS[status] for status in fitted.statuses]
    return Rated(fitted.ratings, uncertainty, words, _unconverged(fitted.converged))


def _against_bar(counts: PairCounts, options: RatingOptions, anchor: Anchor | None) -> Rated:
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
    return Rated(fitted.ratings[:-1], uncertainty, words, notes)


def _with_style(comparisons: Comparisons, options: RatingOptions, style: Style, *, anchor: Anchor | None) -> Rated:
    counted = np.isin(comparisons.outcome, options.counting)
    covariates = style.covariates(counted)
    data = ControlledComparisons(comparisons=_only(comparisons, counted), covariates=covariates.values)
    fitted = fit_with_covariates(data, half_wins=options.undecided, gauge=anchor or Gauge.VOTE_WEIGHTED_MEAN)
    uncertainty = covariate_sandwich(fitted, confidence_level=options.confidence_level)
    points = uncertainty.coefficients.in_points()
    worth = zip(covariates.names, points.estimates, points.lower, points.upper, strict=True)
    notes = _unconverged(fitted.converged)
    notes += [
        f"One standard deviation of {name} is worth {e:.1f} points ({a:.1f} … {b:.1f})." for name, e, a, b in worth
    ]
    notes += [f"No two answers differ in {name}, which cannot be controlled for." for name in covariates.constant]
    words = [STATUS_WORDS[status] for status in fitted.statuses]
    return Rated(fitted.ratings, uncertainty.ratings, words, notes)


def _only(comparisons: Comparisons, rows: BoolArray) -> Comparisons:
    return Comparisons.from_arrays(
        comparisons.left[rows],
        comparisons.right[rows],
        outcome=comparisons.outcome[rows],
        n_items=comparisons.n_items,
        weight=None if comparisons.is_plain else comparisons.weight[rows],
    )


def _with_ties(tie_model: TieModel) -> "Method":
    def rated(votes: VotesToRate, options: RatingOptions, anchor: Anchor | None) -> Rated:
        gauge = anchor or Gauge.VOTE_WEIGHTED_MEAN
        fitted = fit_with_ties(votes.counts, tie_model=tie_model, tied=options.undecided, gauge=gauge)
        uncertainty = tie_sandwich(votes.counts, fitted, confidence_level=options.confidence_level).ratings
        words = [STATUS_WORDS[status] for status in fitted.statuses]
        notes = _unconverged(fitted.converged)
        if fitted.tie_status is TieStatus.ESTIMATED:
            notes.append(f"Equal models tie with probability {fitted.tie_probability_of_equals:.3f}.")
        return Rated(fitted.ratings, uncertainty, words, notes)

    return rated


def _elo(votes: VotesToRate, options: RatingOptions, anchor: Anchor | None) -> Rated:
    played = elo(votes.one_by_one, half_wins=options.undecided)
    ratings = np.where(played.n_comparisons > 0, played.ratings, np.nan)
    if anchor is not None:
        if np.isnan(ratings[anchor.item]):
            raise UnratedItemError("The anchor was in no vote that counts.")
        ratings = ratings - ratings[anchor.item] + anchor.rating
    never = STATUS_WORDS[ItemStatus.NO_COMPARISONS]
    words = ["" if n else never for n in played.n_comparisons.tolist()]
    note = "Elo depends on the order of the votes and has no interval; it is here for contrast."
    return Rated(ratings, None, words, [note])


def _unconverged(converged: bool) -> list[str]:
    return [] if converged else ["The fit did not converge: do not publish these ratings."]


Method = Callable[[VotesToRate, RatingOptions, Anchor | None], Rated]

METHODS: Final[Mapping[str, Method]] = {
    "bradley-terry": _bradley_terry,
    "rao-kupper": _with_ties(TieModel.RAO_KUPPER),
    "davidson": _with_ties(TieModel.DAVIDSON),
    "elo": _elo,
}
