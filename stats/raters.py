"""How far raters of the same things agree: two of them beyond chance, and a judge with people beside two people.

Categories are whole numbers from 0; in the order of a scale, such as left better, tie, right better, for weights.
"""

import math
from enum import StrEnum
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from stats.errors import InvalidWeightError, LengthMismatchError
from stats.number_checks import FloatArray, as_int64, as_numbers
from stats.pair_tables import IntArray
from stats.ratios import ratio_of_sums
from stats.uncertainty import two_sided_quantile


class KappaWeights(StrEnum):
    """What a disagreement costs: all the same, by the distance on the scale, or by its square."""

    NONE = "none"
    LINEAR = "linear"
    QUADRATIC = "quadratic"


class Kappa(NamedTuple):
    """NaN, from -1 to 1, where both raters used one and the same category only: chance then explains everything."""

    estimate: float
    standard_error: float
    lower: float
    upper: float
    n: int


class Share(NamedTuple):
    """How probable it is that two votes on one comparison agree, or how much more so: `standard_error` is NaN, and the
    interval everything, for one comparison; `estimate` is NaN for none."""

    estimate: float
    standard_error: float
    lower: float
    upper: float
    n_comparisons: int


class JudgeAgreement(NamedTuple):
    """`judge` is of the judge with a person, `people` of two people (the ceiling), each over all comparisons that show
    it; `judge_minus_people` over the comparisons that show both, so that what makes some hard is the same for both."""

    judge: Share
    people: Share
    judge_minus_people: Share


def cohen_kappa(
    table: npt.ArrayLike, *, weights: KappaWeights = KappaWeights.NONE, confidence_level: float = 0.95
) -> Kappa:
    """Cohen's kappa of a square table of counts, rows one rater's categories and columns the other's.

    (Cohen 1960, "A coefficient of agreement for nominal scales", and 1968, "Weighted kappa"; the standard error is that
    of Fleiss, Cohen and Everitt 1969, "Large sample standard errors of kappa and weighted kappa".) Raises StatsError.
    """
    z = two_sided_quantile(confidence_level)
    shares, n = _shares(table)
    agreement = _agreement(len(shares), weights)
    rows, columns = shares.sum(axis=1), shares.sum(axis=0)
    observed, by_chance = float((agreement * shares).sum()), float(rows @ agreement @ columns)
    if 1 - by_chance < 1e-12:
        return Kappa(math.nan, math.nan, -1.0, 1.0, n)
    kappa = (observed - by_chance) / (1 - by_chance)
    of_row, of_column = agreement @ columns, rows @ agreement
    inner = agreement - (of_row[:, np.newaxis] + of_column) * (1 - kappa)
    spread = float((shares * inner**2).sum()) - (kappa - by_chance * (1 - kappa)) ** 2
    error = math.sqrt(max(0.0, spread) / n) / (1 - by_chance)
    return Kappa(kappa, error, max(-1.0, kappa - z * error), min(1.0, kappa + z * error), n)


def confusion(left: npt.ArrayLike, right: npt.ArrayLike, *, n_categories: int) -> FloatArray:
    """How often the raters used each pair of categories, shape (n_categories, n_categories). Raises StatsError."""
    lefts, rights = as_int64(left, "categories"), as_int64(right, "categories")
    if lefts.shape != rights.shape or lefts.ndim != 1:
        raise LengthMismatchError(f"Ratings of {lefts.shape} and {rights.shape} things are not of the same things.")
    for categories in (lefts, rights):
        _check_categories(categories, n_categories)
    counts = np.bincount(lefts * n_categories + rights, minlength=n_categories**2)
    return counts.reshape(n_categories, n_categories).astype(np.float64)


def judge_agreement(
    votes: npt.ArrayLike, judge: npt.ArrayLike, *, n_categories: int, confidence_level: float = 0.95
) -> JudgeAgreement:
    """A judge against people, with the human-human ceiling where a comparison has two votes or more.

    `votes` has shape (n_comparisons, n_categories): how many people voted for each category. `judge` has the judge's
    category for each comparison, -1 where there is none. Each comparison counts alike however many voted on it: of a
    comparison with n votes the people's agreement is the share of its n (n - 1) / 2 pairs of votes that are alike, an
    unbiased estimate of how often two voters would be (the agreement of setups S1 and S2 in Zheng et al. 2023, "Judging
    LLM-as-a-judge with MT-bench and Chatbot Arena", by comparison). Votes on one comparison stand and fall together,
    so comparisons are what varies. Raises StatsError.
    """
    z = two_sided_quantile(confidence_level)
    counts, verdicts = as_numbers(votes), as_int64(judge, "verdicts")
    if counts.shape != (*verdicts.shape, n_categories):
        raise LengthMismatchError(
            f"Votes of shape {counts.shape} need a row for each of {verdicts.shape} verdicts, {n_categories} columns."
        )
    _check_counts(counts)
    _check_categories(verdicts[verdicts != -1], n_categories)
    n = counts.sum(axis=1)
    judged, twice = (verdicts >= 0) & (n > 0), n > 1
    chosen = counts[np.arange(len(n)), np.maximum(verdicts, 0)]
    with_judge = np.divide(chosen, n, out=np.zeros_like(n), where=judged)
    pairs, alike = n * (n - 1), (counts * (counts - 1)).sum(axis=1)
    with_people = np.divide(alike, pairs, out=np.zeros_like(n), where=twice)
    both = judged & twice
    return JudgeAgreement(
        judge=_mean(with_judge[judged], z=z, least=0.0),
        people=_mean(with_people[twice], z=z, least=0.0),
        judge_minus_people=_mean((with_judge - with_people)[both], z=z, least=-1.0),
    )


def _mean(values: FloatArray, *, z: float, least: float) -> Share:
    if not len(values):
        return Share(math.nan, math.nan, least, 1.0, 0)
    mean, error, _ = ratio_of_sums(values.tolist(), [1.0] * len(values))
    if error is None:
        return Share(mean, math.nan, least, 1.0, 1)
    return Share(mean, error, max(least, mean - z * error), min(1.0, mean + z * error), len(values))


def _agreement(n_categories: int, weights: KappaWeights) -> FloatArray:
    """1 where the categories are the same, 0 where they are furthest apart; shape (n_categories, n_categories)."""
    if weights is KappaWeights.NONE:
        return np.eye(n_categories)
    scale = np.arange(n_categories)
    apart = np.abs(scale[:, np.newaxis] - scale) / max(n_categories - 1, 1)
    return np.asarray(1 - apart ** (2 if weights is KappaWeights.QUADRATIC else 1))


def _shares(table: npt.ArrayLike) -> tuple[FloatArray, int]:
    counts = as_numbers(table)
    if counts.ndim != 2 or counts.shape[0] != counts.shape[1]:
        raise LengthMismatchError(f"Kappa needs a square table of counts, not one of shape {counts.shape}.")
    _check_counts(counts)
    n = int(counts.sum())
    if not n:
        raise InvalidWeightError("Kappa needs at least one thing that both raters rated.")
    return counts / n, n


def _check_counts(counts: FloatArray) -> None:
    if not (np.isfinite(counts).all() and (counts >= 0).all() and (counts == np.floor(counts)).all()):
        raise InvalidWeightError("Counts of ratings must be whole numbers from 0 up.")


def _check_categories(categories: IntArray, n_categories: int) -> None:
    if categories.size and not (categories.min() >= 0 and categories.max() < n_categories):
        raise InvalidWeightError(f"Categories are whole numbers from 0 to {n_categories - 1}.")
