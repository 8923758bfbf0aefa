"""What an OpenAI-compatible server says, read with suspicion: any field may be missing, null or of another type."""

import json
from collections.abc import Callable
from typing import Any, NamedTuple

from llms.engines.base import FinishReason, GenerationFailed, Usage
from llms.engines.openai_compatible.quoting import quoted
from llms.sentences import filled, mark

DONE = "[DONE]"
MOST_TOKENS = 2**31 - 1
"""No count is larger, and no column takes one that is."""
_NO_JSON = mark("the server sent what is no JSON: %(sent)s")
_NO_OBJECT = mark("the server sent what is no object: %(sent)s")
_BROKE_OFF = mark("the server broke off: %(words)s")
_LENGTH = {"length", "max_tokens", "model_length", "max_output_tokens"}
_FILTERED = {"content_filter", "safety"}


class Chunk(NamedTuple):
    """One event of a streamed chat completion."""

    text: str = ""
    reasoning: str = ""
    finish_reason: FinishReason | None = None
    usage: Usage | None = None


def read_chunk(data: str, quote: Callable[[str], str] = quoted) -> Chunk:
    """Raises `GenerationFailed` for an error that is told in the middle of a stream, and for what is no answer."""
    try:
        reply = json.loads(data)
    except (ValueError, RecursionError):
        raise GenerationFailed(filled(_NO_JSON, sent=repr(quote(data)))) from None
    if not isinstance(reply, dict):
        raise GenerationFailed(filled(_NO_OBJECT, sent=repr(quote(data))))
    if reply.get("error"):
        raise GenerationFailed(filled(_BROKE_OFF, words=quote(error_words(reply))))
    choice = first_choice(reply)
    delta = as_object(choice.get("delta"))
    return Chunk(
        text=_text(delta.get("content")),
        reasoning=_text(delta.get("reasoning_content")) or _text(delta.get("reasoning")),
        finish_reason=read_finish_reason(choice.get("finish_reason")),
        usage=read_usage(reply.get("usage")),
    )


def first_choice(reply: object) -> dict[str, Any]:
    choices = as_object(reply).get("choices")
    return as_object(choices[0]) if isinstance(choices, list) and choices else {}


def as_object(value: object) -> dict[str, Any]:
    """Empty if it is none."""
    return value if isinstance(value, dict) else {}


def read_finish_reason(value: object) -> FinishReason | None:
    if not isinstance(value, str) or not value:
        return None
    if value in _LENGTH:
        return FinishReason.LENGTH
    return FinishReason.FILTERED if value in _FILTERED else FinishReason.STOP


def read_usage(value: object) -> Usage | None:
    """Servers send empty usage with every chunk, and the true one with the last."""
    if not isinstance(value, dict):
        return None
    prompt, completion = (_count(value.get(name)) for name in ("prompt_tokens", "completion_tokens"))
    return None if completion is None and not prompt else Usage(prompt, completion)


def error_words(reply: object) -> str:
    """The words of an error, wherever the server puts them. All of them: whoever shows them quotes them first."""
    if isinstance(reply, dict):
        inner = reply.get("error") or reply.get("message") or reply.get("detail") or reply
        return error_words(inner) if isinstance(inner, dict) and inner is not reply else str(inner)
    return str(reply)


def _text(value: Any) -> str:
    """Some servers send a list of parts."""
    if isinstance(value, list):
        return "".join(_text(part.get("text")) for part in value if isinstance(part, dict))
    return value if isinstance(value, str) else ""


def _count(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MOST_TOKENS else None
