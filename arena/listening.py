"""What one socket has yet to be told of a running turn. Text that waits is joined, so that a slow reader costs no
more memory than the answer itself."""

import asyncio
from typing import NamedTuple

from arena.protocol import AnswerState, Side


class MoreText(NamedTuple):
    turn: int
    side: Side
    attempt: int
    text: str


class NewState(NamedTuple):
    turn: int
    side: Side
    attempt: int
    state: AnswerState
    error_code: str
    truncated: bool
    n_before: int | None = None
    """Of an answer that waits: so many others are served first."""


Change = MoreText | NewState


class Listener:
    def __init__(self) -> None:
        self._changes: list[Change] = []
        self._wake_up = asyncio.Event()
        self._is_over = False

    def add_text(self, more: MoreText) -> None:
        for position in range(len(self._changes) - 1, -1, -1):
            waiting = self._changes[position]
            if not isinstance(waiting, MoreText):
                break
            if (waiting.side, waiting.attempt) == (more.side, more.attempt):
                self._changes[position] = waiting._replace(text=waiting.text + more.text)
                return
        self._add(more)

    def add_state(self, change: NewState) -> None:
        self._add(change)

    def end(self) -> None:
        self._is_over = True
        self._wake_up.set()

    async def next(self) -> list[Change] | None:
        """What happened since the last call; None once the turn is over and all was told."""
        await self._wake_up.wait()
        if not self._is_over:
            self._wake_up.clear()
        changes, self._changes = self._changes, []
        return None if self._is_over and not changes else changes

    def _add(self, change: Change) -> None:
        self._changes.append(change)
        self._wake_up.set()
