"""Whether an engine fits into memory, and which others would have to give way: arithmetic over footprints."""

from collections.abc import Callable, Sequence

import psutil

from llms.engines.base import Footprint, LoadingFailed
from llms.holdings import Entry
from llms.sentences import Sentence, filled, mark

GIGABYTE = 1e9


class Room:
    """Memory as it is, less what was promised. An engine fills its cache only as conversations grow, so what the system
    calls free may be spoken for."""

    def __init__(self, resident: Callable[[], int] | None = None) -> None:
        self._resident = resident or _resident
        self._at_first = 0

    def note_empty(self) -> None:
        """Nothing is loaded: whatever this process takes now is its own."""
        self._at_first = self._resident()

    def free(self, device: str, available: int, loaded: Sequence[Entry]) -> int:
        if device != "cpu":  # accelerators hand out memory when it is asked for
            return available
        grown = self._resident() - self._at_first
        return max(0, available - max(0, total([entry for entry in loaded if is_on(entry, device)]) - grown))


def is_on(entry: Entry, device: str) -> bool:
    return entry.footprint is not None and entry.footprint.device == device


def total(entries: Sequence[Entry]) -> int:
    """What they take together: weights that several share count once."""
    footprints = [entry.footprint for entry in entries if entry.footprint]
    bases = {footprint.base_key: footprint.base for footprint in footprints if footprint.keeps_base}
    return sum(footprint.own for footprint in footprints) + sum(bases.values())


def needed(footprint: Footprint, loaded: Sequence[Entry]) -> int:
    """At the height of its loading. Weights that are there already need not come again."""
    return footprint.own + (0 if _is_there(footprint, loaded) else footprint.base)


def would_fit(footprint: Footprint, free: int, there: Sequence[Entry], victims: Sequence[Entry]) -> bool:
    """Whether it could be loaded if these gave way. Weights that one who stays shares with them do not come free."""
    stay = [entry for entry in there if entry not in victims]
    return needed(footprint, stay) <= free + total(there) - total(stay)


def by_dispensability(footprint: Footprint, entries: Sequence[Entry]) -> list[Entry]:
    """Least recently used first; those whose weights the newcomer shares last."""
    return sorted(entries, key=lambda entry: (_is_there(footprint, [entry]), entry.used_at))


def too_large(footprint: Footprint, at_most: int) -> LoadingFailed:
    words = mark(
        "It needs %(needed)s GB of memory on %(device)s, and no more than %(free)s GB can be had there, whatever else "
        "is unloaded. Lower its cache_tokens, choose dtype bfloat16 or a smaller version, give this machine more "
        "memory, or serve it by a server of its own and register that endpoint."
    )
    wanted = footprint.own + footprint.base
    return LoadingFailed(filled(words, needed=gigabytes(wanted), device=footprint.device, free=gigabytes(at_most)))


def waiting_words(footprint: Footprint, free: int) -> Sentence:
    words = mark("waits for %(needed)s GB of memory on %(device)s, of which %(free)s GB are free")
    wanted = footprint.own + footprint.base
    return filled(words, needed=gigabytes(wanted), device=footprint.device, free=gigabytes(free))


def gigabytes(n_bytes: int) -> str:
    return f"{n_bytes / GIGABYTE:.1f}"


def _is_there(footprint: Footprint, loaded: Sequence[Entry]) -> bool:
    there = {entry.footprint.base_key for entry in loaded if entry.footprint and entry.footprint.keeps_base}
    return bool(footprint.base_key) and footprint.base_key in there


def _resident() -> int:
    return int(psutil.Process().memory_info().rss)
