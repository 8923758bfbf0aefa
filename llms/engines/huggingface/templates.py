"""A model's chat template before the model is loaded: its text, and what it makes of a conversation. Imports no torch.

Templates are programs of strangers: they run in jinja's sandbox, as they do when the model is loaded, and what they
write is cut short. What a loaded model is really given, `Engine.prompt_text` says.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

import jinja2
from jinja2.sandbox import ImmutableSandboxedEnvironment

from llms.chat import Message
from llms.engines.huggingface.checks import GenerationTag, Unreadable, chat_template, read_json
from llms.engines.huggingface.gguf_header import BrokenGguf, read_gguf_header
from llms.engines.huggingface.prompts import TEMPLATE_ERRORS
from llms.engines.huggingface.sources import GgufFile

MAX_SHOWN = 20_000
SPECIAL = ("bos_token", "eos_token", "unk_token", "pad_token", "sep_token", "cls_token", "mask_token")


class Template(NamedTuple):
    text: str
    special_tokens: Mapping[str, str]


class CannotRender(ValueError):
    """The template refuses the conversation, or breaks. The text is the template's own."""


def template_in(folder: Path) -> Template | None:
    """None where there is none, or none that can be read: the checks say why."""
    try:
        config = read_json(folder / "tokenizer_config.json")
        text = chat_template(folder, config)
        tokens = {**read_json(folder / "special_tokens_map.json"), **config}
    except (Unreadable, OSError):
        return None
    return Template(text, {name: _content(tokens[name]) for name in SPECIAL if tokens.get(name)}) if text else None


def template_of_gguf(file: GgufFile) -> Template | None:
    try:
        text = read_gguf_header(file.path).chat_template
    except (BrokenGguf, OSError):
        return None
    return Template(text, {}) if text else None


def rendered(template: Template, messages: Sequence[Message]) -> str:
    """The prompt that asks for the next answer. Raises `CannotRender`."""
    conversation = [{"role": str(message.role), "content": message.content} for message in messages]
    try:
        pieces = (
            _environment()
            .from_string(template.text)
            .generate(
                messages=conversation, add_generation_prompt=True, tools=None, documents=None, **template.special_tokens
            )
        )
        return _beginning(pieces)
    except (*TEMPLATE_ERRORS, RecursionError, MemoryError) as error:
        raise CannotRender(str(error)) from error


def _environment() -> ImmutableSandboxedEnvironment:
    """As transformers sets it up."""
    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[GenerationTag, "jinja2.ext.loopcontrols"]
    )
    environment.filters["tojson"] = _as_json
    environment.globals |= {"raise_exception": _refuse, "strftime_now": _now}
    return environment


def _as_json(value: Any, **options: Any) -> str:
    return json.dumps(value, ensure_ascii=False, **options)


def _now(form: str) -> str:
    return datetime.now(UTC).strftime(form)


def _refuse(words: object) -> NoReturn:
    raise jinja2.TemplateError(str(words))


def _beginning(pieces: Iterable[str]) -> str:
    text = ""
    for piece in pieces:
        text += piece
        if len(text) > MAX_SHOWN:
            return text[:MAX_SHOWN] + "…"
    return text


def _content(token: Any) -> str:
    """Tokens are written as text, or as an object that holds it."""
    return str(token.get("content", "")) if isinstance(token, dict) else str(token)
