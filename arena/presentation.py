"""A battle as its reader may see it: names, speed and original text only once that reader may know them."""

from collections.abc import Mapping
from typing import NamedTuple

from django.conf import settings
from django.contrib.auth.models import AnonymousUser, User
from django.db.models import Q, Sum
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from arena import battles
from arena.models import Answer, Battle, Outcome, PairCount, Standing, Turn, Vote, Voter
from arena.protocol import (
    SIDES,
    AnswerState,
    AnswerView,
    BattleView,
    ContenderView,
    Phase,
    Reveal,
    Side,
    StandingView,
    TurnView,
    VoteView,
)
from llms.engines.base import EngineError, error_class
from llms.models import LanguageModel, Visibility, sees_internal
from stats.bradley_terry import win_probability

TELLING_ERRORS = frozenset(
    {"unreachable", "rejected", "access_refused", "overloaded", "loading_failed", "loading_timeout"}
)
"""They would say whether a model runs here or elsewhere. Voters hear one sentence for all; administrators see which."""
BILLION, MILLION = 1_000_000_000, 1_000_000


class Meetings(NamedTuple):
    """How two models have met so far, on whichever side each stood."""

    wins_a: int
    wins_b: int
    ties: int


def battle_view(battle: Battle, voter: Voter | None, user: User | AnonymousUser) -> BattleView:
    phase = battles.phase_of(battle)
    is_mine = voter is not None and battle.voter_id == voter.pk
    is_revealed = phase == Phase.REVEALED
    n_turns = battles.last_turn(battle).index + 1
    return {
        "id": str(battle.pk),
        "url": reverse("arena:battle", args=[battle.pk]),
        "phase": phase.value,
        "turns": [_turn_view(turn, is_revealed=is_revealed) for turn in battle.story],
        "turn_limit": settings.TURN_LIMIT,
        "can_vote": is_mine and phase == Phase.VOTING,
        "can_continue": is_mine and phase == Phase.VOTING and n_turns < settings.TURN_LIMIT,
        "can_retry": is_mine and phase == Phase.STUCK,
        "is_mine": is_mine,
        "vote": _vote_view(battle.vote, is_mine=is_mine) if is_revealed else None,
        "reveal": _reveal(battle, user) if is_revealed else None,
    }


def _vote_view(vote: Vote, *, is_mine: bool) -> VoteView:
    """Everybody may know what was preferred; why, in the voter's own words, is for the voter."""
    return {
        "outcome": vote.outcome,
        "reasons": vote.reasons if is_mine else [],
        "comment": vote.comment if is_mine else "",
    }


def message_of(state: str, error_code: str, n_before: int | None = None) -> str:
    """A sentence for the voter about an answer that failed or stands in line, in the language of the moment."""
    if state == AnswerState.FAILED:
        return _((EngineError if error_code in TELLING_ERRORS else error_class(error_code)).user_message)
    if state == AnswerState.WAITING and n_before is not None:
        return ngettext("%(n)d answer is before this one.", "%(n)d answers are before this one.", n_before + 1) % {
            "n": n_before + 1
        }
    return ""


def size_of(llm: LanguageModel) -> str:
    """7_000_000_000 is 7B, 135_000_000 is 135M."""
    if not llm.parameters:
        return ""
    unit, letter = (BILLION, "B") if llm.parameters >= 0.9995 * BILLION else (MILLION, "M")
    return f"{float(f'{llm.parameters / unit:.3g}'):g}{letter}"


def _turn_view(turn: Turn, *, is_revealed: bool) -> TurnView:
    answers = battles.current_answers(turn)
    attempts = {(answer.side, answer.state) for answer in turn.attempts}
    return {
        "index": turn.index,
        "prompt": turn.prompt,
        "answers": {side: _answer_view(answer, is_revealed=is_revealed) for side, answer in answers.items()},
        "replaced": [side for side in SIDES if (side, AnswerState.REPLACED) in attempts],
    }


def _answer_view(answer: Answer, *, is_revealed: bool) -> AnswerView:
    """Once the names are out there is nothing left to mask."""
    stopped = answer.state == AnswerState.STOPPED
    return {
        "attempt": answer.attempt,
        "state": answer.state,
        "text": answer.text if is_revealed and not stopped else answer.shown_text,
        "message": message_of(answer.state, answer.error_code),
        "truncated": answer.finish_reason == "length",
    }


def _reveal(battle: Battle, user: User | AnonymousUser) -> Reveal:
    audience = Visibility.INTERNAL if sees_internal(user) else Visibility.PUBLIC
    pair = [battle.llm_a_id, battle.llm_b_id]
    standings = {row.llm_id: row for row in Standing.objects.filter(audience=audience, llm__in=pair)}
    one, other = standings.get(battle.llm_a_id), standings.get(battle.llm_b_id)
    met = meetings(battle.llm_a_id, battle.llm_b_id)
    return {
        "a": _contender(battle, "a", standings, audience),
        "b": _contender(battle, "b", standings, audience),
        "expected_a": float(win_probability(one.rating - other.rating)) if one and other else None,
        "wins_a": met.wins_a,
        "wins_b": met.wins_b,
        "ties": met.ties,
    }


def _contender(battle: Battle, side: Side, standings: Mapping[int, Standing], audience: Visibility) -> ContenderView:
    llm = battle.llm_a if side == "a" else battle.llm_b
    attempts = [answer for turn in battle.story for answer in turn.attempts if answer.side == side]
    standing = standings.get(llm.pk)
    return {
        "name": llm.name,
        "slug": llm.slug,
        "organisation": llm.organisation,
        "licence": llm.licence,
        "parameters": size_of(llm),
        "standing": _standing_view(standing) if standing else None,
        "standing_note": "" if standing else _("No rating yet: too few comparisons with other models."),
        "seconds": _seconds(attempts, llm),
        "tokens": sum(answer.completion_tokens or 0 for answer in attempts if answer.llm_id == llm.pk) or None,
        "replaced": [llm.name for llm in _replaced(attempts) if audience in (llm.visibility, Visibility.INTERNAL)],
    }


def _replaced(attempts: list[Answer]) -> list[LanguageModel]:
    return [answer.llm for answer in attempts if answer.state == AnswerState.REPLACED]


def _standing_view(standing: Standing) -> StandingView:
    return {
        "rating": round(standing.rating),
        "lower": round(standing.lower),
        "upper": round(standing.upper),
        "rank_lower": standing.rank_lower,
        "rank_upper": standing.rank_upper,
        "n_votes": standing.n_votes,
        "preliminary": standing.preliminary,
    }


def _seconds(attempts: list[Answer], llm: LanguageModel) -> float | None:
    """That the model itself took, over all turns. The voter saw it at the common pace."""
    spans = [
        answer.seconds
        for answer in attempts
        if answer.llm_id == llm.pk and answer.state == AnswerState.COMPLETE and answer.seconds is not None
    ]
    return round(sum(spans), 1) if spans else None


def meetings(llm_a: int, llm_b: int) -> Meetings:
    """From the counts; for each side as seat A and as seat B."""
    counts = dict.fromkeys(("a", "b", "tie"), 0)
    cells = (
        PairCount.objects.filter(Q(left=llm_a, right=llm_b) | Q(left=llm_b, right=llm_a), category=PairCount.OVERALL)
        .values("left_id", "outcome")
        .annotate(total=Sum("n"))
    )
    turned = {Outcome.A.value: "b", Outcome.B.value: "a"}
    for cell in cells:
        outcome = cell["outcome"]
        winner = outcome if cell["left_id"] == llm_a else turned.get(outcome, outcome)
        counts[winner if winner in counts else "tie"] += cell["total"]
    return Meetings(counts["a"], counts["b"], counts["tie"])
