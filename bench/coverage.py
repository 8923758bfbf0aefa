"""How often intervals hold the truth, by simulation; prints a Markdown table.

    python -m bench.coverage [--sets 4000] [--state coverage_state.json] [--only NAME]

Each simulated set has its own seed, so a run can be broken off: with --state what was done is kept and gone on from.
Truth is known because outcomes are drawn so that the expected score of the left item is exactly the model's.
"""

import argparse
import json
import sys
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy.special import expit, ndtr

from stats.bradley_terry import RATING_PER_STRENGTH, Gauge, fit
from stats.comparisons import Comparisons, Outcome, PairCounts
from stats.covariate_passes import ControlledComparisons
from stats.covariate_uncertainty import clustered_sandwich, covariate_sandwich
from stats.covariates import fit_with_covariates
from stats.laplacian import laplacian
from stats.ranks import simultaneous_rank_ranges
from stats.stopping import log_evidence
from stats.tie_uncertainty import tie_sandwich
from stats.ties import TieModel, fit_with_ties
from stats.uncertainty import sandwich

BATCH = 100
VOTES_OF_RARE = (100, 200, 400)  # of the last three items
N_ITEMS = 15
EFFECTS = np.array([0.25, -0.1])

Held = dict[str, np.ndarray]  # name -> whether each interval held the truth


class Case(NamedTuple):
    simulate: Callable[[np.random.Generator], Held]
    n_sets: int


def strengths_of(n_items: int, spread: float = 0.8) -> np.ndarray:
    """Evenly spread normal quantiles, in an order that has rare items neither at the top nor at the bottom."""
    order = np.random.default_rng(0).permutation(n_items)
    return np.sort(np.random.default_rng(1).normal(0, spread, n_items))[order]


def pairs_of(rng: np.random.Generator, pairing: str, n_votes: int, strengths: np.ndarray) -> tuple[np.ndarray, ...]:
    """Left, right and the number of votes of each pair; the last items are rare."""
    n_items, n_rare = len(strengths), len(VOTES_OF_RARE)
    left, right = np.triu_indices(n_items, 1)
    weight = np.ones(len(left))
    if pairing == "popular":
        popularity = np.exp(np.random.default_rng(2).normal(0, 0.8, n_items))
        weight = popularity[left] * popularity[right]
    if pairing == "near":
        weight = np.exp(-2 * np.abs(strengths[left] - strengths[right]))
    weight = np.where(right < n_items - n_rare, weight, 0.0)
    n = rng.multinomial(n_votes, weight / weight.sum())
    for rare, votes in enumerate(VOTES_OF_RARE, start=n_items - n_rare):
        its = (right == rare) & (left < n_items - n_rare)
        n[its] = rng.multinomial(votes, np.full(its.sum(), 1 / its.sum()))
    return left, right, n


def tie_rates(p: np.ndarray, share: float) -> np.ndarray:
    """How probable a tie is: `share` between equals, less the further apart they are, and E[y] = p throughout."""
    return 2 * share * np.minimum(p, 1 - p)


def counts_of(
    rng: np.random.Generator, *, pairing: str, ties: float, n_votes: int, n_items: int = N_ITEMS
) -> PairCounts:
    strengths = strengths_of(n_items)
    left, right, n = pairs_of(rng, pairing, n_votes, strengths)
    p = expit(strengths[left] - strengths[right])
    tie = tie_rates(p, ties)
    return counts_from(left, right, rng.multinomial(n, np.column_stack([p - tie / 2, 1 - p - tie / 2, tie])), n_items)


def counts_from(left: np.ndarray, right: np.ndarray, drawn: np.ndarray, n_items: int) -> PairCounts:
    met = drawn.sum(axis=1) > 0
    totals = np.column_stack([drawn, np.zeros(len(drawn))])[met].astype(np.float64)
    return PairCounts(left=left[met], right=right[met], totals=totals, squares=totals, n_items=n_items)


def plain(rng: np.random.Generator, *, pairing: str, ties: float, gauge: Gauge = Gauge.VOTE_WEIGHTED_MEAN) -> Held:
    counts = counts_of(rng, pairing=pairing, ties=ties, n_votes=20_000)
    result = fit(counts, gauge=gauge)
    uncertainty = sandwich(counts, result)
    truth = strengths_of(N_ITEMS)
    ranges = simultaneous_rank_ranges(uncertainty, rng=rng, n_draws=500).ranges
    true_ranks = 1 + (truth[:, np.newaxis] > truth).sum(axis=0)
    right = [r is not None and r.lower <= rank <= r.upper for r, rank in zip(ranges, true_ranks, strict=True)]
    return {"ratings": held(uncertainty, truth, result.gauge_weights), "all ranks": np.array([all(right)])}


def held(uncertainty, truth: np.ndarray, gauge_weights: np.ndarray) -> np.ndarray:
    rating = 1000 + RATING_PER_STRENGTH * (truth - gauge_weights @ truth)
    return (uncertainty.lower <= rating) & (rating <= uncertainty.upper)


def million(rng: np.random.Generator, *, peer: bool) -> Held:
    """A million votes, where arena-rank adds 10 to the diagonal of the information (its formula, recomputed here)."""
    n_items = 40
    counts = counts_of(rng, pairing="popular", ties=0.3, n_votes=1_000_000, n_items=n_items)
    result = fit(counts, gauge=Gauge.MEAN)
    if not peer:
        return {"ratings": held(sandwich(counts, result), strengths_of(n_items), result.gauge_weights)}
    p = expit(result.strengths[counts.left] - result.strengths[counts.right])
    n = counts.totals.sum(axis=1)
    squares = counts.totals[:, 0] * (1 - p) ** 2 + counts.totals[:, 1] * p**2 + counts.totals[:, 2] * (0.5 - p) ** 2
    bread = laplacian(counts.left, counts.right, weight=n * p * (1 - p), n_items=n_items) + 1e-5 * n.sum() * np.eye(
        n_items
    )
    inverse = np.linalg.inv(bread)
    meat = laplacian(counts.left, counts.right, weight=squares, n_items=n_items)
    error = np.sqrt(np.diagonal(inverse @ meat @ inverse)) * RATING_PER_STRENGTH
    truth = RATING_PER_STRENGTH * (strengths_of(n_items) - strengths_of(n_items).mean())
    return {"ratings": np.abs(result.ratings - 1000 - truth) <= 1.959964 * error}


def with_ties(rng: np.random.Generator, *, tie_model: TieModel) -> Held:
    strengths, log_tie = strengths_of(N_ITEMS), 0.5
    left, right, n = pairs_of(rng, "popular", 20_000, strengths)
    p = three_outcomes(tie_model, strengths[left] - strengths[right], log_tie)
    counts = counts_from(left, right, rng.multinomial(n, p), N_ITEMS)
    result = fit_with_ties(counts, tie_model=tie_model)
    uncertainty = tie_sandwich(counts, result)
    parameter = uncertainty.tie_parameter
    return {
        "ratings": held(uncertainty.ratings, strengths, result.gauge_weights),
        "tie parameter": np.array([parameter.lower <= np.exp(log_tie) <= parameter.upper]),
    }


def three_outcomes(tie_model: TieModel, difference: np.ndarray, log_tie: float) -> np.ndarray:
    if tie_model is TieModel.RAO_KUPPER:
        left, right = expit(difference - log_tie), expit(-difference - log_tie)
        return np.column_stack([left, right, 1 - left - right])
    odds = np.exp(np.column_stack([difference / 2, -difference / 2, np.full(len(difference), log_tie)]))
    return odds / odds.sum(axis=1, keepdims=True)


def votes_of(rng: np.random.Generator, n_votes: int) -> tuple[np.ndarray, np.ndarray]:
    """Left and right of single votes in random order, the pairs being popular ones and the last items rare."""
    left, right, n = pairs_of(rng, "popular", n_votes, strengths_of(N_ITEMS))
    rows = rng.permutation(np.repeat(np.arange(len(left)), n))
    return left[rows], right[rows]


def outcomes_of(p: np.ndarray, draw: np.ndarray, ties: float = 0.3) -> np.ndarray:
    tie = tie_rates(p, ties)
    return np.where(draw < p - tie / 2, Outcome.LEFT, np.where(draw < p + tie / 2, Outcome.TIE, Outcome.RIGHT))


def covariates(rng: np.random.Generator) -> Held:
    left, right = votes_of(rng, 6000)
    strengths = strengths_of(N_ITEMS)
    x = rng.normal(size=(len(left), 2))
    x[:, 1] += 0.5 * (strengths[left] - strengths[right])  # the better ones write more
    p = expit(strengths[left] - strengths[right] + x @ EFFECTS)
    votes = Comparisons.from_arrays(left, right, outcome=outcomes_of(p, rng.random(len(p))), n_items=N_ITEMS)
    result = fit_with_covariates(ControlledComparisons(comparisons=votes, covariates=x))
    uncertainty = covariate_sandwich(result)
    c = uncertainty.coefficients
    return {
        "ratings": held(uncertainty.ratings, strengths, result.gauge_weights),
        "coefficients": (c.lower <= EFFECTS) & (c.upper >= EFFECTS),
    }


def clustered(rng: np.random.Generator, *, as_if_independent: bool) -> Held:
    """Voters of 12 votes, whose votes are correlated by a taste of 0.8 while each of them keeps E[y] = p."""
    left, right = votes_of(rng, 6000)
    voters = rng.permutation(np.arange(len(left)) // 12)
    taste = rng.normal(size=voters.max() + 1)[voters]
    draw = ndtr(np.sqrt(0.8) * taste + np.sqrt(0.2) * rng.normal(size=len(left)))
    strengths = strengths_of(N_ITEMS)
    p = expit(strengths[left] - strengths[right])
    votes = Comparisons.from_arrays(left, right, outcome=outcomes_of(p, draw), n_items=N_ITEMS)
    counts = PairCounts.from_comparisons(votes)
    result = fit(counts)
    uncertainty = sandwich(counts, result) if as_if_independent else clustered_sandwich(votes, result, clusters=voters)
    return {"ratings": held(uncertainty, strengths, result.gauge_weights)}


def null_path(rng: np.random.Generator, *, ties: float, n_votes: int = 10_000) -> Held:
    """Whether the evidence against equality stays below 20 at every look: each vote at first, then every 2 %."""
    outcome = rng.choice(3, n_votes, p=[(1 - ties) / 2, (1 - ties) / 2, ties])
    looks = np.unique(np.concatenate([np.arange(100), 100 * 1.02 ** np.arange(240)]).astype(int))
    looks = looks[looks < n_votes]
    n_left, n_right, n_ties = (np.cumsum(outcome == each)[looks] for each in range(3))
    return {"never crossed": np.array([log_evidence(n_left, n_right, n_ties).max() < np.log(20)])}


def cases(n_sets: int) -> dict[str, Case]:
    half = max(n_sets // 2, 1)
    return {
        "no ties, all pairs alike": Case(lambda rng: plain(rng, pairing="uniform", ties=0.0), n_sets),
        "30 % ties, all pairs alike": Case(lambda rng: plain(rng, pairing="uniform", ties=0.3), n_sets),
        "30 % ties, popular pairs": Case(lambda rng: plain(rng, pairing="popular", ties=0.3), n_sets),
        "70 % ties, near pairs": Case(lambda rng: plain(rng, pairing="near", ties=0.7), n_sets),
        "30 % ties, popular pairs, plain mean": Case(
            lambda rng: plain(rng, pairing="popular", ties=0.3, gauge=Gauge.MEAN), n_sets
        ),
        "a million votes, 40 models": Case(lambda rng: million(rng, peer=False), half),
        "the same, arena-rank's formula": Case(lambda rng: million(rng, peer=True), half),
        "Rao-Kupper": Case(lambda rng: with_ties(rng, tie_model=TieModel.RAO_KUPPER), half),
        "Davidson": Case(lambda rng: with_ties(rng, tie_model=TieModel.DAVIDSON), half),
        "two covariates": Case(covariates, half),
        "voters of 12 votes, clustered": Case(lambda rng: clustered(rng, as_if_independent=False), half),
        "the same, as if independent": Case(lambda rng: clustered(rng, as_if_independent=True), half),
        "confidence sequence, equals, no ties": Case(lambda rng: null_path(rng, ties=0.0), half),
        "confidence sequence, equals, 40 % ties": Case(lambda rng: null_path(rng, ties=0.4), half),
    }


class Tally(NamedTuple):
    n_sets: int
    held: dict[str, list[int]]


def run(name: str, case: Case, tally: Tally) -> Tally:
    """The next batch of sets of a case, each from the seed of its number."""
    last = min(tally.n_sets + BATCH, case.n_sets)
    totals = {key: np.array(value) for key, value in tally.held.items()}
    for number in range(tally.n_sets, last):
        for key, value in case.simulate(np.random.default_rng([zlib.crc32(name.encode()), number])).items():
            totals[key] = totals.get(key, 0) + value.astype(np.int64)
    return Tally(last, {key: value.tolist() for key, value in totals.items()})


def table(tallies: dict[str, Tally]) -> str:
    lines = [
        "| simulated | sets | ratings: lowest and highest model | models with 100, 200, 400 votes | others |",
        "|---|---|---|---|---|",
    ]
    for name, tally in tallies.items():
        shares = {key: np.array(value) / tally.n_sets for key, value in tally.held.items()}
        ratings = shares.pop("ratings", None)
        models = f"{ratings.min():.3f} - {ratings.max():.3f}" if ratings is not None else ""
        rare = ", ".join(f"{share:.3f}" for share in ratings[-3:]) if ratings is not None else ""
        others = "; ".join(f"{key} " + ", ".join(f"{share:.3f}" for share in value) for key, value in shares.items())
        lines.append(f"| {name} | {tally.n_sets:,} | {models} | {rare} | {others} |")
    return "\n".join(lines)


def simulate(n_sets: int, *, state: Path | None = None, only: str = "") -> dict[str, Tally]:
    kept = json.loads(state.read_text()) if state and state.exists() else {}
    tallies = {name: Tally(*kept.get(name, (0, {}))) for name in cases(n_sets) if only in name}
    for name in tallies:
        case = cases(n_sets)[name]
        while tallies[name].n_sets < case.n_sets:
            tallies[name] = run(name, case, tallies[name])
            if state:
                state.write_text(json.dumps({**kept, **tallies}))
            print(f"{name}: {tallies[name].n_sets} of {case.n_sets}", file=sys.stderr, flush=True)
    return tallies


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--sets", type=int, default=4000, help="sets of a plain case; the others have half as many")
    parser.add_argument("--state", type=Path, help="a file to keep what was done in")
    parser.add_argument("--only", default="", help="the cases with this in their name")
    options = parser.parse_args()
    print(table(simulate(options.sets, state=options.state, only=options.only)))


if __name__ == "__main__":
    main()
