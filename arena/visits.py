"""What an open page asks of the database, done as the voter who sits before it. Each function is one trip there.

An allowance is spent for what was really done: a wish that is refused, or repeated because its answer got lost on the
way, costs nothing.
"""

import uuid
from collections.abc import Callable
from typing import Any, NamedTuple

from django.contrib.auth.models import AnonymousUser, User
from django.db import transaction
from django.utils.translation import gettext as _

from accounts.middleware import may_enter
from arena import allowances, battles, protocol, voters
from arena.battles import Participant
from arena.errors import ArenaError
from arena.models import Battle, Turn
from arena.places import Place
from arena.presentation import battle_view
from arena.protocol import BattleView
from arena.transcripts import Script, script_of
from arena.visitors import Visitor


class TurnedAway(Exception):
    """Whoever sits there may no longer come in."""


class Begun(NamedTuple):
    battle_id: uuid.UUID
    view: BattleView
    script: Script | None
    """Of the turn that is to be run. None when this wish was heard before: then somebody runs it already."""


def check_may_enter(visitor: Visitor) -> None:
    """Raises `TurnedAway`."""
    _user(visitor)


def check_open(visitor: Visitor, battle_id: uuid.UUID) -> None:
    """Raises `Battle.DoesNotExist` unless whoever the visitor is now may open it."""
    user = _user(visitor)
    Battle.objects.open_to(voters.known(visitor.id, user), user).only("pk").get(pk=battle_id)


def look(visitor: Visitor, battle_id: uuid.UUID) -> BattleView:
    """Raises `Battle.DoesNotExist` as `check_open` does."""
    user = _user(visitor)
    voter = voters.known(visitor.id, user)
    return battle_view(Battle.objects.open_to(voter, user).with_everything().get(pk=battle_id), voter, user)


@transaction.atomic
def start(visitor: Visitor, wish: protocol.Start, place: Place) -> Begun:
    """Whatever a page needs to go on from here, so that it need not ask again."""
    who = _participant(visitor)
    battle = battles.start(who, key=wish.key, prompt=wish.prompt, rematch_of=wish.rematch_of)
    view = battle_view(battle, who.voter, who.user)
    if not battle.is_new:
        return Begun(battle.pk, view, None)
    place.check()
    allowances.spend_battle(visitor)
    return Begun(battle.pk, view, script_of(battle, who.user))


def go_on(
    visitor: Visitor, battle_id: uuid.UUID, verb: Callable[..., Turn], place: Place, **wishes: Any
) -> Script | None:
    """Another turn, or another attempt at one. None as in `Begun`."""
    who = _participant(visitor)
    with transaction.atomic():
        turn = verb(_opened(battle_id, who), who, **wishes)
        if not turn.is_new:
            return None
        place.check()
        allowances.spend_turn(visitor)
        return script_of(turn.battle, who.user)


def act(
    visitor: Visitor,
    battle_id: uuid.UUID,
    verb: Callable[..., Any],
    *,
    allowance: Callable[[Visitor], None] | None = None,
    **wishes: Any,
) -> Any:
    """Do something to a battle. What it returns says by `is_new` whether it is to be paid for."""
    who = _participant(visitor)
    with transaction.atomic():
        done = verb(_opened(battle_id, who), who, **wishes)
        if allowance and done.is_new:
            allowance(visitor)
        return done


def _opened(battle_id: uuid.UUID, who: Participant) -> Battle:
    return Battle.objects.open_to(who.voter, who.user).get(pk=battle_id)


def _user(visitor: Visitor) -> User | AnonymousUser:
    user = visitor.user_now()
    if not may_enter(user):
        raise TurnedAway
    return user


def _participant(visitor: Visitor) -> Participant:
    if not visitor.id:
        raise ArenaError(_("Your browser keeps no cookies for this site. Allow them, and reload the page."))
    user = _user(visitor)
    return Participant(voters.remember(visitor.id, user), user)
