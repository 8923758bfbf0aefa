"""Finds out whether a folder's weights are complete safetensors, from names, sizes and headers."""

import json
import struct
from pathlib import Path

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
        return _file_problems(folder / "model.safetensors")
    if found:
        return [f"Its weights are called {found[0]}: name them model.safetensors, or add {INDEX}."]
    pickled = [name for name in names if name.endswith(PICKLED)]
    if pickled:
        return [
            f"Its weights are only in {pickled[0]}, a format that can run code when it is opened: save them again with "
            "save_pretrained(…, safe_serialization=True), or choose a revision that has safetensors."
        ]
    return [f"{folder} holds no weights: copy its .safetensors files there."]


def _index_problems(folder: Path, found: list[str]) -> list[str]:
    try:
        parts = sorted(set(json.loads((folder / INDEX).read_text("utf-8"))["weight_map"].values()))
    except (ValueError, LookupError, TypeError, AttributeError):
        return [f"{INDEX} is damaged: save or download the model again."]
    missing = [str(part) for part in parts if part not in found]
    if missing:
        return [f"{len(missing)} of its {len(parts)} weight files are missing, first {missing[0]}: download them."]
    return [problem for part in parts for problem in _file_problems(folder / part)]


def _file_problems(path: Path) -> list[str]:
    """A safetensors file is the header's length in eight bytes, the header, and exactly the bytes that it names."""
    size = path.stat().st_size
    with path.open("rb") as file:
        start = file.read(8)
        if LFS_POINTER.startswith(start) and start:
            return [f"{path.name} is only a Git LFS pointer: run “git lfs pull” in its folder."]
        length = struct.unpack("<Q", start)[0] if len(start) == 8 else MAX_HEADER_BYTES + 1
        if length > MAX_HEADER_BYTES:
            return [f"{path.name} is no safetensors file: download it again."]
        header = file.read(length)
    try:
        tensors = [entry for name, entry in json.loads(header).items() if name != "__metadata__"]
        end = max((entry["data_offsets"][1] for entry in tensors), default=0)
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return [f"{path.name} is damaged: download it again."]
    if size != 8 + length + end:
        return [f"{path.name} has {size} bytes where its header tells of {8 + length + end}: download it again."]
    return []
