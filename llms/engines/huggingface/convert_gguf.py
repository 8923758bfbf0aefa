"""`python -m llms.engines.huggingface.convert_gguf SOURCE TARGET`: a GGUF file into a folder with safetensors.

A program of its own, so that the memory that it takes is given back, and a crash in it harms nobody else. Says on
standard output, a line each, what it is doing.
"""

import sys
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer


def convert(source: Path, target: Path) -> None:
    say("reading the tokenizer")
    place: dict[str, Any] = {"gguf_file": source.name, "local_files_only": True, "trust_remote_code": False}
    tokenizer = AutoTokenizer.from_pretrained(source.parent, **place)
    say("reading the weights")
    model: Any = AutoModelForCausalLM.from_pretrained(source.parent, dtype=torch.bfloat16, **place)
    # transformers regards weights from GGUF as quantised and refuses to save them, though they are plain numbers now.
    model.hf_quantizer = None
    model.config.__dict__.pop("quantization_config", None)
    say("writing safetensors")
    model.save_pretrained(target)
    tokenizer.save_pretrained(target)


def say(what: str) -> None:
    sys.stdout.write(f"{what}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    convert(Path(sys.argv[1]), Path(sys.argv[2]))
