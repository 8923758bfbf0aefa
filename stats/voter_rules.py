"""The rules by which two arenas look for strange voters, for comparison with `voters`.

Votes are 1 for the first item of the pair by number, 0 for the second and a half if undecided.
"""

from typing import Final

import numpy as np
from scipy.stats import chi2

from stats.comparisons import Comparisons, FloatArray
from stats.vote_predictions import LEFT, RIGHT, UNDECIDED, VoteHistory, columns_of

N_LOOKS: Final = 5
LAST_LOOK: Final = 100
FEWEST_VOTES: Final = 5
VALUES: Final = np.array([1.0, 0.0, 0.5])  # of the columns left, right, undecided


def flagged_by_fisher(
    votes: Comparisons, history: VoteHistory, *, rng: np.random.Generator, alpha: float = 0.05
) -> bool:
    """Fisher's sum of logarithms of rank p-values, at five numbers of votes drawn from 1 to 100.

    p = (1 + number of past votes on the pair at or above this one) / (1 + their number); flagged if
    -2 sum ln p >= the 1 - alpha / 5 quantile of chi-squared with 2 j degrees. (Chiang et al. 2024, "Chatbot Arena",
    section 5.1.) Votes have few values, so p is far from uniform and the rule almost never speaks.
    """
    counts, value = _oriented(votes, history)
    at_or_above = (counts * (value[:, np.newaxis] <= VALUES)).sum(axis=1)
    p = (1 + at_or_above) / (1 + counts.sum(axis=1))
    sums = np.cumsum(-2 * np.log(p))
    looks = rng.choice(LAST_LOOK, N_LOOKS, replace=False) + 1
    looks = looks[looks <= len(sums)]
    return bool((sums[looks - 1] >= chi2.ppf(1 - alpha / N_LOOKS, 2 * looks)).any())


def flagged_by_fastchat(votes: Comparisons, history: VoteHistory, *, alpha: float = 0.05) -> bool:
    """Products of 1 / (2 p) over the first 100 votes, upwards and downwards, against 1 / alpha; from 5 votes on.

    p is the share of the pair's decided past votes at or below this vote, or at or above it. (FastChat's
    `outlier_detect`.) A tie is held against a history without ties, which flags honest voters where ties are common.
    """
    if len(votes.left) < FEWEST_VOTES:
        return False
    counts, value = _oriented(votes, history)
    decided = counts[:, [LEFT, RIGHT]]
    total = np.maximum(decided.sum(axis=1), 1.0)
    shares = [
        (decided * reached).sum(axis=1) / total
        for reached in (VALUES[:UNDECIDED] <= value[:, np.newaxis], VALUES[:UNDECIDED] >= value[:, np.newaxis])
    ]
    with np.errstate(divide="ignore"):
        evidence = np.cumsum([-np.log(2 * share[:LAST_LOOK]) for share in shares], axis=1)
    return bool((evidence > -np.log(alpha)).any())


def _oriented(votes: Comparisons, history: VoteHistory) -> tuple[FloatArray, FloatArray]:
    """Counts of the pair (n_votes, 3) and the value of the vote, both seen from the item with the lower number."""
    first, second = np.minimum(votes.left, votes.right), np.maximum(votes.left, votes.right)
    value = VALUES[columns_of(votes)]
    return history.counts[first, second], np.where(votes.left < votes.right, value, 1 - value)
