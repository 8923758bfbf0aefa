"""May I stop now? An interval for one pair that holds at every moment, however often it is looked at.

An ordinary interval is right for a number of votes fixed beforehand. Who looks after each vote and stops when it
excludes a half will find a winner among equals as often as he has patience. This one is right at all times together.

It is what is left after betting. If the mean score of the left item (1, 0, a tie a half) is m, nobody can expect to
gain by betting on it: the capital of a fixed portfolio b,

    prod (b y / m + (1 - b) (1 - y) / (1 - m)),

starts at 1 and is a martingale, and so is its mixture over any b. It exceeds 1 / alpha, ever, with probability alpha at
most (Ville 1939, "Etude critique de la notion de collectif"); the m for which it has not are the interval. The mixture
is Cover's (1991, "Universal portfolios"), b ~ Beta(1/2, 1/2), here on a grid, which keeps it exact (Orabona and Jun
2024, "Tight concentrations and confidence sequences from the regret of universal portfolio"). Without ties it is the
beta-binomial mixture of Robbins (1970, "Statistical methods related to the law of the iterated logarithm").

Only the numbers of wins, losses and ties enter, so it can be asked of counts at any time, and of past ones alike. It
holds for votes whose mean score, given those before, is m, whichever pairs and voters come between them.
"""

from collections.abc import Collection
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.special import logsumexp

from stats.bradley_terry import HALF_WINS, RATING_PER_STRENGTH, checked_half_wins
from stats.comparisons import FloatArray, Outcome, PairCounts
from stats.errors import InvalidLevelError, InvalidWeightError, SelfPairError
from stats.number_checks import check_item
from stats.uncertainty import two_sided_quantile

N_PORTFOLIOS: Final = 2048
ROWS_AT_ONCE: Final = 2**10  # which keeps their capitals in little memory
LARGEST_LOGARITHM: Final = 700.0  # of a number that float64 holds
HALVINGS: Final = 40  # of a distance below 1, so to 1e-12


class WinShare(NamedTuple):
    """Mean score of the left item, ties a half; and the interval that holds at all times.

    `evidence` is the factor by which betting against equality multiplied its stake: at 1 / alpha, 20 for 95 %, the
    interval excludes a half.
    """

    estimate: float
    lower: float
    upper: float
    evidence: float
    confidence_level: float

    @property
    def may_stop(self) -> bool:
        """Whether the better one of the two is settled."""
        return self.evidence >= 1 / (1 - self.confidence_level)

    @property
    def rating_difference(self) -> tuple[float, float]:
        """The ends of the interval in rating points, infinite where a share of 0 or 1 is not excluded."""
        with np.errstate(divide="ignore"):
            ends = np.log([self.lower, self.upper]) - np.log1p([-self.lower, -self.upper])
        return float(RATING_PER_STRENGTH * ends[0]), float(RATING_PER_STRENGTH * ends[1])


def win_share(n_left: float, n_right: float, *, n_ties: float = 0, confidence_level: float = 0.95) -> WinShare:
    """The share of left after so many wins of left, wins of right and ties. Raises StatsError."""
    two_sided_quantile(confidence_level)
    votes = np.array([n_left, n_right, n_ties], dtype=np.float64)
    _check_votes(votes)
    total = votes.sum()
    estimate = float((votes[0] + votes[2] / 2) / total) if total else float("nan")
    limit = -np.log1p(-confidence_level)
    middle = estimate if total else 0.5
    return WinShare(
        estimate=estimate,
        lower=_end(votes, middle, 0.0, limit=limit),
        upper=_end(votes, middle, 1.0, limit=limit),
        evidence=float(np.exp(min(float(log_evidence(*votes)), LARGEST_LOGARITHM))),
        confidence_level=confidence_level,
    )


def win_share_of_pair(
    counts: PairCounts,
    left: int,
    right: int,
    *,
    half_wins: Collection[Outcome] = HALF_WINS,
    confidence_level: float = 0.95,
) -> WinShare:
    """`win_share` of item `left` against item `right`, from plain votes. Raises StatsError."""
    for item in (left, right):
        check_item(item, counts.n_items)
    if left == right:
        raise SelfPairError(f"Item {left} has no share of wins against itself.")
    halves = checked_half_wins(half_wins)
    of_pair = counts.totals[(counts.left == min(left, right)) & (counts.right == max(left, right))].sum(axis=0)
    won, lost = of_pair[Outcome.LEFT], of_pair[Outcome.RIGHT]
    if left > right:
        won, lost = lost, won
    return win_share(won, lost, n_ties=of_pair[sorted(halves)].sum(), confidence_level=confidence_level)


def log_evidence(
    n_left: npt.ArrayLike, n_right: npt.ArrayLike, n_ties: npt.ArrayLike = 0.0, *, share: float = 0.5
) -> FloatArray:
    """Logarithm of the capital won against a true share, 0 < share < 1; arrays of numbers of votes of any one shape.

    Raises StatsError.
    """
    if not 0 < share < 1:
        raise InvalidLevelError(f"There is no betting against a share of {share}: it lies between 0 and 1.")
    votes = np.stack(
        np.broadcast_arrays(*(np.asarray(n, dtype=np.float64) for n in (n_left, n_right, n_ties))), axis=-1
    )
    _check_votes(votes)
    angles = (np.arange(N_PORTFOLIOS) + 0.5) * np.pi / N_PORTFOLIOS
    on_left, on_right = np.cos(angles / 2) ** 2 / share, np.sin(angles / 2) ** 2 / (1 - share)
    gains = np.log([on_left, on_right, (on_left + on_right) / 2])
    rows = votes.reshape(-1, 3)
    blocks = (rows[start : start + ROWS_AT_ONCE] for start in range(0, len(rows), ROWS_AT_ONCE))
    capital = [logsumexp(block @ gains, axis=-1) - np.log(N_PORTFOLIOS) for block in blocks]
    return np.concatenate([np.empty(0), *capital]).reshape(votes.shape[:-1])


def _check_votes(votes: FloatArray) -> None:
    valid = np.isfinite(votes) & (votes >= 0)
    if not valid.all():
        raise InvalidWeightError(f"Numbers of votes must be finite and from 0 up, not {votes[~valid][0]}.")


def _end(votes: FloatArray, middle: float, end: float, *, limit: float) -> float:
    """Where between the estimate and 0 or 1 the capital, which is convex in the share, has grown to the limit."""
    inner, outer = middle, end
    for _ in range(HALVINGS if middle != end else 0):
        between = (inner + outer) / 2
        if log_evidence(*votes, share=between) < limit:
            inner = between
        else:
            outer = between
    return outer
