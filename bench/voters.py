"""How many honest voters the tests of `stats.voters` blame, and how many strange ones they find.

python -m bench.voters [--worlds 20] [--voters 100]

A world is a set of strengths, normal with the deviation that is given, ties with a peak of 30 %, and a history of
votes. In each world that many voters of each kind cast 60 votes on random pairs. A booster's model meets others in 30 %
of the votes besides, and 95 % of its votes go to it; it is drawn from all models, or from the weaker half (whoever
boosts a model that wins anyway does little, and can hardly be told from an honest voter). A clicker flips a coin, and
ties as often as the pair does.
"""

import argparse
from typing import NamedTuple

import numpy as np
from scipy.special import expit

from stats.campaigns import find_campaigns
from stats.comparisons import Comparisons, Outcome, PairCounts
from stats.vote_predictions import VoteHistory, vote_history
from stats.voter_rules import flagged_by_fastchat, flagged_by_fisher
from stats.voters import judge_voter

N_VOTES = 60
PEAK_TIES = 0.3
KINDS = (
    "honest",
    "random clicker",
    "clicks any of three",
    "80 % left side",
    "booster",
    "booster, 300 votes",
    "booster, weak half",
    "sinker",
)
DAY = 86400.0


class World(NamedTuple):
    chances: np.ndarray  # (n_items, n_items, 3) left, right, tie
    counts: PairCounts
    history: VoteHistory


def make_world(rng, *, n_items, votes_per_pair, spread=0.75, quirk=0.0):
    """`quirk` is the standard deviation of what a pair's log-odds have besides the strengths."""
    strengths = np.sort(rng.normal(0, spread, n_items))
    quirks = np.triu(rng.normal(0, quirk, (n_items, n_items)), 1)
    odds = strengths[:, None] - strengths + quirks - quirks.T
    ties = 4 * PEAK_TIES * expit(odds) * expit(-odds)
    left = expit(odds) - ties / 2
    chances = np.stack([left, 1 - ties - left, ties], axis=-1)
    low, high = votes_per_pair
    first, second = np.triu_indices(n_items, 1)
    n = rng.integers(low, high + 1, len(first))
    outcomes = rng.multinomial(n, chances[first, second])
    cells = [(a, b, k, m) for a, b, row in zip(first, second, outcomes, strict=False) for k, m in enumerate(row)]
    counts = PairCounts.from_cells(cells, n_items=n_items)
    return World(chances, counts, vote_history(counts))


def cast(rng, world, kind, n_votes=N_VOTES):
    n_items = len(world.chances)
    left = rng.integers(0, n_items, n_votes)
    right = (left + rng.integers(1, n_items, n_votes)) % n_items
    target = rng.integers(n_items // 2 if kind == "booster, weak half" else n_items)
    targeted = kind.startswith(("booster", "sinker"))
    if targeted:
        other = (target + rng.integers(1, n_items, n_votes)) % n_items
        seen, on_left = rng.random((2, n_votes)) < [[0.3], [0.5]]
        left, right = (
            np.where(seen, np.where(side, target, other), was) for side, was in ((on_left, left), (~on_left, right))
        )
    chances = world.chances[left, right]
    outcome = (rng.random(n_votes)[:, None] > np.cumsum(chances, axis=1)[:, :2]).sum(axis=1)
    biased = rng.random(n_votes)
    if kind == "random clicker":
        outcome = np.where(biased < chances[:, 2], Outcome.TIE, rng.integers(0, 2, n_votes))
    elif kind == "clicks any of three":
        outcome = rng.integers(0, 3, n_votes)
    elif kind == "80 % left side":
        outcome = np.where(biased < 0.8, Outcome.LEFT, rng.integers(1, 3, n_votes))
    elif targeted:
        wins = (Outcome.RIGHT, Outcome.LEFT) if kind == "sinker" else (Outcome.LEFT, Outcome.RIGHT)
        for side, choice in zip((left, right), wins, strict=False):
            outcome = np.where((side == target) & (biased < 0.95), choice, outcome)
    return Comparisons.from_arrays(left, right, outcome=outcome, n_items=n_items)


def voter_table(rng, title, *, n_worlds, n_voters, **setting):
    print(f"\n{title}: {n_worlds * n_voters} voters of each kind, {N_VOTES} votes each if not told")
    print(f"{'voter':22}{'FastChat':>10}{'Fisher':>8}{'ours':>8}{'median vote':>13}")
    flags = {kind: [] for kind in KINDS}
    for _ in range(n_worlds):
        world = make_world(rng, **setting)
        for kind in KINDS:
            for _ in range(n_voters):
                votes = cast(rng, world, kind, 300 if kind.endswith("300 votes") else N_VOTES)
                ours = judge_voter(votes, world.history, counted=False).flagged_at
                rules = flagged_by_fastchat(votes, world.history), flagged_by_fisher(votes, world.history, rng=rng)
                flags[kind].append((*rules, ours or np.inf))
    for kind, rows in flags.items():
        fastchat, fisher, ours = np.array(rows, dtype=float).T
        found = np.isfinite(ours)
        median = np.median(ours[found]) if found.any() else np.nan
        print(f"{kind:22}{fastchat.mean():10.3f}{fisher.mean():8.3f}{found.mean():8.3f}{median:13.0f}")


def campaign_table(rng, *, n_worlds, n_honest=300, days=7):
    """Honest voters over a week, with and without some who meet the model in a third of their 30 votes, in 4 hours."""
    print(f"\nCampaigns: {n_worlds} weeks of {n_honest} honest voters with 30 votes, 50 models, 20 votes a pair")
    print(f"{'boosters':>9}{'weeks with a name':>20}{'the right model':>18}{'the right voters':>18}")
    for n_boosters in (0, 3, 5, 8):
        named, right, caught = [], [], []
        for _ in range(n_worlds):
            world = make_world(rng, n_items=50, votes_per_pair=(20, 20))
            parts = [cast(rng, world, "honest", 30 * n_honest)]
            voter = [np.repeat(np.arange(n_honest), 30)]
            times = [rng.uniform(0, days * DAY, 30 * n_honest)]
            target = int(rng.integers(50))
            for number in range(n_boosters):
                parts.append(campaigner(rng, world, target))
                voter.append(np.full(30, n_honest + number))
                times.append(3 * DAY + rng.uniform(0, 4 * 3600.0, 30))
            votes = Comparisons.from_arrays(
                np.concatenate([part.left for part in parts]),
                np.concatenate([part.right for part in parts]),
                outcome=np.concatenate([part.outcome for part in parts]),
                n_items=50,
            )
            report = find_campaigns(
                votes, joined(world, votes), voter=np.concatenate(voter), times=np.concatenate(times)
            )
            named.append(bool(report.campaigns))
            hits = [one for one in report.campaigns if one.item == target and one.boosted]
            right.append(bool(hits))
            caught.append(bool(hits) and set(range(n_honest, n_honest + n_boosters)) <= set(hits[0].voters))
        print(f"{n_boosters:9}{np.mean(named):20.3f}{np.mean(right):18.3f}{np.mean(caught):18.3f}")


def campaigner(rng, world, target):
    n_items = len(world.chances)
    votes = cast(rng, world, "honest", 30)
    other = (target + rng.integers(1, n_items, 10)) % n_items
    left, right, outcome = votes.left.copy(), votes.right.copy(), votes.outcome.copy()
    left[:10], right[:10], outcome[:10] = target, other, np.where(rng.random(10) < 0.95, Outcome.LEFT, Outcome.TIE)
    return Comparisons.from_arrays(left, right, outcome=outcome, n_items=n_items)


def joined(world, votes):
    """The history with these votes counted, as a live arena has it."""
    c = world.counts
    old = np.repeat(np.arange(len(c.left)), 4)
    return vote_history(
        PairCounts.from_cells(
            [
                *zip(
                    c.left[old].tolist(),
                    c.right[old].tolist(),
                    [0, 1, 2, 3] * len(c.left),
                    c.totals.ravel().tolist(),
                    strict=False,
                ),
                *zip(
                    votes.left.tolist(),
                    votes.right.tolist(),
                    votes.outcome.tolist(),
                    [1.0] * len(votes.left),
                    strict=False,
                ),
            ],
            n_items=votes.n_items,
        )
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--worlds", type=int, default=20)
    parser.add_argument("--voters", type=int, default=100)
    asked = parser.parse_args()
    rng = np.random.default_rng(2026)
    size = {"n_worlds": asked.worlds, "n_voters": asked.voters}
    dense, sparse = {"n_items": 20, "votes_per_pair": (500, 500)}, {"n_items": 300, "votes_per_pair": (1, 5)}
    for spread in (0.6, 0.75):
        title = f"20 models, 500 votes a pair, strengths N(0, {spread})"
        voter_table(rng, title, **dense, spread=spread, **size)
    voter_table(rng, "300 models, 1-5 votes a pair, strengths N(0, 0.75)", **sparse, **size)
    voter_table(rng, "the same, pairs off the ratings by N(0, 0.3)", **sparse, quirk=0.3, **size)
    campaign_table(rng, n_worlds=asked.worlds * 2)


if __name__ == "__main__":
    main()
