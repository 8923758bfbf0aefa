"""Asking a model something before anybody votes on it: one answer, live, with what it took."""

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator
from concurrent.futures import Future
from typing import Literal, TypedDict

from django.conf import settings
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from llms.chat import Message, Role, SamplingParams
from llms.engines.base import (
    Engine,
    EngineError,
    FinishReason,
    LoadingTimeout,
    Queued,
    ReasoningDelta,
    StreamEnd,
    TextDelta,
)
from llms.engines.deadlines import NOT_LOADED, Deadlines, loaded, within_deadlines
from llms.models import LanguageModel
from llms.pool import pool
from llms.room import gigabytes
from llms.sentences import filled
from llms.translations import translated

TELL_EVERY_SECONDS = 1.0
"""While the weights are loaded."""
SHORTEST_SECONDS = 0.05
"""Below that, tokens a second would be noise."""
FIRST_WORDS = SamplingParams(temperature=0, max_new_tokens=4)
PATIENCE = Deadlines(first_token=30, between_tokens=30, total=45)
GREETING = "Say hello."


class Progress(TypedDict):
    type: Literal["progress"]
    words: str


class Prompt(TypedDict):
    """The very text that the model was given, where this server knows it."""

    type: Literal["prompt"]
    text: str


class Piece(TypedDict):
    type: Literal["text", "reasoning"]
    text: str


class End(TypedDict):
    type: Literal["end"]
    first_token_seconds: float | None
    tokens_per_second: float | None
    tokens: int | None
    was_cut: bool


class Failure(TypedDict):
    type: Literal["failure"]
    words: str


TrialEvent = Progress | Prompt | Piece | End | Failure


async def answer(llm: LanguageModel, prompt: str) -> AsyncGenerator[TrialEvent]:
    """Never raises an `EngineError`: who tries a model out is told what is wrong. Closing it stops the computation."""
    messages = llm.conversation([Message(Role.USER, prompt)])
    try:
        with pool.hold(llm) as future:
            async with contextlib.aclosing(_loading(llm, future)) as loading:
                async for words in loading:
                    yield {"type": "progress", "words": words}
            engine = await loaded(future, settings.LOADING_SECONDS)
            text = await asyncio.to_thread(engine.prompt_text, messages)
            if text is not None:
                yield {"type": "prompt", "text": text}
            async with contextlib.aclosing(_written(engine, messages, llm.sampling())) as events:
                async for event in events:
                    yield event
    except EngineError as error:
        yield {"type": "failure", "words": _explained(error)}


async def first_words(llm: LanguageModel) -> str:
    """Why it does not answer, with the mend; empty when it does. Takes as long as a few words take."""
    messages = llm.conversation([Message(Role.USER, GREETING)])
    try:
        with pool.hold(llm) as future:
            engine = await loaded(future, settings.LOADING_SECONDS)
            async with contextlib.aclosing(within_deadlines(engine.stream(messages, FIRST_WORDS), PATIENCE)) as events:
                async for event in events:
                    if not isinstance(event, Queued):
                        return ""
    except EngineError as error:
        return _explained(error)
    return _("It ends its answer before it begins. Try another prompt on the page “Try”.")


async def _loading(llm: LanguageModel, future: Future[Engine]) -> AsyncGenerator[str]:
    """What there is to say while the weights are on their way. Whoever leaves does not stop the load."""
    load, started = asyncio.wrap_future(future), time.monotonic()
    load.add_done_callback(lambda done: done.cancelled() or done.exception())  # somebody has looked at it
    while not load.done():
        await asyncio.wait([load], timeout=TELL_EVERY_SECONDS)
        if not load.done():
            if time.monotonic() - started > settings.LOADING_SECONDS:
                raise LoadingTimeout(filled(NOT_LOADED, seconds=settings.LOADING_SECONDS))
            yield progress_words(llm) or _("loading")


def progress_words(llm: LanguageModel) -> str:
    """How far its load is; empty if there is none."""
    progress = pool.progress(llm)
    if progress is None:
        return ""
    values = {"stage": translated(progress.words), "seconds": int(progress.seconds)}
    if progress.n_bytes is None:
        return _("%(stage)s, for %(seconds)d s so far") % values
    return _("%(stage)s, for %(seconds)d s so far, %(size)s GB") % {**values, "size": gigabytes(progress.n_bytes)}


async def _written(engine: Engine, messages: list[Message], sampling: SamplingParams) -> AsyncGenerator[TrialEvent]:
    patience = Deadlines(settings.FIRST_TOKEN_SECONDS, settings.STALLED_SECONDS, settings.ANSWER_SECONDS)
    limited = sampling.limited_to(settings.ANSWER_TOKEN_LIMIT)
    started = time.monotonic()
    first: float | None = None
    async with contextlib.aclosing(within_deadlines(engine.stream(messages, limited), patience)) as events:
        async for event in events:
            match event:
                case Queued():
                    yield {"type": "progress", "words": _queue_words(event.n_before)}
                case TextDelta() | ReasoningDelta():
                    first = first or time.monotonic()
                    yield {"type": "text" if isinstance(event, TextDelta) else "reasoning", "text": event.text}
                case StreamEnd():
                    yield _end(event, started, first)


def _queue_words(n_before: int) -> str:
    return ngettext("%(n)d answer is before this one.", "%(n)d answers are before this one.", n_before + 1) % {
        "n": n_before + 1
    }


def _end(event: StreamEnd, started: float, first: float | None) -> End:
    tokens = event.usage.completion_tokens
    writing = time.monotonic() - first if first is not None else 0
    return {
        "type": "end",
        "first_token_seconds": first - started if first is not None else None,
        "tokens_per_second": (tokens - 1) / writing if tokens and tokens > 1 and writing > SHORTEST_SECONDS else None,
        "tokens": tokens,
        "was_cut": event.finish_reason is FinishReason.LENGTH,
    }


def _explained(error: EngineError) -> str:
    """An administrator may read what voters may not: the engine's own words."""
    words = translated(error.args[0]) if error.args and isinstance(error.args[0], str) else ""
    return f"{_(error.user_message)} ({words})" if words else _(error.user_message)
