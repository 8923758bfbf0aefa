"""Writes GGUF files, good and bad."""

import struct
from pathlib import Path
from typing import Any

U32, STRING, ARRAY, U64 = 4, 8, 9, 10
COMPLETE: dict[str, Any] = {
    "general.architecture": "llama",
    "tokenizer.chat_template": "{{ messages[0].content }}",
    "tokenizer.ggml.tokens": ["a", "b"],
    "tokenizer.ggml.bos_token_id": 1,
}


def text(value: str) -> bytes:
    return struct.pack("<Q", len(value.encode())) + value.encode()


def value_of(value: str | int | list[str]) -> bytes:
    if isinstance(value, str):
        return struct.pack("<I", STRING) + text(value)
    if isinstance(value, int):
        return struct.pack("<II", U32, value)
    return struct.pack("<IIQ", ARRAY, STRING, len(value)) + b"".join(map(text, value))


def header(entries: dict[str, Any], *, magic: bytes = b"GGUF", version: int = 3) -> bytes:
    body = b"".join(text(key) + value_of(value) for key, value in entries.items() if value is not None)
    n_entries = sum(value is not None for value in entries.values())
    return magic + struct.pack("<IQQ", version, 0, n_entries) + body


def write_gguf(path: Path, **entries: Any) -> Path:
    """A complete header, changed by `entries`; double underscores stand for dots, None leaves one out."""
    changes = {key.replace("__", "."): value for key, value in entries.items()}
    path.write_bytes(header(COMPLETE | changes))
    return path
