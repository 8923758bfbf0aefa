"""Boards whose true chances are known, and voters who vote by them or not."""

import numpy as np
from scipy.special import expit

from stats.comparisons import Comparisons, PairCounts


def cast(*rows, n_items=3):
    """Votes written as (left, right, outcome)."""
    left, right, outcome = zip(*rows, strict=True) if rows else ((), (), ())
    return Comparisons.from_arrays(left, right, outcome=outcome, n_items=n_items)


def world(rng, *, n_items=12, votes_per_pair=200):
    """Chances of left, right and tie (n_items, n_items, 3), and the counts of votes drawn from them."""
    strengths = rng.normal(0, 0.8, n_items)
    odds = strengths[:, np.newaxis] - strengths
    ties = 4 * 0.3 * expit(odds) * expit(-odds)
    chances = np.stack([expit(odds) - ties / 2, expit(-odds) - ties / 2, ties], axis=-1)
    first, second = np.triu_indices(n_items, 1)
    outcomes = rng.multinomial(votes_per_pair, chances[first, second])
    cells = [(i, j, k, n) for i, j, row in zip(first, second, outcomes, strict=True) for k, n in enumerate(row)]
    return chances, PairCounts.from_cells(cells, n_items=n_items)


def honest(rng, chances, n_votes):
    n_items = len(chances)
    left = rng.integers(0, n_items, n_votes)
    right = (left + rng.integers(1, n_items, n_votes)) % n_items
    outcome = (rng.random(n_votes)[:, np.newaxis] > np.cumsum(chances[left, right], axis=1)[:, :2]).sum(axis=1)
    return Comparisons.from_arrays(left, right, outcome=outcome, n_items=n_items)


def with_outcome(votes, outcome):
    return Comparisons.from_arrays(votes.left, votes.right, outcome=outcome, n_items=votes.n_items)


def counted(counts, votes):
    """The counts with these votes added."""
    old = zip(counts.left.tolist(), counts.right.tolist(), counts.totals.tolist(), strict=True)
    cells = [(left, right, outcome, n) for left, right, row in old for outcome, n in enumerate(row)]
    new = zip(votes.left.tolist(), votes.right.tolist(), votes.outcome.tolist(), strict=True)
    return PairCounts.from_cells([*cells, *((*one, 1.0) for one in new)], n_items=counts.n_items)
