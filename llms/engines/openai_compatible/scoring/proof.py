"""The last word before a run: the way in which it will ask is tried on what is known already.

A token that the server writes has a log-probability; the same token as the end of a prompt of token ids must have the
same one. That holds for the tokenizer, too: cut by the wrong one, a text goes on otherwise, or counts other tokens.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from llms.engines.base import RequestRejected
from llms.engines.openai_compatible.completion_questions import PROMPTS
from llms.engines.openai_compatible.log_probabilities import DISTINCT, TOLERANCE
from llms.engines.openai_compatible.replies import as_object, first_choice, read_usage
from llms.engines.openai_compatible.scoring.cutting import FileCutter
from llms.engines.openai_compatible.scoring.routes import BadReply, Entry, Route
from llms.engines.openai_compatible.scoring.served_cutting import ServedCutter
from llms.engines.openai_compatible.scoring.wire import Wire
from llms.engines.scored_texts import Needed, ScoredText, Tokens
from llms.sentences import Sentence, filled, mark

Refuse = Callable[[str, Sentence], None]
"""Raises what refuses the server: the capability that is missing, and what was found."""
TEXTS = (*PROMPTS, "In 1969, two people walked on the Moon; “one small step”, çok güzel!\n\nQuestion: 12 + 30 =")
LEAST_VALUE = -2.5
"""Nats. A token that is less probable moves with rounding: that it is off proves nothing, that it is not does."""


class Proof(NamedTuple):
    evidence: Sentence
    n_alternatives: int


async def check_tokenizer(wire: Wire, name: str, cutter: FileCutter, refuse: Refuse) -> None:
    """Whether the registered tokenizer is the server's: it counts as the server does, and its tokens mean the text."""
    for text in TEXTS:
        (tokens,) = cutter.cut([text], is_beginning=True)
        said, as_text = await _goes_on(wire, name, text)
        if said != len(tokens):
            words = mark("The registered tokenizer cuts “%(text)s” into %(n)s tokens, and the server into %(said)s.")
            refuse("tokenization", filled(words, text=text, n=len(tokens), said="?" if said is None else said))
        if (await _goes_on(wire, name, tokens))[1] != as_text:
            words = mark("“%(text)s”, cut by the registered tokenizer, goes on otherwise than the text itself.")
            refuse("tokenization", filled(words, text=text))


async def prove(route: Route, cutter: FileCutter | ServedCutter, n_alternatives: int, refuse: Refuse) -> Proof:
    """The first prompt that proves something decides."""
    try:
        for prompt in PROMPTS:
            if found := await _tried(route, cutter, prompt, n_alternatives):
                written, entries, n = found
                value = entries[-1].log_probability
                numbers = {"found": _shown(value), "expected": _shown(written), "n": len(entries) + 1}
                if abs(value - written) > TOLERANCE:
                    words = mark(
                        "Asked by token ids, the token that it wrote has %(found)s as the end of a prompt, and had "
                        "%(expected)s when it was written."
                    )
                    refuse("prompt_log_probabilities", filled(words, **numbers))
                words = mark(
                    "Asked by %(n)s token ids, the token that it wrote has %(found)s as the end of a prompt, and had "
                    "%(expected)s when it was written."
                )
                return Proof(filled(words, **numbers), n)
    except (BadReply, RequestRejected) as error:
        fault = error.fault if isinstance(error, BadReply) else filled("%(words)s", words=str(error))
        refuse("prompt_log_probabilities", fault)
    refuse("prompt_log_probabilities", filled(mark("After none of the prompts there was a token to check with.")))
    raise AssertionError("a refusal raises")


async def _tried(
    route: Route, cutter: FileCutter | ServedCutter, prompt: str, n_alternatives: int
) -> tuple[float, list[Entry], int] | None:
    """The log-probability of a token when it was written, and the entries of the prompt with it; how many next tokens
    came with their ids. None where it proves nothing."""
    tokens = await _cut(cutter, prompt)
    written = await route.after(tokens, max(1, n_alternatives))
    if written.by_id:
        best = max(written.by_id, key=lambda token: written.by_id[token])
    else:
        whole = await _cut(cutter, prompt + written.text)
        if whole[:-1] != tokens:
            return None
        best = whole[-1]
    value = written.by_id.get(best, written.log_probability)
    if value is None:
        return None
    whole = [*tokens, best]
    entries = await route.entries(ScoredText(whole, len(whole) - 1))
    is_off = abs(entries[-1].log_probability - value) > TOLERANCE
    is_telling = abs(entries[-2].log_probability - value) >= DISTINCT and not (is_off and value < LEAST_VALUE)
    return (value, entries, len(written.by_id)) if is_telling else None


async def _cut(cutter: FileCutter | ServedCutter, text: str) -> Tokens:
    if isinstance(cutter, FileCutter):
        return cutter.cut([text], is_beginning=True)[0]
    return (await cutter.cut(Needed((text,), is_beginning=True)))[0]


async def _goes_on(wire: Wire, name: str, prompt: str | Tokens) -> tuple[int | None, str]:
    """How many tokens it read, and what it wrote after them."""
    payload: dict[str, Any] = {"model": name, "prompt": prompt, "max_tokens": 1, "temperature": 0}
    reply = await wire.post("/completions", payload)
    usage = read_usage(as_object(reply).get("usage"))
    return usage.prompt_tokens if usage else None, str(first_choice(reply).get("text") or "")


def _shown(value: float) -> str:
    return f"{value:.3f}".replace("-", "−")
