"""What a model's weights are: one digest over everything that decides what is computed from a prompt.

`weights-1:` and a SHA-256 over lines, sorted, of a role and the digest of what plays it:

    weights     each safetensors file that a load reads, or the GGUF file. By content: a folder may be renamed or
                copied, and its files may have other names and dates
    tokenizer   each file of the tokenizer, with its name
    settings    config.json and tokenizer_config.json as canonical JSON, without entries that only describe; of
                generation_config.json the tokens that end an answer
    template    the chat template, wherever it stands
    adapter     the adapter's weights, and its settings without those that concern training only

How it is computed with (dtype, quantisation, engine, versions) is no part of it: whoever keeps results notes that
beside.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple, Protocol

PREFIX = "weights-1:"
"""The number grows with the list above: an identity is never compared with one that was made otherwise."""
TOKENIZER_FILES = (
    "tokenizer.json",
    "tokenizer.model",
    "spiece.model",
    "sentencepiece.bpe.model",
    "vocab.json",
    "vocab.txt",
    "merges.txt",
    "added_tokens.json",
    "special_tokens_map.json",
)
DESCRIPTIVE = frozenset({"_name_or_path", "name_or_path", "transformers_version", "chat_template", "_commit_hash"})
"""Entries of JSON files that change nothing. The template has a line of its own."""
OF_ADAPTERS = ("peft_type", "r", "lora_alpha", "use_rslora", "alpha_pattern", "rank_pattern", "fan_in_fan_out")


class Hashes(Protocol):
    def sha256(self, path: Path) -> str:
        """Of a file's content, in hexadecimal."""
        ...


class Parts(NamedTuple):
    """The files behind a model."""

    weights: tuple[Path, ...]
    folder: Path | None = None
    """With the settings of the model; None for a GGUF file, which holds them itself."""
    tokenizer: Path | None = None
    """The folder with tokenizer and template: that of the model, or of its adapter."""
    adapter: Path | None = None
    """The folder of an adapter."""
    adapter_weights: Path | None = None


def identity_of(parts: Parts, hashes: Hashes) -> str:
    """Raises `OSError` or `ValueError` for files that cannot be read."""
    lines = [f"weights {hashes.sha256(path)}" for path in parts.weights]
    if parts.folder:
        ends = _read(parts.folder / "generation_config.json").get("eos_token_id")
        lines.append(f"settings config {_digest(_telling(_read(parts.folder / 'config.json')))}")
        lines.append(f"settings end {_digest(ends)}")
    if parts.tokenizer:
        lines += _lines_of_tokenizer(parts.tokenizer, hashes)
    if parts.adapter and parts.adapter_weights:
        settings = _read(parts.adapter / "adapter_config.json")
        lines.append(f"adapter {hashes.sha256(parts.adapter_weights)}")
        lines.append(f"adapter {_digest({key: settings.get(key) for key in OF_ADAPTERS})}")
    return PREFIX + hashlib.sha256("\n".join(sorted(lines)).encode()).hexdigest()


def _lines_of_tokenizer(folder: Path, hashes: Hashes) -> Iterable[str]:
    for name in TOKENIZER_FILES:
        if (folder / name).is_file():
            yield f"tokenizer {name} {hashes.sha256(folder / name)}"
    config = _read(folder / "tokenizer_config.json")
    jinja = folder / "chat_template.jinja"
    template = jinja.read_text("utf-8") if jinja.is_file() else config.get("chat_template")
    yield f"settings tokenizer {_digest(_telling(config))}"
    yield f"template {_digest(template)}"


def _telling(settings: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in settings.items() if key not in DESCRIPTIVE}


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode("utf-8", "surrogatepass")).hexdigest()


def _read(path: Path) -> dict[str, Any]:
    """Empty where there is no such file."""
    content = json.loads(path.read_text("utf-8")) if path.is_file() else {}
    if not isinstance(content, dict):
        raise ValueError(f"{path.name} does not hold an object")
    return content
