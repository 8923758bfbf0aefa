"""What the models write, into the database: while a turn runs once a second for all of them, and when an answer ends.

Every write asks that the answer still be live, so that a process which was given up for dead (and whose turn was cut
off by another) cannot overwrite what came after it.
"""

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from django.contrib.auth.models import AnonymousUser, User
from django.db import connection, transaction
from django.db.models import Exists, OuterRef
from django.db.models.functions import Now
from django.utils import timezone

from arena.battles import current_answers, names_to_hide
from arena.masking import Names
from arena.models import LIVE_STATES, Answer, Battle, Turn
from arena.protocol import SIDES, AnswerState, Side
from llms.chat import Message, Role, SamplingParams
from llms.engines.base import EngineError, StreamEnd
from llms.models import LanguageModel
from llms.storable import storable
from stats.text_features import text_features

DETAIL_LIMIT = 2_000


@dataclass
class Script:
    """All that a process needs to run one turn without asking the database again."""

    battle: Battle
    turn: Turn
    answers: dict[Side, Answer]
    histories: dict[Side, list[Message]]
    names: Names
    user: User | AnonymousUser
    tried: set[int] = field(default_factory=set)


class Progress(NamedTuple):
    """How far an answer is."""

    answer_id: int
    text: str
    shown_text: str
    first_token_at: datetime | None
    seconds: float | None = None
    reasoning: str = ""


class Orders(NamedTuple):
    """What was decided elsewhere about the turns that this process runs."""

    stop: set[int]
    """By their voter."""
    give_up: set[int]
    """This process was taken for dead, and they were cut off."""


def script_of(battle: Battle, user: User | AnonymousUser) -> Script:
    """Of the last turn of a battle that was read with everything."""
    *before, turn = battle.story
    histories: dict[Side, list[Message]] = {"a": [], "b": []}
    for earlier in before:
        for side, answer in current_answers(earlier).items():
            histories[side] += [Message(Role.USER, earlier.prompt), Message(Role.ASSISTANT, answer.judged_text)]
    for side in SIDES:
        histories[side].append(Message(Role.USER, turn.prompt))
    return Script(battle, turn, current_answers(turn), histories, names_to_hide(), user)


def conversation(
    script: Script, side: Side, llm: LanguageModel, token_limit: int
) -> tuple[list[Message], SamplingParams]:
    """What to send to the model that sits on this side."""
    return llm.conversation(script.histories[side]), llm.sampling().limited_to(token_limit)


@transaction.atomic
def flush(progress: Collection[Progress], turn_ids: Collection[int]) -> Orders:
    """Save how far all live answers are, and that their turns are alive."""
    running = Turn.objects.running().filter(pk__in=turn_ids)
    running.update(heartbeat_at=Now())
    _save(progress)
    cut_off = Answer.objects.filter(pk__in=[row.answer_id for row in progress], state=AnswerState.CUT_OFF)
    return Orders(
        stop=set(running.filter(stop_requested=True).values_list("pk", flat=True)),
        give_up=set(cut_off.values_list("turn_id", flat=True)),
    )


def _save(progress: Collection[Progress]) -> None:
    """One statement, prepared once: a thousand answers a second through the ORM would take a quarter of a core."""
    as_stored = connection.ops.adapt_datetimefield_value
    rows = [
        (
            row.text,
            row.reasoning,
            row.shown_text,
            as_stored(row.first_token_at),
            (AnswerState.STREAMING if row.shown_text else AnswerState.WAITING).value,
            row.answer_id,
            *(state.value for state in LIVE_STATES),
        )
        for row in progress
    ]
    with connection.cursor() as cursor:
        cursor.executemany(
            "UPDATE arena_answer SET text = %s, reasoning = %s, shown_text = %s, first_token_at = %s, state = %s"
            " WHERE id = %s AND state IN (%s, %s)",
            rows,
        )


def complete(progress: Progress, end: StreamEnd) -> bool:
    """The model ended its answer. Its style is measured once, here."""
    return _end(
        progress,
        state=AnswerState.COMPLETE,
        finish_reason=end.finish_reason,
        prompt_tokens=end.usage.prompt_tokens,
        completion_tokens=end.usage.completion_tokens,
        style=text_features(progress.text, n_tokens=end.usage.completion_tokens)._asdict(),
    )


def fail(progress: Progress, error: EngineError) -> bool:
    detail = storable(str(error)[:DETAIL_LIMIT])
    return _end(progress, state=AnswerState.FAILED, error_code=error.code, error_detail=detail)


def break_off(progress: Progress, state: AnswerState) -> bool:
    """Stopped by the voter, or cut off by the server."""
    judged = progress.shown_text if state == AnswerState.STOPPED else progress.text
    style = text_features(judged)._asdict() if judged else None
    return _end(progress, state=state, style=style)


@transaction.atomic
def end_turn(turn_id: int) -> None:
    """Unless an answer is live: somebody retries the turn already. Whoever is about to, in another process, is waited
    for: what is not committed yet could not be seen."""
    Turn.objects.select_for_update().filter(pk=turn_id).first()
    live = Answer.objects.filter(turn=OuterRef("pk"), state__in=LIVE_STATES)
    Turn.objects.running().filter(~Exists(live), pk=turn_id).update(ended_at=timezone.now())


def _end(progress: Progress, **fields: object) -> bool:
    changed = Answer.objects.filter(pk=progress.answer_id, state__in=LIVE_STATES).update(
        text=progress.text,
        reasoning=progress.reasoning,
        shown_text=progress.shown_text,
        first_token_at=progress.first_token_at,
        seconds=progress.seconds,
        ended_at=timezone.now(),
        **fields,
    )
    return bool(changed)
