"""AlpacaEval's win rates over a baseline: plain, discrete, and with the length of the answers held equal.

A preference lies between 1 (the baseline's answer is better) and 2 (the model's is); 1.5 and 0 are draws. The
length-controlled win rate (Dubois et al. 2024, "Length-controlled AlpacaEval", arXiv:2404.04475) fits

    logit P(model wins) = length · tanh(Δ / sd Δ) + difficulty · d + constant

with Δ the baseline's length minus the model's, d how hard the instruction is, and no other intercept, and predicts with
Δ = 0. `FULL` is that formula; `MINIMAL` leaves the difficulty out, which has to be known from elsewhere. Weights are
shrunk by their absolute values, as much as predicts held-out rows best. The authors add the verdicts on two "gamed"
baselines, one verbose and one terse, with a tenth of the weight each, so that no judge's love of length can hide in the
constant: give them as `gamed`, where they are known.
"""

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from stats.errors import StatsError

FloatArray = npt.NDArray[np.float64]

LOWEST, HIGHEST, DRAW = 1.0, 2.0, 1.5
GAMED_WEIGHT: Final = 0.2 / 2
"""Of a row of one of the two gamed baselines."""
STRENGTHS: Final = np.logspace(-4, 4, 10)
N_FOLDS: Final = 5
MOST_STEPS: Final = 200
TOLERANCE: Final = 1e-10


class LengthControlError(StatsError):
    """Too little is there to fit."""


class Formula(StrEnum):
    FULL = "length_controlled_v1"
    MINIMAL = "length_controlled_minimal"


class WinRate(NamedTuple):
    """In percent."""

    win_rate: float
    standard_error: float | None
    """None for a single preference."""
    discrete_win_rate: float
    n_wins: int
    n_wins_base: int
    n_draws: int
    n_total: int


class Weights(NamedTuple):
    length: float
    difficulty: float
    """0 where the formula has none."""
    constant: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdicts:
    """One row per instruction."""

    preference: FloatArray
    """NaN where the judge gave none."""
    baseline_length: FloatArray
    """In characters."""
    length: FloatArray
    difficulty: FloatArray | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GamedVerdicts:
    """On the gamed baselines, with preferences from 0 to 1 and standardised length differences."""

    preference: FloatArray
    length_difference: FloatArray
    difficulty: FloatArray


class Controlled(NamedTuple):
    """In percent."""

    win_rate: float
    standard_error: float | None
    formula: Formula
    weights: Weights
    strength: float | None
    """The inverse of how much the weights are shrunk; None where they were given."""


def is_preference(value: float) -> bool:
    return value == 0 or LOWEST <= value <= HIGHEST


def win_rate(preferences: FloatArray) -> WinRate:
    """What is no preference is left out. Raises LengthControlError where nothing is left."""
    valid = _without_zeros(preferences)
    valid = valid[~np.isnan(valid)]
    if not len(valid):
        raise LengthControlError(
            "There is no preference between 1 and 2: is this the column of the judge's preferences?"
        )
    n_wins, n_draws = int((valid > DRAW).sum()), int((valid == DRAW).sum())
    return WinRate(
        win_rate=float(valid.mean() - LOWEST) * 100,
        standard_error=_standard_error(valid),
        discrete_win_rate=(n_wins + n_draws / 2) / len(valid) * 100,
        n_wins=n_wins,
        n_wins_base=len(valid) - n_wins - n_draws,
        n_draws=n_draws,
        n_total=len(valid),
    )


def controlled(verdicts: Verdicts, gamed: GamedVerdicts | None = None) -> Controlled:
    """With weights of our own fit. Raises LengthControlError."""
    features, labels, weight = _rows(verdicts, gamed)
    strength = _best_strength(features, labels, weight)
    fitted = _fit(features, labels, weight, strength)
    weights = Weights(fitted[0], fitted[1] if verdicts.difficulty is not None else 0.0, fitted[-1])
    return _predicted(weights, verdicts.difficulty, n=len(verdicts.preference), strength=strength)


def with_weights(weights: Weights, difficulty: FloatArray) -> Controlled:
    """With weights that were published, for the instructions of these difficulties."""
    return _predicted(weights, difficulty, n=len(difficulty), strength=None)


def _predicted(weights: Weights, difficulty: FloatArray | None, *, n: int, strength: float | None) -> Controlled:
    hardness = np.zeros(n) if difficulty is None else difficulty
    chances = _logistic(weights.constant + weights.difficulty * hardness)
    formula = Formula.MINIMAL if difficulty is None else Formula.FULL
    return Controlled(float(chances.mean()) * 100, _standard_error(chances), formula, weights, strength)


# --- the fit


def _rows(verdicts: Verdicts, gamed: GamedVerdicts | None) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Features, labels from 0 to 1, and weights."""
    delta = verdicts.baseline_length - verdicts.length
    spread = float(delta.std(ddof=1)) if len(delta) > 1 else 0.0
    labels = _without_zeros(verdicts.preference) - LOWEST
    known = ~np.isnan(labels)
    if not spread or known.sum() < N_FOLDS:
        raise LengthControlError(
            f"Length control needs {N_FOLDS} preferences and answers of different lengths:"
            f" {int(known.sum())} preferences are here. Give all rows of the model."
        )
    columns = [np.tanh(delta / spread), np.ones(len(delta))]
    if verdicts.difficulty is not None:
        columns.insert(1, verdicts.difficulty)
    features, labels = np.column_stack(columns)[known], labels[known]
    if gamed is None or verdicts.difficulty is None:
        return features, labels, np.ones(len(labels))
    more = np.column_stack([np.tanh(gamed.length_difference), gamed.difficulty, np.zeros(len(gamed.preference))])
    weight = np.concatenate([np.full(len(more), GAMED_WEIGHT), np.ones(len(labels))])
    return np.concatenate([more, features]), np.concatenate([gamed.preference, labels]), weight


def _best_strength(features: FloatArray, labels: FloatArray, weight: FloatArray) -> float:
    """The one that predicts rows best that were left out; of equal ones the weaker, which shrinks more."""
    folds = np.arange(len(labels)) % N_FOLDS
    losses = np.zeros(len(STRENGTHS))
    for fold in range(N_FOLDS):
        rest = folds != fold
        start = np.zeros(features.shape[1])
        for place, strength in enumerate(STRENGTHS):
            start = _fit(features[rest], labels[rest], weight[rest], strength, start)
            margins = features[~rest] @ start
            losses[place] += float((weight[~rest] * _loss(margins, labels[~rest])).mean())
    return float(STRENGTHS[int(np.argmin(losses))])


def _fit(
    features: FloatArray, labels: FloatArray, weight: FloatArray, strength: float, start: FloatArray | None = None
) -> FloatArray:
    """The weights that minimise strength · Σ loss + Σ |weights|: Newton's method with the absolute values as they are,
    each step halved until the sum falls."""
    weights = np.zeros(features.shape[1]) if start is None else start
    value = _objective(features, labels, weight, strength, weights)
    while True:
        chances = _logistic(features @ weights)
        gradient = strength * features.T @ (weight * (chances - labels))
        curvature = strength * (features.T * (weight * chances * (1 - chances))) @ features
        curvature += 1e-12 * np.trace(curvature) * np.eye(len(weights)) + 1e-12 * np.eye(len(weights))
        step = _shrunk_step(gradient, curvature, weights)
        size = 1.0
        while (next_value := _objective(features, labels, weight, strength, weights + size * step)) > value:
            size /= 2
            if size < TOLERANCE:
                return weights
        weights, improvement, value = weights + size * step, value - next_value, next_value
        if improvement <= TOLERANCE * abs(value):
            return weights


def _shrunk_step(gradient: FloatArray, curvature: FloatArray, weights: FloatArray) -> FloatArray:
    """The minimum of gradient · s + s · curvature · s / 2 + Σ |weights + s|, one coordinate after the other."""
    step = np.zeros(len(weights))
    for _ in range(MOST_STEPS):
        before = step.copy()
        for place in range(len(weights)):
            slope = gradient[place] + curvature[place] @ step - curvature[place, place] * step[place]
            centre = weights[place] - slope / curvature[place, place]
            shrunk = math.copysign(max(abs(centre) - 1 / curvature[place, place], 0.0), centre)
            step[place] = shrunk - weights[place]
        if np.abs(step - before).max() <= TOLERANCE:
            break
    return step


def _objective(
    features: FloatArray, labels: FloatArray, weight: FloatArray, strength: float, weights: FloatArray
) -> float:
    return strength * float(weight @ _loss(features @ weights, labels)) + float(np.abs(weights).sum())


def _loss(margins: FloatArray, labels: FloatArray) -> FloatArray:
    """Cross entropy, with labels between 0 and 1."""
    return np.logaddexp(0, margins) - labels * margins


def _logistic(values: FloatArray) -> FloatArray:
    return np.exp(-np.logaddexp(0, -values))


def _without_zeros(preferences: FloatArray) -> FloatArray:
    """Draws that are stored as 0 as 1.5, and what is no preference as NaN."""
    found = np.where(preferences == 0, DRAW, preferences)
    return np.where((found >= LOWEST) & (found <= HIGHEST), found, np.nan)


def _standard_error(values: FloatArray) -> float | None:
    """Of the mean, in percent."""
    return float(values.std(ddof=1)) / math.sqrt(len(values)) * 100 if len(values) > 1 else None
