"""Scripted streams, and what a voter sees of two of them."""

import asyncio
import itertools
from typing import NamedTuple

from arena import streaming
from arena.masking import Names
from arena.streaming import Duel, Ended, Shown
from llms.engines.base import (
    FinishReason,
    StreamEnd,
    TextDelta,
    Usage,
)
from tests.helpers.virtual_time import run

NOBODY = Names([])
END = StreamEnd(FinishReason.STOP, Usage(1, 1))
STEP = streaming.TICK_SECONDS


class Seen(NamedTuple):
    time: float
    event: Shown | Ended


class Writer:
    """A stream by a script: numbers are seconds to wait, texts are written, errors are raised."""

    def __init__(self, *script, end=END):
        self.script = script
        self.end = end
        self.n_written = 0
        self.is_closed = False

    async def stream(self):
        try:
            for step in self.script:
                if isinstance(step, int | float):
                    await asyncio.sleep(step)
                elif isinstance(step, Exception):
                    raise step
                else:
                    self.n_written += 1
                    yield TextDelta(step)
            if self.end:
                yield self.end
        finally:
            self.is_closed = True


def pace(text, seconds, size=3, first=0.0):
    """The text in pieces, each after so many seconds."""
    parts = [text[start : start + size] for start in range(0, len(text), size)]
    return Writer(first, *itertools.chain.from_iterable((part, seconds) for part in parts))


async def watch(duel, on_event=lambda event: None):
    """Everything a voter sees, and when."""
    seen = []
    clock = asyncio.get_running_loop().time
    try:
        async for event in duel.events():
            seen.append(Seen(clock(), event))
            on_event(event)
    finally:
        await duel.close()
    return seen


def play(a, b, names=NOBODY):
    async def both():
        duel = Duel(names)
        duel.open("a", a.stream())
        duel.open("b", b.stream())
        return await watch(duel)

    return run(both())


def texts(seen):
    shown = {"a": "", "b": ""}
    for _, event in seen:
        if isinstance(event, Shown):
            shown[event.side] += event.text
    return shown


def ends(seen):
    return {event.side: event for _, event in seen if isinstance(event, Ended)}


def steps(seen):
    """For each moment, how many characters each side was given."""
    by_time = {}
    for time, event in seen:
        if isinstance(event, Shown):
            by_time.setdefault(round(time, 6), {})[event.side] = len(event.text)
    return by_time


def while_both_write(seen):
    """The steps before the first side ended."""
    first_end = min(time for time, event in seen if isinstance(event, Ended))
    return {time: lengths for time, lengths in steps(seen).items() if time < round(first_end, 6)}


# --- no tell
