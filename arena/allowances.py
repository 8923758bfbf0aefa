"""How much one visitor may ask of the arena. Spent by the visitor and, many times as generous, by the address: one
address may be a whole school."""

from django.conf import settings
from limits import RateLimitItem

from accounts.rate_limits import PER_HOUR, PER_MINUTE, spend


def spend_battle(visitor: str, address: str) -> None:
    _spend(PER_HOUR, settings.BATTLES_PER_HOUR, "battle", visitor, address)


def spend_turn(visitor: str, address: str) -> None:
    _spend(PER_MINUTE, settings.TURNS_PER_MINUTE, "turn", visitor, address)


def spend_vote(visitor: str, address: str) -> None:
    _spend(PER_HOUR, settings.VOTES_PER_HOUR, "vote", visitor, address)


def _spend(per: type[RateLimitItem], amount: int, action: str, visitor: str, address: str) -> None:
    spend(per(amount), action, f"visitor:{visitor}")
    spend(per(amount * settings.ADDRESS_FACTOR), action, f"address:{address}")
