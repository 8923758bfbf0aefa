"""The distinct token sequences that a model has to read, in an order in which common beginnings lie together."""

import itertools
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from llms.engines.scored_texts import ScoredText

Tokens = NDArray[np.uint32]
TOKEN = np.dtype(">u4")
"""Most significant byte first, so that sequences compare as their bytes do."""


class Question(NamedTuple):
    """A text of which the last tokens are asked for."""

    number: int
    targets: NDArray[np.int64]


class Path:
    """What the model reads: a text without its last token. Texts that differ only there share it."""

    __slots__ = ("_bytes", "first_asked", "questions")

    def __init__(self, content: bytes) -> None:
        self._bytes = content
        self.questions: list[Question] = []
        self.first_asked = len(self)
        """The first place whose prediction is asked for."""

    @property
    def tokens(self) -> NDArray[np.uint32]:
        return np.frombuffer(self._bytes, TOKEN)

    def __len__(self) -> int:
        return len(self._bytes) // TOKEN.itemsize

    def ask(self, question: Question) -> None:
        self.questions.append(question)
        self.first_asked = min(self.first_asked, len(self) - len(question.targets))


def paths_of(texts: Iterable[ScoredText]) -> list[Path]:
    """Sorted. Texts are numbered in the order in which they come."""
    by_content: dict[bytes, Path] = {}
    for number, (tokens, n_scored, _) in enumerate(texts):
        content = np.array(tokens[:-1], TOKEN).tobytes()
        path = by_content.get(content) or by_content.setdefault(content, Path(content))
        path.ask(Question(number, np.array(tokens[len(tokens) - n_scored :], np.int64)))
    return [by_content[content] for content in sorted(by_content)]


class Paths:
    """In order. `shared[i]` counts the tokens with which paths i - 1 and i begin alike."""

    def __init__(self, paths: list[Path]) -> None:
        self.paths = paths
        self.lengths = np.array([len(path) for path in self.paths], np.int64)
        self.first_asked = np.array([path.first_asked for path in self.paths], np.int64)
        self.shared = np.zeros(len(self.paths), np.int64)
        for place in range(1, len(self.paths)):
            self.shared[place] = n_alike(self.paths[place - 1].tokens, self.paths[place].tokens)
        self._new = np.concatenate([[0], np.cumsum(self.lengths - self.shared)])

    def __len__(self) -> int:
        return len(self.paths)

    def common(self, start: int, end: int) -> int:
        """Tokens with which all paths of the range begin alike."""
        return int(self.shared[start + 1 : end].min()) if end - start > 1 else int(self.lengths[start])

    def n_nodes(self, start: int, end: int, depth: int) -> int:
        """Tokens to compute for the range when common beginnings are computed once, and `depth` of each beforehand."""
        return int(self.lengths[start] - depth + self._new[end] - self._new[start + 1])

    def children(self, start: int, end: int) -> list[tuple[int, int]]:
        """The ranges that begin alike for longer than the whole range does."""
        cuts = start + 1 + np.flatnonzero(self.shared[start + 1 : end] == self.common(start, end))
        edges = [start, *map(int, cuts), end]
        return list(itertools.pairwise(edges))


def n_alike(left: NDArray[np.uint32], right: NDArray[np.uint32]) -> int:
    n = min(len(left), len(right))
    differs = left[:n] != right[:n]
    first = int(differs.argmax()) if n else 0
    return first if n and differs[first] else n
