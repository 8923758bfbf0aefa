"""The battle socket's frames, both directions. Pure: no Django.

A socket is opened on `/ws/battle/` for a battle that does not exist yet, or on `/ws/battle/<id>/` for one that does.
The server's first frame on an existing battle, and its answer to `sync`, is a whole `state`; every later frame
changes that state, and carries `seq`, one more than the frame before it. A reader that misses one asks for `sync`.
Nothing here names a language model, except a `Reveal`, which exists only once its reader's vote does.
"""

import uuid
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Literal, NotRequired, TypedDict

Side = Literal["a", "b"]
SIDES: tuple[Side, Side] = ("a", "b")

MAX_FRAME_CHARACTERS = 262_144
"""Longer frames are refused before they are parsed. The prompt's own limit is smaller and has a kinder message."""


class Phase(StrEnum):
    """Where a battle stands; decides which controls the page offers."""

    ANSWERING = "answering"
    VOTING = "voting"
    """Both answers of the last turn ended well: vote, or go on with another turn."""
    STUCK = "stuck"
    """An answer of the last turn failed, was cut off, or was stopped before its first word: retry, or start anew."""
    REVEALED = "revealed"
    ABSTAINED = "abstained"
    """The voter could not say. No vote, no names."""


class AnswerState(StrEnum):
    WAITING = "waiting"
    """No text yet."""
    STREAMING = "streaming"
    COMPLETE = "complete"
    STOPPED = "stopped"
    """By the voter."""
    FAILED = "failed"
    CUT_OFF = "cut_off"
    """By the server's end. The text up to then is kept."""
    REPLACED = "replaced"
    """Failed on the first turn; another model took this side over."""


# --- server to browser -------------------------------------------------------------------------------------------


class AnswerView(TypedDict):
    attempt: int
    """Counts up from 1 when a side is retried or replaced."""
    state: str
    text: str
    message: str
    """Why it failed, in the reader's language; empty otherwise."""
    truncated: bool
    """The answer reached the allowed length."""


class TurnView(TypedDict):
    index: int
    prompt: str
    answers: dict[Side, AnswerView]
    replaced: list[Side]
    """Sides that another model took over, because the first one failed."""


class VoteView(TypedDict):
    outcome: str
    reasons: list[str]
    comment: str


class StandingView(TypedDict):
    rating: int
    lower: int
    upper: int
    rank_lower: int
    rank_upper: int
    n_votes: int
    preliminary: bool


class ContenderView(TypedDict):
    """A model after the reveal."""

    name: str
    slug: str
    organisation: str
    licence: str
    parameters: str
    standing: StandingView | None
    standing_note: str
    """In words, why there is no standing yet; empty where there is one."""
    seconds: float | None
    tokens: int | None
    replaced: list[str]
    """Names of models that failed on this side before it, in order."""


class Reveal(TypedDict):
    a: ContenderView
    b: ContenderView
    expected_a: float | None
    """Probability, from the ratings before this vote, that A is preferred to B (a tie counts as half)."""
    wins_a: int
    wins_b: int
    ties: int
    """How the two have met so far, this vote included, on whichever side each stood."""


class BattleView(TypedDict):
    id: str
    url: str
    phase: str
    turns: list[TurnView]
    turn_limit: int
    can_vote: bool
    can_continue: bool
    can_retry: bool
    is_mine: bool
    vote: VoteView | None
    reveal: Reveal | None


class StateFrame(TypedDict):
    type: Literal["state"]
    seq: int
    battle: BattleView


class DeltaFrame(TypedDict):
    """More text of one answer."""

    type: Literal["delta"]
    seq: int
    turn: int
    side: Side
    attempt: int
    text: str


class AnswerFrame(TypedDict):
    """An answer's state changed. With a new `attempt` the side begins again, and its former text is gone."""

    type: Literal["answer"]
    seq: int
    turn: int
    side: Side
    attempt: int
    state: str
    message: str
    truncated: bool


class ErrorFrame(TypedDict):
    """A request was refused. Nothing changed, and nothing that was typed is lost."""

    type: Literal["error"]
    code: str
    message: str
    retry_after: NotRequired[int]
    """Seconds."""


Frame = StateFrame | DeltaFrame | AnswerFrame | ErrorFrame


# --- browser to server -------------------------------------------------------------------------------------------


class FrameError(ValueError):
    """The browser sent something that is no frame. The text says what is wrong with it."""


@dataclass(frozen=True, slots=True)
class Start:
    """Begin a battle. `key` is the browser's own name for this wish, so that asking twice begins one battle."""

    key: uuid.UUID
    prompt: str
    rematch_of: uuid.UUID | None = None


@dataclass(frozen=True, slots=True)
class TakeTurn:
    key: uuid.UUID
    prompt: str


@dataclass(frozen=True, slots=True)
class Stop:
    pass


@dataclass(frozen=True, slots=True)
class Retry:
    pass


@dataclass(frozen=True, slots=True)
class CastVote:
    outcome: str


@dataclass(frozen=True, slots=True)
class Abstain:
    pass


@dataclass(frozen=True, slots=True)
class GiveFeedback:
    reasons: tuple[str, ...] = ()
    comment: str = ""


@dataclass(frozen=True, slots=True)
class Sync:
    pass


Request = Start | TakeTurn | Stop | Retry | CastVote | Abstain | GiveFeedback | Sync


@dataclass(frozen=True, slots=True)
class _Fields:
    """Reads the fields of one frame and names the one that is wrong."""

    frame: dict[str, Any] = field(repr=False)

    def text(self, name: str) -> str:
        value = self.frame.get(name, "")
        if not isinstance(value, str):
            raise FrameError(f"{name} must be text")
        return value

    def identifier(self, name: str) -> uuid.UUID:
        try:
            return uuid.UUID(self.text(name))
        except ValueError:
            raise FrameError(f"{name} must be a UUID") from None

    def optional_identifier(self, name: str) -> uuid.UUID | None:
        return self.identifier(name) if self.frame.get(name) else None

    def texts(self, name: str) -> tuple[str, ...]:
        value = self.frame.get(name, [])
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise FrameError(f"{name} must be a list of texts")
        return tuple(value)


def parse(frame: object) -> Request:
    """The request that a decoded JSON frame makes. Raises `FrameError`."""
    if not isinstance(frame, dict):
        raise FrameError("a frame must be an object")
    fields = _Fields(frame)
    match frame.get("type"):
        case "start":
            return Start(fields.identifier("key"), fields.text("prompt"), fields.optional_identifier("rematch_of"))
        case "turn":
            return TakeTurn(fields.identifier("key"), fields.text("prompt"))
        case "vote":
            return CastVote(fields.text("outcome"))
        case "feedback":
            return GiveFeedback(fields.texts("reasons"), fields.text("comment"))
        case "stop":
            return Stop()
        case "retry":
            return Retry()
        case "abstain":
            return Abstain()
        case "sync":
            return Sync()
    raise FrameError("unknown type of frame")
