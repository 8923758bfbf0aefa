"""Questions to a server as a plain model of text: log-probabilities, token ids, no new tokens, cutting a text."""

import itertools
import json
from typing import Any

from llms.engines.openai_compatible.asking import Asker, Refused
from llms.engines.openai_compatible.findings import Judgement, Verdict
from llms.engines.openai_compatible.log_probabilities import (
    Echo,
    Written,
    is_log_probability,
    judge_echo,
    read_scored,
)
from llms.engines.openai_compatible.replies import as_object, error_words, first_choice, read_usage
from llms.sentences import filled, mark

PROMPTS = (
    "Water is made of hydrogen and",
    "The capital of France is",
    "The largest planet of our solar system is",
)
"""Their next word is nearly certain, so that rounding hardly moves it, and the words before it are not."""
SOME_IDS = (100, 101, 102, 103, 104)
"""Every vocabulary has them."""
MOST_PIECES = 6
"""Of a server that was asked for nothing and does not stop."""
_MOST_ALTERNATIVES = (20, 5)


class CompletionQuestions:
    def __init__(self, asker: Asker, name: str) -> None:
        self._asker = asker
        self._name = name
        self._n_alternatives = 0
        self._written: dict[str, Written] = {}
        self._ids: list[int] = []

    async def generated(self) -> Judgement:
        for n in _MOST_ALTERNATIVES:
            self._n_alternatives = n
            try:
                reply = await self._complete(PROMPTS[0])
                break
            except Refused:
                if n == _MOST_ALTERNATIVES[-1]:
                    raise
        scored = read_scored(first_choice(reply))
        if scored is None or scored.values[0] is None:
            return Judgement(Verdict.NO, filled(mark("logprobs was ignored, with status 200: none came back.")))
        value = scored.values[0]
        if not is_log_probability(value):
            words = mark("%(value)s came back, which is no log-probability.")
            return Judgement(Verdict.WRONG, filled(words, value=f"{value:.3f}"))
        n_given = len(scored.tops[0]) if scored.tops else 0
        return Judgement(Verdict.YES, filled(_GIVEN[scored.is_chat_shaped], n=n_given, value=_shown(value)), n_given)

    async def of_prompts(self) -> Judgement:
        """The first prompt that proves something decides."""
        judgement = None
        for prompt in PROMPTS:
            written = await self._write(prompt)
            if not written.text.strip():
                continue
            judgement = judge_echo(await self._echo(written), written, self._asker.quoted(written.text))
            if judgement.verdict != Verdict.UNKNOWN:
                break
        words = mark("It wrote nothing after any of %(n)s prompts: there is nothing to check with.")
        return judgement or Judgement(Verdict.UNKNOWN, filled(words, n=len(PROMPTS)))

    async def token_ids(self) -> Judgement:
        """A list of numbers could be taken for a text, or for several prompts: the count of tokens tells."""
        ids = self._ids or list(SOME_IDS)
        reply = await self._ask({"prompt": ids, "max_tokens": 1, "temperature": 0})
        usage = read_usage(as_object(reply).get("usage"))
        n_counted = usage.prompt_tokens if usage else None
        if n_counted is None:
            words = mark("A prompt of %(n)s token ids was taken, but it does not count what it read.")
            return Judgement(Verdict.UNKNOWN, filled(words, n=len(ids)))
        if n_counted != len(ids):
            words = mark("A prompt of %(n)s token ids was taken for one of %(counted)s tokens.")
            return Judgement(Verdict.WRONG, filled(words, n=len(ids), counted=n_counted))
        return self._same_word(ids, str(first_choice(reply).get("text") or ""))

    async def no_new_tokens(self) -> Judgement:
        """As a stream, and with echo: some write to the end of their context, others refuse to write nothing alone."""
        n_seen = itertools.count(1)
        payload = {"model": self._name, "prompt": PROMPTS[0], "max_tokens": 0, "echo": True, "temperature": 0}
        events = await self._asker.events(
            "/completions", {**payload, "stream": True}, until=lambda data: next(n_seen) > MOST_PIECES
        )
        replies = [as_object(_read(data)) for data in events]
        if broken := next((reply for reply in replies if reply.get("error")), None):
            words = mark("It broke off: “%(words)s”.")
            return Judgement(Verdict.NO, filled(words, words=self._asker.quoted(error_words(broken))))
        if not events:
            return Judgement(Verdict.UNKNOWN, filled(mark("With max_tokens=0 nothing at all came back.")))
        new = "".join(str(first_choice(reply).get("text") or "") for reply in replies).removeprefix(PROMPTS[0])
        if not new:
            return Judgement(Verdict.YES, filled(mark("With max_tokens=0 it wrote nothing.")))
        words = _WROTE_ON[len(events) > MOST_PIECES]
        return Judgement(Verdict.WRONG, filled(words, text=self._asker.quoted(new)))

    async def tokenization(self) -> Judgement:
        prompt = PROMPTS[0]
        for payload in _cuts(self._name, prompt):
            reply = await self._asker.about("/tokenize", payload)
            ids = _ids_of(reply.body) if reply else []
            if ids:
                return self._counted(ids, prompt)
        words = mark("It has no /tokenize that tells how it cuts “%(prompt)s”.")
        return Judgement(Verdict.NO, filled(words, prompt=prompt))

    def _counted(self, ids: list[int], prompt: str) -> Judgement:
        written = self._written.get(prompt)
        n_counted = written.n_prompt_tokens if written else None
        if n_counted is None:
            words = mark("/tokenize cuts “%(prompt)s” into %(n)s tokens; the server counts none to compare.")
            return Judgement(Verdict.UNKNOWN, filled(words, prompt=prompt, n=len(ids)))
        if n_counted != len(ids):
            words = mark("/tokenize cuts “%(prompt)s” into %(n)s tokens, and the model reads %(counted)s.")
            return Judgement(Verdict.WRONG, filled(words, prompt=prompt, n=len(ids), counted=n_counted))
        self._ids = ids
        words = mark("/tokenize cuts “%(prompt)s” into %(n)s tokens, as many as the model reads.")
        return Judgement(Verdict.YES, filled(words, prompt=prompt, n=len(ids)))

    def _same_word(self, ids: list[int], text: str) -> Judgement:
        written = self._written.get(PROMPTS[0])
        if ids != self._ids or not written:
            words = mark("A prompt of %(n)s token ids was read as %(n)s tokens.")
            return Judgement(Verdict.YES, filled(words, n=len(ids)))
        names = {"n": len(ids), "text": self._asker.quoted(text), "expected": self._asker.quoted(written.text)}
        if text == written.text:
            words = mark(
                "A prompt of %(n)s token ids was read as %(n)s tokens, and goes on with “%(text)s” as its text does."
            )
            return Judgement(Verdict.YES, filled(words, **names))
        words = mark("A prompt of %(n)s token ids went on with “%(text)s”, and its text with “%(expected)s”.")
        return Judgement(Verdict.WRONG, filled(words, **names))

    async def _write(self, prompt: str) -> Written:
        if prompt not in self._written:
            await self._complete(prompt)
        return self._written[prompt]

    async def _complete(self, prompt: str) -> Any:
        """One greedy token."""
        payload = {"prompt": prompt, "max_tokens": 1, "temperature": 0, "logprobs": self._n_alternatives}
        reply = await self._ask(payload)
        choice, usage = first_choice(reply), read_usage(as_object(reply).get("usage"))
        scored, text = read_scored(choice), str(choice.get("text") or "")
        value = scored.values[0] if scored and is_log_probability(scored.values[0]) else None
        token = scored.tokens[0] if scored and scored.tokens else text
        self._written[prompt] = Written(prompt, text, token, value, usage.prompt_tokens if usage else None)
        return reply

    async def _echo(self, written: Written) -> Echo:
        """One token more is asked for than needed: nothing at all is what some servers cannot do."""
        payload = {"prompt": written.prompt + written.text, "max_tokens": 1, "temperature": 0, "logprobs": 1}
        reply = await self._ask({**payload, "echo": True})
        choice, usage = first_choice(reply), read_usage(as_object(reply).get("usage"))
        return Echo(read_scored(choice), str(choice.get("text") or ""), usage.prompt_tokens if usage else None)

    async def _ask(self, payload: dict[str, Any]) -> Any:
        return await self._asker.post("/completions", {"model": self._name, **payload})


_GIVEN = {
    False: mark("The token that it wrote came back with its log-probability, %(value)s, and %(n)s alternatives."),
    True: mark(
        "The token that it wrote came back with its log-probability, %(value)s, and %(n)s alternatives, in the shape "
        "of chat completions (logprobs.content)."
    ),
}


def _shown(value: float | None) -> str:
    return f"{value:.3f}".replace("-", "−") if value is not None else "null"


_WROTE_ON = {
    False: mark("With max_tokens=0 it wrote “%(text)s” all the same."),
    True: mark("With max_tokens=0 it went on writing, “%(text)s”, until the connection was closed."),
}


def _read(data: str) -> Any:
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        return None


def _cuts(name: str, prompt: str) -> tuple[dict[str, Any], ...]:
    """As vLLM and SGLang, llama.cpp, and text-generation-inference want it."""
    return (
        {"model": name, "prompt": prompt, "add_special_tokens": True},
        {"content": prompt, "add_special": True},
        {"inputs": prompt},
    )


def _ids_of(body: object) -> list[int]:
    tokens = body if isinstance(body, list) else as_object(body).get("tokens")
    listed = tokens if isinstance(tokens, list) else []
    ids = [token.get("id") if isinstance(token, dict) else token for token in listed]
    known = [one for one in ids if isinstance(one, int) and not isinstance(one, bool)]
    return known if len(known) == len(ids) else []
