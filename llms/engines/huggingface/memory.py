"""How much memory a model will take, from its headers; and how much there is. Imports torch only to ask a device."""

import importlib
import json
import platform
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psutil

from llms.engines.base import Footprint
from llms.engines.huggingface.adapters import WEIGHTS
from llms.engines.huggingface.options import HuggingFaceOptions
from llms.engines.huggingface.tensors import Tensor, tensors_in, tensors_of, weight_files
from llms.engines.options import read_options

DTYPE_BYTES = {"float32": 4, "bfloat16": 2, "float16": 2}
SPARE_CACHE = 1.25
"""The cache is that much larger than what answers may fill, see `continuous.SPARE_PAGES`."""
HEADROOM = 256 << 20
"""For activations, tokenizer and threads, besides a twentieth of the weights."""
CGROUP = Path("/sys/fs/cgroup")
_LAYER = re.compile(r"\.(?:layers|h|blocks)\.\d+\.")


def estimate(folder: Path, options: Mapping[str, Any] | HuggingFaceOptions) -> int:
    """Bytes at the height of loading a folder that passed `checks.folder_problems`, with nothing shared."""
    chosen = options if isinstance(options, HuggingFaceOptions) else read_options(HuggingFaceOptions, options)
    needed = footprint(folder, chosen)
    return needed.own + needed.base


def footprint(folder: Path, options: HuggingFaceOptions) -> Footprint:
    device = device_of(options)
    tensors = tensors_in(folder)
    n_bytes = sum(_loaded_bytes(tensor, options, device) for tensor in tensors.values())
    own = _cache_bytes(folder, tensors, options, device) + HEADROOM + n_bytes // 20
    if options.quantization:
        # A byte a weight in the layers. The whole of it is there in float32 until the last layer is done.
        in_layers = sum(tensor.n_numbers for name, tensor in tensors.items() if _is_of_a_layer(name, tensor))
        own += n_bytes - 3 * in_layers
    if options.adapter:
        own += sum(tensor.n_bytes for tensor in tensors_of(Path(options.adapter) / WEIGHTS).values()) * 2
    keeps_base = not options.quantization
    return Footprint(device, own, n_bytes, base_key(folder, options), keeps_base, physical_name(device))


def base_key(folder: Path, options: HuggingFaceOptions) -> str:
    """Loads with the same key may share their weights: the same files, as they are now, as the same numbers."""
    looks = [path.stat() for path in weight_files(folder)]
    files = [f"{look.st_dev}:{look.st_ino}:{look.st_size}:{look.st_mtime_ns}" for look in looks]
    return " ".join([str(folder.resolve()), str(options.dtype), device_of(options), *files])


def device_of(options: HuggingFaceOptions) -> str:
    """Where it will compute, whatever `auto` means on this machine."""
    if options.device != "auto":
        return "cuda:0" if options.device == "cuda" else options.device
    if options.quantization:
        return "cpu"
    torch = _torch()
    if torch.cuda.is_available():
        return "cuda:0"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def available_memory(device: str) -> int:
    """Bytes that a load on a device may take now. On the processor: what the machine has left, or the container."""
    if device == "cpu":
        left_in_container = _left_in_container()
        left = int(psutil.virtual_memory().available)
        return left if left_in_container is None else min(left, left_in_container)
    torch = _torch()
    if device == "mps":
        return max(0, int(torch.mps.recommended_max_memory() - torch.mps.driver_allocated_memory()))
    free, _ = torch.cuda.mem_get_info(torch.device(device))
    # What torch keeps for its next tensors is free as well.
    return int(free + torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device))


def physical_name(device: str) -> str:
    """One name for one piece of hardware, whatever number a process knows it by."""
    if not device.startswith("cuda"):
        return device
    torch = _torch()
    return f"cuda-{torch.cuda.get_device_properties(torch.device(device)).uuid}"


def kind_of_hardware(device: str) -> str:
    """What computes alike, wherever it stands: a processor by its name and the instructions that torch uses of it."""
    torch = _torch()
    if device.startswith("cuda"):
        return str(torch.cuda.get_device_name(torch.device(device)))
    if device == "mps":
        return f"Apple {platform.machine()}"
    return f"{_processor_name()}, {torch.backends.cpu.get_cpu_capability()}"


def _processor_name() -> str:
    """Linux says it in a file, others in the platform module."""
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8", "replace").splitlines()
    except OSError:
        lines = []
    stated = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(stated, "") or platform.processor() or platform.machine()


def _torch() -> Any:
    """By its name, as the registry imports engines: whoever asks for no device need not have it in memory."""
    return importlib.import_module("torch")


def _loaded_bytes(tensor: Tensor, options: HuggingFaceOptions, device: str) -> int:
    dtype = options.dtype or ("float32" if device == "cpu" else "auto")
    is_converted = dtype != "auto" and tensor.kind in {"F64", "F32", "F16", "BF16"}
    return tensor.n_numbers * DTYPE_BYTES[dtype] if is_converted else tensor.n_bytes


def _is_of_a_layer(name: str, tensor: Tensor) -> bool:
    return len(tensor.shape) == 2 and bool(_LAYER.search(name))


def _cache_bytes(folder: Path, tensors: Mapping[str, Tensor], options: HuggingFaceOptions, device: str) -> int:
    """Keys and values of every token that conversations may hold."""
    config = _config(folder)
    n_heads = _number(config, "num_attention_heads", "n_head") or 1
    n_kv_heads = _number(config, "num_key_value_heads") or n_heads
    hidden = _number(config, "hidden_size", "n_embd", "d_model") or max(
        (tensor.shape[-1] for tensor in tensors.values() if len(tensor.shape) == 2), default=0
    )
    n_layers = _number(config, "num_hidden_layers", "n_layer") or 1
    head_size = _number(config, "head_dim") or hidden // n_heads
    largest = max(tensors.values(), key=lambda tensor: tensor.n_numbers, default=Tensor("F32", (0,)))
    n_bytes = _loaded_bytes(largest, options, device) // (largest.n_numbers or 1)
    return int(2 * n_layers * n_kv_heads * head_size * n_bytes * options.cache_tokens * SPARE_CACHE)


def _config(folder: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((folder / "config.json").read_text("utf-8"))
    of_text = content.get("text_config")
    return content | of_text if isinstance(of_text, dict) else content


def _number(config: Mapping[str, Any], *names: str) -> int:
    """The first of them that is a sensible number; 0 if none is."""
    for name in names:
        value = config.get(name)
        if isinstance(value, int) and not isinstance(value, bool) and 0 < value < 1 << 32:
            return value
    return 0


def _left_in_container() -> int | None:
    """Of a limit that the system sets to this process, cgroup version 2 or 1. None where there is none."""
    own = CGROUP / _own_group()
    for folder in (own, *own.parents):
        limit, used, inactive = (
            _count(folder / "memory.max"),
            _count(folder / "memory.current"),
            _inactive_files(folder / "memory.stat"),
        )
        if limit is not None and used is not None:
            return max(0, limit - used + inactive)
        if folder == CGROUP:
            break
    limit = _count(CGROUP / "memory/memory.limit_in_bytes")
    used = _count(CGROUP / "memory/memory.usage_in_bytes")
    if limit is None or used is None:
        return None
    return max(0, limit - used + _inactive_files(CGROUP / "memory/memory.stat"))


def _own_group() -> str:
    try:
        lines = Path("/proc/self/cgroup").read_text().splitlines()
    except OSError:
        return ""
    return next((line.removeprefix("0::").lstrip("/") for line in lines if line.startswith("0::")), "")


def _count(path: Path) -> int | None:
    try:
        text = path.read_text().strip()
    except OSError:
        return None
    return int(text) if text.isdecimal() else None


def _inactive_files(path: Path) -> int:
    """Pages of files that nobody used lately: the system gives them up before it refuses memory."""
    try:
        lines = path.read_text().splitlines()
    except OSError:
        return 0
    found = dict(line.rsplit(" ", 1) for line in lines if " " in line)
    return int(found.get("total_inactive_file") or found.get("inactive_file") or 0)
