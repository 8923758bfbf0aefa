"""The turns that this process is running. A turn outlives the socket that began it, and any socket of this process
may listen to it."""

import asyncio
import contextlib
import logging
import time
import uuid
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import ParamSpec, TypeVar

from django.conf import settings
from django.db import Error as DatabaseTrouble
from django.db import transaction
from django.utils import timezone

from arena import battles, transcripts, watching
from arena.database import in_database
from arena.listening import Listener, MoreText, NewState
from arena.models import LIVE_STATES, Answer
from arena.places import Place, Places
from arena.protocol import AnswerState, Side
from arena.streaming import Duel, Ended, Event, Shown, Waits
from arena.transcripts import Progress, Script
from llms import endpoints, refusals
from llms.engines.base import (
    EngineError,
    GenerationFailed,
    Queued,
    ReasoningDelta,
    StreamEnd,
    StreamEvent,
    TextDelta,
)
from llms.engines.deadlines import Deadlines, loaded, within_deadlines
from llms.models import LanguageModel
from llms.pool import pool
from telemetry import context, metrics

P = ParamSpec("P")
R = TypeVar("R")
logger = logging.getLogger(__name__)

FLUSH_SECONDS = 1.0
REPLACEMENTS_PER_TURN = 2
ATTEMPTS_TO_SAVE = 5


@dataclass
class LiveAnswer:
    """One side, as far as it has got."""

    row: Answer
    state: AnswerState
    shown: list[str] = field(default_factory=list)
    first_token_at: datetime | None = None
    seconds: float | None = None
    """From the question to the last token, as the model took them; the voter sees them at the common pace."""
    error_code: str = ""
    truncated: bool = False

    @classmethod
    def of(cls, row: Answer) -> "LiveAnswer":
        return cls(row, AnswerState(row.state), [row.shown_text], row.first_token_at, error_code=row.error_code)

    def note_progress(self, seconds: float) -> None:
        self.first_token_at = self.first_token_at or timezone.now()
        self.seconds = seconds

    @property
    def shown_text(self) -> str:
        return "".join(self.shown)


class LiveTurn:
    """Runs one turn to its end: opens both streams, tells the listeners, saves what was written."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self.answers = {side: LiveAnswer.of(row) for side, row in script.answers.items()}
        self._duel = Duel(script.names)
        self._listeners: set[Listener] = set()
        self._n_replaced = 0
        self.n_before: int | None = None
        """So many others are served before this turn's slower side."""
        self._broken_off_as: AnswerState | None = None
        self._alone_since: float | None = time.monotonic()
        self.task = asyncio.create_task(self._run(), name=f"turn-{script.turn.pk}")

    @property
    def turn_id(self) -> int:
        return int(self.script.turn.pk)

    # --- listeners

    def listen(self) -> Listener:
        listener = Listener()
        self._listeners.add(listener)
        self._alone_since = None
        return listener

    def leave(self, listener: Listener) -> None:
        self._listeners.discard(listener)
        if not self._listeners:
            self._alone_since = time.monotonic()

    def has_been_alone_for_long(self) -> bool:
        """Nobody will read it any more, and it is not worth a GPU."""
        return self._alone_since is not None and time.monotonic() - self._alone_since > settings.OUTLIVES_SOCKET_SECONDS

    def break_off(self, state: AnswerState) -> None:
        """Stop the computation; what was shown stays. `state` says whose wish it was."""
        if self._broken_off_as is None:
            self._broken_off_as = state
            self._duel.stop()

    def runs(self, script: Script) -> bool:
        """Whether the answers that a script still waits for are being written here."""
        own = {live.row.pk for live in self.answers.values()}
        return all(row.pk in own for row in script.answers.values() if row.state in LIVE_STATES)

    def progress(self) -> list[Progress]:
        return [self._progress_of(side) for side, live in self.answers.items() if live.state in LIVE_STATES]

    # --- the run

    async def _run(self) -> None:
        context.bind(battle=self.script.battle.pk, turn=self.turn_id)
        try:
            for side, live in self.answers.items():
                if live.state in LIVE_STATES:
                    self._open(side, live.row.llm)
            async for event in self._duel.events():
                await self._follow(event)
        finally:
            await self._wind_up()

    async def _follow(self, event: Event) -> None:
        match event:
            case Shown():
                self._show(event)
            case Ended():
                await self._end_side(event)
            case Waits(n_before):
                both_wait = all(live.state == AnswerState.WAITING for live in self.answers.values())
                self.n_before = n_before if both_wait else None  # on one side alone it would be a tell
                for side in self.answers if both_wait else ():
                    self._change(side, AnswerState.WAITING)

    async def _wind_up(self) -> None:
        """Leaves no answer live and no listener waiting, whatever ended the run."""
        try:
            await self._duel.close()
            state = self._broken_off_as or AnswerState.CUT_OFF
            for side, live in self.answers.items():
                if live.state in LIVE_STATES:
                    await self._save(transcripts.break_off, self._progress_of(side), state)
                    self._change(side, state)
            await self._save(transcripts.end_turn, self.turn_id)
        finally:
            for listener in self._listeners:
                listener.end()

    async def _save(self, verb: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """A database that is away for a moment must not cost an answer its end."""
        for _ in range(ATTEMPTS_TO_SAVE - 1):
            try:
                return await in_database(verb, *args, **kwargs)
            except DatabaseTrouble:
                logger.exception("the end of turn %s could not be saved; trying again", self.turn_id)
                await asyncio.sleep(FLUSH_SECONDS)
        return await in_database(verb, *args, **kwargs)

    def _open(self, side: Side, llm: LanguageModel) -> None:
        self._duel.open(side, self._stream(side, llm))

    async def _stream(self, side: Side, llm: LanguageModel) -> AsyncGenerator[StreamEvent]:
        """Waits for the engine first: loading weights does not count against the time to the first token. A defect in
        an engine is that side's failure; the other side goes on."""
        limits = Deadlines(settings.FIRST_TOKEN_SECONDS, settings.STALLED_SECONDS, settings.ANSWER_SECONDS)
        try:
            async with contextlib.AsyncExitStack() as held:
                engine = await loaded(held.enter_context(pool.hold(llm)), settings.LOADING_SECONDS)
                messages, sampling = transcripts.conversation(self.script, side, llm, settings.ANSWER_TOKEN_LIMIT)
                began, meter = time.monotonic(), metrics.StreamMeter(_place_of(llm))
                stream = within_deadlines(engine.stream(messages, sampling), limits)
                async for event in await held.enter_async_context(contextlib.aclosing(stream)):
                    if isinstance(event, Queued):
                        began = time.monotonic()  # the line is not the model's doing
                        meter.begin_again()
                    elif not isinstance(event, ReasoningDelta):
                        self.answers[side].note_progress(time.monotonic() - began)
                        if isinstance(event, TextDelta):
                            meter.note_text()
                    yield event
        except EngineError:
            raise
        except Exception as error:
            logger.exception("the engine of %s has a defect", llm.slug)
            raise GenerationFailed(f"{type(error).__name__}: {error}") from error

    def _show(self, event: Shown) -> None:
        live = self.answers[event.side]
        if live.state == AnswerState.WAITING:
            self._change(event.side, AnswerState.STREAMING)
        live.shown.append(event.text)
        for listener in self._listeners:
            listener.add_text(MoreText(self.script.turn.index, event.side, live.row.attempt, event.text))

    async def _end_side(self, event: Ended) -> None:
        live = self.answers[event.side]
        if event.end:
            await self._save(self._complete, event.side, event.end)
            live.truncated = event.end.finish_reason == "length"
            self._change(event.side, AnswerState.COMPLETE)
        elif event.error:
            logger.warning("%s failed in turn %s: %s", live.row.llm.slug, self.turn_id, event.error.code)
            metrics.ENGINE_ERRORS.labels(_place_of(live.row.llm), event.error.code).inc()
            successor = await self._save(self._fail, event.side, event.error)
            if successor is None:
                live.error_code = event.error.code
                self._change(event.side, AnswerState.FAILED)
            else:
                self._n_replaced += 1
                self._change(event.side, AnswerState.REPLACED)
                self.answers[event.side] = LiveAnswer.of(successor)
                self._change(event.side, AnswerState.WAITING)
                self._open(event.side, successor.llm)

    @transaction.atomic
    def _complete(self, side: Side, end: StreamEnd) -> None:
        transcripts.complete(self._progress_of(side), end)
        llm = self.answers[side].row.llm
        if llm.endpoint_id:
            endpoints.note_answer(llm.pk, llm.endpoint_id)

    @transaction.atomic
    def _fail(self, side: Side, error: EngineError) -> Answer | None:
        """In one transaction, so that nobody can retry a side that is about to be replaced. Returns the answer of the
        model that takes over, if one does."""
        transcripts.fail(self._progress_of(side), error)
        llm = self.answers[side].row.llm
        if llm.endpoint_id:
            endpoints.note_failure(llm.endpoint_id, error)
            refusals.note_refusal(llm.pk, error)
        if not self._may_replace(error):
            return None
        failed = self.answers[side].row
        self.script.tried.add(failed.llm_id)
        return battles.replace(failed, self.script.user, already_tried=frozenset(self.script.tried))

    def _may_replace(self, error: EngineError) -> bool:
        """On the first turn another model takes the failed one's place, if there is one. A prompt that is too long
        for one model is the prompt's fault, and is said."""
        is_first = self.script.turn.index == 0 and self._n_replaced < REPLACEMENTS_PER_TURN
        return is_first and error.code != "prompt_too_long" and self._broken_off_as is None

    def _change(self, side: Side, state: AnswerState) -> None:
        live = self.answers[side]
        live.state = state
        for listener in self._listeners:
            listener.add_state(
                NewState(
                    self.script.turn.index,
                    side,
                    live.row.attempt,
                    state,
                    live.error_code,
                    live.truncated,
                    self.n_before,
                )
            )

    def _progress_of(self, side: Side) -> Progress:
        live = self.answers[side]
        return Progress(
            live.row.pk,
            self._duel.written(side),
            live.shown_text,
            live.first_token_at,
            live.seconds,
            self._duel.reasoning(side),
        )


def _place_of(llm: LanguageModel) -> str:
    """For the metrics, which name no model."""
    return llm.endpoint.name if llm.endpoint else metrics.HERE


class LiveTurns:
    """All turns of this process, by battle, and the one task that tends them all once a second."""

    def __init__(self) -> None:
        self.places = Places()
        self._by_battle: dict[uuid.UUID, LiveTurn] = {}
        self._tender: asyncio.Task[None] | None = None

    def find(self, battle_id: uuid.UUID) -> LiveTurn | None:
        return self._by_battle.get(battle_id)

    async def begin(self, script: Script, place: Place) -> LiveTurn:
        """Run a turn that was just made, or is to be retried. Called twice, it runs once."""
        battle_id = script.battle.pk
        while running := self.find(battle_id):
            if running.runs(script):
                return running
            await asyncio.wait([running.task])  # the turn or attempt before, about to write its last word
        live = LiveTurn(script)
        self._by_battle[battle_id] = live
        place.keep()
        metrics.TURNS.inc()
        metrics.ACTIVE_TURNS.inc()
        live.task.add_done_callback(lambda task: self._forget(battle_id, place, task))
        if self._tender is None or self._tender.done():
            self._tender = asyncio.create_task(self._tend_while_there_are_any(), name="tend-live-turns")
        return live

    async def close(self) -> None:
        """The server goes down: every turn is cut off, with its text."""
        tasks = [live.task for live in self._by_battle.values()]
        for live in list(self._by_battle.values()):
            live.break_off(AnswerState.CUT_OFF)
        await asyncio.gather(*tasks, return_exceptions=True)

    def _forget(self, battle_id: uuid.UUID, place: Place, task: asyncio.Task[None]) -> None:
        self._by_battle.pop(battle_id, None)
        place.give_back()
        metrics.ACTIVE_TURNS.dec()
        if not task.cancelled() and (error := task.exception()):
            logger.error("a turn of battle %s broke", battle_id, exc_info=error)

    async def _tend_while_there_are_any(self) -> None:
        while self._by_battle:
            await asyncio.sleep(FLUSH_SECONDS)
            try:
                await self._tend({live.turn_id: live for live in self._by_battle.values()})
            except Exception:
                logger.exception("the text of %d turns could not be saved; trying again", len(self._by_battle))

    async def _tend(self, lives: dict[int, LiveTurn]) -> None:
        """Save them all, do as was ordered elsewhere, and end what nobody reads."""
        progress = [row for live in lives.values() for row in live.progress()]
        orders = await in_database(transcripts.flush, progress, list(lives))
        for turn_id in orders.stop:
            lives[turn_id].break_off(AnswerState.STOPPED)
        for turn_id in orders.give_up:
            lives[turn_id].break_off(AnswerState.CUT_OFF)
        for live in lives.values():
            if live.has_been_alone_for_long() and not await watching.is_watched(live.script.battle.pk):
                live.break_off(AnswerState.CUT_OFF)


live_turns = LiveTurns()
