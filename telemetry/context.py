"""Which request, battle, turn or task the code at work belongs to. Every line of the log says it.

Kept in a context variable, so that it follows `await`, new tasks, and the threads of asgiref and `asyncio.to_thread`.
"""

import contextlib
import re
import uuid
from collections.abc import Iterator, Mapping
from contextvars import ContextVar
from types import MappingProxyType

_NOTHING: Mapping[str, str] = MappingProxyType({})
_ids: ContextVar[Mapping[str, str]] = ContextVar("telemetry_ids", default=_NOTHING)
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{8,64}")


def current() -> Mapping[str, str]:
    return _ids.get()


def bind(**ids: object) -> None:
    """From here to the end of this task. None takes an id away."""
    merged = {**_ids.get(), **{name: str(value) for name, value in ids.items() if value is not None}}
    _ids.set(MappingProxyType({name: value for name, value in merged.items() if ids.get(name, value) is not None}))


@contextlib.contextmanager
def bound(**ids: object) -> Iterator[None]:
    """For the length of a block."""
    before = _ids.get()
    bind(**ids)
    try:
        yield
    finally:
        _ids.set(before)  # not `reset`, which wants the very context that a thread may have been lent a copy of


def request_id(given: str = "") -> str:
    """The id that a proxy gave to a request, if it is fit for a log; else a new one."""
    return given if _REQUEST_ID.fullmatch(given) else uuid.uuid4().hex
