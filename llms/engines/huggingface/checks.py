"""What would keep a source from loading, found by reading headers and small files only. Imports no torch.

Each sentence says what is wrong and how to mend it. The loader asks the same questions, so nothing that would run code
or unpickle anything gets past them.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import jinja2.ext
import jinja2.nodes
import jinja2.parser
from jinja2.sandbox import ImmutableSandboxedEnvironment

from llms.engines.huggingface.adapters import adapter_problems, tokenizer_folder
from llms.engines.huggingface.gguf_header import BrokenGguf, read_gguf_header
from llms.engines.huggingface.options import HuggingFaceOptions
from llms.engines.huggingface.sources import BadSource, Folder, GgufFile, HubId, parse_source
from llms.engines.huggingface.weight_files import weight_problems
from llms.engines.options import BadOptions, read_options
from llms.sentences import filled, mark

MAX_JSON_BYTES = 64 << 20
"""A tokenizer's settings may list every one of its added tokens."""
MAX_TEMPLATE_CHARACTERS = 256_000
TEXT_MODELS = ("ForCausalLM", "LMHeadModel", "ForConditionalGeneration")
TOKENIZER_FILES = ("tokenizer.json", "tokenizer.model", "spiece.model", "vocab.json", "tokenizer_config.json")
NO_TEMPLATE = mark(
    "It has no chat template, so it cannot hold a conversation: register an instruction-tuned version, "
    "or put its template into the file chat_template.jinja beside config.json."
)


class GenerationTag(jinja2.ext.Extension):
    """`{% generation %}`, by which some templates mark the model's own words; known to transformers only."""

    tags = {"generation"}

    def parse(self, parser: jinja2.parser.Parser) -> list[jinja2.nodes.Node]:
        next(parser.stream)
        return parser.parse_statements(("name:endgeneration",), drop_needle=True)


class Unreadable(ValueError):
    """A file that had to be read cannot be; the text is a sentence for the administrator."""


def problems(source: str, revision: str, options: Mapping[str, Any]) -> list[str]:
    found, adapter = [], None
    try:
        chosen = read_options(HuggingFaceOptions, options)
        adapter = Path(chosen.adapter) if chosen.adapter else None
    except BadOptions as error:
        found.append(error.args[0])
    try:
        match parse_source(source, revision):
            case GgufFile(path):
                found += [*gguf_problems(path), *(adapter_problems(adapter) if adapter else ())]
            case Folder(path):
                found += folder_problems(path, adapter)
            case HubId() as hub_id:
                found += _hub_problems(hub_id, adapter)
    except BadSource as error:
        found.append(error.args[0])
    return found


def gguf_problems(path: Path) -> list[str]:
    if not path.is_file():
        return [filled(mark("There is no file %(path)s: check the path, and that this server may read it."), path=path)]
    try:
        header = read_gguf_header(path)
    except BrokenGguf as error:
        words = mark("%(name)s is not a usable GGUF file, %(problem)s: download it again.")
        return [filled(words, name=path.name, problem=error.args[0])]
    except OSError as error:
        return [_cannot_be_read(path, error)]
    found: list[str] = []
    if header.n_parts > 1:
        words = mark("%(name)s is one of %(n)s parts: merge them with llama-gguf-split --merge first.")
        found.append(filled(words, name=path.name, n=header.n_parts))
    if header.architecture is None or not header.has_tokenizer:
        words = mark("%(name)s holds no complete text model with its tokenizer: choose the model's main GGUF file.")
        found.append(filled(words, name=path.name))
    elif not header.chat_template:
        words = mark(
            "It has no chat template, so it cannot hold a conversation: "
            "choose the GGUF file of an instruction-tuned version."
        )
        found.append(filled(words))
    else:
        found += _template_problems(header.chat_template)
    return found


def folder_problems(folder: Path, adapter: Path | None = None) -> list[str]:
    """Of a model's folder, and of an adapter to it, which may bring a tokenizer and a template of its own."""
    if folder.is_file():
        words = mark(
            "%(path)s is a file, but neither a folder nor a .gguf file: give the folder that holds config.json."
        )
        return [filled(words, path=folder)]
    if not folder.is_dir():
        words = mark("There is no folder %(path)s: check the path, and that this server may read it.")
        return [filled(words, path=folder)]
    try:
        found = [*settings_problems(folder, adapter), *weight_problems(folder)]
        return [*found, *(adapter_problems(adapter, None if found else folder) if adapter else ())]
    except Unreadable as error:
        return [error.args[0]]
    except OSError as error:
        return [_cannot_be_read(error.filename or folder, error)]


def _cannot_be_read(path: object, error: OSError) -> str:
    words = mark("%(path)s cannot be read (%(reason)s): let this server's user read it.")
    return filled(words, path=path, reason=error.strerror)


def settings_problems(folder: Path, adapter: Path | None = None) -> list[str]:
    """Problems in everything but the weights."""
    if not (folder / "config.json").is_file():
        if (folder / "adapter_config.json").is_file():
            words = mark(
                "This is only a LoRA adapter: give its base model as the source, and this folder as the engine's "
                "option adapter."
            )
            return [filled(words)]
        words = mark("%(folder)s has no config.json: give the folder into which the model was saved.")
        return [filled(words, folder=folder)]
    try:
        words_from = tokenizer_folder(adapter, folder)
        config = read_json(folder / "config.json")
        tokenizer_config = read_json(words_from / "tokenizer_config.json")
        return list(_settings_problems(words_from, config, tokenizer_config))
    except Unreadable as error:
        return [error.args[0]]


def _settings_problems(folder: Path, config: dict[str, Any], tokenizer_config: dict[str, Any]) -> Iterator[str]:
    if config.get("auto_map") or tokenizer_config.get("auto_map"):
        yield filled(
            mark(
                "It brings its own program code (auto_map), which this server never runs: register a version that "
                "transformers supports itself."
            )
        )
    kinds = config.get("architectures") or []
    if not isinstance(kinds, list) or not all(isinstance(kind, str) for kind in kinds):
        yield filled(mark("The architectures in config.json are not a list of names: save the model again."))
    elif kinds and not any(kind.endswith(TEXT_MODELS) for kind in kinds):
        words = mark("%(kind)s does not write text: register a causal language model, …ForCausalLM.")
        yield filled(words, kind=kinds[0])
    if not any((folder / name).is_file() for name in TOKENIZER_FILES):
        yield filled(mark("It has no tokenizer: save the tokenizer into the same folder."))
    template = chat_template(folder, tokenizer_config)
    if not template:
        yield filled(NO_TEMPLATE)
    else:
        yield from _template_problems(template)


def chat_template(folder: Path, tokenizer_config: dict[str, Any]) -> str | None:
    path = folder / "chat_template.jinja"
    if path.is_file():
        return _read_text(path, MAX_TEMPLATE_CHARACTERS)
    template = tokenizer_config.get("chat_template")
    if isinstance(template, list):
        # Several named templates; the one called "default" is the one for plain conversations.
        named = {entry.get("name"): entry.get("template") for entry in template if isinstance(entry, dict)}
        template = named.get("default")
    return template if isinstance(template, str) else None


def _template_problems(template: str) -> list[str]:
    if len(template) > MAX_TEMPLATE_CHARACTERS:
        words = mark("Its chat template is longer than %(most)s characters: use the original one.")
        return [filled(words, most=MAX_TEMPLATE_CHARACTERS)]
    try:
        ImmutableSandboxedEnvironment(extensions=[GenerationTag, "jinja2.ext.loopcontrols"]).parse(template)
    except jinja2.TemplateError as error:
        words = mark(
            "Its chat template is no valid Jinja (%(error)s): mend chat_template.jinja, or use the original one."
        )
        return [filled(words, error=error)]
    return []


def _hub_problems(hub_id: HubId, adapter: Path | None) -> list[str]:
    """Whether a hub id that must come from this machine's cache is there."""
    from huggingface_hub import constants, try_to_load_from_cache  # noqa: PLC0415 - slow, and seldom needed

    if not constants.is_offline_mode():
        return adapter_problems(adapter) if adapter else []
    path = try_to_load_from_cache(hub_id.name, "config.json", revision=hub_id.revision)
    if not isinstance(path, str):
        words = mark(
            "%(name)s is not on this machine and HF_HUB_OFFLINE forbids to fetch it: "
            "download it and give the full path of its folder, or unset HF_HUB_OFFLINE."
        )
        return [filled(words, name=hub_id.name)]
    folder = Path(path).parent
    return [*settings_problems(folder, adapter), *(adapter_problems(adapter) if adapter else ())]


def read_json(path: Path) -> dict[str, Any]:
    """An object from a file; empty where there is no such file."""
    if not path.is_file():
        return {}
    try:
        content = json.loads(_read_text(path, MAX_JSON_BYTES))
    except (ValueError, RecursionError) as error:
        if isinstance(error, Unreadable):
            raise
        words = mark("%(name)s is not valid JSON (%(error)s): save or download the model again.")
        raise Unreadable(filled(words, name=path.name, error=error)) from error
    if not isinstance(content, dict):
        words = mark("%(name)s does not hold an object: save or download the model again.")
        raise Unreadable(filled(words, name=path.name))
    return content


def _read_text(path: Path, most: int) -> str:
    if path.stat().st_size > most:
        words = mark("%(name)s is larger than %(most)s bytes: that is no file of a language model.")
        raise Unreadable(filled(words, name=path.name, most=most))
    try:
        return path.read_text("utf-8")
    except UnicodeDecodeError as error:
        words = mark("%(name)s is not UTF-8 text: save or download the model again.")
        raise Unreadable(filled(words, name=path.name)) from error
