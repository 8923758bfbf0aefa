"""One set of ratings from several sources, such as human votes and the verdicts of judges, each with its weight.

(The composite model of arena-rank's main branch: sum over sources of weight * negative log-likelihood / N.)
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np

from stats.bradley_terry import (
    HALF_WINS,
    RATING_PER_STRENGTH,
    Anchor,
    BradleyTerryFit,
    Gauge,
    checked_half_wins,
    fit,
    half_points,
)
from stats.comparisons import FloatArray, Outcome, PairCounts
from stats.errors import InvalidWeightError, LengthMismatchError
from stats.uncertainty import PRIOR_VOTES, Uncertainty, sandwich


@dataclass(frozen=True, kw_only=True, eq=False)
class Component:
    """A source's counts, and by how much each of its comparisons counts once they are put together."""

    counts: PairCounts
    weight_of_one: float


@dataclass(frozen=True, kw_only=True, eq=False)
class CompositeFit:
    """`fit` is of `counts`, those of all components together; `components` has the names of the sources for keys."""

    fit: BradleyTerryFit
    counts: PairCounts
    components: Mapping[str, Component]


def fit_composite(
    sources: Mapping[str, tuple[PairCounts, float]],
    *,
    half_wins: Collection[Outcome] = HALF_WINS,
    gauge: Gauge | Anchor = Gauge.VOTE_WEIGHTED_MEAN,
    per_comparison: bool = False,
) -> CompositeFit:
    """Maximise the weighted sum of the log-likelihoods of all `sources`, a name for (counts, weight above 0) each.

    A source's weight is that of all of its comparisons together, however many there are, and the weights are scaled so
    that those of all sources count as many as they are. With `per_comparison` it is the weight of each of them.
    Items that no single source ties together may be tied by all. Raises StatsError: no sources, sources of different
    numbers of items, weights that are none, and whatever `bradley_terry.fit` raises.
    """
    halves = checked_half_wins(half_wins)
    n_votes = {name: half_points(counts, halves).total.sum() for name, (counts, _) in sources.items()}
    _check(sources)
    weights = {name: weight for name, (_, weight) in sources.items()}
    if not per_comparison:
        weights = {name: weight / (n_votes[name] or 1.0) for name, weight in weights.items()}
    shared = sum(weights[name] * n_votes[name] for name in sources)
    scale = sum(n_votes.values()) / shared if shared and not per_comparison else 1.0
    components = {
        name: Component(counts=counts, weight_of_one=scale * weights[name]) for name, (counts, _) in sources.items()
    }
    together = _together(list(components.values()))
    return CompositeFit(fit=fit(together, half_wins=halves, gauge=gauge), counts=together, components=components)


def composite_sandwich(
    composite: CompositeFit, *, confidence_level: float = 0.95, prior_votes: float = PRIOR_VOTES
) -> Uncertainty:
    """Sandwich of the composite fit, the comparisons of all sources being independent.

    The information is the weighted sum of that of the sources, and what they vary by is the sum weighted by squares.
    Verdicts of one judge on the answers that people voted on are not independent of each other; that a judge may be
    wrong about an item in all of them alike, no number of verdicts shows. Raises StatsError.
    """
    return sandwich(composite.counts, composite.fit, confidence_level=confidence_level, prior_votes=prior_votes)


def disagreement(composite: CompositeFit, name: str, *, confidence_level: float = 0.95) -> Uncertainty:
    """What the source `name` alone says of each item minus what the others say without it, in rating points.

    Both fits are in the gauge of the composite as far as both rate the same items, and are independent, so the
    covariances add up. NaN for items that one of the two does not rate. Raises StatsError: the only source there is.
    """
    rest = [component for other, component in composite.components.items() if other != name]
    if name not in composite.components or not rest:
        raise LengthMismatchError(f"{name!r} has to be one of several sources to disagree with the others.")
    sides = [composite.components[name].counts, _together(rest)]
    fits = [fit(counts, half_wins=composite.fit.half_wins) for counts in sides]
    common = fits[0].rated & fits[1].rated
    weights = np.where(common, composite.fit.gauge_weights, 0.0)
    n_items = len(common)
    difference, covariance = np.full(n_items, np.nan), np.full((n_items, n_items), np.nan)
    if weights.any():
        weights = weights[common] / weights[common].sum()
        centred = np.eye(int(common.sum())) - weights
        inside = np.ix_(common, common)
        difference[common] = RATING_PER_STRENGTH * centred @ (fits[0].strengths - fits[1].strengths)[common]
        spread = sum(
            (sandwich(counts, each).covariance[inside] for counts, each in zip(sides, fits, strict=True)),
            start=np.zeros((len(weights), len(weights))),
        )
        covariance[inside] = centred @ spread @ centred.T
    return Uncertainty(ratings=difference, covariance=covariance, confidence_level=confidence_level)


def _check(sources: Mapping[str, tuple[PairCounts, float]]) -> None:
    sizes = {counts.n_items for counts, _ in sources.values()}
    if len(sizes) != 1:
        raise LengthMismatchError(f"Sources must be of the same items, not of {sorted(sizes)} of them.")
    for name, (_, weight) in sources.items():
        if not 0 < weight < float("inf"):
            raise InvalidWeightError(f"The weight of the source {name!r} must be finite and above 0, not {weight}.")


def _together(components: list[Component]) -> PairCounts:
    rows: list[tuple[int, int, int, float, float]] = []
    for component in components:
        rows += _weighted_cells(component)
    return PairCounts.from_weighted_cells(rows, n_items=components[0].counts.n_items)


def _weighted_cells(component: Component) -> list[tuple[int, int, int, float, float]]:
    counts, weight = component.counts, component.weight_of_one
    pairs, outcomes = np.nonzero(counts.totals)
    totals: FloatArray = counts.totals[pairs, outcomes] * weight
    squares: FloatArray = counts.squares[pairs, outcomes] * weight**2
    columns = (counts.left[pairs], counts.right[pairs], outcomes, totals, squares)
    return list(zip(*(column.tolist() for column in columns), strict=True))
