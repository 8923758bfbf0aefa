"""How far two signals, such as votes, a judge and a benchmark, put the models into one order.

Each signal has one number per model, NaN for a model that it does not know; only models that both know are compared.
The intervals are of the correlation in the population that these models stand for, between what the signals *show*:
noise in a signal's own numbers lowers it. `without_noise` is of what they would show without that noise.
"""

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.stats import kendalltau, spearmanr

from stats.errors import InvalidWeightError, LengthMismatchError
from stats.number_checks import FloatArray, as_numbers
from stats.uncertainty import two_sided_quantile


class RankCorrelation(StrEnum):
    KENDALL = "kendall"
    SPEARMAN = "spearman"


FEWEST_MODELS: Final = 5  # below, the standard error is not defined, and any interval is everything


class Correlation(NamedTuple):
    """NaN for an estimate that does not exist: fewer than two models in common, or all of them level in a signal."""

    estimate: float
    lower: float
    upper: float
    n_models: int


@dataclass(frozen=True, kw_only=True, eq=False)
class AgreementMatrix:
    """Shape (n_signals, n_signals) each, as `Correlation` has them."""

    estimates: FloatArray
    lower: FloatArray
    upper: FloatArray
    n_models: npt.NDArray[np.int64]


def rank_correlation(
    left: npt.ArrayLike,
    right: npt.ArrayLike,
    *,
    kind: RankCorrelation = RankCorrelation.KENDALL,
    confidence_level: float = 0.95,
) -> Correlation:
    """Kendall's tau-b or Spearman's rho over the models that both signals know.

    The interval is symmetric in atanh, where the standard error is sqrt(0.437 / (n - 4)) for tau (Fieller, Hartley and
    Pearson 1957, "Tests for rank correlation coefficients. I") and sqrt((1 + rho^2 / 2) / (n - 3)) for rho (Bonett and
    Wright 2000, "Sample size requirements for estimating Pearson, Kendall and Spearman correlations"). A bootstrap of
    ten models resamples ties into both signals at once, and is biased towards agreement by them. Perfect agreement
    of few models is not certainty: the interval then starts from half the way to the next possible value. Below
    `FEWEST_MODELS` it is all of [-1, 1]. Raises StatsError.
    """
    z = two_sided_quantile(confidence_level)
    lefts, rights = _known_to_both(left, right)
    n = len(lefts)
    if n < 2 or not (np.ptp(lefts) and np.ptp(rights)):
        return Correlation(math.nan, -1.0, 1.0, n)
    found = kendalltau(lefts, rights) if kind is RankCorrelation.KENDALL else spearmanr(lefts, rights)
    estimate = float(np.clip(found.statistic, -1.0, 1.0))
    if n < FEWEST_MODELS:
        return Correlation(estimate, -1.0, 1.0, n)
    step = 4 / (n * (n - 1)) if kind is RankCorrelation.KENDALL else 12 / (n * (n * n - 1))
    largest = 1 - step / 2
    inside = min(max(estimate, -largest), largest)
    variance = 0.437 / (n - 4) if kind is RankCorrelation.KENDALL else (1 + inside**2 / 2) / (n - 3)
    margin = z * math.sqrt(variance)
    lower, upper = math.tanh(math.atanh(inside) - margin), math.tanh(math.atanh(inside) + margin)
    return Correlation(estimate, min(lower, estimate), max(upper, estimate), n)


def agreement_matrix(
    signals: npt.ArrayLike,
    *,
    kind: RankCorrelation = RankCorrelation.KENDALL,
    confidence_level: float = 0.95,
) -> AgreementMatrix:
    """Of each signal with each; `signals` has shape (n_signals, n_models), NaN where a signal does not know a model.

    A signal agrees with itself, so the diagonal is 1 from 1 to 1 wherever it exists. Raises StatsError.
    """
    table = as_numbers(signals)
    if table.ndim != 2:
        raise LengthMismatchError(f"Give one row per signal and one column per model, not shape {table.shape}.")
    k = len(table)
    cells = np.full((4, k, k), np.nan)
    for row in range(k):
        for column in range(row + 1):
            found = rank_correlation(table[row], table[column], kind=kind, confidence_level=confidence_level)
            if row == column and not math.isnan(found.estimate):
                found = Correlation(1.0, 1.0, 1.0, found.n_models)
            cells[:, row, column] = cells[:, column, row] = found
    return AgreementMatrix(
        estimates=cells[0], lower=cells[1], upper=cells[2], n_models=np.asarray(cells[3], dtype=np.int64)
    )


def reliability(estimates: npt.ArrayLike, standard_errors: npt.ArrayLike) -> float:
    """Which part of the variance between a signal's models is not the noise of its numbers, from 0 to 1.

    1 - mean(squared standard error) / variance (Spearman 1904, "The proof and measurement of association between two
    things"); NaN for fewer than two models. Raises StatsError.
    """
    values, errors = as_numbers(estimates), as_numbers(standard_errors)
    if values.shape != errors.shape or values.ndim != 1:
        raise LengthMismatchError(f"{values.shape} numbers and {errors.shape} standard errors do not belong together.")
    known = _known(values)
    if not (np.isfinite(errors[known]).all() and (errors[known] >= 0).all()):
        raise InvalidWeightError("A model's standard error must be finite and from 0 up wherever its number is known.")
    if known.sum() < 2:
        return math.nan
    variance = float(values[known].var(ddof=1))
    return max(0.0, 1 - float((errors[known] ** 2).mean()) / variance) if variance else 0.0


def without_noise(
    correlation: Correlation, left_reliability: float, right_reliability: float, *, kind: RankCorrelation
) -> Correlation:
    """What the rank correlation would be if neither signal had noise in its numbers.

    A rank correlation is turned into that of normal scores (sin(pi/2 tau), 2 sin(pi/6 rho); Greiner 1909, "Ueber das
    Fehlersystem der Kollektivmasslehre"), divided by the root of the product of the reliabilities (Spearman 1904) and
    turned back, the ends of the interval too; they take the reliabilities for known. Without a reliability above 0 on
    both sides nothing can be said: NaN from -1 to 1.
    """
    both = left_reliability * right_reliability
    if not both > 0:
        return Correlation(math.nan, -1.0, 1.0, correlation.n_models)
    estimate, lower, upper = (
        _rank_of(max(-1.0, min(1.0, _normal_of(value, kind) / math.sqrt(both))), kind) for value in correlation[:3]
    )
    return Correlation(estimate, lower, upper, correlation.n_models)


def _normal_of(value: float, kind: RankCorrelation) -> float:
    kendall = kind is RankCorrelation.KENDALL
    return math.sin(math.pi / 2 * value) if kendall else 2 * math.sin(math.pi / 6 * value)


def _rank_of(normal: float, kind: RankCorrelation) -> float:
    kendall = kind is RankCorrelation.KENDALL
    return 2 / math.pi * math.asin(normal) if kendall else 6 / math.pi * math.asin(normal / 2)


def _known_to_both(left: npt.ArrayLike, right: npt.ArrayLike) -> tuple[FloatArray, FloatArray]:
    lefts, rights = as_numbers(left), as_numbers(right)
    if lefts.shape != rights.shape or lefts.ndim != 1:
        raise LengthMismatchError(f"Signals of {lefts.shape} and {rights.shape} models are not of the same models.")
    both = _known(lefts) & _known(rights)
    return lefts[both], rights[both]


def _known(values: FloatArray) -> npt.NDArray[np.bool_]:
    if np.isinf(values).any():
        raise InvalidWeightError("A signal's number for a model is finite, or NaN where it does not know the model.")
    return ~np.isnan(values)
