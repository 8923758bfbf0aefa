"""Which two meet, and with what probability. Pure: weights and randomness are passed in."""

import itertools
import math
import random
from collections.abc import Collection, Mapping
from typing import NamedTuple


class Draw(NamedTuple):
    llm_a: int
    llm_b: int
    probability: float
    """That these two meet, whatever the sides. Weighted fits divide by it, so it must be exact."""


class TooFewContenders(ValueError):
    """A battle needs two models that may be drawn."""


def draw(weights: Mapping[int, float], rng: random.Random, *, never: Collection[frozenset[int]] = ()) -> Draw:
    """Draw a pair, then a fair coin for the sides.

    A pair's probability is proportional to the product of its two weights; pairs in `never` are left out. Models
    with weight 0 are never drawn.
    """
    heaviest = max(weights.values(), default=0)
    shares = {id_: weight / heaviest for id_, weight in sorted(weights.items()) if weight > 0}
    pairs = [
        (one, other, shares[one] * shares[other])
        for one, other in itertools.combinations(shares, 2)
        if frozenset((one, other)) not in never
    ]
    total = math.fsum(weight for _, _, weight in pairs)
    if not total:
        raise TooFewContenders(f"{len(shares)} models may be drawn, and no allowed pair remains")
    one, other, weight = rng.choices(pairs, weights=[weight for _, _, weight in pairs])[0]
    llm_a, llm_b = (one, other) if rng.random() < 0.5 else (other, one)
    return Draw(llm_a, llm_b, weight / total)


def draw_replacement(weights: Mapping[int, float], rng: random.Random, *, not_these: Collection[int]) -> int | None:
    """One more model by weight, or None if nobody is left."""
    candidates = {id_: weight for id_, weight in sorted(weights.items()) if weight > 0 and id_ not in not_these}
    return rng.choices(list(candidates), weights=list(candidates.values()))[0] if candidates else None
