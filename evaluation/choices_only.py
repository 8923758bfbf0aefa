"""How much of a set can be answered without reading the questions.

A small model of its own sees the choices alone and learns which of them tend to be right: a conditional logit over
their words and their lengths (McFadden 1974, "Conditional logit analysis of qualitative choice behavior"), with a ridge
penalty, judged by cross-validation. If it beats chance, so may a language model without knowing anything. (Poliak et
al. 2018, "Hypothesis only baselines in natural language inference", do the same to other data.)
"""

import re
import zlib
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize
from scipy.sparse import csr_array

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

N_FOLDS: Final = 5
N_WORD_COLUMNS: Final = 4096
LENGTH_COLUMNS: Final = ("longer", "longest", "shortest", "digits")
PENALTY: Final = 10.0
SEED: Final = 1234
TIE_BREAKER: Final = 1e-6
WORD: Final = re.compile(r"\w+")


class Item(NamedTuple):
    """A question with choices, of any benchmark."""

    id: str
    question: str
    choices: tuple[str, ...]
    target: int

    @property
    def whole_text(self) -> str:
        """For comparing items: the order of the choices and the key do not matter."""
        return " ".join([self.question, *sorted(self.choices)])


class _Choices(NamedTuple):
    """One row per choice of every item."""

    features: csr_array
    owner: IntArray
    """The item's number."""
    is_right: npt.NDArray[np.bool_]


def right_without_questions(items: Sequence[Item], group_of: Sequence[int]) -> npt.NDArray[np.bool_]:
    """Per item whether the model finds the key from the choices alone. Items of one group are never split between
    learning and judging: of a duplicate the key would be known."""
    choices = _as_rows(items)
    fold_of = _folds(group_of)
    right = np.zeros(len(items), dtype=bool)
    for fold in range(N_FOLDS):
        is_judged = fold_of == fold
        if not is_judged.any() or is_judged.all():
            continue
        weights = _fitted(choices, ~is_judged[choices.owner])
        right |= is_judged & _found(choices, weights, len(items))
    return right


def _folds(group_of: Sequence[int]) -> IntArray:
    names, codes = np.unique(np.asarray(group_of), return_inverse=True)
    folds = np.random.default_rng(SEED).permutation(len(names)) % N_FOLDS
    return folds[codes].astype(np.int64)


def _as_rows(items: Sequence[Item]) -> _Choices:
    rows, columns, values = [], [], []
    for row, column, value in _entries(items):
        rows.append(row)
        columns.append(column)
        values.append(value)
    n_rows = sum(len(item.choices) for item in items)
    shape = (n_rows, N_WORD_COLUMNS + len(LENGTH_COLUMNS))
    owner = np.repeat(np.arange(len(items)), [len(item.choices) for item in items])
    is_right = np.array([place == item.target for item in items for place in range(len(item.choices))])
    return _Choices(csr_array((values, (rows, columns)), shape=shape), owner, is_right)


def _entries(items: Sequence[Item]) -> Iterator[tuple[int, int, float]]:
    """Row, column and value of every feature that is not 0."""
    row = 0
    for item in items:
        lengths = [len(choice) for choice in item.choices]
        mean = sum(lengths) / len(lengths)
        for choice, length in zip(item.choices, lengths, strict=True):
            for word in {word.casefold() for word in WORD.findall(choice)}:
                yield row, zlib.crc32(word.encode("utf-8", "surrogatepass")) % N_WORD_COLUMNS, 1.0
            yield row, N_WORD_COLUMNS, (length - mean) / (mean or 1.0)
            yield row, N_WORD_COLUMNS + 1, float(length == max(lengths))
            yield row, N_WORD_COLUMNS + 2, float(length == min(lengths))
            yield row, N_WORD_COLUMNS + 3, float(any(character.isdigit() for character in choice))
            row += 1


def _fitted(choices: _Choices, is_learnt: npt.NDArray[np.bool_]) -> FloatArray:
    features, right = choices.features[is_learnt], choices.is_right[is_learnt]
    _, owner = np.unique(choices.owner[is_learnt], return_inverse=True)
    n_items = int(owner.max()) + 1
    transposed = features.T.tocsr()

    def loss(weights: FloatArray) -> tuple[float, FloatArray]:
        shares, log_totals, scores = _shares(features @ weights, owner, n_items)
        value = log_totals.sum() - scores[right].sum() + PENALTY / 2 * weights @ weights
        return float(value), transposed @ (shares - right) + PENALTY * weights

    found = minimize(loss, np.zeros(features.shape[1]), jac=True, method="L-BFGS-B", options={"maxiter": 200})
    weights: FloatArray = found.x
    return weights


def _shares(scores: FloatArray, owner: IntArray, n_items: int) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Softmax within each item, its logarithmic totals, and the scores, all shifted by each item's largest score."""
    largest = np.full(n_items, -np.inf)
    np.maximum.at(largest, owner, scores)
    shifted = scores - largest[owner]
    totals = np.bincount(owner, weights=np.exp(shifted), minlength=n_items)
    return np.exp(shifted) / totals[owner], np.log(totals), shifted


def _found(choices: _Choices, weights: FloatArray, n_items: int) -> npt.NDArray[np.bool_]:
    """Whether the key has the largest score of its item; of equal ones chance takes one, as a guesser would."""
    scores = choices.features @ weights
    scores = scores + TIE_BREAKER * np.random.default_rng(SEED).random(len(scores))
    wrong = np.where(choices.is_right, -np.inf, scores)
    best_wrong = np.full(n_items, -np.inf)
    np.maximum.at(best_wrong, choices.owner, wrong)
    found: npt.NDArray[np.bool_] = scores[choices.is_right] > best_wrong
    return found
