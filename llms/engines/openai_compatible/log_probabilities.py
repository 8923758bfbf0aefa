"""Log-probabilities as servers send them, and whether those of a prompt can be believed.

Three of four servers that were tried answer a question for the log-probabilities of a prompt with status 200 and wrong
or missing numbers. The test: a server writes one greedy token and says how probable it was; the same token, now as the
end of a prompt, must have the same log-probability.
"""

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

from llms.engines.openai_compatible.findings import Judgement, Verdict
from llms.sentences import filled, mark

TOLERANCE = 0.02
"""Nats. Between writing a token and reading it, rounding moves its log-probability by less."""
DISTINCT = 0.1
"""An entry before it that is no further away could be mistaken for it."""


class Scored(NamedTuple):
    """The tokens of a text with their log-probabilities. None: the server gave none."""

    tokens: tuple[str, ...]
    values: tuple[float | None, ...]
    tops: tuple[Mapping[str, float], ...]
    """The most probable tokens at each place, where they were given."""
    is_chat_shaped: bool = False
    """As chat completions have them, in answer to a plain completion."""


class Written(NamedTuple):
    """The one greedy token that a server wrote after a prompt."""

    prompt: str
    text: str
    token: str
    """The same, as its list of log-probabilities spells it."""
    value: float | None
    n_prompt_tokens: int | None


class Echo(NamedTuple):
    """What came back when a server was asked to score a prompt, and to write one token more."""

    scored: Scored | None
    text: str
    n_prompt_tokens: int | None


def read_scored(choice: Mapping[str, Any]) -> Scored | None:
    """None if the choice holds no log-probabilities."""
    given = choice.get("logprobs")
    if not isinstance(given, dict):
        return None
    if isinstance(content := given.get("content"), list):
        entries = [entry if isinstance(entry, dict) else {} for entry in content]
        tops = tuple(_top_of_list(entry.get("top_logprobs")) for entry in entries)
        numbers = _numbers([entry.get("logprob") for entry in entries])
        texts = _texts([entry.get("token") for entry in entries])
        return Scored(texts, numbers, tops, is_chat_shaped=True) if entries else None
    values = given.get("token_logprobs")
    if not isinstance(values, list) or not values:
        return None
    tops = tuple(_top_of_object(top) for top in _list(given.get("top_logprobs")))
    return Scored(_texts(_list(given.get("tokens"))), _numbers(values), tops)


def is_log_probability(value: float | None) -> bool:
    return value is not None and math.isfinite(value) and value <= 1e-6


def judge_echo(echo: Echo, written: Written, shown: str) -> Judgement:
    """`shown` is the written token as a sentence may show it. UNKNOWN means: another prompt may tell more."""
    scored = echo.scored
    is_echoed = echo.text.startswith(written.prompt)
    if scored is None:
        words = (
            mark("The prompt came back, but no log-probabilities with it.")
            if is_echoed
            else mark(
                "echo and logprobs were ignored, with status 200: neither prompt nor log-probabilities came back."
            )
        )
        return Judgement(Verdict.NO, filled(words))
    if all(value is None for value in scored.values):
        return Judgement(Verdict.NO, filled(mark("The log-probabilities that came back are all null.")))
    if scored.is_chat_shaped or (len(scored.values) == 1 and not is_echoed):
        return Judgement(Verdict.NO, filled(_IGNORED[scored.is_chat_shaped], n=len(scored.values)))
    return _judge_entries(scored, written, echo.n_prompt_tokens, shown)


_IGNORED = {
    False: mark("echo was ignored, with status 200: %(n)s log-probability came back, that of the token it wrote."),
    True: mark(
        "echo was ignored, with status 200: log-probabilities came back in the shape of chat completions, for the "
        "%(n)s tokens that it wrote."
    ),
}


def _judge_entries(scored: Scored, written: Written, n_prompt_tokens: int | None, shown: str) -> Judgement:
    n_before, n_entries = written.n_prompt_tokens, len(scored.values)
    n_expected = n_before + 1 if n_before is not None else n_prompt_tokens
    if n_expected is None:
        words = mark("It does not count the tokens of a prompt, so that its %(n)s entries cannot be checked.")
        return Judgement(Verdict.UNKNOWN, filled(words, n=n_entries))
    if n_prompt_tokens not in {None, n_expected}:
        words = mark("The prompt has %(n)s tokens, with “%(token)s” after it %(more)s: cut anew, it proves nothing.")
        return Judgement(Verdict.UNKNOWN, filled(words, n=n_before, token=shown, more=n_prompt_tokens))
    if n_entries not in {n_expected, n_expected + 1}:  # with or without the token that was written after it
        words = mark("%(n)s entries came back for a prompt of %(expected)s tokens.")
        return Judgement(Verdict.WRONG, filled(words, n=n_entries, expected=n_expected))
    if written.value is None:
        words = mark(
            "%(n)s entries came back, but it does not say how probable the tokens are that it writes: there is "
            "nothing to check them against."
        )
        return Judgement(Verdict.UNKNOWN, filled(words, n=n_entries))
    return _judge_values(scored, written, n_expected - 1, shown)


def _judge_values(scored: Scored, written: Written, place: int, shown: str) -> Judgement:
    expected, found = written.value or 0.0, scored.values[place]
    numbers = {"token": shown, "found": _number(found), "expected": _number(expected), "n": place + 1}
    if not _is_near(found, expected):
        if any(_is_near(value, expected) for value in _values_beside(scored, place, written.token)):
            words = mark(
                "The log-probabilities are shifted by one: “%(token)s” has %(found)s, and its own %(expected)s "
                "stands one place beside it."
            )
        else:
            words = mark("“%(token)s” has %(found)s as the end of a prompt, and had %(expected)s when it was written.")
        return Judgement(Verdict.WRONG, filled(words, **numbers))
    if _is_near(scored.values[place - 1], expected, DISTINCT):
        words = mark("“%(token)s” has %(found)s, as expected, but so has the word before it: it proves nothing.")
        return Judgement(Verdict.UNKNOWN, filled(words, **numbers))
    if None in scored.values[1:place]:
        words = mark("Within the prompt there are tokens without a log-probability, not only the first.")
        return Judgement(Verdict.WRONG, filled(words))
    if scored.values[0] is not None:
        words = mark("The first token of the prompt has %(first)s, where nothing comes before it that could tell.")
        return Judgement(Verdict.WRONG, filled(words, first=_number(scored.values[0])))
    top = scored.tops[place] if place < len(scored.tops) else {}
    if top and not _is_near(max(top.values()), expected):
        words = mark("“%(token)s” was the most probable token when it was written, and is not as the end of a prompt.")
        return Judgement(Verdict.WRONG, filled(words, **numbers))
    words = mark(
        "A prompt of %(n)s tokens came back with as many entries, the first of them empty. Its last, "
        "“%(token)s”, has %(found)s, and had %(expected)s when it was written."
    )
    return Judgement(Verdict.YES, filled(words, **numbers))


def _values_beside(scored: Scored, place: int, token: str) -> list[float | None]:
    """What stands one place earlier for the same token, and what stands there and one later for any."""
    before = scored.tops[place - 1].get(token) if 0 < place <= len(scored.tops) else None
    return [before, *_neighbours(scored, place)]


def _neighbours(scored: Scored, place: int) -> list[float | None]:
    return [scored.values[n] for n in (place - 1, place + 1) if 0 <= n < len(scored.values)]


def _is_near(value: float | None, expected: float, tolerance: float = TOLERANCE) -> bool:
    return value is not None and abs(value - expected) <= tolerance


def _number(value: float | None) -> str:
    return "null" if value is None else f"{value:.3f}".replace("-", "−")


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _texts(values: list[Any]) -> tuple[str, ...]:
    return tuple(value if isinstance(value, str) else "" for value in values)


def _numbers(values: list[Any]) -> tuple[float | None, ...]:
    return tuple(_as_number(value) for value in values)


def _as_number(value: object) -> float | None:
    if not isinstance(value, int | float) or isinstance(value, bool):
        return None
    return float(value) if abs(value) < 1e9 else math.nan  # whole numbers may have thousands of digits


def _top_of_list(top: object) -> dict[str, float]:
    entries = [one for one in _list(top) if isinstance(one, dict) and isinstance(one.get("token"), str)]
    return _top_of_object({one["token"]: one.get("logprob") for one in entries})


def _top_of_object(top: object) -> dict[str, float]:
    pairs = top.items() if isinstance(top, dict) else ()
    return {name: number for name, value in pairs if (number := _as_number(value)) is not None}
