"""What a strange voter may be up to: for each suspicion how its voter would vote, and how much it weighs beforehand."""

from enum import StrEnum
from itertools import pairwise
from typing import Final, NamedTuple

import numpy as np

from stats.comparisons import Comparisons, FloatArray, IntArray
from stats.vote_predictions import LEFT, RIGHT, UNDECIDED, VoteHistory, columns_of

SIDE_SHARE: Final = 0.75  # of the votes of somebody who presses one button whatever the answers
PUSH_SHARE: Final = 0.9  # of the votes on its item that are decided beforehand by who boosts or sinks one
SEEK_SHARE: Final = 0.2  # of the votes of who drops battles until the wanted item comes
LOOKED_AFTER: Final = (10, 20, 40)  # votes: which items has the voter met most?
EVENED_AFTER: Final = 8  # votes on the item: until then the weights make up for how much less some of them say
UNIFORM_SHARE: Final = 0.1  # of the weight of boosters, for every item alike


class Suspicion(StrEnum):
    """What kind of voter explains the votes best."""

    COIN = "coin"  # decides without looking, and ties as often as the others
    ANY_BUTTON = "any_button"  # left, right and undecided alike
    LEFT_SIDE = "left_side"
    RIGHT_SIDE = "right_side"
    ALWAYS_UNDECIDED = "always_undecided"
    BOOSTS = "boosts"  # one model wins whenever it is seen
    SINKS = "sinks"  # one model loses whenever it is seen


WEIGHTS: Final = {  # what they lack of 1 makes false alarms rarer
    Suspicion.COIN: 0.28,
    Suspicion.ANY_BUTTON: 0.02,
    Suspicion.LEFT_SIDE: 0.02,
    Suspicion.RIGHT_SIDE: 0.02,
    Suspicion.ALWAYS_UNDECIDED: 0.01,
    Suspicion.BOOSTS: 0.34,  # spread over the items, as is the next
    Suspicion.SINKS: 0.11,
}
N_ALONE: Final = 5  # suspicions that are about no item


class Explanation(NamedTuple):
    """The suspicion with the largest share of the evidence after the last vote; `item` for boosting and sinking."""

    suspicion: Suspicion
    item: int | None


def log_likelihood_ratios(votes: Comparisons, h: FloatArray) -> FloatArray:
    """ln q_k(v) / h(v), shape (n_votes, 5 + 2 n_items): the suspicions in their order, the last two once per item.

    h (n_votes, 3) are the predictions of the votes.
    """
    column, n_items = columns_of(votes), votes.n_items
    each = np.arange(len(column))
    h_vote = h[each, column]
    coin = np.where(column == UNDECIDED, h_vote, (1 - h[:, UNDECIDED]) / 2)
    sides = [_pressed(h, column, button=button) for button in (LEFT, RIGHT, UNDECIDED)]
    ratios = np.zeros((len(column), N_ALONE + 2 * n_items))
    ratios[:, :N_ALONE] = np.log(np.column_stack([coin / h_vote, 1 / (3 * h_vote), *sides]))
    for item, wins, loses in ((votes.left, LEFT, RIGHT), (votes.right, RIGHT, LEFT)):
        ratios[each, N_ALONE + item] = log_pushed(h, column, button=wins)
        ratios[each, N_ALONE + n_items + item] = log_pushed(h, column, button=loses)
    return ratios


def log_pushed(h: FloatArray, column: IntArray, *, button: int) -> FloatArray:
    """ln q / h of who presses the button in PUSH_SHARE of the votes, and in the rest votes as the others do."""
    return np.log(1 - PUSH_SHARE + np.where(column == button, PUSH_SHARE / h[:, button], 0.0))


def log_prior(history: VoteHistory) -> FloatArray:
    """ln of the weights of boosting and of sinking each item before any vote, shape (2, n_items)."""
    kinds = ((Suspicion.BOOSTS, LEFT), (Suspicion.SINKS, RIGHT))
    return np.array([np.log(WEIGHTS[kind]) + _log_shares(history.expected[:, :, column]) for kind, column in kinds])


def log_weights(votes: Comparisons, prior: FloatArray) -> FloatArray:
    """ln of the weights of all suspicions at each vote, shape (n_votes, 5 + 2 n_items).

    A quarter of the weight of boosters and sinkers lies on the items from the start. After 10, 20 and 40 votes another
    quarter comes in, which lies most on the items that the voter met most by then: who drops battles until the wanted
    item comes leaves that trace. It is spread as if a fifth of the voter's pairs had been looked for, and the others
    drawn evenly.
    """
    n_votes, n_items = len(votes.left), votes.n_items
    met = np.zeros(n_items)
    quarter = prior - np.log(1 + len(LOOKED_AFTER))
    told = np.log1p(SEEK_SHARE / (1 - SEEK_SHARE) * n_items / 2)  # by each time that the item was met
    looks = [0, *(after for after in LOOKED_AFTER if after <= n_votes)]
    parts = [quarter]
    for first, last in pairwise(looks):
        for item in (votes.left, votes.right):
            met += np.bincount(item[first:last], minlength=n_items)
        looked = quarter + told * met
        looked += (np.logaddexp.reduce(quarter, axis=1) - np.logaddexp.reduce(looked, axis=1))[:, np.newaxis]
        parts.append(np.logaddexp(parts[-1], looked))
    alone = np.log(list(WEIGHTS.values())[:N_ALONE])
    weights = [np.concatenate([alone, part.ravel()]) for part in parts]
    return np.repeat(weights, np.diff([0, *(after - 1 for after in looks[1:]), n_votes]), axis=0)


def explanation(position: int, n_items: int) -> Explanation:
    """What the column of `log_likelihood_ratios` is about."""
    if position < N_ALONE:
        return Explanation(list(Suspicion)[position], None)
    kind, item = divmod(position - N_ALONE, n_items)
    return Explanation((Suspicion.BOOSTS, Suspicion.SINKS)[kind], item)


def _pressed(h: FloatArray, column: IntArray, *, button: int) -> FloatArray:
    """q / h of who presses the button in SIDE_SHARE of all votes, and in the rest the others as everybody does."""
    return np.where(column == button, SIDE_SHARE / h[:, button], (1 - SIDE_SHARE) / (1 - h[:, button]))


def _log_shares(h: FloatArray) -> FloatArray:
    """h (n_items, n_items): how probably each item does against each other what its booster votes for.

    ln of a share that falls as exp(-EVENED_AFTER g), with g the expected evidence of one vote by the booster.
    """
    n_items = len(h)
    q = PUSH_SHARE + (1 - PUSH_SHARE) * h
    told = q * np.log(q / h) + (1 - q) * np.log(1 - PUSH_SHARE)
    np.fill_diagonal(told, 0.0)
    slowness = -EVENED_AFTER * told.sum(axis=1) / max(n_items - 1, 1)
    share = np.log1p(-UNIFORM_SHARE) + slowness - np.logaddexp.reduce(slowness)
    return np.asarray(np.logaddexp(share, np.log(UNIFORM_SHARE / max(n_items, 1))))
