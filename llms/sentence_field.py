"""Sentences in the database: a column of text whose value can be said again in the reader's language."""

import json
from typing import Any

from django.db import models

from llms.sentences import Sentence
from llms.storable import storable

LONGEST = 500
"""Characters of what a library or a server said."""


class SentenceField(models.TextField[str, str]):
    """Gives back the `Sentence` that it was given: English as it stands, `llms.translations.translated` says it in the
    reader's language. Plain text stays plain text."""

    def deconstruct(self) -> tuple[str, str, Any, Any]:
        """A column of text like any other: migrations need not know more."""
        name, _, args, kwargs = super().deconstruct()
        return name, "django.db.models.TextField", args, kwargs

    def get_prep_value(self, value: Any) -> Any:
        if isinstance(value, Sentence):
            return json.dumps(parts_of(value), ensure_ascii=False)
        return storable(value) if isinstance(value, str) else value

    def from_db_value(self, value: str | None, *_: Any) -> str | None:
        return _restored(value) if value and value.startswith(_BEGINNING) else value


def words_of(error: Exception) -> str:
    """The sentence that an error was raised with, where it was one; else whatever it says, and not without end."""
    said = error.args[0] if error.args else ""
    return said if isinstance(said, Sentence) else str(error)[:LONGEST]


_BEGINNING = '{"template":'


def parts_of(sentence: Sentence) -> dict[str, Any]:
    """For a column of JSON; `sentence_of` makes it a sentence again."""
    return {
        "template": storable(sentence.template),
        "values": {name: _stored(value) for name, value in sentence.values.items()},
    }


def _stored(value: object) -> object:
    if isinstance(value, Sentence):
        return parts_of(value)
    return storable(value) if isinstance(value, str) else value


def _restored(stored: str) -> str:
    try:
        return sentence_of(json.loads(stored))
    except (ValueError, KeyError, TypeError):  # text that only looks like one
        return stored


def sentence_of(parts: dict[str, Any]) -> Sentence:
    values = {name: sentence_of(value) if isinstance(value, dict) else value for name, value in parts["values"].items()}
    return Sentence(parts["template"], values)
