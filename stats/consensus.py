"""One order of the models from several signals, and how sure it is.

The order is that of the mean ranks (it loses least in squared ranks: Shen and Louis 1998, "Triple-goal estimates in
two-stage hierarchical models"), under the model of `stats.signal_model`. What is sought is the quality that signals of
different families have in common. A single signal cannot tell how much of what it measures is that quality; all that is
then said of it is the prior, Beta(4, 2) by `SHARE_PRIOR`: two thirds of the variance, give or take.
"""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy.special import ndtr

from stats.errors import InvalidLevelError, InvalidWeightError, LengthMismatchError
from stats.number_checks import FloatArray, as_numbers
from stats.ranks import RankRange
from stats.signal_model import Hypothesis, Posterior, Signals, correlations, posterior
from stats.uncertainty import two_sided_quantile

N_DRAWS: Final = 4000
FEWEST_MODELS: Final = 3
DUPLICATE: Final = 0.998
"""Signals that correlate by more are one signal: the second is used only for models that the first does not know."""


COPY: Final = 1 - 1e-9
FEW_IN_COMMON: Final = 5
"""Models in common: fewer may well correlate by chance, so that only a plain copy is taken for one."""
LARGEST_ERROR: Final = 1e6  # of the range of a signal's numbers: beyond, nothing is left that they could say


@dataclass(frozen=True, kw_only=True, eq=False)
class Consensus:
    """Models that no signal knows have NaN, and None for a range of ranks; ranks are among the others.

    `above[i, j]` is the probability that model i is better than model j (NaN on the diagonal). `certainty` is the share
    of pairs of models that `order` is expected to put the right way round, from 0.5 (nothing is known) to 1; NaN for
    fewer than two models. `share` is the part of what a signal measures that is the common quality, by mean and
    interval: the lower, the more the signals go their own ways; the prior alone where `n_signals` is 1.
    `n_families` is how many independent opinions the signals probably come from.
    """

    order: tuple[int, ...]
    mean_ranks: FloatArray
    ranks: tuple[RankRange | None, ...]
    above: FloatArray
    certainty: float
    share: float
    share_lower: float
    share_upper: float
    n_signals: int
    n_families: float
    duplicates: tuple[tuple[int, int], ...]
    confidence_level: float


def consensus(
    estimates: npt.ArrayLike,
    standard_errors: npt.ArrayLike,
    *,
    rng: np.random.Generator,
    confidence_level: float = 0.95,
    n_draws: int = N_DRAWS,
) -> Consensus:
    """From shape (n_signals, n_models) each, higher being better in every signal; NaN for a model it does not know.

    Standard errors are of each signal's own numbers and on its scale (0 for a published order without any); of ratings
    with a covariance, those of its diagonal in the gauge of the mean. Ranges of ranks are quantiles of `n_draws`
    draws, each holding one model's rank with `confidence_level`. `duplicates` are (signal, the one it repeats).
    Raises StatsError: no signals, shapes that differ, a signal of fewer than `FEWEST_MODELS` models or with all level.
    """
    two_sided_quantile(confidence_level)
    if not isinstance(n_draws, int | np.integer) or n_draws < 1:
        raise InvalidLevelError(f"Ranks cannot be drawn {n_draws} times.")
    signals = _checked(as_numbers(estimates), as_numbers(standard_errors))
    distinct, duplicates = _without_duplicates(signals)
    rated = distinct.known.sum(axis=1) > 0
    found, candidates = posterior(
        Signals(estimates=distinct.estimates[rated], variances=distinct.variances[rated], known=distinct.known[rated])
    )
    n_models, n_rated = len(rated), int(rated.sum())
    above = np.full((n_models, n_models), np.nan)
    of_rated = _above(found)
    above[np.ix_(rated, rated)] = of_rated
    mean_ranks = np.full(n_models, np.nan)
    mean_ranks[rated] = 1 + np.nansum(of_rated, axis=0)
    order = np.argsort(mean_ranks, kind="stable")[:n_rated]
    ranges = iter(_ranges(found.draws(n_draws, rng=rng), confidence_level))
    lower, mean, upper = _share(found, candidates, confidence_level)
    return Consensus(
        order=tuple(order.tolist()),
        mean_ranks=mean_ranks,
        ranks=tuple(next(ranges) if each else None for each in rated),
        above=above,
        certainty=_certainty(above[np.ix_(order, order)]),
        share=mean,
        share_lower=lower,
        share_upper=upper,
        n_signals=distinct.estimates.shape[1],
        n_families=float(found.probabilities @ [each.families.max() + 1 for each in candidates]),
        duplicates=duplicates,
        confidence_level=confidence_level,
    )


def _above(found: Posterior) -> FloatArray:
    n_models = found.means.shape[1]
    above = np.zeros((n_models, n_models))
    for probability, difference, variance in found.differences():
        np.fill_diagonal(variance, np.nan)
        above += probability * ndtr(difference / np.sqrt(variance))
    return above


def _ranges(draws: FloatArray, confidence_level: float) -> list[RankRange]:
    ranks = 1 + np.argsort(np.argsort(-draws, axis=1), axis=1)
    tail = (1 - confidence_level) / 2
    lower = np.quantile(ranks, tail, axis=0, method="lower")
    upper = np.quantile(ranks, 1 - tail, axis=0, method="higher")
    return [RankRange(int(low), int(high)) for low, high in zip(lower, upper, strict=True)]


def _certainty(above_in_order: FloatArray) -> float:
    pairs = above_in_order[np.triu_indices(len(above_in_order), 1)]
    return float(pairs.mean()) if len(pairs) else math.nan


def _share(found: Posterior, candidates: list[Hypothesis], confidence_level: float) -> tuple[float, float, float]:
    shares = np.array([each.share for each in candidates])
    order = np.argsort(shares, kind="stable")
    up_to = np.cumsum(found.probabilities[order])
    tail = (1 - confidence_level) / 2
    ends = np.searchsorted(up_to, [tail, 1 - tail]).clip(max=len(shares) - 1)
    lower, upper = shares[order][ends]
    return float(lower), float(found.probabilities @ shares), float(upper)


def _checked(estimates: FloatArray, standard_errors: FloatArray) -> Signals:
    if estimates.ndim != 2 or not estimates.size or estimates.shape != standard_errors.shape:
        raise LengthMismatchError(
            "Give one row per signal and one column per model, and as many standard errors, "
            f"not shapes {estimates.shape} and {standard_errors.shape}."
        )
    known = ~np.isnan(estimates)
    errors = np.where(known, standard_errors, 0.0)
    if np.isinf(estimates).any() or not (np.isfinite(errors).all() and (errors >= 0).all()):
        raise InvalidWeightError(
            "A signal's number for a model is finite and its standard error finite and from 0 up, "
            "or the number is NaN where it does not know the model."
        )
    values = np.where(known, estimates, 0.0)
    for number, (row, its) in enumerate(zip(values, known, strict=True)):
        if its.sum() < FEWEST_MODELS or not np.ptp(row[its]):
            raise InvalidWeightError(
                f"Signal {number} (0 is the first) says nothing of an order: leave out signals that know fewer than "
                f"{FEWEST_MODELS} models, or have one number for all of them."
            )
    # In units of each signal's own spread, so that no scale is too large or too small to be squared.
    unit = np.array([np.ptp(row[its]) for row, its in zip(values, known, strict=True)])
    centre = np.array([row[its].mean() for row, its in zip(values, known, strict=True)])
    scaled = np.where(known, (values - centre[:, np.newaxis]) / unit[:, np.newaxis], 0.0)
    return Signals(
        estimates=scaled.T,
        variances=(np.minimum(errors / unit[:, np.newaxis], LARGEST_ERROR) ** 2).T,
        known=known.T.astype(np.float64),
    )


def _without_duplicates(signals: Signals) -> tuple[Signals, tuple[tuple[int, int], ...]]:
    """A repeated signal fills in what the first does not know, on the first's scale, and is left out."""
    found = correlations(signals)
    limits = np.where(signals.known.T @ signals.known < FEW_IN_COMMON, COPY, DUPLICATE)
    estimates, variances, known = (signals.estimates.copy(), signals.variances.copy(), signals.known.copy())
    kept: list[int] = []
    repeated: list[tuple[int, int]] = []
    for signal in range(len(found)):
        first = next((other for other in kept if found[signal, other] > limits[signal, other]), None)
        if first is None:
            kept.append(signal)
            continue
        repeated.append((signal, first))
        both = (signals.known[:, first] * signals.known[:, signal]) > 0
        slope, level = np.polyfit(signals.estimates[both, signal], signals.estimates[both, first], 1)
        new = (signals.known[:, signal] > 0) & (known[:, first] == 0)
        estimates[new, first] = level + slope * signals.estimates[new, signal]
        variances[new, first] = slope**2 * signals.variances[new, signal]
        known[new, first] = 1.0
    distinct = Signals(estimates=estimates[:, kept], variances=variances[:, kept], known=known[:, kept])
    return distinct, tuple(repeated)
