"""What an open page asks of the database, done as the voter who sits before it. Each function is one trip there.

An allowance is spent for what was really done: a wish that is refused, or repeated because its answer got lost on the
way, costs nothing.
"""

import uuid
from collections.abc import Callable
from typing import Any

from django.contrib.auth.models import AnonymousUser, User
from django.db import transaction
from django.utils.translation import gettext as _

from accounts.middleware import may_enter
from arena import allowances, battles, protocol, voters
from arena.battles import Participant
from arena.errors import ArenaError
from arena.live_turns import live_turns
from arena.models import Battle, Turn
from arena.presentation import battle_view
from arena.protocol import BattleView
from arena.visitors import Visitor


class TurnedAway(Exception):
    """Whoever sits there may no longer come in."""


def find(visitor: Visitor, battle_id: uuid.UUID) -> Battle:
    """The battle, if it may be opened by whoever the visitor is now. Raises `Battle.DoesNotExist`."""
    user = _user(visitor)
    visible = Battle.objects.open_to(voters.known(visitor.id, user), user)
    return visible.with_everything().get(pk=battle_id)


def look(visitor: Visitor, battle_id: uuid.UUID) -> BattleView:
    user = _user(visitor)
    return battle_view(find(visitor, battle_id), voters.known(visitor.id, user), user)


def start(visitor: Visitor, wish: protocol.Start) -> tuple[Battle, Turn | None]:
    """The battle, and its first turn if that is to be run: not when this wish was heard before."""
    who = _participant(visitor)
    with transaction.atomic():
        battle = battles.start(who, key=wish.key, prompt=wish.prompt, rematch_of=wish.rematch_of)
        if not battle.is_new:
            return battle, None
        live_turns.check_room(visitor)
        allowances.spend_battle(visitor)
        return battle, battle.turns.get(index=0)


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
        done = verb(find(visitor, battle_id), who, **wishes)
        if allowance and done.is_new:
            allowance(visitor)
        return done


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
