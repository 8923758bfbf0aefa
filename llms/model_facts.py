"""What a source says of itself: the name, maker, licence and size that a registration begins with.

Read from small files and headers only, within bounds; whatever cannot be read is left for people to fill in.
"""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from huggingface_hub import constants

from llms.engines.huggingface.gguf_header import BrokenGguf, read_gguf_header
from llms.engines.huggingface.sources import Folder, GgufFile, HubId, parse_source
from llms.engines.huggingface.tensors import BrokenWeights, tensors_in

MAX_CARD_CHARACTERS = 100_000
MAX_JSON_BYTES = 4 << 20
MAX_NAME, MAX_ORGANISATION, MAX_LICENCE = 120, 120, 80
CARD = re.compile(r"\A---\s*\n(.*?)\n---\s*(?:\n|\Z)", re.DOTALL)
QUANTISATION = re.compile(r"[.\-_]((?:I?Q\d|B?F16|F32)[\w]*)$", re.IGNORECASE)
SIZE = re.compile(r"(?<![\dx.])(\d+(?:\.\d+)?)\s?([BM])(?![A-Za-z])", re.IGNORECASE)
UNITS = {"B": 1_000_000_000, "M": 1_000_000}
MOVING = ("@main", "@master", ":latest")
"""What servers append to a name and says nothing."""
LICENCES = {
    "apache-2.0": "Apache-2.0",
    "mit": "MIT",
    "bsd-3-clause": "BSD-3-Clause",
    "cc-by-4.0": "CC-BY-4.0",
    "cc-by-nc-4.0": "CC-BY-NC-4.0",
    "cc-by-sa-4.0": "CC-BY-SA-4.0",
    "llama2": "Llama 2",
    "llama3": "Llama 3",
    "llama3.1": "Llama 3.1",
    "llama3.2": "Llama 3.2",
    "llama3.3": "Llama 3.3",
    "gemma": "Gemma",
}


class Facts(NamedTuple):
    name: str
    organisation: str = ""
    licence: str = ""
    parameters: int | None = None
    is_quantised: bool = False
    read_from: tuple[str, ...] = ()
    """Files that said so."""

    @property
    def aliases(self) -> list[str]:
        """Its family, with and without the version: what it is likely to call itself."""
        found: list[str] = []
        for pattern in (r"[^\W\d_]{3,}", r"[^\W_]{3,}"):
            match = re.match(pattern, self.name)
            if match and match.group() not in (*found, self.name):
                found.append(match.group())
        return found


def of_source(source: str, revision: str = "") -> Facts:
    """Raises `BadSource`."""
    match parse_source(source, revision):
        case GgufFile(path):
            return _of_gguf(path)
        case Folder(path):
            return of_folder(path)
        case HubId(name, wanted):
            return _of_hub_id(name, wanted)


def of_served_name(name: str) -> Facts:
    """From a name as servers write it: `org/Model-7B-Instruct@main`, `llama3.1:8b`, `/models/Model.Q4_K_M.gguf`."""
    for ending in MOVING:
        name = name.removesuffix(ending)
    path, _, last = name.rstrip("/").rpartition("/")
    stem = last.removesuffix(".gguf") or name
    organisation = path if path and "/" not in path else ""
    return Facts(
        name=stem[:MAX_NAME],
        organisation=organisation[:MAX_ORGANISATION],
        parameters=size_in(stem),
        is_quantised=bool(QUANTISATION.search(stem)),
    )


def of_folder(folder: Path) -> Facts:
    """What a folder's card and config say; its name where they say none."""
    card, config = _card(folder / "README.md"), _json(folder / "config.json")
    stated = str(config.get("_name_or_path") or "")
    named = of_served_name(stated if stated and _is_snapshot(folder) else folder.name)
    parameters = _parameters_in_headers(folder)
    files = {"README.md": card, "config.json": config, "*.safetensors": parameters}
    return named._replace(
        organisation=_line(card.get("organization") or named.organisation, MAX_ORGANISATION),
        licence=_licence(card),
        parameters=parameters or named.parameters,
        is_quantised=bool(config.get("quantization_config")),
        read_from=tuple(name for name, content in files.items() if content),
    )


def of_adapter(folder: str) -> Facts:
    return of_folder(Path(folder))._replace(parameters=None, is_quantised=False)


def size_in(name: str) -> int | None:
    """135_000_000 for “SmolLM2-135M”. A mixture such as 8x7B says no total."""
    found = SIZE.search(name)
    return round(float(found.group(1)) * UNITS[found.group(2).upper()]) if found else None


def slug_base(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:70].strip("-") or "model"


def _of_gguf(path: Path) -> Facts:
    named = of_served_name(path.name)
    try:
        header = read_gguf_header(path)
    except (BrokenGguf, OSError):
        return named
    return named._replace(
        organisation=_line(header.organisation or "", MAX_ORGANISATION),
        licence=_licence({"license": header.licence}),
        parameters=header.n_parameters or named.parameters,
        is_quantised=True,
        read_from=(path.name,),
    )


def _of_hub_id(name: str, revision: str | None) -> Facts:
    named = of_served_name(name)
    folder = hub_snapshot(name, revision)
    if folder is None:
        return named
    found = of_folder(folder)
    return found._replace(
        name=named.name,
        organisation=found.organisation or named.organisation,
        parameters=found.parameters or named.parameters,
    )


def hub_snapshot(name: str, revision: str | None = None) -> Path | None:
    """Where this machine keeps a repository of the hub, if it does."""
    repository = Path(constants.HF_HUB_CACHE) / f"models--{name.replace('/', '--')}"
    try:
        commit = (repository / "refs" / (revision or "main")).read_text("utf-8").strip()
    except (OSError, ValueError):
        commit = revision or ""
    folder = repository / "snapshots" / commit
    return folder if commit and "/" not in commit and folder.is_dir() else None


def _is_snapshot(folder: Path) -> bool:
    """In the hub's cache a folder is called by its commit."""
    return bool(re.fullmatch(r"[0-9a-f]{40}", folder.name))


def _card(path: Path) -> Mapping[str, Any]:
    """The front matter of a model card."""
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            found = CARD.match(file.read(MAX_CARD_CHARACTERS))
        if not found or "&" in found.group(1):  # anchors have no business there, and aliases can be made to explode
            return {}
        content = yaml.safe_load(found.group(1))
    except (OSError, yaml.YAMLError, RecursionError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def _json(path: Path) -> Mapping[str, Any]:
    try:
        if path.stat().st_size > MAX_JSON_BYTES:
            return {}
        content = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}


def _licence(card: Mapping[str, Any]) -> str:
    stated = card.get("license")
    stated = stated[0] if isinstance(stated, list) and stated else stated
    if not isinstance(stated, str):
        return ""
    if stated == "other":
        stated = str(card.get("license_name") or "")
    return _line(LICENCES.get(stated.lower(), stated), MAX_LICENCE)


def _parameters_in_headers(folder: Path) -> int | None:
    """The numbers in all tensors of a folder, from the files' headers."""
    try:
        return sum(tensor.n_numbers for tensor in tensors_in(folder).values()) or None
    except (BrokenWeights, OSError):
        return None


def _line(text: object, most: int) -> str:
    """One printable line of it."""
    return "".join(letter for letter in str(text) if letter.isprintable()).strip()[:most]
