"""A line of the log says what it belongs to, is one line, and tells no secret."""

import json
import logging
import sys

import pytest

from telemetry import context
from telemetry.logs import HIDDEN, JsonFormatter, LineFormatter, redacted

KEY = "Zq3vX9rT5mW2kL8pN4sB7dF1"


def record(message, *args, error=None):
    return logging.LogRecord("arena", logging.INFO, "x.py", 1, message, args, error)


def raised(words):
    try:
        raise ValueError(words)
    except ValueError:
        return sys.exc_info()


def test_a_line_for_people():
    with context.bound(request="r1", battle="b1"):
        line = LineFormatter().format(record("%d turns", 3))
    assert line.endswith("INFO    arena: 3 turns  [request=r1 battle=b1]")
    assert LineFormatter().format(record("alone")).endswith("arena: alone")


def test_an_object_for_machines():
    with context.bound(request="r1"):
        found = json.loads(JsonFormatter().format(record("%d turns", 3)))
    assert found.pop("time").endswith("+00:00")
    assert found == {"level": "INFO", "logger": "arena", "message": "3 turns", "request": "r1"}


def test_a_traceback_belongs_to_its_event():
    error = raised("broke")
    found = json.loads(JsonFormatter().format(record("x", error=error)))
    assert "Traceback" in found["error"]
    assert found["error"].endswith("ValueError: broke")
    assert LineFormatter().format(record("x", error=error)).endswith("ValueError: broke")


@pytest.mark.parametrize("break_", ["\n", "\r", "\x1b[2J", "\x85", "\u2028", "\x00"])
def test_nobody_forges_a_line(break_):
    hostile = record("path %s", f"/a{break_}2026-01-01 INFO arena: all is well")
    assert break_ not in LineFormatter().format(hostile)
    assert "\n" not in JsonFormatter().format(hostile)


def test_halves_of_characters_can_be_written():
    JsonFormatter().format(record("%s", "\ud800")).encode()


SECRETS = [
    f"Authorization: Bearer {KEY}",
    f"authorization=Basic {KEY}==",
    f"{{'Authorization': 'Bearer {KEY}', 'Accept': '*/*'}}",
    f"(b'Authorization', b'Bearer {KEY}')",
    f"Cookie: sessionid={KEY}; csrftoken={KEY}",
    f"bearer {KEY}",
    f'{{"api_key": "{KEY}"}}',
    f"api-key={KEY}&x=1",
    f"X-Api-Key: {KEY}",
    f"OPENAI_API_KEY={KEY}",
    f"FIELD_KEYS={KEY}",
    f"SECRET_KEY = '{KEY}'",
    f"password={KEY}",
    f"Incorrect API key provided: sk-{KEY}.",
    f"sk-proj-{KEY}",
    f"hf_{KEY}",
    f"hakem_{KEY}",
    f"postgres://hakem:{KEY}@db/hakem",
    f"redis://:{KEY}@cache:6379/0",
]


@pytest.mark.parametrize("text", SECRETS)
def test_a_secret_is_not_told(text):
    assert KEY not in redacted(text)
    assert HIDDEN in redacted(text)
    for formatter in (LineFormatter(), JsonFormatter()):
        assert KEY not in formatter.format(record("%s", text, error=raised(text)))


@pytest.mark.parametrize(
    "text",
    [
        "endpoint 3 rests after 3 failures: unreachable",
        "status 401: the key is not accepted",
        "completion_tokens: 512, keys: 3",
        "GET /accounts/sign-in/ 200 in 12 ms",
        "http://127.0.0.1:8000/v1 cannot be reached",
        "task-force asks scikit-learn",
    ],
)
def test_ordinary_words_stay(text):
    assert redacted(text) == text
