"""Finds out whether a folder's weights are complete safetensors, from names, sizes and headers."""

import json
import struct
from pathlib import Path

from llms.sentences import filled, mark

PICKLED = (".bin", ".pt", ".pth", ".pkl", ".pickle", ".ckpt", ".msgpack", ".h5")
MAX_HEADER_BYTES = 64 << 20
LFS_POINTER = b"version https://git-lfs"
INDEX = "model.safetensors.index.json"


def weight_problems(folder: Path) -> list[str]:
    """Raises `OSError` when a file cannot be read."""
    names = sorted(path.name for path in folder.iterdir() if path.is_file())
    found = [name for name in names if name.endswith(".safetensors")]
    if (folder / INDEX).is_file():
        return _index_problems(folder, found)
    if "model.safetensors" in found:
        return file_problems(folder / "model.safetensors")
    if found:
        words = mark("Its weights are called %(name)s: name them model.safetensors, or add %(index)s.")
        return [filled(words, name=found[0], index=INDEX)]
    pickled = [name for name in names if name.endswith(PICKLED)]
    if pickled:
        words = mark(
            "Its weights are only in %(name)s, a format that can run code when it is opened: save them again with "
            "save_pretrained(…, safe_serialization=True), or choose a revision that has safetensors."
        )
        return [filled(words, name=pickled[0])]
    return [filled(mark("%(folder)s holds no weights: copy its .safetensors files there."), folder=folder)]


def _index_problems(folder: Path, found: list[str]) -> list[str]:
    try:
        parts = sorted(set(json.loads((folder / INDEX).read_text("utf-8"))["weight_map"].values()))
    except (ValueError, LookupError, TypeError, AttributeError):
        return [filled(mark("%(name)s is damaged: save or download the model again."), name=INDEX)]
    missing = [str(part) for part in parts if part not in found]
    if missing:
        words = mark("%(missing)s of its %(all)s weight files are missing, first %(name)s: download them.")
        return [filled(words, missing=len(missing), all=len(parts), name=missing[0])]
    return [problem for part in parts for problem in file_problems(folder / part)]


def file_problems(path: Path) -> list[str]:
    """A safetensors file is the header's length in eight bytes, the header, and exactly the bytes that it names."""
    size = path.stat().st_size
    with path.open("rb") as file:
        start = file.read(8)
        if LFS_POINTER.startswith(start) and start:
            words = mark("%(name)s is only a Git LFS pointer: run “git lfs pull” in its folder.")
            return [filled(words, name=path.name)]
        length = struct.unpack("<Q", start)[0] if len(start) == 8 else MAX_HEADER_BYTES + 1
        if length > MAX_HEADER_BYTES:
            return [filled(mark("%(name)s is no safetensors file: download it again."), name=path.name)]
        header = file.read(length)
    try:
        tensors = [entry for name, entry in json.loads(header).items() if name != "__metadata__"]
        end = max((entry["data_offsets"][1] for entry in tensors), default=0)
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return [filled(mark("%(name)s is damaged: download it again."), name=path.name)]
    if size != 8 + length + end:
        words = mark("%(name)s has %(size)s bytes where its header tells of %(expected)s: download it again.")
        return [filled(words, name=path.name, size=size, expected=8 + length + end)]
    return []
