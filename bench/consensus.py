"""Whether a consensus of signals is as sure as it should be, in simulated worlds with a known order; prints Markdown.

    python -m bench.consensus [--worlds 800] [--only NAME]

Each world has its own seed. *held*: ranges of ranks that hold the true rank. *width*: of a range, as a part of all.
*off*: the largest difference, over bins of the stated P(A above B), between what was stated and how often A was above.
*stated*, *right*: the share of pairs that the order was said to put the right way round, and that it did.
"""

import argparse
import zlib
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from stats.consensus import Consensus, consensus
from stats.signal_model import ALL_DIFFERENT, APART, CONCENTRATION, SHARE_PRIOR

BINS = np.linspace(0.5, 1.0, 6)
FEWEST_PAIRS = 200  # in a bin; fewer say nothing within three points
KNOWN_AT_LEAST = 5
N_DRAWS = 1000
OF_PRIOR = "as the prior says"


class World(NamedTuple):
    quality: np.ndarray  # (n_models,)
    estimates: np.ndarray  # (n_signals, n_models)
    standard_errors: np.ndarray


class Seen(NamedTuple):
    """Of one world, or of many put together."""

    held: np.ndarray
    width: np.ndarray
    stated: np.ndarray  # P(A above B) of the one that is said to be better, for each pair
    right: np.ndarray


Simulate = Callable[[np.random.Generator], World]


def families_of_prior(rng: np.random.Generator, k: int) -> np.ndarray:
    if rng.random() < ALL_DIFFERENT:
        return np.arange(k)
    families = [0]
    for guests in range(1, k):
        new = rng.random() < CONCENTRATION / (CONCENTRATION + guests)
        families.append(max(families) + 1 if new else families[rng.integers(guests)])
    return np.array(families)


def normal(rng: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
    return rng.normal(size=shape)


def heavy_tails(rng: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
    return rng.standard_t(4, size=shape) / np.sqrt(2)


class Setting(NamedTuple):
    """`noise` is the largest standard error over the scale of a signal, `missing` the share of unknown models."""

    shares: np.ndarray
    families: np.ndarray
    correlation: float = 0.0
    noise: float = 0.6
    missing: float = 0.0
    tails: Callable[[np.random.Generator, tuple[int, int]], np.ndarray] = normal


def world(rng: np.random.Generator, setting: Setting) -> World:
    shares, families, correlation = setting.shares, setting.families, setting.correlation
    k, n = len(families), int(rng.choice([8, 12, 20]))
    quality = rng.normal(size=n)
    common, own = setting.tails(rng, (families.max() + 1, n))[families], setting.tails(rng, (k, n))
    deviation = np.sqrt(correlation) * common + np.sqrt(1 - correlation) * own
    scales = np.exp(rng.normal(0, 1, (k, 1)))
    errors = scales * setting.noise * rng.random((k, 1)) * rng.uniform(0.5, 1.0, (k, n))
    true = scales * (np.sqrt(shares)[:, np.newaxis] * quality + np.sqrt(1 - shares)[:, np.newaxis] * deviation)
    estimates = rng.normal(0, 100, (k, 1)) + true + errors * rng.normal(size=(k, n))
    for row in estimates:
        unknown = rng.permutation(n)[KNOWN_AT_LEAST:]
        row[unknown[rng.random(len(unknown)) < setting.missing]] = np.nan
    return World(quality, estimates, errors)


def as_the_prior_says(rng: np.random.Generator, k: int, missing: float = 0.0) -> World:
    correlation = 1 - np.exp(rng.uniform(np.log(APART[-1]), np.log(APART[0])))
    shares = np.full(k, rng.beta(*SHARE_PRIOR))
    return world(rng, Setting(shares, families_of_prior(rng, k), correlation, missing=missing))


def fixed(rng: np.random.Generator, k: int, **options: object) -> World:
    """All signals measure the quality with 70 % of their variance, independently."""
    return world(rng, Setting(**{"shares": np.full(k, 0.7), "families": np.arange(k), **options}))


def split(rng: np.random.Generator, k: int) -> World:
    """Every signal knows the better or the worse two thirds of the models only."""
    whole = fixed(rng, k)
    order, n = np.argsort(whole.quality), len(whole.quality)
    for row in whole.estimates:
        row[order[: n // 3] if rng.random() < 0.5 else order[-(n // 3) :]] = np.nan
    return whole


def cases() -> dict[str, Simulate]:
    found: dict[str, Simulate] = {}
    for k in range(1, 7):
        found[f"{OF_PRIOR}, k = {k}"] = lambda rng, k=k: as_the_prior_says(rng, k)
    for k in (2, 4, 6):
        found[f"the same, 40 % missing, k = {k}"] = lambda rng, k=k: as_the_prior_says(rng, k, missing=0.4)
    for k in range(1, 7):
        found[f"70 % quality, independent, k = {k}"] = lambda rng, k=k: fixed(rng, k)
    for k in (2, 3, 4, 6):
        found[f"70 % quality, the first half one family, k = {k}"] = lambda rng, k=k: fixed(
            rng, k, families=np.maximum(np.arange(k) - (k + 1) // 2 + 1, 0), correlation=0.8
        )
    found["50 to 90 % quality, k = 5"] = lambda rng: fixed(rng, 5, shares=np.linspace(0.5, 0.9, 5))
    found["deviations with heavy tails (t, 4), k = 5"] = lambda rng: fixed(rng, 5, tails=heavy_tails)
    found["each knows the better or the worse two thirds, k = 5"] = lambda rng: split(rng, 5)
    return found


def seen_in(simulated: World, found: Consensus) -> Seen:
    rated = np.array(found.order)
    quality = simulated.quality[rated]
    ranks = 1 + (quality[:, np.newaxis] > quality).sum(axis=0)
    ranges = np.array([found.ranks[model] for model in rated])
    first, second = np.triu_indices(len(rated), 1)
    above = found.above[np.ix_(rated, rated)][first, second]
    better = np.where(above >= 0.5, quality[first] > quality[second], quality[first] < quality[second])
    return Seen(
        held=(ranges[:, 0] <= ranks) & (ranks <= ranges[:, 1]),
        width=(ranges[:, 1] - ranges[:, 0] + 1) / len(rated),
        stated=np.maximum(above, 1 - above),
        right=better,
    )


def simulate(name: str, n_worlds: int) -> Seen:
    parts = []
    for number in range(n_worlds):
        rng = np.random.default_rng([zlib.crc32(name.encode()), number])
        drawn = cases()[name](rng)
        parts.append(seen_in(drawn, consensus(drawn.estimates, drawn.standard_errors, rng=rng, n_draws=N_DRAWS)))
    return Seen(*(np.concatenate(arrays) for arrays in zip(*parts, strict=True)))


def largest_difference(seen: Seen) -> float:
    """Between stated and observed, over the bins with pairs enough."""
    bins = np.clip(np.digitize(seen.stated, BINS) - 1, 0, len(BINS) - 2)
    inside = [bins == each for each in range(len(BINS) - 1)]
    return max(abs(seen.stated[its].mean() - seen.right[its].mean()) for its in inside if its.sum() >= FEWEST_PAIRS)


def line(name: str, n_worlds: int, seen: Seen) -> str:
    cells = [seen.held.mean(), seen.width.mean(), largest_difference(seen), seen.stated.mean(), seen.right.mean()]
    return f"| {name} | {n_worlds:,} | " + " | ".join(f"{cell:.3f}" for cell in cells) + " |"


def certainties(n_worlds: int) -> str:
    """Mean certainty of two signals, and with a third: a copy, nearly one, a new one that agrees, one that does not."""
    rows = []
    for number in range(n_worlds):
        rng = np.random.default_rng(number)
        base = fixed(rng, 2, noise=0.3)
        n, spread = len(base.quality), base.estimates[0].std()
        fresh = np.sqrt(0.7) * base.quality + np.sqrt(0.3) * rng.normal(size=n)
        copy, errors = 3 * base.estimates[0] + 5, 3 * base.standard_errors[0]
        thirds = {
            "two": None,
            "and a copy": (copy, errors),
            "and nearly a copy": (copy + 3 * spread * rng.normal(0, 0.1, n), errors),
            "and a new one": (fresh, np.full(n, 0.1)),
            "and one at random": (rng.normal(size=n), np.full(n, 0.1)),
            "and one that is turned round": (-fresh, np.full(n, 0.1)),
        }
        row = {}
        for what, third in thirds.items():
            values, noise = base.estimates, base.standard_errors
            if third is not None:
                values, noise = np.vstack([values, third[0]]), np.vstack([noise, third[1]])
            found = consensus(values, noise, rng=np.random.default_rng(number), n_draws=N_DRAWS)
            width = np.mean([each.upper - each.lower + 1 for each in found.ranks]) / n
            row[what] = found.certainty, width
        rows.append(row)
    lines = ["| signals | certainty | width |", "|---|---|---|"]
    for what in rows[0]:
        certainty, width = np.mean([row[what] for row in rows], axis=0)
        lines.append(f"| {what} | {certainty:.3f} | {width:.3f} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--worlds", type=int, default=800, help="as the prior says; of the others half as many")
    parser.add_argument("--only", default="", help="the cases with this in their name")
    options = parser.parse_args()
    print("| simulated | worlds | held | width | off | stated | right |\n|---|---|---|---|---|---|---|")
    for name in cases():
        if options.only in name:
            n_worlds = options.worlds if name.startswith(OF_PRIOR) else max(1, options.worlds // 2)
            print(line(name, n_worlds, simulate(name, n_worlds)), flush=True)
    print("\n" + certainties(max(1, options.worlds // 5)))


if __name__ == "__main__":
    main()
