"""Rows as the arrays that a model is fed with."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from llms.engines.huggingface.scoring.paths import Paths, Question
from llms.engines.huggingface.scoring.planning import Row


class Answers(NamedTuple):
    """For one question: in which places of the flattened batch the predictions of its targets are."""

    question: Question
    places: NDArray[np.int64]


class Batch(NamedTuple):
    tokens: NDArray[np.int64]
    """Rows by places, filled up with zeros at the right."""
    depths: NDArray[np.int64]
    """How many tokens each of them sees before itself: its position."""
    sees: NDArray[np.bool_] | None
    """Rows by places by what they look at, the stem first. None where every row is one path, and plainly causal."""
    answers: list[Answers]


def batch_of(paths: Paths, rows: Sequence[Row], depth: int) -> Batch:
    """Rows that follow a stem of `depth` tokens."""
    width = max(row.n_tokens for row in rows)
    tokens = np.zeros((len(rows), width), np.int64)
    depths = np.zeros_like(tokens)
    is_plain = all(row.is_plain for row in rows)
    sees = None if is_plain else np.zeros((len(rows), width, depth + width), np.bool_)
    if sees is not None:
        sees[:, :, :depth] = True
    answers: list[Answers] = []
    for number, row in enumerate(rows):
        own = None if sees is None else sees[number, :, depth:]
        for question, places in _grow(paths, row, depth, (tokens[number], depths[number], own)):
            answers.append(Answers(question, places + number * width))
    return Batch(tokens, depths, sees, answers)


def _grow(
    paths: Paths,
    row: Row,
    depth: int,
    arrays: tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_] | None],
) -> list[Answers]:
    """Write a row's tree into its arrays."""
    tokens, depths, sees = arrays
    places = np.zeros(int(paths.lengths[list(row.paths)].max()), np.int64)
    """Where the tokens of the path at hand are in the row."""
    answers: list[Answers] = []
    end = 0
    for number, start in zip(row.paths, row.starts, strict=True):
        path = paths.paths[number]
        length = len(path)
        new = slice(end, end := end + length - start)
        tokens[new] = path.tokens[start:]
        depths[new] = np.arange(start, length)
        if sees is not None:
            sees[new, places[depth:start]] = True
            sees[new, new] = np.tri(length - start, dtype=np.bool_)
        places[start:length] = np.arange(new.start, new.stop)
        answers += [Answers(asked, places[length - len(asked.targets) : length].copy()) for asked in path.questions]
    return answers
