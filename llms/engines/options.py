"""Reads an engine's options, which arrive as JSON that somebody typed, into the engine's own frozen dataclass."""

import dataclasses
import math
import types
import typing
from collections.abc import Mapping
from typing import Any, TypeVar

from llms.engines.base import LoadingFailed

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
        raise BadOptions(f"Unknown option {', '.join(unknown)}; known are {', '.join(known)}.")
    hints = typing.get_type_hints(kind)
    values = {}
    for name, value in options.items():
        value = _as_tuples(value)
        if not _fits(value, hints[name]):
            raise BadOptions(f"Option {name} must be {_described(hints[name])}, not {value!r}.")
        values[name] = value
    try:
        return kind(**values)
    except ValueError as error:
        raise BadOptions(f"Option {error}.") from error


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


def _described(hint: Any) -> str:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return " or ".join(_described(argument) for argument in arguments)
    if origin is typing.Literal:
        return "one of " + ", ".join(repr(argument) for argument in arguments)
    if origin is tuple:
        return f"a list of {_described(arguments[0])}"
    names = {str: "text", int: "a whole number", float: "a number", bool: "true or false", types.NoneType: "null"}
    return names.get(hint, str(hint))
