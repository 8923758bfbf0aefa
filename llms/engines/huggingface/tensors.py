"""What tensors a folder holds, from the headers of its safetensors files. Reads no weights and imports no torch."""

import json
import math
import struct
from pathlib import Path
from typing import NamedTuple

from llms.engines.huggingface.weight_files import INDEX, MAX_HEADER_BYTES

SINGLE = "model.safetensors"
BYTES_OF = {"F64": 8, "I64": 8, "U64": 8, "F32": 4, "I32": 4, "U32": 4, "F16": 2, "BF16": 2, "I16": 2, "U16": 2}
"""A number of any other kind takes a byte."""


class BrokenWeights(ValueError):
    """The files are not what `weight_files.weight_problems` would let pass."""


class Tensor(NamedTuple):
    kind: str
    """As safetensors calls it: `F32`, `BF16`."""
    shape: tuple[int, ...]

    @property
    def n_numbers(self) -> int:
        return math.prod(self.shape)

    @property
    def n_bytes(self) -> int:
        return self.n_numbers * BYTES_OF.get(self.kind, 1)


def weight_files(folder: Path) -> list[Path]:
    """Those that a load reads: the parts that the index names, or the single file. Others may lie beside them."""
    if not (folder / INDEX).is_file():
        return [folder / SINGLE]
    try:
        parts = set(json.loads((folder / INDEX).read_text("utf-8"))["weight_map"].values())
        return sorted(folder / Path(part).name for part in parts)
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise BrokenWeights(f"{INDEX} is damaged") from error


def tensors_of(path: Path) -> dict[str, Tensor]:
    """Of one file, by name. Raises `BrokenWeights`, or `OSError` when it cannot be read."""
    try:
        with path.open("rb") as file:
            (length,) = struct.unpack("<Q", file.read(8))
            if length > MAX_HEADER_BYTES:
                raise BrokenWeights(f"{path.name} is no safetensors file")
            entries = json.loads(file.read(length))
        return {
            name: Tensor(str(entry["dtype"]), tuple(int(size) for size in entry["shape"]))
            for name, entry in entries.items()
            if name != "__metadata__"
        }
    except (struct.error, ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise BrokenWeights(f"{path.name} is damaged") from error


def tensors_in(folder: Path) -> dict[str, Tensor]:
    """Of all that a load reads."""
    return {name: tensor for path in weight_files(folder) for name, tensor in tensors_of(path).items()}
