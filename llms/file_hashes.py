"""Digests of large files, computed once: kept in a small JSON file, for as long as a file looks the same."""

import hashlib
import json
import os
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from filelock import FileLock

from llms.engines.base import LoadingFailed
from llms.sentences import filled, mark

BLOCK_BYTES = 8 << 20
SETTLED_SECONDS = 2.0
"""A file that was written to just now may be written to again within one tick of its clock: its digest is not kept."""
LOCK_SECONDS = 30.0
CHANGING = mark("%(file)s is being written to: try again when that is done.")
MOST = 4096
"""Files remembered; the oldest are forgotten first."""


class FileHashes:
    """Safe from any thread and any process."""

    def __init__(self, store: Path) -> None:
        self._store = store
        self._lock = threading.Lock()
        self._known: dict[str, list[Any]] | None = None

    def sha256(self, path: Path) -> str:
        """Of a file's content. Raises `OSError`."""
        path = path.resolve()
        before = _looks(path)
        with self._lock:
            if self._known is None:
                self._known = self._read()
            known = self._known.get(str(path))
        if known and known[:-1] == before:
            return str(known[-1])
        digest = _sha256(path)
        if _looks(path) != before:
            raise LoadingFailed(filled(CHANGING, file=path.name))
        if time.time() - path.stat().st_ctime > SETTLED_SECONDS:
            self._remember(str(path), [*before, digest])
        return digest

    def _remember(self, path: str, entry: list[Any]) -> None:
        with self._lock:
            self._store.parent.mkdir(parents=True, exist_ok=True)
            with FileLock(f"{self._store}.lock", timeout=LOCK_SECONDS):
                known = self._read()
                known.pop(path, None)
                known[path] = entry
                self._known = dict(list(known.items())[-MOST:])
                self._write(self._known)

    def _read(self) -> dict[str, list[Any]]:
        """What cannot be read is forgotten: it can be computed again."""
        try:
            content = json.loads(self._store.read_text("utf-8"))
        except (OSError, ValueError):
            return {}
        if not isinstance(content, dict):
            return {}
        return {path: entry for path, entry in content.items() if isinstance(entry, list) and len(entry) == 5}

    def _write(self, known: dict[str, list[Any]]) -> None:
        """All or nothing."""
        with tempfile.NamedTemporaryFile(
            "w", dir=self._store.parent, prefix=f".{self._store.name}", delete=False
        ) as new:
            json.dump(known, new)
        os.replace(new.name, self._store)


def _looks(path: Path) -> list[Any]:
    """The time of the last change of any kind is among it, because dates of content can be set back."""
    about = path.stat()
    return [about.st_size, about.st_mtime_ns, about.st_ctime_ns, about.st_ino]


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigest()
