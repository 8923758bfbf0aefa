"""The health of a set to JSON and back, so that a page need not compute it."""

import math
from dataclasses import fields
from typing import Any, Final

from evaluation.near_duplicates import NearDuplicate
from evaluation.set_health import Excess, PublicDuplicate, SetHealth
from evaluation.wrong_keys import LikelyWrongKey

DIGITS: Final = 4


def as_json(health: SetHealth) -> dict[str, Any]:
    written: dict[str, Any] = {field.name: getattr(health, field.name) for field in fields(health)}
    written["discrimination"] = [None if math.isnan(value) else round(value, DIGITS) for value in health.discrimination]
    return written


def from_json(stored: dict[str, Any]) -> SetHealth:
    known = {field.name: stored[field.name] for field in fields(SetHealth)}
    return SetHealth(
        **known
        | {
            "positions": tuple(Excess(*one) for one in known["positions"]),
            "longest_is_right": Excess(*known["longest_is_right"]),
            "without_question": Excess(*known["without_question"]),
            "duplicates": tuple(NearDuplicate(*pair) for pair in known["duplicates"]),
            "contradictions": tuple(NearDuplicate(*pair) for pair in known["contradictions"]),
            "in_public_sets": tuple(
                PublicDuplicate(name, NearDuplicate(*pair)) for name, pair in known["in_public_sets"]
            ),
            "discrimination": tuple(math.nan if value is None else value for value in known["discrimination"]),
            "wrong_keys": tuple(LikelyWrongKey(*key) for key in known["wrong_keys"]),
        }
    )
