"""Reads the few facts of a GGUF file that decide whether it can serve, within bounds, from the header alone.

Layout: magic, version, number of tensors, number of entries, then the entries (key, type, value). Little-endian.
https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
"""

import math
import struct
from pathlib import Path
from typing import BinaryIO, NamedTuple

from llms.sentences import filled, mark

MAGIC = b"GGUF"
VERSIONS = (2, 3)
MAX_ENTRIES = 4096
MAX_TENSORS = 1 << 16
MAX_DIMENSIONS = 8
MAX_STRING = 1 << 20
MAX_ITEMS = 1 << 22
MAX_HEADER_BYTES = 256 << 20

_SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
_STRING, _ARRAY = 8, 9


class BrokenGguf(ValueError):
    """The file is no GGUF file, or a damaged one. The text goes on from “… is not a usable GGUF file,”."""


class GgufHeader(NamedTuple):
    architecture: str | None
    chat_template: str | None
    has_tokenizer: bool
    n_parts: int
    """Above 1 for a model that is spread over several files."""
    name: str | None = None
    organisation: str | None = None
    licence: str | None = None
    n_parameters: int | None = None
    """Numbers in all its tensors; None if their list cannot be read."""


class _Reader:
    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def take(self, n_bytes: int) -> bytes:
        if self._file.tell() + n_bytes > MAX_HEADER_BYTES:
            raise BrokenGguf(filled(mark("its header is absurdly long")))
        data = self._file.read(n_bytes)
        if len(data) < n_bytes:
            raise BrokenGguf(filled(mark("it ends in the middle of its header")))
        return data

    def number(self, code: str) -> int | float | bool:
        value: int | float | bool
        (value,) = struct.unpack("<" + code, self.take(struct.calcsize("<" + code)))
        return value

    def count(self, code: str, most: int) -> int:
        number = int(self.number(code))
        if number > most:
            raise BrokenGguf(filled(mark("its header announces %(number)s of something"), number=number))
        return number

    def text(self) -> str:
        return self.take(self.count("Q", MAX_STRING)).decode("utf-8", "replace")

    def value(self) -> int | float | bool | str | None:
        """The next value; None stands for an array, which is skipped."""
        kind = self.count("I", 12)
        if kind == _STRING:
            return self.text()
        if kind == _ARRAY:
            self._skip_array()
            return None
        return self.number(_SCALARS[kind])

    def _skip_array(self) -> None:
        kind, length = self.count("I", 12), self.count("Q", MAX_ITEMS)
        if kind == _ARRAY:
            raise BrokenGguf(filled(mark("it holds an array of arrays")))
        if kind == _STRING:
            for _ in range(length):
                self.take(self.count("Q", MAX_STRING))
        else:
            self.take(length * struct.calcsize("<" + _SCALARS[kind]))


def read_gguf_header(path: Path) -> GgufHeader:
    """Raises `BrokenGguf`, or `OSError` when the file cannot be read."""
    with path.open("rb") as file:
        reader = _Reader(file)
        if reader.take(4) != MAGIC:
            raise BrokenGguf(filled(mark("it does not begin as a GGUF file does")))
        version = reader.number("I")
        if version not in VERSIONS:
            raise BrokenGguf(
                filled(
                    mark("its format version is %(version)s, and only %(known)s are known"),
                    version=version,
                    known=", ".join(map(str, VERSIONS)),
                )
            )
        n_tensors = reader.number("Q")
        entries = {reader.text(): reader.value() for _ in range(reader.count("Q", MAX_ENTRIES))}
        n_parameters = _n_parameters(reader, int(n_tensors))
    return GgufHeader(
        architecture=_text(entries.get("general.architecture")),
        chat_template=_text(entries.get("tokenizer.chat_template")),
        has_tokenizer="tokenizer.ggml.tokens" in entries,
        n_parts=int(entries.get("split.count") or 1),
        name=_text(entries.get("general.name")),
        organisation=_text(entries.get("general.organization")),
        licence=_text(entries.get("general.license")),
        n_parameters=n_parameters,
    )


def _n_parameters(reader: _Reader, n_tensors: int) -> int | None:
    """From the list of tensors behind the entries: name, dimensions, type, offset of each."""
    if not 0 < n_tensors <= MAX_TENSORS:
        return None
    total = 0
    try:
        for _ in range(n_tensors):
            reader.text()
            total += math.prod(int(reader.number("Q")) for _ in range(reader.count("I", MAX_DIMENSIONS)))
            reader.take(12)
    except BrokenGguf:
        return None
    return total


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
