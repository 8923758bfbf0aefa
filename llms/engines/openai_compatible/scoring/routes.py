"""How a server is asked for log-probabilities of given tokens, and how its replies are read: with suspicion.

Prompts are token ids: a text would be cut again, and a server would add what it likes. There are two ways to ask.
*Echo*, in the protocol of completions: the prompt comes back with the log-probability of each token. *Native*, SGLang's
own: it says from which token on, so that its cache of common beginnings is used.

For answers of a single token both have a shorter way: the tokens that the server would write next, with their
log-probabilities. It is one question instead of one for each answer, and every server's cache serves it. It counts only
where the tokens come back by their ids: texts of tokens are ambiguous.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from llms.engines.base import GenerationFailed
from llms.engines.openai_compatible.log_probabilities import is_log_probability, read_scored
from llms.engines.openai_compatible.replies import as_object, first_choice, read_usage
from llms.engines.openai_compatible.scoring.wire import Wire
from llms.engines.scored_texts import ScoredText, Tokens
from llms.sentences import Sentence, filled, mark

TOKEN_ID = "token_id:"  # noqa: S105 - how vLLM spells a token when it is asked for ids
ALIKE = 1e-6
"""Nats. Two tokens with the same log-probability: either may be called the first."""
IN_A_RUN = mark(
    "The server gave what cannot be used. %(fault)s It passed the probe before the run: was it restarted, or does "
    "something stand between here and it? Look there, and resume."
)


class BadReply(GenerationFailed):
    """What came back cannot be what was asked for."""

    def __init__(self, fault: Sentence) -> None:
        super().__init__(filled(IN_A_RUN, fault=fault))
        self.fault = fault


class Entry(NamedTuple):
    log_probability: float
    is_first: bool
    """Whether no token is likelier."""


class Next(NamedTuple):
    """The one token that it wrote, greedily."""

    text: str
    log_probability: float | None
    by_id: Mapping[int, float]
    """It and the likeliest others; empty where they do not come by id."""


class Route(ABC):
    scheme: str
    """As a run's record calls it."""

    def __init__(self, wire: Wire, name: str) -> None:
        self._wire = wire
        self._name = name

    @abstractmethod
    async def entries(self, text: ScoredText) -> list[Entry]:
        """One for each token that is asked for. Raises `EngineError`."""

    @abstractmethod
    async def after(self, tokens: Tokens, n: int) -> Next:
        """What follows, and the `n` likeliest that could. Raises `EngineError`."""


class EchoRoute(Route):
    scheme = mark("the server's log-probabilities of prompts (echo)")

    def __init__(self, wire: Wire, name: str, *, n_new: int, gives_ids: bool) -> None:
        """`n_new`: tokens that it has to write at least. `gives_ids`: whether it knows how to spell tokens as ids."""
        super().__init__(wire, name)
        self._n_new = n_new
        self._as_ids = {"return_tokens_as_token_ids": True} if gives_ids else {}

    async def entries(self, text: ScoredText) -> list[Entry]:
        reply = await self._ask(text.tokens, self._n_new, 1, echo=True)
        scored, n = read_scored(first_choice(reply)), len(text.tokens)
        _check_count(n, _n_read(reply))
        if scored is None or scored.is_chat_shaped or len(scored.values) not in {n, n + self._n_new}:
            raise _broken(mark("%(n)s log-probabilities came back for %(expected)s tokens."), _n_of(scored), n)
        if scored.tokens and scored.tokens[0].startswith(TOKEN_ID):
            _check_ids(text.tokens, [_id_of(token) for token in scored.tokens[:n]])
        found = []
        for place in range(n - text.n_scored, n):
            value = _checked(scored.values[place])
            top = scored.tops[place] if place < len(scored.tops) else {}
            found.append(Entry(value, not top or value >= max(top.values()) - ALIKE))
        return found

    async def after(self, tokens: Tokens, n: int) -> Next:
        reply = await self._ask(tokens, 1, n)
        _check_count(len(tokens), _n_read(reply))
        choice = first_choice(reply)
        scored, text = read_scored(choice), str(choice.get("text") or "")
        value = scored.values[0] if scored and is_log_probability(scored.values[0]) else None
        content = as_object(choice.get("logprobs")).get("content")
        if isinstance(content, list) and content:
            return Next(text, value, _by_id(as_object(content[0]).get("top_logprobs")))
        top = scored.tops[0] if scored and scored.tops else {}
        named = {_id_of(token): _checked(found) for token, found in top.items()}
        return Next(text, value, {} if None in named else {id_: one for id_, one in named.items() if id_ is not None})

    async def _ask(self, tokens: Tokens, n_new: int, n_alternatives: int, **more: Any) -> Any:
        payload = {"model": self._name, "prompt": tokens, "max_tokens": n_new, "temperature": 0}
        return await self._wire.post("/completions", payload | {"logprobs": n_alternatives} | self._as_ids | more)


class NativeRoute(Route):
    scheme = mark("the server's log-probabilities of prompts (its own protocol)")

    async def entries(self, text: ScoredText) -> list[Entry]:
        n = len(text.tokens)
        start = n - text.n_scored - 1  # the token at the start itself comes back without a value
        said = await self._ask(text.tokens, {"logprob_start_len": start, "top_logprobs_num": 1})
        given = _rows(said.get("input_token_logprobs"))[-text.n_scored :]
        tops = _lists(said.get("input_top_logprobs"))[-text.n_scored :]
        if len(given) != text.n_scored:
            words = mark("%(n)s log-probabilities came back for %(expected)s tokens.")
            raise _broken(words, len(given), text.n_scored)
        _check_ids(text.tokens[n - text.n_scored :], [token for _, token in given])
        found = []
        for place, (value, _) in enumerate(given):
            best = [_checked(one) for one, _ in _rows(tops[place] if place < len(tops) else None)]
            found.append(Entry(checked := _checked(value), not best or checked >= max(best) - ALIKE))
        return found

    async def after(self, tokens: Tokens, n: int) -> Next:
        said = await self._ask(tokens, {"top_logprobs_num": n})
        first = next(iter(_lists(said.get("output_top_logprobs"))), [])
        by_id = {token: _checked(value) for value, token in _rows(first) if isinstance(token, int)}
        return Next("", max(by_id.values(), default=None), by_id)

    async def _ask(self, tokens: Tokens, more: dict[str, Any]) -> dict[str, Any]:
        payload: dict[str, Any] = {"input_ids": tokens, "sampling_params": {"max_new_tokens": 1, "temperature": 0}}
        reply = await self._wire.post("/generate", payload | {"return_logprob": True} | more, is_beside=True)
        said = as_object(as_object(reply).get("meta_info"))
        counted = said.get("prompt_tokens")
        _check_count(len(tokens), counted if isinstance(counted, int) else None)
        return said


def _rows(value: object) -> list[tuple[object, object]]:
    """SGLang's [log-probability, id, text]."""
    return [(row[0], row[1]) for row in _lists(value) if len(row) >= 2]


def _lists(value: object) -> list[list[Any]]:
    return [row if isinstance(row, list) else [] for row in value] if isinstance(value, list) else []


def _by_id(top: object) -> dict[int, float]:
    """Of the shape of chat completions, as llama.cpp gives it, with ids."""
    rows = [as_object(row) for row in top] if isinstance(top, list) else []
    if not all(isinstance(row.get("id"), int) for row in rows):
        return {}
    return {row["id"]: _checked(row.get("logprob")) for row in rows}


def _id_of(token: str) -> int | None:
    digits = token.removeprefix(TOKEN_ID)
    return int(digits) if token.startswith(TOKEN_ID) and digits.isascii() and digits.isdecimal() else None


def _n_read(reply: object) -> int | None:
    usage = read_usage(as_object(reply).get("usage"))
    return usage.prompt_tokens if usage else None


def _n_of(scored: Any) -> int:
    return len(scored.values) if scored is not None else 0


def _checked(value: object) -> float:
    number = float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
    if number is None or not is_log_probability(number):
        words = mark("It gave %(value)s where a log-probability belongs.")
        raise BadReply(filled(words, value="null" if value is None else str(value)[:40]))
    return number


def _check_count(n: int, counted: int | None) -> None:
    if counted is not None and counted != n:
        raise _broken(mark("It read %(n)s tokens where it was given %(expected)s."), counted, n)


def _check_ids(given: Sequence[int], came: Sequence[object]) -> None:
    if list(given) != list(came):
        raise BadReply(filled(mark("Other tokens came back than it was given.")))


def _broken(words: str, n: int, expected: int) -> BadReply:
    return BadReply(filled(words, n=n, expected=expected))
