"""Who votes unlike everybody else: a test that may be looked at after every vote, and still rarely blames the honest.

The evidence against a voter is a mixture of likelihood ratios, sum over k of w_k prod over votes q_k(v) / h(v): h is
what the others' votes make of the pair (`vote_predictions`), q_k how one kind of bad voter would vote. Of a voter who
votes as the others do its expectation is 1 after every vote, so it ever exceeds 1 / alpha with a probability of at
most alpha (Ville 1939, "Étude critique de la notion de collectif"; Ramdas, Grünwald, Vovk and Shafer 2023,
"Game-theoretic statistics and safe anytime-valid inference"). That is exact for known h and weights chosen before the
first vote; h is estimated, and `bench/voters.py` measures what is left of the promise.

The weights are a choice of where to be quick. A vote for a weak item says much, a vote for a strong one little, since
honest voters cast it as well: most of the weight of boosters lies where a vote says least, so that all are found after
about as many votes. Which items the voter met is no evidence, but it too may choose the weights, later ones by more
votes (`suspicions.log_weights`): given all pairs, each part of the mixture has the expectation 1 from its first vote
on, and to count it only later makes the evidence smaller. This needs that the pairs of an honest voter do not depend on
how that voter voted before, which holds unless one voter's votes move the whole board.

Other arenas' rules are in `voter_rules`, for comparison.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from stats.comparisons import Comparisons, FloatArray, IntArray
from stats.errors import InvalidLevelError, LengthMismatchError
from stats.suspicions import Explanation, explanation, log_likelihood_ratios, log_prior, log_weights
from stats.vote_predictions import VoteHistory, predictions

ALPHA: Final = 0.05
FEWEST_VOTES: Final = 10  # nobody is blamed for less


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
    """Weigh the votes of one voter, in the order in which they were cast; see `judge_voters`."""
    one = np.zeros(len(votes.left), dtype=np.int64)
    nothing = VoterEvidence(log_evidence=np.empty(0), flagged_at=None, explanation=None)
    return judge_voters(votes, one, history, counted=counted, alpha=alpha).get(0, nothing)


def judge_voters(
    votes: Comparisons, voter: IntArray, history: VoteHistory, *, counted: bool = True, alpha: float = ALPHA
) -> dict[int, VoterEvidence]:
    """Weigh the votes of many voters: `voter` (n_votes,) numbers who cast each vote, negative if nobody knows who.

    `counted` says that these votes are part of the history, from which each voter's are then taken out. A vote counts
    once, whatever its weight. Each voter is judged alone, so of many honest ones up to a share alpha may be flagged.
    Raises StatsError.
    """
    if voter.shape != votes.left.shape:
        raise LengthMismatchError(f"There are {len(votes.left)} votes and {len(voter)} numbers of their voters.")
    if not 0 < alpha < 1:
        raise InvalidLevelError(f"A share of false alarms lies between 0 and 1 (as 0.05 does), not at {alpha}.")
    h = predictions(history, votes, own=voter if counted else None)
    prior = log_prior(history)
    order = np.argsort(voter, kind="stable")
    numbers, starts = np.unique(voter[order], return_index=True)
    groups = zip(numbers.tolist(), np.split(order, starts[1:]), strict=False)
    return {number: _judged(rows(votes, mine), h[mine], prior, alpha) for number, mine in groups if number >= 0}


def rows(votes: Comparisons, chosen: IntArray) -> Comparisons:
    """The votes of these numbers."""
    return Comparisons(
        left=votes.left[chosen],
        right=votes.right[chosen],
        outcome=votes.outcome[chosen],
        weight=votes.weight[chosen],
        n_items=votes.n_items,
    )


def _judged(votes: Comparisons, h: FloatArray, prior: FloatArray, alpha: float) -> VoterEvidence:
    weighed = log_weights(votes, prior) + np.cumsum(log_likelihood_ratios(votes, h), axis=0)
    log_evidence = np.asarray(np.logaddexp.reduce(weighed, axis=1))
    beyond = (log_evidence > -np.log(alpha)) & (np.arange(len(log_evidence)) >= FEWEST_VOTES - 1)
    return VoterEvidence(
        log_evidence=log_evidence,
        flagged_at=int(np.argmax(beyond)) + 1 if beyond.any() else None,
        explanation=explanation(int(np.argmax(weighed[-1])), votes.n_items),
    )
