"""What a pool of engines holds: which are loaded, which wait for it, and which are on their way out."""

import json
import math
import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import NamedTuple, Self

from llms.endpoints import Address
from llms.engines.base import Engine, Footprint
from llms.models import LanguageModel
from llms.sentences import Sentence, filled, mark

Clock = Callable[[], float]
IN_LINE = filled(mark("waits until others are loaded"))


class EngineKey(NamedTuple):
    """What decides whether two registered models can share an engine."""

    engine: str
    source: str
    revision: str
    options: str
    address: Address | None = None

    @classmethod
    def of(cls, llm: LanguageModel) -> Self:
        address = Address.of(llm.endpoint) if llm.endpoint else None
        return cls(llm.engine, llm.source, llm.revision, json.dumps(llm.options, sort_keys=True), address)


class Entry:
    """An engine, from the first wish for it to its end."""

    def __init__(self, key: EngineKey, clock: Clock) -> None:
        self.key = key
        self.future: Future[Engine] = Future()
        self.users: set[int | None] = set()
        """Registered models that share it."""
        self.n_holders = 0
        """Answers and runs that must not lose it now."""
        self.footprint: Footprint | None = None
        self.identity = ""
        """Of the weights that it was loaded from, once that is known; empty for what nothing pins."""
        self.is_prepared = False
        self._clock = clock
        self.used_at = self.began_at = clock()
        self.ready_at = self.failed_at = math.inf
        self.stage: Sentence = IN_LINE
        self.future.add_done_callback(self._note_end)

    @property
    def engine(self) -> Engine | None:
        """Once it is loaded."""
        is_loaded = self.future.done() and not self.future.cancelled() and not self.future.exception()
        return self.future.result() if is_loaded else None

    @property
    def is_idle(self) -> bool:
        engine = self.engine
        return engine is not None and not self.n_holders and not engine.n_running

    def has_failed_for(self) -> float:
        """Seconds; negative as long as it has not."""
        return self._clock() - self.failed_at

    def has_been_ready_for(self) -> float:
        return self._clock() - self.ready_at

    def touch(self) -> None:
        self.used_at = self._clock()

    def _note_end(self, future: Future[Engine]) -> None:
        if future.cancelled():
            self.failed_at = -math.inf
        elif future.exception():
            self.failed_at = self._clock()
        else:
            self.ready_at = self.used_at = self._clock()


@dataclass
class Holdings:
    """Read and changed with `changed` held; its waiters are told of every change."""

    changed: threading.Condition = field(default_factory=threading.Condition)
    version: int = 0
    entries: dict[EngineKey, Entry] = field(default_factory=dict)
    line: list[Entry] = field(default_factory=list)
    """Those that are to be loaded, in the order in which they came."""
    leaving: list[Entry] = field(default_factory=list)
    """Those that no model stands for any more. Closed as soon as they are idle."""

    def tell(self) -> None:
        self.version += 1
        self.changed.notify_all()

    def loaded(self) -> list[Entry]:
        return [entry for entry in (*self.entries.values(), *self.leaving) if entry.engine]

    def in_turn(self) -> list[Entry]:
        """The line, with those at its head that somebody waits for at this moment."""
        return sorted(self.line, key=lambda entry: not entry.n_holders)
