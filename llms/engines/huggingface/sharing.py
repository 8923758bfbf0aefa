"""One copy of a model's weights in memory for everybody who builds on them: the model itself, and its adapters.

Each gets a tree of modules of its own, in which anything may be replaced; only the numbers are shared. So engines stay
independent of each other: each batches, waits and closes by itself.
"""

import copy
import itertools
import threading
import weakref
from collections.abc import Callable
from typing import Any


class Base:
    """Loaded weights, for as long as somebody keeps hold of this."""

    def __init__(self, model: Any) -> None:
        self._model = model.requires_grad_(False)

    def tree(self) -> Any:
        """The same model again, around the very same tensors."""
        shared = itertools.chain(self._model.parameters(), self._model.buffers())
        return copy.deepcopy(self._model, {id(tensor): tensor for tensor in shared})


class Share:
    """One user's hold of a base. It ends when that user is closed, whatever else still remembers the user: an error
    keeps the frames that it went through, and these keep what they worked with."""

    def __init__(self, base: Base) -> None:
        self._base: Base | None = base

    def end(self) -> None:
        self._base = None


class Bases:
    """Those in memory. One that nobody holds any more is gone, and its memory with it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._by_key: weakref.WeakValueDictionary[str, Base] = weakref.WeakValueDictionary()

    def take(self, key: str, load: Callable[[], Any]) -> Base:
        """The base of that key, loaded if need be."""
        with self._lock:
            base = self._by_key.get(key)
            if base is None:
                base = self._by_key[key] = Base(load())
            return base

    def __contains__(self, key: str) -> bool:
        return key in self._by_key


bases = Bases()
