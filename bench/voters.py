"""How many honest voters the tests of `stats.voters` blame, and how many strange ones they find.

python -m bench.voters [--worlds 20] [--voters 100]

A world is a set of strengths, normal with the deviation that is given, ties with a peak of 30 %, and a history of
votes. In each world that many voters of each kind cast 60 votes on random pairs. A booster's model meets others in 30 %
of the votes besides, and 95 % of its votes go to it; it is drawn from all models, or from the weaker half. A clicker
flips a coin, and ties as often as the pair does. Who drops a model leaves every other battle in which it appears.

Columns: the rules of two arenas; ours, and after how many votes half of the found were found. Then what nobody can
play: the likelihood ratio of who knows the true chances, what kind of voter this may be, which model and which shares,
flagged at any time beyond 20, and after the last vote at exactly 2 % false alarms (the most powerful test there is, by
Neyman and Pearson).
"""

import argparse
from typing import NamedTuple

import numpy as np
from scipy.special import expit

from stats.campaigns import find_campaigns
from stats.comparisons import Comparisons, PairCounts
from stats.vote_predictions import VoteHistory, columns_of, vote_history
from stats.voter_rules import flagged_by_fastchat, flagged_by_fisher
from stats.voters import ALPHA, judge_voters, rows

N_VOTES = 60
PEAK_TIES = 0.3
PUSH, EXTRA = 0.95, 0.3
PUSHING = ("booster", "sinker")
KINDS = (
    "honest",
    "honest, drops a model",
    "random clicker",
    "clicks any of three",
    "80 % left side",
    "booster",
    "booster, 300 votes",
    "booster, weak half",
    "sinker",
)
COLUMNS = ("FastChat", "Fisher", "ours", "votes", "knows all", "and waits")
DAY = 86400.0


class World(NamedTuple):
    chances: np.ndarray  # (n_items, n_items, 3) left, right, tie
    counts: PairCounts
    history: VoteHistory


class Cast(NamedTuple):
    votes: Comparisons
    voter: np.ndarray
    ratio: np.ndarray  # ln of the likelihood ratio of who knows all, per vote
    honest_ratio: np.ndarray  # the same, had the voter been honest


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


def random_pairs(rng, n_items, n):
    left = rng.integers(0, n_items, n)
    return left, (left + rng.integers(1, n_items, n)) % n_items


def targets_of(rng, world, kind, n_voters):
    n_items = len(world.chances)
    return rng.integers(n_items // 2 if kind == "booster, weak half" else n_items, size=n_voters)


def cast(rng, world, kind, targets, n_votes=N_VOTES):
    """One voter of this kind per target."""
    target = np.repeat(targets, n_votes)
    n_items, n = len(world.chances), len(target)
    left, right = shown(rng, n_items, kind, target)
    h = world.chances[left, right]
    q = unlike(h, kind)
    if kind.startswith(PUSHING):
        for side, shown_there in enumerate((left, right)):
            q = np.where((shown_there == target)[:, None], pushed(h, kind, side), q)
    outcome, honest = ((rng.random(n)[:, None] > np.cumsum(one, axis=1)[:, :2]).sum(axis=1) for one in (q, h))
    each, log_ratio = np.arange(n), np.log(q / h)
    votes = Comparisons.from_arrays(left, right, outcome=outcome, n_items=n_items)
    return Cast(votes, np.repeat(np.arange(len(targets)), n_votes), log_ratio[each, outcome], log_ratio[each, honest])


def shown(rng, n_items, kind, target):
    n = len(target)
    left, right = random_pairs(rng, n_items, n)
    if kind.startswith(PUSHING):
        other = (target + rng.integers(1, n_items, n)) % n_items
        seen, on_left = rng.random((2, n)) < [[EXTRA], [0.5]]
        left = np.where(seen, np.where(on_left, target, other), left)
        right = np.where(seen, np.where(on_left, other, target), right)
    undecided = np.full(n, kind == "honest, drops a model")
    while undecided.any():
        undecided &= ((left == target) | (right == target)) & (rng.random(n) < 0.5)
        again = random_pairs(rng, n_items, n)
        left, right = np.where(undecided, again[0], left), np.where(undecided, again[1], right)
    return left, right


def pushed(h, kind, side):
    wins = np.eye(3)[side if kind.startswith("booster") else 1 - side]
    return PUSH * wins + (1 - PUSH) * h


def unlike(h, kind):
    """How this kind of voter votes where honest ones vote by h."""
    coin = np.column_stack([(1 - h[:, 2]) / 2, (1 - h[:, 2]) / 2, h[:, 2]])
    kinds = {"random clicker": coin, "clicks any of three": 1 / 3, "80 % left side": [0.8, 0.1, 0.1]}
    return np.broadcast_to(kinds.get(kind, h), h.shape)


def voter_table(rng, title, *, n_worlds, n_voters, **setting):
    print(f"\n{title}: {n_worlds * n_voters} voters of each kind, {N_VOTES} votes each if not told")
    print(f"{'voter':22}" + "".join(f"{column:>{max(len(column) + 2, 8)}}" for column in COLUMNS))
    worlds = [make_world(rng, **setting) for _ in range(n_worlds)]
    for kind in KINDS:
        n_votes = 300 if kind.endswith("300 votes") else N_VOTES
        flags, ends = [], []
        for world in worlds:
            made = cast(rng, world, kind, targets_of(rng, world, kind, n_voters), n_votes)
            flags.append(flags_of(rng, world, made, n_votes))
            ends.append([one.reshape(-1, n_votes).sum(axis=1) for one in (made.ratio, made.honest_ratio)])
        print(f"{kind:22}" + table_row(np.concatenate(flags), np.concatenate(ends, axis=1)))


def flags_of(rng, world, made, n_votes):
    """One row per voter: FastChat, Fisher, ours (number of votes or infinite), who knows all."""
    judged = judge_voters(made.votes, made.voter, world.history, counted=False)
    flags = []
    for number, ratio in enumerate(made.ratio.reshape(-1, n_votes)):
        mine = rows(made.votes, np.flatnonzero(made.voter == number))
        rules = flagged_by_fastchat(mine, world.history), flagged_by_fisher(mine, world.history, rng=rng)
        ours = judged[number].flagged_at or np.inf
        flags.append((*rules, ours, np.cumsum(ratio).max() > -np.log(ALPHA)))
    return np.array(flags, dtype=float)


def table_row(flags, ends):
    fastchat, fisher, ours, knows = flags.T
    waits = (ends[0] > np.quantile(ends[1], 0.98)).mean() if ends.any() else np.nan
    found = np.isfinite(ours)
    median = np.median(ours[found]) if found.any() else np.nan
    cells = f"{fastchat.mean():10.3f}{fisher.mean():8.3f}{found.mean():8.3f}{median:8.0f}"
    return cells + (f"{knows.mean():11.3f}{waits:11.3f}" if ends.any() else f"{'-':>11}{'-':>11}")


def campaign_table(rng, *, n_weeks, n_honest=300, days=7):
    """A week of honest voters with 30 votes within an hour each; boosters meet the model in a third of theirs."""
    print(f"\nCampaigns: {n_weeks} weeks of {n_honest} honest voters, 30 votes each, 50 models, 20 votes a pair; five")
    print("times as many weeks without boosters")
    print(f"{'boosters':>9}{'a name':>9}{'right':>8}{'of them named':>15}{'honest named':>14}{'knows all':>11}")
    for n_boosters in (0, 2, 3, 4, 5, 8):
        repeats = n_weeks if n_boosters else 5 * n_weeks
        weeks = [campaign(rng, n_boosters=n_boosters, n_honest=n_honest, days=days) for _ in range(repeats)]
        named, right, caught, blamed, knows = (mean_known(column) for column in np.array(weeks, dtype=float).T)
        print(f"{n_boosters:9}{named:>9}{right:>8}{caught:>15}{blamed:>14}{knows:>11}")


def mean_known(values):
    known = values[np.isfinite(values)]
    return f"{known.mean():.3f}" if len(known) else "-"


def campaign(rng, *, n_boosters, n_honest, days):
    """Was anything named, was it right, what share of the boosters and how many others; could who knows all tell?

    The last sums the boosters' true likelihood ratios without the strongest, and needs 20 for its only look.
    """
    world = make_world(rng, n_items=50, votes_per_pair=(20, 20))
    target = int(rng.integers(50))
    honest = cast(rng, world, "honest", np.zeros(n_honest, dtype=int), 30)
    times = np.repeat(rng.uniform(0, days * DAY, n_honest), 30) + rng.uniform(0, 3600.0, 30 * n_honest)
    made = cast(rng, world, "booster", np.full(n_boosters, target), 30)
    votes = Comparisons.from_arrays(
        *(np.concatenate([getattr(one.votes, side) for one in (honest, made)]) for side in ("left", "right")),
        outcome=np.concatenate([honest.votes.outcome, made.votes.outcome]),
        n_items=50,
    )
    times = np.concatenate([times, 3 * DAY + rng.uniform(0, 4 * 3600.0, 30 * n_boosters)])
    voter = np.concatenate([honest.voter, n_honest + made.voter])
    report = find_campaigns(votes, joined(world, votes), voter=voter, times=times)
    hits = [one for one in report.campaigns if one.item == target and one.boosted]
    caught = np.mean(np.isin(n_honest + np.arange(n_boosters), hits[0].voters)) if hits and n_boosters else np.nan
    blamed = sum(one < n_honest for one in hits[0].voters) if hits else np.nan
    ratios = made.ratio.reshape(n_boosters, 30).sum(axis=1)
    knows = ratios.sum() - ratios.max(initial=0.0) > -np.log(ALPHA)
    return bool(report.campaigns), bool(hits), caught, blamed, knows


def joined(world, votes):
    """The history with these votes counted, as a live arena has it."""
    c = world.counts
    old = zip(
        np.repeat(c.left, 4).tolist(),
        np.repeat(c.right, 4).tolist(),
        [0, 1, 2, 3] * len(c.left),
        c.totals.ravel().tolist(),
        strict=True,
    )
    new = zip(
        votes.left.tolist(), votes.right.tolist(), columns_of(votes).tolist(), [1.0] * len(votes.left), strict=True
    )
    return vote_history(PairCounts.from_cells([*old, *new], n_items=votes.n_items))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--worlds", type=int, default=20)
    parser.add_argument("--voters", type=int, default=100)
    asked = parser.parse_args()
    rng = np.random.default_rng(2026)
    size = {"n_worlds": asked.worlds, "n_voters": asked.voters}
    dense, sparse = {"n_items": 20, "votes_per_pair": (500, 500)}, {"n_items": 300, "votes_per_pair": (1, 5)}
    for spread in (0.5, 0.6, 0.75):
        title = f"20 models, 500 votes a pair, strengths N(0, {spread})"
        voter_table(rng, title, **dense, spread=spread, **size)
    title = "300 models, 1-5 votes a pair, strengths N(0, 0.75)"
    voter_table(np.random.default_rng(2028), title, **sparse, **size)
    voter_table(np.random.default_rng(2029), f"{title}, pairs off them by N(0, 0.3)", **sparse, quirk=0.3, **size)
    campaign_table(np.random.default_rng(2027), n_weeks=asked.worlds * 2)


if __name__ == "__main__":
    main()
