"""Texts that are nearly the same, among many, without comparing all pairs.

A text is the set of its pieces of five characters. MinHash signatures (Broder 1997, "On the resemblance and containment
of documents") are cut into bands; two texts with an equal band are compared exactly, by the Jaccard index of their
sets. With these bands two texts of index 0.8 are compared with probability 0.9998. Paraphrases have few pieces in
common, and are not found.
"""

import itertools
import re
import unicodedata
import zlib
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

PIECE: Final = 5
N_BANDS: Final = 16
ROWS_PER_BAND: Final = 4
SEED: Final = 1234
LIKENESS: Final = 0.8
MOST_IN_BUCKET: Final = 200
"""Of a bucket that is larger only neighbours are compared: all of it is alike, and one chain shows that."""
NOT_WORDS: Final = re.compile(r"[^\w]+")
UintArray = npt.NDArray[np.uint64]


class NearDuplicate(NamedTuple):
    """Places of two texts, and the Jaccard index of their pieces: 1 for equal texts."""

    one: int
    other: int
    likeness: float


def near_duplicates(texts: Sequence[str], *, others: Sequence[str] | None = None) -> list[NearDuplicate]:
    """Pairs among `texts`; with `others`, pairs of one of each, which is the way to ask whether a private set stands in
    a public one."""
    n_own = len(texts)
    everything = [pieces(text) for text in (*texts, *(others or ()))]
    found = []
    for one, other in sorted(_candidates(everything)):
        if others is not None and not one < n_own <= other:
            continue
        likeness = jaccard(everything[one], everything[other])
        if likeness >= LIKENESS:
            found.append(NearDuplicate(one, other if others is None else other - n_own, likeness))
    return found


def groups(pairs: Sequence[NearDuplicate], n: int) -> list[int]:
    """Per text the first one that it hangs together with."""
    root = list(range(n))

    def find(place: int) -> int:
        while root[place] != place:
            root[place] = root[root[place]]
            place = root[place]
        return place

    for pair in pairs:
        low, high = sorted((find(pair.one), find(pair.other)))
        root[high] = low
    return [find(place) for place in range(n)]


def pieces(text: str) -> frozenset[int]:
    """Numbers for the pieces of the text in lower case, without punctuation."""
    plain = NOT_WORDS.sub(" ", unicodedata.normalize("NFKC", text).casefold()).strip().encode("utf-8", "surrogatepass")
    return frozenset(zlib.crc32(plain[start : start + PIECE]) for start in range(max(1, len(plain) - PIECE + 1)))


def jaccard(one: frozenset[int], other: frozenset[int]) -> float:
    shared = len(one & other)
    return shared / (len(one) + len(other) - shared)


def _candidates(sets: Sequence[frozenset[int]]) -> set[tuple[int, int]]:
    signatures = _signatures(sets)
    found: set[tuple[int, int]] = set()
    for band in range(N_BANDS):
        buckets: dict[bytes, list[int]] = {}
        columns = np.ascontiguousarray(signatures[:, band * ROWS_PER_BAND : (band + 1) * ROWS_PER_BAND])
        for place, row in enumerate(columns):
            buckets.setdefault(row.tobytes(), []).append(place)
        for bucket in buckets.values():
            found.update(_pairs(bucket))
    return found


def _pairs(bucket: Sequence[int]) -> Iterator[tuple[int, int]]:
    if len(bucket) > MOST_IN_BUCKET:
        yield from itertools.pairwise(bucket)
        return
    yield from itertools.combinations(bucket, 2)


def _signatures(sets: Sequence[frozenset[int]]) -> UintArray:
    """Per text the smallest value of each of N_BANDS * ROWS_PER_BAND hashes of its pieces."""
    rng = np.random.default_rng(SEED)
    n_hashes = N_BANDS * ROWS_PER_BAND
    factors = rng.integers(0, 1 << 63, size=n_hashes, dtype=np.uint64) * np.uint64(2) + np.uint64(1)
    offsets = rng.integers(0, 1 << 63, size=n_hashes, dtype=np.uint64)
    signatures = np.empty((len(sets), n_hashes), dtype=np.uint64)
    for place, one in enumerate(sets):
        values = np.fromiter(one, dtype=np.uint64, count=len(one))
        signatures[place] = _mixed(values[:, np.newaxis] * factors + offsets).min(axis=0)
    return signatures


def _mixed(values: UintArray) -> UintArray:
    """The finaliser of SplitMix64 (Steele, Lea and Flood 2014): a line alone keeps its arguments' order, and the
    smallest of one hash would be the smallest of all. Overflow is meant."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))
