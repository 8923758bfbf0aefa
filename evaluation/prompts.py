"""Description, shots and question as one text, or as the turns of a conversation.

The text is lm-evaluation-harness': description + (question + delimiter + answer + two line ends) per shot + question.
The delimiter stands at the beginning of the continuation that is scored, or nowhere behind a chat template.
"""

from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import Final, NamedTuple

from llms.chat import Message, Role

DELIMITER: Final = " "
BETWEEN_SHOTS: Final = "\n\n"

ChatRenderer = Callable[[Sequence[Message]], str]
"""A conversation as the model's chat template writes it, up to where its next answer begins."""


class Template(StrEnum):
    """Whether prompts pass through the model's chat template. Scores with and without it are not comparable."""

    OFF = "off"
    CHAT = "chat"


class Shot(NamedTuple):
    """An example with its answer."""

    question: str
    answer: str
    delimiter: str = DELIMITER


class Prompt(NamedTuple):
    """What comes before the continuations of one sample."""

    description: str
    shots: tuple[Shot, ...]
    question: str

    def as_text(self) -> str:
        examples = (f"{shot.question}{shot.delimiter}{shot.answer}{BETWEEN_SHOTS}" for shot in self.shots)
        return self.description + "".join(examples) + self.question

    def as_messages(self) -> list[Message]:
        messages = [Message(Role.SYSTEM, self.description)] if self.description else []
        for shot in self.shots:
            messages += [Message(Role.USER, shot.question), Message(Role.ASSISTANT, shot.answer)]
        return [*messages, Message(Role.USER, self.question)]

    def written(self, render_chat: ChatRenderer | None) -> str:
        return render_chat(self.as_messages()) if render_chat else self.as_text()
