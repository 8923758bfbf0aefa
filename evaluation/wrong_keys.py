"""What stored answers of several models say about the items themselves: which separate good models from bad ones, and
which probably have a wrong key.
"""

import math
from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

NO_ANSWER: Final = -1
PRIOR_OF_WRONG_KEY: Final = 0.05
LIKELY: Final = 0.5
FEWEST_MODELS: Final = 3
"""With fewer, agreement on another choice is as likely an error that they share."""


class LikelyWrongKey(NamedTuple):
    item: int
    suggested: int
    """The choice that the models agree on."""
    probability: float
    n_agreeing: int
    """How many models chose it."""


def discrimination(predictions: IntArray, targets: IntArray) -> FloatArray:
    """Per item the correlation of being right on it with the share of right answers on all others (point-biserial,
    corrected for the item itself). `predictions` is of shape (n_models, n_items), `NO_ANSWER` where there is none.
    Negative: better models get it wrong more often. NaN where all or none are right, or fewer than three answered.
    """
    answered = predictions != NO_ANSWER
    right = (predictions == targets) & answered
    n_right, n_answered = right.sum(axis=1, keepdims=True), answered.sum(axis=1, keepdims=True)
    others = n_answered - answered
    rest = np.divide(n_right - right, others, out=np.full(right.shape, np.nan), where=others > 0)
    found = np.full(predictions.shape[1], np.nan)
    for item in range(predictions.shape[1]):
        used = answered[:, item] & ~np.isnan(rest[:, item])
        one, other = right[used, item].astype(np.float64), rest[used, item]
        if used.sum() >= FEWEST_MODELS and one.std() > 0 and other.std() > 0:
            found[item] = np.corrcoef(one, other)[0, 1]
    return found


def likely_wrong_keys(predictions: IntArray, targets: IntArray, n_choices: Sequence[int]) -> list[LikelyWrongKey]:
    """Items on which models that are good elsewhere agree on another choice, most probable first.

    Each model is right with its own accuracy and otherwise picks any other choice (Dawid and Skene 1979, "Maximum
    likelihood estimation of observer error-rates using the EM algorithm"), and a key is wrong with probability
    `PRIOR_OF_WRONG_KEY` beforehand. Deviation: models err together, so their evidence is divided by the design effect
    1 + (m - 1) r of their mean correlation r; without it every hard item would look like a wrong key.
    """
    n_models, n_items = predictions.shape
    if n_models < FEWEST_MODELS:
        return []
    right, answered = predictions == targets, predictions != NO_ANSWER
    accuracy = (right.sum(axis=1) + 1) / (answered.sum(axis=1) + 2)
    effect = 1 + (n_models - 1) * _mean_correlation(right, answered)
    found = []
    for item in range(n_items):
        posterior = _posterior(predictions[:, item], int(targets[item]), n_choices[item], accuracy, effect)
        suggested = int(np.argmax(posterior))
        if suggested != targets[item] and posterior[suggested] > LIKELY:
            n_agreeing = int((predictions[:, item] == suggested).sum())
            found.append(LikelyWrongKey(item, suggested, float(posterior[suggested]), n_agreeing))
    return sorted(found, key=lambda key: -key.probability)


def _posterior(predicted: IntArray, key: int, n_choices: int, accuracy: FloatArray, effect: float) -> FloatArray:
    """Of each choice to be the right one."""
    evidence = np.zeros(n_choices)
    for choice, share in zip(predicted.tolist(), accuracy.tolist(), strict=True):
        if 0 <= choice < n_choices:
            evidence[choice] += math.log(share) - math.log((1 - share) / (n_choices - 1))
    prior = np.full(n_choices, PRIOR_OF_WRONG_KEY / (n_choices - 1))
    prior[key] = 1 - PRIOR_OF_WRONG_KEY
    logs = np.log(prior) + evidence / effect
    shares = np.exp(logs - logs.max())
    return np.asarray(shares / shares.sum())


def _mean_correlation(right: npt.NDArray[np.bool_], answered: npt.NDArray[np.bool_]) -> float:
    """Of being right, over pairs of models, on the items that both answered; never below 0."""
    found = []
    for one in range(len(right)):
        for other in range(one):
            both = answered[one] & answered[other]
            pair = right[one, both].astype(np.float64), right[other, both].astype(np.float64)
            if both.sum() > 1 and pair[0].std() > 0 and pair[1].std() > 0:
                found.append(float(np.corrcoef(*pair)[0, 1]))
    return max(0.0, sum(found) / len(found)) if found else 0.0
