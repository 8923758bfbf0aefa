"""Somebody signs in in the middle of a battle: it goes on, as a battle of the account.

An account is another voter than the browser's visitor. What the visitor has voted on stays the visitor's; what has no
vote yet would be out of reach, so it changes hands. Only what is fresh does: whoever signs in on a shared computer is
not handed what a stranger left there long ago.
"""

from datetime import timedelta
from typing import Any

from django.contrib.auth.models import AnonymousUser, User
from django.db import transaction
from django.http import HttpRequest
from django.utils import timezone

from arena import voters
from arena.models import Battle

FRESH_FOR = timedelta(hours=12)


def adopt_on_sign_in(*, request: HttpRequest, user: User, **_signal: Any) -> None:
    """Receives Django's `user_logged_in`."""
    random_id = voters.id_in(request.COOKIES)
    if random_id:
        adopt_open_battles(random_id, user)


@transaction.atomic
def adopt_open_battles(random_id: str, user: User) -> int:
    """Hand this browser's battles without a vote to the account. Returns how many there were."""
    visitor = voters.known(random_id, AnonymousUser())
    if visitor is None:
        return 0
    unfinished = Battle.objects.filter(
        voter=visitor, vote=None, abstained_at=None, created_at__gt=timezone.now() - FRESH_FOR
    )
    ids = list(unfinished.values_list("pk", flat=True))
    if not ids:
        return 0
    account = voters.remember(random_id, user)
    # Held first and looked at again then: a vote that was on its way has arrived by now, and keeps its battle.
    list(Battle.objects.select_for_update().filter(pk__in=ids).order_by("pk").values_list("pk"))
    taken = Battle.objects.filter(voter=account).values("key")
    return unfinished.filter(pk__in=ids).exclude(key__in=taken).update(voter=account)
