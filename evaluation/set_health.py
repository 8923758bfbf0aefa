"""Is a private set fit to measure with? From the upload alone, and, where there are some, from the answers of models.

Tests are exact: under the assumption that the key stands anywhere with equal chances, the number of items with a
property is a sum of independent draws, whose distribution is computed and not approximated.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.stats import binom

from evaluation.choices_only import Item, right_without_questions
from evaluation.near_duplicates import NearDuplicate, groups, near_duplicates
from evaluation.wrong_keys import IntArray, LikelyWrongKey, discrimination, likely_wrong_keys
from llms.sentences import Sentence, filled, mark
from stats.proportions import smallest_difference

ALPHA: Final = 0.01
"""A finding is shown if chance gives it once in a hundred healthy sets."""
MANY: Final = 0.02
"""Of the items: fewer duplicates or likely wrong keys than this are listed, and not made much of."""
SAME: Final = 0.95
"""Likeness from which two questions are taken for one. Below it a number or a name may be another."""
FloatArray = npt.NDArray[np.float64]


class Excess(NamedTuple):
    """How many items have a property, beside what chance would give."""

    n: int
    expected: float
    of: int
    p_value: float


class PublicDuplicate(NamedTuple):
    benchmark: str
    pair: NearDuplicate
    """Own item, place in the public set, likeness."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SetHealth:
    n_items: int
    positions: tuple[Excess, ...]
    """How often each place is right; the p-values are Holm's, of all places together."""
    longest_is_right: Excess
    """Of the items with one longest choice."""
    without_question: Excess
    """Items that a small model answers from the choices alone."""
    duplicates: tuple[NearDuplicate, ...]
    n_superfluous: int
    """Items that would go if one of each group of duplicates stayed."""
    contradictions: tuple[NearDuplicate, ...]
    """The same question with the same choices, and another key."""
    in_public_sets: tuple[PublicDuplicate, ...]
    smallest_difference: float | None
    """Of two models' shares of right answers that the set tells apart four times out of five."""
    discrimination: tuple[float, ...] = ()
    """Per item; empty without answers of models."""
    wrong_keys: tuple[LikelyWrongKey, ...] = ()

    @property
    def findings(self) -> tuple[Sentence, ...]:
        """What somebody should look at, as sentences; none for a healthy set."""
        return tuple(filled(words, **values) for words, values in _findings(self))


def health_of(
    items: Sequence[Item], *, public: Mapping[str, Sequence[Item]] | None = None, predictions: IntArray | None = None
) -> SetHealth:
    """`public` are sets that the items might come from; `predictions`, of shape (n_models, n_items), the places of the
    choices that models took, `NO_ANSWER` where they gave none. Items have at least two choices each; or all of them
    none, where models write their answers: then their target is 0, and so is a prediction that is right."""
    texts = [item.whole_text for item in items]
    duplicates = near_duplicates(texts)
    group_of = groups(duplicates, len(items))
    of_the_texts = SetHealth(
        n_items=len(items),
        positions=_positions(items),
        longest_is_right=_longest(items),
        without_question=_without_question(items, group_of),
        duplicates=tuple(duplicates),
        n_superfluous=len(items) - len(set(group_of)),
        contradictions=tuple(pair for pair in duplicates if _contradict(pair, items[pair.one], items[pair.other])),
        in_public_sets=_in_public(texts, public or {}),
        smallest_difference=smallest_difference(len(items)),
    )
    return of_the_texts if predictions is None else with_answers(of_the_texts, items, predictions)


def with_answers(health: SetHealth, items: Sequence[Item], predictions: IntArray) -> SetHealth:
    """What models' answers say besides, of a set whose texts are examined already."""
    targets = np.array([item.target for item in items])
    n_choices = [len(item.choices) for item in items]
    wrong_keys = likely_wrong_keys(predictions, targets, n_choices) if all(n_choices) else ()
    found = tuple(discrimination(predictions, targets).tolist())
    return replace(health, discrimination=found, wrong_keys=tuple(wrong_keys))


# --- exact tests


def excess(n: int, chances: Sequence[float]) -> Excess:
    """Two-sided exact p-value of `n` successes in independent draws with these chances: the probability of all numbers
    that are not likelier. Equal chances are taken together, so that it stays fast for thousands of items."""
    distribution = np.ones(1)
    values, counts = np.unique(np.asarray(chances, dtype=np.float64), return_counts=True)
    for chance, count in zip(values.tolist(), counts.tolist(), strict=True):
        distribution = np.convolve(distribution, binom.pmf(np.arange(count + 1), count, chance))
    observed = distribution[n]
    p_value = float(distribution[distribution <= observed * (1 + 1e-9)].sum())
    return Excess(n, float(np.sum(chances)), len(chances), min(1.0, p_value))


def _positions(items: Sequence[Item]) -> tuple[Excess, ...]:
    n_places = max(len(item.choices) for item in items)
    single = []
    for place in range(n_places):
        chances = [1 / len(item.choices) if place < len(item.choices) else 0.0 for item in items]
        single.append(excess(sum(item.target == place for item in items), chances))
    return tuple(
        found._replace(p_value=p_value)
        for found, p_value in zip(single, holm([found.p_value for found in single]), strict=True)
    )


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjusted so that any of them below alpha is so by chance with probability alpha at most (Holm 1979, "A simple
    sequentially rejective multiple test procedure")."""
    adjusted = [0.0] * len(p_values)
    largest = 0.0
    for rank, index in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        largest = max(largest, min(1.0, p_values[index] * (len(p_values) - rank)))
        adjusted[index] = largest
    return adjusted


def _longest(items: Sequence[Item]) -> Excess:
    n_right, chances = 0, []
    for item in items:
        lengths = [len(choice) for choice in item.choices]
        if lengths and lengths.count(max(lengths)) == 1:
            n_right += lengths.index(max(lengths)) == item.target
            chances.append(1 / len(lengths))
    return excess(n_right, chances)


def _without_question(items: Sequence[Item], group_of: Sequence[int]) -> Excess:
    """Of each group of duplicates one counts: two equal items are one draw."""
    if not all(item.choices for item in items):
        return excess(0, [])
    right = right_without_questions(items, group_of)
    counted = [place for place, first in enumerate(group_of) if place == first]
    return excess(int(right[counted].sum()), [1 / len(items[place].choices) for place in counted])


# --- duplicates


def _contradict(pair: NearDuplicate, one: Item, other: Item) -> bool:
    if not one.choices or not other.choices:
        return False
    same_choices = sorted(map(_plain, one.choices)) == sorted(map(_plain, other.choices))
    same_key = _plain(one.choices[one.target]) == _plain(other.choices[other.target])
    return pair.likeness >= SAME and same_choices and not same_key


def _plain(choice: str) -> str:
    return " ".join(choice.casefold().split())


def _in_public(texts: Sequence[str], public: Mapping[str, Sequence[Item]]) -> tuple[PublicDuplicate, ...]:
    return tuple(
        PublicDuplicate(name, pair)
        for name, items in public.items()
        for pair in near_duplicates(texts, others=[item.whole_text for item in items])
    )


# --- in words

Finding = tuple[str, Mapping[str, object]]


def _findings(health: SetHealth) -> list[Finding]:
    return [*_of_answers(health), *_of_duplicates(health), *_of_models(health)]


def _of_answers(health: SetHealth) -> list[Finding]:
    found: list[Finding] = []
    for place, position in enumerate(health.positions):
        if position.p_value < ALPHA:
            words = mark(
                "Choice %(place)s is right in %(n)s items, and chance gives %(expected)s: shuffle the choices."
            )
            found.append((words, {"place": place + 1, **_counts(position)}))
    longest = health.longest_is_right
    if longest.p_value < ALPHA and longest.n > longest.expected:
        words = mark(
            "The longest choice is right in %(n)s of %(of)s items, and chance gives %(expected)s: make the wrong ones"
            " as long."
        )
        found.append((words, _counts(longest)))
    blind = health.without_question
    if blind.p_value < ALPHA and blind.n > blind.expected:
        words = mark(
            "%(n)s of %(of)s items can be answered without their questions, and chance gives %(expected)s: the choices"
            " give the key away."
        )
        found.append((words, _counts(blind)))
    return found


def _of_duplicates(health: SetHealth) -> list[Finding]:
    found: list[Finding] = []
    if health.n_superfluous > MANY * health.n_items:
        words = mark("%(n)s of %(of)s items (%(share)s %%) repeat another one: take them out.")
        found.append((words, _share(health.n_superfluous, health.n_items)))
    if health.contradictions:
        words = mark("%(n)s pairs of items that repeat each other have different keys: one of each pair is wrong.")
        found.append((words, {"n": len(health.contradictions)}))
    if health.in_public_sets:
        n_found = len({duplicate.pair.one for duplicate in health.in_public_sets})
        names = ", ".join(sorted({duplicate.benchmark for duplicate in health.in_public_sets}))
        words = mark("%(n)s items stand in public sets too (%(names)s): models may have learnt them.")
        found.append((words, {"n": n_found, "names": names}))
    return found


def _of_models(health: SetHealth) -> list[Finding]:
    if len(health.wrong_keys) <= MANY * health.n_items:
        return []
    words = mark(
        "%(n)s of %(of)s items (%(share)s %%) probably have a wrong key: good models agree on another choice. Check"
        " them."
    )
    return [(words, _share(len(health.wrong_keys), health.n_items))]


def _counts(found: Excess) -> dict[str, object]:
    return {"n": found.n, "of": found.of, "expected": round(found.expected)}


def _share(n: int, of: int) -> dict[str, object]:
    return {"n": n, "of": of, "share": f"{100 * n / of:.1f}"}
