"""The files of an import: one file, a folder, or a zip, of which nothing is ever unpacked to the disk.

A stranger's zip may be a bomb, or name files outside itself: sizes are bounded before and while it is read, and such
names are refused.
"""

import os
import stat
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Final, NamedTuple

from evaluation.foreign.results import BadFile, Problem
from evaluation.foreign.zstandard import decompressed
from llms.sentences import Sentence, filled, mark

ENDINGS: Final = (".json", ".jsonl", ".eval", ".parquet")
ZSTANDARD: Final = 93
READ_BYTES: Final = 2**20
HIDDEN: Final = ("__MACOSX", ".")


class Limits(NamedTuple):
    n_files: int = 20_000
    bytes_each: int = 1_000_000_000
    bytes_together: int = 8_000_000_000


class Entry(NamedTuple):
    name: str
    """With forward slashes, from the top of the folder or zip."""
    read: Callable[[], bytes]
    """Raises BadFile."""


class Content(NamedTuple):
    entries: dict[str, Entry]
    problems: list[Problem]


@contextmanager
def opened(path: Path, limits: Limits = Limits()) -> Iterator[Content]:  # noqa: B008 - an immutable
    """Raises BadFile: there is nothing, or what is there cannot be a set of results."""
    if path.is_dir():
        yield _folder(path, limits)
    elif path.suffix == ".zip":
        with zip_file(path, path.name) as archive:
            yield zip_content(archive, limits)
    elif path.is_file():
        yield Content({path.name: Entry(path.name, lambda: _read_file(path, limits))}, [])
    else:
        raise BadFile(filled(mark("There is no file and no folder %(path)s: check the path."), path=str(path)))


@contextmanager
def zip_file(file: Path | IO[bytes], name: str) -> Iterator[zipfile.ZipFile]:
    try:
        archive = zipfile.ZipFile(file)
    except (zipfile.BadZipFile, OSError, NotImplementedError, ValueError) as error:
        words = mark("%(name)s is no zip that can be read (%(why)s): pack it again.")
        raise BadFile(filled(words, name=name, why=str(error))) from None
    with archive:
        yield archive


def zip_content(archive: zipfile.ZipFile, limits: Limits) -> Content:
    infos = [info for info in archive.infolist() if not info.is_dir()]
    _check_sizes([info.file_size for info in infos], limits)
    entries: dict[str, Entry] = {}
    problems = []
    for info in infos:
        reason = _why_not(info, entries)
        if reason:
            problems.append(Problem(info.filename[:200], reason))
        elif _is_wanted(info.filename):
            entries[info.filename] = _zipped(archive, info, limits)
    return Content(entries, problems)


def _why_not(info: zipfile.ZipInfo, entries: dict[str, Entry]) -> Sentence | None:
    name = info.filename
    parts = name.split("/")
    if name.startswith("/") or ".." in parts or "\\" in name or ":" in parts[0] or not name.isprintable():
        return filled(mark("Its name leads out of the zip: pack the folder again with an ordinary program."))
    if stat.S_ISLNK(info.external_attr >> 16):
        return filled(mark("It is a link: pack the file itself."))
    if info.flag_bits & 0x1:
        return filled(mark("It is encrypted: pack it without a password."))
    if name in entries:
        return filled(mark("The zip has two files of this name: pack it again."))
    return None


def _zipped(archive: zipfile.ZipFile, info: zipfile.ZipInfo, limits: Limits) -> Entry:
    return Entry(info.filename, lambda: _read_zipped(archive, info, limits))


def _read_zipped(archive: zipfile.ZipFile, info: zipfile.ZipInfo, limits: Limits) -> bytes:
    try:
        if info.compress_type == ZSTANDARD:
            return decompressed(archive, info)
        with archive.open(info) as file:
            return _bounded(file, min(info.file_size, limits.bytes_each))
    except (zipfile.BadZipFile, zlib.error, OSError, EOFError, NotImplementedError, RuntimeError) as error:
        words = mark("It cannot be unpacked (%(why)s): pack it again.")
        raise BadFile(filled(words, why=str(error) or type(error).__name__)) from None


def _bounded(file: IO[bytes], most: int) -> bytes:
    data = file.read(most + 1)
    if len(data) > most:
        raise BadFile(filled(mark("It is larger than it says: pack it again.")))
    return data


def _folder(path: Path, limits: Limits) -> Content:
    entries: dict[str, Entry] = {}
    problems, sizes = [], []
    for folder, _, names in os.walk(path):
        for file in (Path(folder) / name for name in sorted(names) if _is_wanted(name)):
            name = file.relative_to(path).as_posix()
            if file.is_symlink():
                words = mark("It is a link: copy the file itself into the folder.")
                problems.append(Problem(name, filled(words)))
                continue
            sizes.append(file.stat().st_size)
            _check_sizes(sizes, limits)
            entries[name] = _filed(file, name, limits)
    return Content(entries, problems)


def _filed(file: Path, name: str, limits: Limits) -> Entry:
    return Entry(name, lambda: _read_file(file, limits))


def _read_file(file: Path, limits: Limits) -> bytes:
    try:
        with file.open("rb") as opened_file:
            return _bounded(opened_file, limits.bytes_each)
    except OSError as error:
        words = mark("It cannot be read: %(why)s.")
        raise BadFile(filled(words, why=error.strerror or str(error))) from None


def _is_wanted(name: str) -> bool:
    return name.endswith(ENDINGS) and not any(part.startswith(HIDDEN) for part in name.split("/"))


def _check_sizes(sizes: list[int], limits: Limits) -> None:
    if len(sizes) > limits.n_files:
        words = mark("There are more than %(most)s files: import them in parts.")
        raise BadFile(filled(words, most=limits.n_files))
    if max(sizes, default=0) > limits.bytes_each or sum(sizes) > limits.bytes_together:
        words = mark("The files are larger than %(each)s MB each or %(together)s MB together: import them in parts.")
        megabyte = 1_000_000
        raise BadFile(filled(words, each=limits.bytes_each // megabyte, together=limits.bytes_together // megabyte))
