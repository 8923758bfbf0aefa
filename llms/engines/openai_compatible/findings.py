"""What a probe finds out about one model of a server, one capability at a time."""

from enum import StrEnum
from typing import NamedTuple

from llms.sentences import Sentence


class Verdict(StrEnum):
    YES = "yes"
    NO = "no"
    WRONG = "wrong"
    """It answers, and the answer is not to be used."""
    UNKNOWN = "unknown"


class Judgement(NamedTuple):
    verdict: Verdict
    evidence: Sentence
    """What was asked and what came back, so that a reader can check it."""
    number: int | None = None
    """Tokens of context; alternatives for each token."""


class Finding(NamedTuple):
    capability: str
    verdict: Verdict
    evidence: Sentence
    number: int | None = None
