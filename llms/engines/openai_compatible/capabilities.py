"""What one model of a server can do, found out by asking it. A fault is a verdict with its evidence, never an error.

Servers answer with status 200 to what they do not understand, so each capability is tried by a question whose right
answer is known.
"""

import re
from collections.abc import AsyncGenerator, Awaitable, Callable

from llms.engines.openai_compatible.asking import Asker, Refused, Unanswered
from llms.engines.openai_compatible.chat_questions import ChatQuestions
from llms.engines.openai_compatible.completion_questions import CompletionQuestions
from llms.engines.openai_compatible.findings import Finding, Judgement, Verdict
from llms.sentences import filled, mark

CAPABILITIES = (
    "chat",
    "tools",
    "generated_log_probabilities",
    "tokenization",
    "prompt_log_probabilities",
    "token_ids",
    "no_new_tokens",
    "context_length",
)
"""In the order in which they are tried: some need what an earlier one found."""
HUGE_LIMIT = 100_000_000
LONG_PROMPT = "word " * 9_000
_STATED_LIMIT = re.compile(r"context.{0,12}?(?:length|size|window)[^0-9]{0,30}(\d{3,9})", re.IGNORECASE | re.DOTALL)


class KeyRefused(Exception):
    """The server wants another key: what its models can do is not to be found out with this one."""

    def __init__(self, status: int) -> None:
        super().__init__(f"status {status}")
        self.status = status


async def findings(
    asker: Asker, served_name: str, stated_context: Judgement | None, *, may_be_long: bool
) -> AsyncGenerator[Finding]:
    """One for each of `CAPABILITIES`, in their order. `may_be_long`: whether the server stands a prompt that is longer
    than its context. Raises `KeyRefused`."""
    chat, completions = ChatQuestions(asker, served_name), CompletionQuestions(asker, served_name)

    async def generated() -> Judgement:
        judgement = await _judged(completions.generated)
        over_chats = await chat.log_probabilities() if judgement.verdict == Verdict.NO else None
        return over_chats or judgement

    async def context_length() -> Judgement:
        return stated_context or await _refused_length(chat, may_be_long)

    questions: dict[str, Callable[[], Awaitable[Judgement]]] = {
        "chat": chat.chat,
        "tools": chat.tools,
        "generated_log_probabilities": generated,
        "tokenization": completions.tokenization,
        "prompt_log_probabilities": completions.of_prompts,
        "token_ids": completions.token_ids,
        "no_new_tokens": completions.no_new_tokens,
        "context_length": context_length,
    }
    for capability in CAPABILITIES:
        yield Finding(capability, *await _judged(questions[capability]))


async def _judged(ask: Callable[[], Awaitable[Judgement]]) -> Judgement:
    try:
        return await ask()
    except Refused as refused:
        if refused.status in {401, 403}:
            raise KeyRefused(refused.status) from refused
        return Judgement(Verdict.NO, refused.words)
    except Unanswered as unanswered:
        return Judgement(Verdict.UNKNOWN, unanswered.words)


async def _refused_length(chat: ChatQuestions, may_be_long: bool) -> Judgement:
    """Who asks for too much is told the limit. First a limit that costs nothing; a long prompt costs a little."""
    attempts = [(HUGE_LIMIT, "Hi")] + ([(1, LONG_PROMPT)] if may_be_long else [])
    for n_tokens, prompt in attempts:
        refusal = await chat.limit_words(n_tokens, prompt)
        if found := _STATED_LIMIT.search(refusal):
            words = mark("Asked for too much, it stated a limit of %(number)s tokens.")
            return Judgement(Verdict.YES, filled(words, number=int(found[1])), int(found[1]))
    return Judgement(
        Verdict.UNKNOWN, filled(mark("It states its context length nowhere, and refused nothing as too long."))
    )
