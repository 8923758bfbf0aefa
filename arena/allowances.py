"""How much one visitor may ask of the arena. Spent by the visitor and, many times as generous, by the address: one
address may be a whole school."""

from django.conf import settings
from limits import RateLimitItem

from accounts.rate_limits import PER_HOUR, PER_MINUTE, check, spend
from arena.visitors import Visitor


def spend_battle(visitor: Visitor) -> None:
    _spend(PER_HOUR, settings.BATTLES_PER_HOUR, "battle", visitor)


def spend_turn(visitor: Visitor) -> None:
    _spend(PER_MINUTE, settings.TURNS_PER_MINUTE, "turn", visitor)


def spend_vote(visitor: Visitor) -> None:
    _spend(PER_HOUR, settings.VOTES_PER_HOUR, "vote", visitor)


def spend_frame(visitor: Visitor) -> None:
    """Whatever a page asks: each question costs the database something."""
    _spend(PER_MINUTE, settings.FRAMES_PER_MINUTE, "frame", visitor)


def _spend(per: type[RateLimitItem], amount: int, action: str, visitor: Visitor) -> None:
    """Of both or of neither: where the whole address has had its share, nobody's own is used up in vain."""
    accounts = [(per(amount * settings.ADDRESS_FACTOR), f"address:{visitor.address}")]
    if visitor.id:
        accounts.append((per(amount), f"visitor:{visitor.id}"))
    for limit, who in accounts:
        check(limit, action, who)
    for limit, who in accounts:
        spend(limit, action, who)
