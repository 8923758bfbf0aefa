"""Two streams that were opened at different times and run at different speeds, shown as if they were one pair.

Pure asyncio. The first words appear on both sides at once, and from then on both sides are released in steps of the
same length, so that neither delay nor speed tells who is writing. Names are masked before anything is released.
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass, field
from typing import NamedTuple

from arena.masking import Masker, Names
from arena.protocol import SIDES, Side
from llms.engines.base import (
    EngineError,
    GenerationFailed,
    Queued,
    ReasoningDelta,
    StreamEnd,
    StreamEvent,
    TextDelta,
)
from llms.storable import storable

TICK_SECONDS = 0.05
MAX_CHARACTERS_PER_TICK = 30
"""600 characters a second: faster than anybody reads, slow enough that a burst does not betray a fast server."""
ALONE_CHARACTERS_PER_TICK = 10
"""Once the other side has ended, the rest flows at 200 characters a second at most, or the common pace if faster."""
BACKLOG_CHARACTERS = 200_000
"""A stream that is so far ahead of what is shown has to wait."""

REASONING_CHARACTERS = 400_000
"""It is stored, and shown to nobody meanwhile: nothing else would stop a server that thinks for ever."""


class Shown(NamedTuple):
    """More of a side may be seen."""

    side: Side
    text: str


class Ended(NamedTuple):
    """A side is over, and all of it has been shown. `error` is None if it ended well."""

    side: Side
    end: StreamEnd | None
    error: EngineError | None


class Waits(NamedTuple):
    """Before the first word: so many others are served first. The longer of the two sides' lines, or None once neither
    waits: which side it is would be a tell."""

    n_before: int | None


Event = Shown | Ended | Waits


@dataclass
class _Pane:
    """One side: what the model wrote, and what of it is still to be shown."""

    masker: Masker
    reader: asyncio.Task[None] | None = None
    written: list[str] = field(default_factory=list)
    reasoning: list[str] = field(default_factory=list)
    n_reasoning: int = 0
    n_before: int | None = None
    backlog: str = ""
    end: StreamEnd | None = None
    error: EngineError | None = None
    is_reported: bool = False
    room: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def is_over(self) -> bool:
        return self.end is not None or self.error is not None

    def raise_defect(self) -> None:
        """A reader that died of anything but an `EngineError` is a defect, and must not look like a slow model."""
        if self.reader and self.reader.done() and not self.is_over:
            self.reader.result()

    @property
    def has_news(self) -> bool:
        return bool(self.backlog) or (self.is_over and not self.is_reported)


class Duel:
    """Both sides of one turn. Open each side once; open it again to let another stream take a failed side over."""

    def __init__(self, names: Names) -> None:
        self._names = names
        self._panes: dict[Side, _Pane] = {}
        self._news = asyncio.Event()
        self._has_begun = False
        self._is_stopped = False
        self._pace = 0
        self._told_line: int | None = None

    def open(self, side: Side, stream: AsyncGenerator[StreamEvent]) -> None:
        pane = _Pane(Masker(self._names))
        pane.room.set()
        self._panes[side] = pane
        pane.reader = asyncio.create_task(self._read(pane, stream))
        pane.reader.add_done_callback(lambda _: self._news.set())

    def written(self, side: Side) -> str:
        """All that the model has written on this side so far, shown or not, names unmasked."""
        pane = self._panes.get(side)
        return "".join(pane.written) if pane else ""

    def reasoning(self, side: Side) -> str:
        """What the model thought before it answered, where its server keeps that apart."""
        pane = self._panes.get(side)
        return "".join(pane.reasoning) if pane else ""

    def stop(self) -> None:
        """Let `events` end at its next step. What was shown until then is all."""
        self._is_stopped = True
        self._news.set()

    async def close(self) -> None:
        """Stop both streams, and with them the computation behind them."""
        self.stop()
        readers = [pane.reader for pane in self._panes.values() if pane.reader]
        for reader in readers:
            reader.cancel()
        await asyncio.gather(*readers, return_exceptions=True)

    async def events(self) -> AsyncIterator[Event]:
        """What the voter may see, as it may be seen. Ends when every opened side has been reported as ended."""
        while not self._is_stopped and not all(pane.is_reported for pane in self._panes.values()):
            await self._news.wait()
            self._news.clear()
            while not self._is_stopped and (events := self._step()):
                for event in events:
                    yield event
                await asyncio.sleep(TICK_SECONDS)

    async def _read(self, pane: _Pane, stream: AsyncGenerator[StreamEvent]) -> None:
        try:
            async with contextlib.aclosing(stream):
                async for event in stream:
                    await pane.room.wait()
                    if self._is_stopped:  # a cancellation may get lost on its way through `wait_for`
                        return
                    self._take(pane, event)
            if not pane.end:
                raise GenerationFailed("the stream ended without saying so")
        except EngineError as error:
            pane.error = error  # what the masker holds back may be half a name, and stays back

    def _take(self, pane: _Pane, event: StreamEvent) -> None:
        pane.n_before = event.n_before if isinstance(event, Queued) else None
        match event:
            case ReasoningDelta():
                pane.reasoning.append(storable(event.text))
                pane.n_reasoning += len(event.text)
                if pane.n_reasoning > REASONING_CHARACTERS:
                    raise GenerationFailed(f"more than {REASONING_CHARACTERS} characters of reasoning")
            case TextDelta():
                text = storable(event.text)  # every answer passes here on its way to the database and to the socket
                pane.written.append(text)
                pane.backlog += pane.masker.feed(text)
            case StreamEnd():
                pane.backlog += pane.masker.finish()
                pane.end = event
        if len(pane.backlog) > BACKLOG_CHARACTERS:
            pane.room.clear()
        self._news.set()

    def _step(self) -> list[Event]:
        """One tick: the same number of characters from each side that has any."""
        length = self._length_of_step()
        events: list[Event] = self._news_of_the_line()
        for side in SIDES:
            if pane := self._panes.get(side):
                pane.raise_defect()
                events.extend(_release(side, pane, length))
        return events

    def _news_of_the_line(self) -> list[Event]:
        longest = max((pane.n_before for pane in self._panes.values() if pane.n_before is not None), default=None)
        if longest == self._told_line:
            return []
        self._told_line = longest
        return [Waits(longest)]

    def _length_of_step(self) -> int:
        panes = list(self._panes.values())
        if not self._has_begun:
            self._has_begun = all(pane.has_news or pane.is_reported for pane in panes)
            if not self._has_begun:
                return 0
        writing = [pane for pane in panes if not pane.is_over]
        unshown = [pane for pane in panes if pane.backlog]
        if len(unshown) + sum(1 for pane in writing if not pane.backlog) < 2:
            return max(self._pace, ALONE_CHARACTERS_PER_TICK)
        slowest = min((len(pane.backlog) for pane in writing), default=MAX_CHARACTERS_PER_TICK)
        length = min(slowest, MAX_CHARACTERS_PER_TICK)
        self._pace = length or self._pace
        return length


def _release(side: Side, pane: _Pane, length: int) -> list[Event]:
    events: list[Event] = []
    text, pane.backlog = pane.backlog[:length], pane.backlog[length:]
    if text:
        events.append(Shown(side, text))
    if len(pane.backlog) <= BACKLOG_CHARACTERS:
        pane.room.set()
    if pane.is_over and not pane.backlog and not pane.is_reported and (length or pane.error):
        pane.is_reported = True
        events.append(Ended(side, pane.end, pane.error))
    return events
