"""Stands in for an engine's class, so that a pool can be watched: counts loads, waits at a gate, fails and fits as told."""

import threading
from collections.abc import Callable
from typing import Any

from llms.engines.base import Footprint
from llms.engines.echo import EchoEngine
from llms.models import LanguageModel


class Loads:
    def __init__(self) -> None:
        self.loaded: list[str] = []
        self.closed: list[str] = []
        self.failed: list[str] = []
        self.gate = threading.Event()
        self.gate.set()
        self.error: Exception | None = None
        self.on_load: Callable[[], None] = lambda: None
        self.holds_weights = False
        self.memory = 0
        """Of the scripted device."""
        self.sizes: dict[str, int | Footprint] = {}
        """What each source takes of it."""
        self.running: dict[str, int] = {}
        """Answers that a source's engine writes at the moment."""

    def __call__(self, name: str) -> "Loads":
        """As `engine_class`."""
        return self

    def footprint(self, source: str) -> Footprint | None:
        size = self.sizes.get(source)
        return Footprint("cpu", size) if isinstance(size, int) else size

    def prepare(self, source: str, revision: str, options: Any, *, cache_dir: Any, report: Any) -> Footprint | None:
        return self.footprint(source)

    def available_memory(self, device: str) -> int:
        """What those that are not closed have left."""
        return self.memory - self.taken()

    def taken(self) -> int:
        inside = [self.footprint(source) for source in set(self.loaded) if self.is_inside(source)]
        bases = {footprint.base_key: footprint.base for footprint in inside if footprint and footprint.keeps_base}
        return sum(footprint.own for footprint in inside if footprint) + sum(bases.values())

    def is_inside(self, source: str) -> bool:
        return self.loaded.count(source) > self.closed.count(source) + self.failed.count(source)

    @property
    def inside(self) -> list[str]:
        return sorted(source for source in set(self.loaded) if self.is_inside(source))

    def from_options(self, source: str, revision: str, options: Any, *, cache_dir: Any, connection: Any = None) -> Any:
        self.loaded.append(source)
        assert self.gate.wait(5)
        try:
            self.on_load()
            if self.error:
                raise self.error
        except BaseException:
            self.failed.append(source)
            raise
        loads = self

        class Engine(EchoEngine):
            holds_weights = False  # or the pool would look for its files

            @property
            def n_running(self) -> int:
                return loads.running.get(source, 0)

            def close(self) -> None:
                loads.closed.append(source)

        return Engine.from_options(source, revision, {}, cache_dir=cache_dir)


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def model(**fields: Any) -> LanguageModel:
    return LanguageModel(**{"engine": "echo", "source": "weights", **fields})
