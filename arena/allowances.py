"""How much one visitor may ask of the arena. Spent by the visitor and, many times as generous, by the address: one
address may be a whole school."""

from django.conf import settings
from limits import RateLimitItem

from accounts.rate_limits import PER_HOUR, PER_MINUTE, spend
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
    spend(per(amount), action, f"visitor:{visitor.id}")
    spend(per(amount * settings.ADDRESS_FACTOR), action, f"address:{visitor.address}")
