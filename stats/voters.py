"""Who votes unlike everybody else: a test that may be looked at after every vote, and still rarely blames the honest.

The evidence against a voter is a mixture of likelihood ratios, sum over k of w_k prod over votes q_k(v) / h(v): h is
what the others' votes make of the pair (`vote_predictions`), q_k how one kind of bad voter would vote. Of a voter who
votes as the others do its expectation is 1 after every vote, so it ever exceeds 1 / alpha with a probability of at
most alpha (Ville 1939, "Étude critique de la notion de collectif"; Ramdas, Grünwald, Vovk and Shafer 2023,
"Game-theoretic statistics and safe anytime-valid inference"). That is exact for known h; h is estimated, and
`bench/voters.py` measures what is left of the promise. Other arenas' rules are in `voter_rules`, for comparison.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NamedTuple

import numpy as np
from scipy.special import logsumexp

from stats.comparisons import Comparisons, FloatArray, IntArray, InvalidLevelError, LengthMismatchError
from stats.vote_predictions import LEFT, RIGHT, UNDECIDED, VoteHistory, columns_of, predictions

ALPHA: Final = 0.05
SIDE_SHARE: Final = 0.75  # of the votes of somebody who presses one button whatever the answers
FEWEST_VOTES: Final = 10  # nobody is blamed for less
BOOST_SHARE: Final = 0.9  # of the votes on its model of somebody who boosts or sinks one


class Suspicion(StrEnum):
    """What kind of voter explains the votes best."""

    COIN = "coin"  # decides without looking, and ties as often as the others
    ANY_BUTTON = "any_button"  # left, right and undecided alike
    LEFT_SIDE = "left_side"
    RIGHT_SIDE = "right_side"
    ALWAYS_UNDECIDED = "always_undecided"
    BOOSTS = "boosts"  # one model wins whenever it is seen
    SINKS = "sinks"  # one model loses whenever it is seen


WEIGHTS: Final = {
    Suspicion.COIN: 0.30,
    Suspicion.ANY_BUTTON: 0.05,
    Suspicion.LEFT_SIDE: 0.06,
    Suspicion.RIGHT_SIDE: 0.06,
    Suspicion.ALWAYS_UNDECIDED: 0.03,
    Suspicion.BOOSTS: 0.40,  # spread evenly over the models, as is the next
    Suspicion.SINKS: 0.10,
}


class Explanation(NamedTuple):
    """The suspicion with the largest share of the evidence after the last vote; `item` for boosting and sinking."""

    suspicion: Suspicion
    item: int | None


@dataclass(frozen=True, kw_only=True, eq=False)
class VoterEvidence:
    """`log_evidence` (n_votes,): natural logarithm of the evidence after each vote, 0 before the first.

    `flagged_at` is the number of votes, ten or more, after which it first exceeded 1 / alpha, None if it never did: a
    voter is flagged for good, however later votes look.
    """

    log_evidence: FloatArray
    flagged_at: int | None
    explanation: Explanation | None


def judge_voter(
    votes: Comparisons, history: VoteHistory, *, counted: bool = True, alpha: float = ALPHA
) -> VoterEvidence:
    """Weigh the votes of one voter, in the order in which they were cast.

    `counted` says that these votes are part of the history, from which they are then taken out. Raises StatsError.
    """
    _check(alpha)
    own = np.zeros(len(votes.left), dtype=np.int64) if counted else None
    return _evidence(votes, predictions(history, votes, own=own), alpha)


def judge_voters(
    votes: Comparisons, voter: IntArray, history: VoteHistory, *, counted: bool = True, alpha: float = ALPHA
) -> dict[int, VoterEvidence]:
    """The same for many voters: `voter` (n_votes,) numbers who cast each vote, negative if nobody knows who.

    Each is judged alone, so of many honest voters up to a share alpha may be flagged. Raises StatsError.
    """
    _check(alpha)
    if voter.shape != votes.left.shape:
        raise LengthMismatchError(f"There are {len(votes.left)} votes and {len(voter)} numbers of their voters.")
    h = predictions(history, votes, own=voter if counted else None)
    order = np.argsort(voter, kind="stable")
    numbers, starts = np.unique(voter[order], return_index=True)
    groups = zip(numbers.tolist(), np.split(order, starts[1:]), strict=False)
    return {number: _evidence(rows(votes, chosen), h[chosen], alpha) for number, chosen in groups if number >= 0}


def log_likelihood_ratios(votes: Comparisons, h: FloatArray) -> FloatArray:
    """ln q_k(v) / h(v), shape (n_votes, 5 + 2 n_items): the suspicions in their order, the last two once per item."""
    column, n_items = columns_of(votes), votes.n_items
    each = np.arange(len(column))
    h_vote = h[each, column]
    coin = np.where(column == UNDECIDED, h_vote, (1 - h[:, UNDECIDED]) / 2)
    sides = [pressed(h, column, button=button, share=SIDE_SHARE) for button in (LEFT, RIGHT, UNDECIDED)]
    ratios = np.zeros((len(column), 5 + 2 * n_items))
    ratios[:, :5] = np.log(np.column_stack([coin / h_vote, 1 / (3 * h_vote), *sides]))
    for item, wins, loses in ((votes.left, LEFT, RIGHT), (votes.right, RIGHT, LEFT)):
        ratios[each, 5 + item] = np.log(pressed(h, column, button=wins, share=BOOST_SHARE))
        ratios[each, 5 + n_items + item] = np.log(pressed(h, column, button=loses, share=BOOST_SHARE))
    return ratios


def pressed(h: FloatArray, column: IntArray, *, button: int, share: float) -> FloatArray:
    """q / h of a voter who presses the button with this probability, and otherwise votes as the others do."""
    return np.where(column == button, share / h[:, button], (1 - share) / (1 - h[:, button]))


def _evidence(votes: Comparisons, h: FloatArray, alpha: float) -> VoterEvidence:
    weighed = np.cumsum(log_likelihood_ratios(votes, h), axis=0) + _log_weights(votes.n_items)
    log_evidence = np.asarray(logsumexp(weighed, axis=1)) if len(weighed) else np.empty(0)
    beyond = (log_evidence > -np.log(alpha)) & (np.arange(len(log_evidence)) >= FEWEST_VOTES - 1)
    return VoterEvidence(
        log_evidence=log_evidence,
        flagged_at=int(np.argmax(beyond)) + 1 if beyond.any() else None,
        explanation=_explanation(int(np.argmax(weighed[-1])), votes.n_items) if len(weighed) else None,
    )


def _log_weights(n_items: int) -> FloatArray:
    alone = [weight for suspicion, weight in WEIGHTS.items() if suspicion not in (Suspicion.BOOSTS, Suspicion.SINKS)]
    shared = np.repeat([WEIGHTS[Suspicion.BOOSTS], WEIGHTS[Suspicion.SINKS]], n_items) / n_items
    return np.asarray(np.log(np.concatenate([alone, shared])))


def _explanation(position: int, n_items: int) -> Explanation:
    if position < 5:
        return Explanation(list(Suspicion)[position], None)
    kind, item = divmod(position - 5, n_items)
    return Explanation((Suspicion.BOOSTS, Suspicion.SINKS)[kind], item)


def rows(votes: Comparisons, chosen: IntArray) -> Comparisons:
    return Comparisons(
        left=votes.left[chosen],
        right=votes.right[chosen],
        outcome=votes.outcome[chosen],
        weight=votes.weight[chosen],
        n_items=votes.n_items,
    )


def _check(alpha: float) -> None:
    if not 0 < alpha < 1:
        raise InvalidLevelError(f"A share of false alarms lies between 0 and 1 (as 0.05 does), not at {alpha}.")
