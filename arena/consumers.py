"""The battle socket. Parses, asks the verbs, answers; decides nothing."""

import asyncio
import contextlib
import logging
import uuid
from collections.abc import Callable, Mapping
from typing import Any

import orjson
from channels.consumer import get_handler_name
from channels.generic.websocket import AsyncWebsocketConsumer
from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import ObjectDoesNotExist
from django.http import HttpRequest
from django.utils import translation
from django.utils.translation import gettext as _

from accounts.middleware import may_enter
from accounts.rate_limits import RateLimited
from arena import allowances, battles, protocol, visits, watching
from arena.database import in_database
from arena.errors import AlreadyVoted, ArenaError
from arena.listening import Change, MoreText
from arena.live_turns import LiveTurn, live_turns
from arena.models import Turn
from arena.presentation import message_of
from arena.protocol import AnswerState, BattleView, Phase
from arena.visitors import Visitor, headers_of
from telemetry import context

logger = logging.getLogger(__name__)

NOT_FOUND, NOT_ALLOWED, NO_COOKIE = 4404, 4403, 4401
FOLLOW_SECONDS = 0.7
"""How often a turn that another process runs is looked at."""


class BattleConsumer(AsyncWebsocketConsumer):
    """One open page. Knows one battle, listens to its turn if this process runs it, follows the row if not."""

    battle_id: uuid.UUID | None = None

    async def dispatch(self, message: dict[str, Any]) -> None:
        """Without the way to a thread that Channels goes each time, to close connections there: nothing here leaves
        one open (`in_database`)."""
        await getattr(self, get_handler_name(message))(message)

    # --- coming and going

    async def connect(self) -> None:
        self._seq = 0
        self._sending = asyncio.Lock()
        self._teller: asyncio.Task[None] | None = None
        self._last_told: BattleView | None = None
        self.visitor = Visitor.of(self.scope)
        self.language = _language(self.scope)
        self.may_ask = True
        await self.accept()  # a socket that is not accepted cannot say why
        try:
            await self._open(self.scope["url_route"]["kwargs"].get("battle_id"))
        except (visits.TurnedAway, ObjectDoesNotExist) as error:
            await self._turn_away(error)

    async def disconnect(self, code: int) -> None:
        await self._stop_telling()
        if self.battle_id:
            await self.channel_layer.group_discard(_group(self.battle_id), self.channel_name)

    async def _open(self, battle_id: uuid.UUID | None) -> None:
        if battle_id is not None:
            await in_database(visits.check_open, self.visitor, battle_id)
            await self._belong_to(battle_id)
            await self._tell_state()
            return
        if not may_enter(AnonymousUser()):  # where anybody may, nobody is looked up
            await in_database(visits.check_may_enter, self.visitor)
        if not self.visitor.id:
            await self.close(NO_COOKIE)

    async def _belong_to(self, battle_id: uuid.UUID) -> None:
        if self.battle_id == battle_id:
            return
        if self.battle_id:
            await self.channel_layer.group_discard(_group(self.battle_id), self.channel_name)
        self.battle_id = battle_id
        context.bind(battle=battle_id)
        await self.channel_layer.group_add(_group(battle_id), self.channel_name)

    # --- what the browser asks

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        if not self.may_ask:
            return  # sent before it heard that it was turned away
        with translation.override(self.language):
            try:
                await self._answer(_decoded(text_data))
            except protocol.FrameError as error:
                await self._refuse("bad_frame", _("The page sent something unknown. Reload it."), detail=str(error))
            except RateLimited as refusal:
                message = _("That was a lot at once. Try again in %(seconds)d seconds.") % {
                    "seconds": refusal.retry_after
                }
                await self._refuse("rate_limited", message, retry_after=refusal.retry_after)
            except (visits.TurnedAway, ObjectDoesNotExist) as error:
                await self._turn_away(error)
            except AlreadyVoted as error:
                await self._refuse(error.code, str(error.user_message))
                await self._tell_state()
            except ArenaError as error:
                await self._refuse(error.code, str(error.user_message))
            except Exception:
                logger.exception("a frame could not be answered")
                await self._refuse("server_error", _("Something went wrong on the server. Nothing is lost; try again."))

    async def _answer(self, request: protocol.Request) -> None:
        await self._pay_for_frame()
        match request:
            case protocol.Start():
                await self._start(request)
            case protocol.Sync():
                await self._tell_state()
            case protocol.TakeTurn(key, prompt):
                await self._go_on(battles.take_turn, key=key, prompt=prompt)
            case protocol.Retry():
                await self._go_on(battles.retry)
            case protocol.CastVote(outcome):
                await self._act(battles.cast_vote, allowances.spend_vote, outcome=outcome)
                await self._announce()
            case protocol.Abstain():
                await self._act(battles.abstain)
                await self._announce()
            case protocol.GiveFeedback(reasons, comment):
                await self._act(battles.give_feedback, reasons=reasons, comment=comment)
                await self._announce()
            case protocol.Stop():
                await self._stop()

    async def _start(self, request: protocol.Start) -> None:
        """Whoever makes a turn runs it; whoever asks for it again only looks on."""
        with live_turns.places.take(self.visitor) as place:
            begun = await in_database(visits.start, self.visitor, request, place)
            if begun.script:
                await live_turns.begin(begun.script, place)
        await self._belong_to(begun.battle_id)
        await self._tell_state(begun.view)

    async def _go_on(self, verb: Callable[..., Turn], **wishes: Any) -> None:
        battle_id = self._own_battle()
        with live_turns.places.take(self.visitor) as place:
            script = await in_database(visits.go_on, self.visitor, battle_id, verb, place, **wishes)
            if script:
                await live_turns.begin(script, place)
        await self._announce()

    async def _act(
        self, verb: Callable[..., Any], allowance: Callable[[Visitor], None] | None = None, **wishes: Any
    ) -> Any:
        """Do something to this socket's battle, as its voter."""
        return await in_database(visits.act, self.visitor, self._own_battle(), verb, allowance=allowance, **wishes)

    def _own_battle(self) -> uuid.UUID:
        if self.battle_id is None:
            raise ArenaError(_("Begin a battle first."))
        return self.battle_id

    async def _pay_for_frame(self) -> None:
        if settings.REDIS_URL:
            await asyncio.to_thread(allowances.spend_frame, self.visitor)
        else:
            allowances.spend_frame(self.visitor)  # in memory: quicker than to ask another thread

    async def _stop(self) -> None:
        await self._act(battles.request_stop)
        live = live_turns.find(self.battle_id) if self.battle_id else None
        if live:
            live.break_off(AnswerState.STOPPED)

    # --- what the browser is told

    async def _announce(self) -> None:
        """Every open page of this battle looks again, this one too, in whatever process it is."""
        if self.battle_id is None:
            return
        try:
            await self.channel_layer.group_send(_group(self.battle_id), {"type": "battle.changed"})
        except Exception:
            logger.exception("other pages could not be told; what was done is done")
            await self._tell_state()

    async def battle_changed(self, event: dict[str, Any]) -> None:
        await self._tell_state()

    async def _tell_state(self, view: BattleView | None = None) -> None:
        """The whole battle now, and each change from now on."""
        await self._stop_telling()
        self._last_told = None
        if self.battle_id:
            self._teller = asyncio.create_task(self._tell(view), name=f"tell-{self.battle_id}")

    async def _stop_telling(self) -> None:
        if self._teller:
            self._teller.cancel()
            await asyncio.gather(self._teller, return_exceptions=True)
            self._teller = None

    async def _tell(self, view: BattleView | None) -> None:
        try:
            with translation.override(self.language):
                while await self._tell_until_it_changes(view):
                    view = None
        except (visits.TurnedAway, ObjectDoesNotExist) as error:
            await self._turn_away(error)
        except Exception:
            logger.exception("an open battle could not be told on")
            await self.close()

    async def _turn_away(self, reason: Exception) -> None:
        """They signed out, or lost a role, while the page was open; or the battle is no more."""
        self.may_ask = False
        await self.close(NOT_ALLOWED if isinstance(reason, visits.TurnedAway) else NOT_FOUND)

    async def _tell_until_it_changes(self, view: BattleView | None) -> bool:
        """Tell the state, then what comes. Returns whether it is worth looking again."""
        if self.battle_id is None:
            return False
        view = view or await self._look(self.battle_id)
        live = live_turns.find(uuid.UUID(view["id"]))
        if live is None or live.task.done():
            await self._tell_view(view)
            if view["phase"] != Phase.ANSWERING:
                return False
            await watching.say_so(uuid.UUID(view["id"]))
            await asyncio.sleep(FOLLOW_SECONDS)
            return True
        # Nothing is awaited between this look at the running turn and listening to it: no change falls between.
        listener = live.listen()
        try:
            await self._tell_view(overlaid(view, live))
            while (changes := await listener.next()) is not None:
                for change in changes:
                    await self._send(_frame_of(change))
        finally:
            live.leave(listener)
        return True

    async def _look(self, battle_id: uuid.UUID) -> BattleView:
        return await in_database(visits.look, self.visitor, battle_id)

    async def _tell_view(self, view: BattleView) -> None:
        """A follower looks often, and tells only what is new."""
        if view != self._last_told:
            self._last_told = view
            await self._send({"type": "state", "battle": view})

    async def _refuse(self, code: str, message: str, **more: Any) -> None:
        await self._send({"type": "error", "code": code, "message": message, **more})

    async def _send(self, frame: dict[str, Any]) -> None:
        async with self._sending:
            with contextlib.suppress(OSError):  # the reader has left, and `disconnect` is about to be called
                await self.send(text_data=orjson.dumps({**frame, "seq": self._seq + 1}).decode())
            self._seq += 1  # not before: a teller that is cancelled while it waits to send leaves no gap


def overlaid(view: BattleView, live: LiveTurn) -> BattleView:
    """The rows are up to a second behind what this process knows of a turn that it runs."""
    for turn in view["turns"]:
        if turn["index"] == live.script.turn.index:
            for side, answer in live.answers.items():
                turn["answers"][side] = {
                    "attempt": answer.row.attempt,
                    "state": answer.state.value,
                    "text": answer.shown_text,
                    "message": message_of(answer.state, answer.error_code, live.n_before),
                    "truncated": answer.truncated,
                }
    return view


def _frame_of(change: Change) -> dict[str, Any]:
    place = {"turn": change.turn, "side": change.side, "attempt": change.attempt}
    if isinstance(change, MoreText):
        return {"type": "delta", **place, "text": change.text}
    message = message_of(change.state, change.error_code, change.n_before)
    return {"type": "answer", **place, "state": change.state.value, "message": message, "truncated": change.truncated}


def _decoded(text: str | None) -> protocol.Request:
    if text is None or len(text) > protocol.MAX_FRAME_CHARACTERS:
        raise protocol.FrameError("a frame is a text of moderate length")
    try:
        return protocol.parse(orjson.loads(text))
    except orjson.JSONDecodeError:
        raise protocol.FrameError("a frame must be JSON") from None


def _group(battle_id: uuid.UUID) -> str:
    return f"battle.{battle_id.hex}"


def _language(scope: Mapping[str, Any]) -> str:
    """As `LocaleMiddleware` would choose it for a page."""
    request = HttpRequest()
    request.COOKIES = dict(scope["cookies"])
    request.META["HTTP_ACCEPT_LANGUAGE"] = headers_of(scope).get("Accept-Language", "")
    return translation.get_language_from_request(request)
