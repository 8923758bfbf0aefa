"""`python -m llms.engines.huggingface.devices_here`: what torch could compute on, as JSON. Run as a process of its own,
because a broken driver may hang or crash whoever asks it."""

import json
import platform
import sys
from typing import Any

import psutil
import torch


def devices() -> list[dict[str, Any]]:
    return [_processor(), *_graphics_cards(), *_apple()]


def _processor() -> dict[str, Any]:
    memory = psutil.virtual_memory()
    words = f"{platform.machine()}, torch {torch.__version__} with {torch.get_num_threads()} threads"
    return {"name": "cpu", "words": words, "free": memory.available, "total": memory.total}


def _graphics_cards() -> list[dict[str, Any]]:
    found = []
    for index in range(torch.cuda.device_count()):
        free, total = torch.cuda.mem_get_info(index)
        found.append(
            {"name": f"cuda:{index}", "words": torch.cuda.get_device_name(index), "free": free, "total": total}
        )
    return found


def _apple() -> list[dict[str, Any]]:
    """It shares the memory of the processor."""
    if not torch.backends.mps.is_available():
        return []
    memory = psutil.virtual_memory()
    return [{"name": "mps", "words": platform.machine(), "free": memory.available, "total": memory.total}]


if __name__ == "__main__":
    sys.stdout.write(json.dumps(devices()))
