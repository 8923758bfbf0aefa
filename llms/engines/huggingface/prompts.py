"""Conversations to tokens, by the model's own chat template."""

import threading
from collections.abc import Sequence
from typing import Any

from jinja2 import TemplateError

from llms.chat import Message, Role
from llms.engines.base import LoadingFailed, NotSupported

TEMPLATE_ERRORS = (TemplateError, ArithmeticError, AttributeError, LookupError, TypeError, ValueError)
"""A template is a program that its author wrote for other conversations: much can go wrong in it."""
PROBE = "probe"


class PromptEncoder:
    """Safe from any thread."""

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        # A fast tokenizer that two threads use at once may raise "Already borrowed".
        self._lock = threading.Lock()
        self._takes_system = True
        user = Message(Role.USER, "hello")
        try:
            self._encode([user])
        except TEMPLATE_ERRORS as error:
            raise LoadingFailed(
                f"its chat template fails ({error}): mend chat_template.jinja, or use the original one"
            ) from error
        self._takes_system = self._shows_system(user)

    def encode(self, messages: Sequence[Message]) -> list[int]:
        """The prompt that asks the model for its next answer. Control tokens that somebody typed are plain text."""
        if not self._takes_system:
            messages = without_system(messages)
        try:
            return self._encode(messages)
        except TEMPLATE_ERRORS as error:
            raise NotSupported(f"the chat template refuses this conversation: {error}") from error

    def _encode(self, messages: Sequence[Message]) -> list[int]:
        conversation = [{"role": str(message.role), "content": _encodable(message.content)} for message in messages]
        with self._lock:
            tokens: list[int] = self._tokenizer.apply_chat_template(
                conversation, add_generation_prompt=True, return_dict=False, sanitize_control_tokens=True
            )
        return tokens

    def _shows_system(self, user: Message) -> bool:
        """Some templates refuse a system message, and some leave it out silently."""
        try:
            return self._encode([Message(Role.SYSTEM, PROBE), user]) != self._encode([Message(Role.SYSTEM, ""), user])
        except TEMPLATE_ERRORS:
            return False


def without_system(messages: Sequence[Message]) -> list[Message]:
    """The same conversation with the system message at the head of the first user message."""
    system = "\n\n".join(message.content for message in messages if message.role is Role.SYSTEM)
    others = [message for message in messages if message.role is not Role.SYSTEM]
    if not system:
        return others
    if not others or others[0].role is not Role.USER:
        return [Message(Role.USER, system), *others]
    return [Message(Role.USER, f"{system}\n\n{others[0].content}"), *others[1:]]


def _encodable(text: str) -> str:
    """Half a surrogate pair, which no tokenizer takes, becomes a question mark."""
    return text.encode("utf-8", "replace").decode("utf-8")
