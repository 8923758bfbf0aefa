"""Reads an engine's options, which arrive as JSON that somebody typed, into the engine's own frozen dataclass."""

import dataclasses
import math
import types
import typing
from collections.abc import Mapping
from typing import Any, TypeVar

from llms.engines.base import LoadingFailed
from llms.sentences import Sentence, filled, mark

T = TypeVar("T")


class BadOptions(LoadingFailed):
    """The options of an engine name something unknown or hold a value that cannot be."""


def read_options(kind: type[T], options: Mapping[str, Any]) -> T:
    """Build the dataclass `kind` from a mapping; raise `BadOptions` for an unknown key, a wrong type or a bad value.

    Lists become tuples, and whole numbers serve as floats; nothing else is converted. Range checks belong into the
    dataclass's `__post_init__`, as `ValueError`.
    """
    known = [field.name for field in dataclasses.fields(kind)]  # type: ignore[arg-type]
    unknown = sorted(map(str, set(options) - set(known)))
    if unknown:
        words = mark("Unknown option %(unknown)s; known are %(known)s.")
        raise BadOptions(filled(words, unknown=", ".join(unknown), known=", ".join(known)))
    hints = typing.get_type_hints(kind)
    values = {}
    for name, value in options.items():
        value = _as_tuples(value)
        if not _fits(value, hints[name]):
            words = mark("Option %(name)s must be %(expected)s, not %(value)s.")
            raise BadOptions(filled(words, name=name, expected=_described(hints[name]), value=repr(value)))
        values[name] = value
    try:
        return kind(**values)
    except ValueError as error:
        raise BadOptions(filled(mark("Option %(problem)s."), problem=error.args[0])) from error


def _as_tuples(value: Any) -> Any:
    return tuple(_as_tuples(item) for item in value) if isinstance(value, list | tuple) else value


def _fits(value: Any, hint: Any) -> bool:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return any(_fits(value, argument) for argument in arguments)
    if origin is typing.Literal:
        return value in arguments
    if origin is tuple:
        return isinstance(value, tuple) and all(_fits(item, arguments[0]) for item in value)
    if isinstance(value, bool):
        return hint is bool
    if hint is float:
        return isinstance(value, int | float) and math.isfinite(value)
    return isinstance(value, hint)


def _described(hint: Any) -> Sentence:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        first, *others = (_described(argument) for argument in arguments)
        for other in others:
            first = filled(mark("%(one)s or %(other)s"), one=first, other=other)
        return first
    if origin is typing.Literal:
        return filled(mark("one of %(values)s"), values=", ".join(map(repr, arguments)))
    if origin is tuple:
        return filled(mark("a list of %(items)s"), items=_described(arguments[0]))
    names = {
        str: mark("text"),
        int: mark("a whole number"),
        float: mark("a number"),
        bool: mark("true or false"),
        types.NoneType: "null",
    }
    return filled(names.get(hint, str(hint)))
