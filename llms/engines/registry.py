"""Every engine by name. To add one: write the class, add a line; the contract test runs over all of them."""

import importlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

from llms.engines.base import Engine, Footprint
from llms.engines.openai_compatible.connection import Connection
from llms.identity import Hashes


class EngineClass(Protocol):
    """What a registered class offers besides the methods of `Engine`, whose class methods are listed here again."""

    holds_weights: bool

    def from_options(
        self,
        source: str,
        revision: str,
        options: Mapping[str, Any],
        *,
        cache_dir: Path,
        connection: Connection | None = None,
    ) -> Engine:
        """Bring the engine up. Blocks; may keep converted weights in `cache_dir`. `connection` is for engines that are
        elsewhere. Raises `LoadingFailed` with a reason that an administrator can act on."""
        ...

    def prepare(
        self, source: str, revision: str, options: Mapping[str, Any], *, cache_dir: Path, report: Callable[[str], None]
    ) -> Footprint | None: ...

    def available_memory(self, device: str) -> int: ...

    def identity(self, source: str, revision: str, options: Mapping[str, Any], hashes: Hashes) -> str: ...

    def problems(self, source: str, revision: str, options: Mapping[str, Any]) -> list[str]:
        """What would keep this source from loading, each as a sentence that says how to mend it. Cheap: loads no
        weights."""
        ...


ENGINES: dict[str, str] = {
    "echo": "llms.engines.echo:EchoEngine",
    "huggingface": "llms.engines.huggingface.engine:HuggingFaceEngine",
    "openai_compatible": "llms.engines.openai_compatible.engine:OpenAICompatibleEngine",
}


class UnknownEngine(LookupError):
    """No engine of that name is registered."""


def engine_class(name: str) -> EngineClass:
    """The class behind a name, imported on first use so that torch stays unloaded until it is needed."""
    try:
        path = ENGINES[name]
    except KeyError:
        raise UnknownEngine(f"no engine is called {name!r}; known are {', '.join(sorted(ENGINES))}") from None
    module, _, attribute = path.partition(":")
    loaded: EngineClass = getattr(importlib.import_module(module), attribute)
    return loaded


def engine_choices() -> list[tuple[str, str]]:
    """Choices for a model field; a callable, so that a new engine needs no migration."""
    return [(name, name) for name in ENGINES]
