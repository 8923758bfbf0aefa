import numpy as np

from stats.comparisons import Comparisons, Outcome
from stats.vote_predictions import vote_history
from stats.voter_rules import flagged_by_fastchat, flagged_by_fisher

L, R, T, B = Outcome


def cast(*rows, n_items=2):
    left, right, outcome = zip(*rows, strict=True) if rows else ((), (), ())
    return Comparisons.from_arrays(left, right, outcome=outcome, n_items=n_items)


def test_fishers_rule_never_speaks_of_votes_that_were_ever_seen(board):
    history = vote_history(board("60*A>B 40*B>A 30*A=B"))

    for votes in ([(0, 1, L)] * 60, [(0, 1, R), (1, 0, T)] * 30, []):
        assert not flagged_by_fisher(cast(*votes), history, rng=np.random.default_rng(1))


def test_fishers_rule_flags_wins_that_were_never_seen(board):
    history = vote_history(board("999*B>A", n_items=2))

    assert flagged_by_fisher(cast(*[(0, 1, L)] * 120, n_items=2), history, rng=np.random.default_rng(0))
    assert flagged_by_fisher(cast(*[(1, 0, R)] * 120, n_items=2), history, rng=np.random.default_rng(0))
    assert not flagged_by_fisher(cast(*[(1, 0, L)] * 120, n_items=2), history, rng=np.random.default_rng(0))


def test_fastchats_rule_multiplies_two_sided_shares(board):
    history = vote_history(board("5*A>B 5*B>A 5*A=B"))
    ups = [(0, 1, L), (1, 0, R), (0, 1, R)]  # factors 1/2 up (always 2 * 1), 1 / (2 * 0.5) down

    assert not flagged_by_fastchat(cast(*ups * 30, n_items=2), history)
    strong = vote_history(board("10*A>B 90*B>A"))
    assert not flagged_by_fastchat(cast(*[(0, 1, L)] * 4, n_items=2), strong)
    assert flagged_by_fastchat(cast(*[(0, 1, L)] * 5, n_items=2), strong)
    assert flagged_by_fastchat(cast(*[(1, 0, R)] * 5, n_items=2), strong)
    assert not flagged_by_fastchat(cast(*[(0, 1, R)] * 100, n_items=2), strong)


def test_fastchats_rule_blames_honest_ties(board):
    history = vote_history(board("50*A>B 10*B>A 40*A=B"))

    assert flagged_by_fastchat(cast(*[(0, 1, T)] * 5, n_items=2), history)
