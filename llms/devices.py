"""Who may use an accelerator: one process at a time, so that serving and evaluation do not take each other's memory.

A lock is a file in the data folder. It is held for as long as a process has an engine on the device, and ends with the
process, however that ends. The processor has none: everybody shares it, and what is free there can be seen.
"""

import os
import re
import socket
import threading
from pathlib import Path

from filelock import FileLock, Timeout

from llms.engines.base import Footprint

SHARED = ("cpu",)
_UNSAFE = re.compile(r"[^\w.-]+")


class DeviceLocks:
    """Those of one pool of engines. Safe from any thread."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._mutex = threading.Lock()
        self._held: dict[str, FileLock] = {}

    def take(self, footprint: Footprint) -> bool:
        """Whether the device is ours now. Does not wait."""
        if footprint.device in SHARED:
            return True
        with self._mutex:
            return footprint.hardware in self._held or self._take(footprint)

    def _take(self, footprint: Footprint) -> bool:
        path = self._path(footprint)
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(path, timeout=0, thread_local=False)  # taken in one thread, given back in another
        try:
            lock.acquire()
        except Timeout:
            return False
        self._note_of(path).write_text(f"{socket.gethostname()}, process {os.getpid()}")
        self._held[footprint.hardware] = lock
        return True

    def holder(self, footprint: Footprint) -> str:
        """Who has it, in words; empty if that is not known."""
        try:
            return self._note_of(self._path(footprint)).read_text()[:200]
        except OSError:
            return ""

    def keep_only(self, footprints: list[Footprint]) -> None:
        """Give the other devices back."""
        wanted = {footprint.hardware for footprint in footprints}
        with self._mutex:
            for hardware in [hardware for hardware in self._held if hardware not in wanted]:
                self._held.pop(hardware).release()

    def _path(self, footprint: Footprint) -> Path:
        return self._folder / f"{_UNSAFE.sub('-', footprint.hardware)}.lock"

    def _note_of(self, path: Path) -> Path:
        return path.with_suffix(".holder")
