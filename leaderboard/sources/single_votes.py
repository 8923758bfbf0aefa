"""Votes one by one, for what their counts cannot tell: in which order they were cast, and how the answers looked."""

from collections.abc import Mapping
from typing import Any, NamedTuple
from uuid import UUID

import numpy as np
from django.db.models.functions import Coalesce

from arena.models import Answer, ImportedVote, Vote
from leaderboard.sources.votes import OUTCOMES, llms_of
from llms.models import LanguageModel, Visibility
from stats.comparisons import BoolArray, Comparisons
from stats.style import FEATURES, StyleCounts

Counts = tuple[float, ...]
UNMEASURED: Counts = (np.nan,) * len(FEATURES)


class SingleVotes(NamedTuple):
    """Item i is model i of `llms`. With style, `n_unmeasured` votes are left out, as one of their answers has none."""

    llms: list[LanguageModel]
    comparisons: Comparisons
    style: StyleCounts | None = None
    n_unmeasured: int = 0


class _Row(NamedTuple):
    battle_id: UUID | None
    """None of a vote from elsewhere: it has no battle here, and so no answers whose style could be measured."""
    left_id: int
    right_id: int
    outcome: str


def read(audience: Visibility, *, style: bool = False) -> SingleVotes:
    rows = _rows()
    llms = llms_of(audience)  # after the votes, so that it knows the models of all of them
    position = {llm.pk: index for index, llm in enumerate(llms)}
    rows = [row for row in rows if row.left_id in position and row.right_id in position]
    counts = _style_of(rows) if style else None
    measured: BoolArray = np.ones(len(rows), dtype=np.bool_)
    for side in counts or ():
        measured &= np.isfinite(side).all(axis=1)
    kept = [rows[index] for index in np.flatnonzero(measured)]
    return SingleVotes(
        llms,
        Comparisons.from_arrays(
            [position[row.left_id] for row in kept],
            [position[row.right_id] for row in kept],
            outcome=[OUTCOMES[row.outcome] for row in kept],
            n_items=len(llms),
        ),
        StyleCounts(counts.left[measured], counts.right[measured]) if counts else None,
        len(rows) - len(kept),
    )


def _rows() -> list[_Row]:
    """In the order in which they were cast, as far as it is known."""
    cast = (
        Vote.objects.countable()
        .order_by("created_at", "pk")
        .values_list("created_at", "battle_id", "battle__llm_a_id", "battle__llm_b_id", "outcome")
    )
    elsewhere = ImportedVote.objects.countable().annotate(at=Coalesce("cast_at", "source__began_at"))
    imported = elsewhere.order_by("at", "source_id", "row_number").values_list("at", "llm_a_id", "llm_b_id", "outcome")
    timed = [(at, _Row(battle, left, right, outcome)) for at, battle, left, right, outcome in cast]
    timed += [(at, _Row(None, left, right, outcome)) for at, left, right, outcome in imported]
    return [row for _, row in sorted(timed, key=lambda one: one[0])]


def _style_of(rows: list[_Row]) -> StyleCounts:
    last = _last_attempts()
    sums = {side: _summed(last, side) for side in ("a", "b")}
    left, right = (
        np.array([_measured(row, counts) for row in rows], dtype=np.float64).reshape(-1, len(FEATURES))
        for counts in sums.values()
    )
    return StyleCounts(left, right)


def _measured(row: _Row, counts: Mapping[UUID, Counts]) -> Counts:
    return counts.get(row.battle_id, UNMEASURED) if row.battle_id else UNMEASURED


def _last_attempts() -> dict[tuple[UUID, int, str], Counts]:
    """What each side said at last in each turn: earlier attempts failed, and nobody judged them."""
    answers = Answer.objects.filter(turn__battle__vote__isnull=False).order_by("attempt")
    rows = answers.values_list("turn__battle_id", "turn_id", "side", "style").iterator(chunk_size=2000)
    return {(battle, turn, side): _counts(style) for battle, turn, side, style in rows}


def _summed(last: Mapping[tuple[UUID, int, str], Counts], wanted: str) -> dict[UUID, Counts]:
    sums: dict[UUID, Counts] = {}
    for (battle, _, side), counts in last.items():
        if side == wanted:
            sums[battle] = tuple(map(sum, zip(sums.get(battle, (0.0,) * len(FEATURES)), counts, strict=True)))
    return sums


def _counts(style: Mapping[str, Any] | None) -> Counts:
    """Length is in words: tokens are each model's own, and of an answer that was stopped they are an estimate."""
    if not style:
        return UNMEASURED
    lists = style["n_ordered_items"] + style["n_unordered_items"]
    return style["n_words"], style["n_headers"], style["n_bold"], lists
