"""Questions to a server as a chat: does it write piece by piece, does it call tools?"""

import dataclasses
import json
from typing import Any, NamedTuple

from llms.engines.base import GenerationFailed
from llms.engines.openai_compatible.asking import Asker, Refused, joined
from llms.engines.openai_compatible.engine import EndpointOptions
from llms.engines.openai_compatible.findings import Judgement, Verdict
from llms.engines.openai_compatible.log_probabilities import is_log_probability, read_scored
from llms.engines.openai_compatible.replies import DONE, as_object, first_choice, read_chunk
from llms.sentences import Sentence, filled, mark

NOBODY = "hakem-asks-for-a-model-that-nobody-has"
COUNTING = "Count from one to ten, in words."
WEATHER = "What is the weather in Ankara? Call the tool."
TOOL = "get_weather"
_TOOLS = [
    {
        "type": "function",
        "function": {
            "name": TOOL,
            "description": "The weather in a city.",
            "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
        },
    }
]
_MOST_ALTERNATIVES = (20, 5)
"""What servers allow: most of them 20, some 5."""


class ChatQuestions:
    def __init__(self, asker: Asker, name: str) -> None:
        self._asker = asker
        self._name = name
        self._options = EndpointOptions()
        self.stated_name = ""
        """What the server calls the model that answered."""

    async def chat(self) -> Judgement:
        payload = {**self._payload(COUNTING, 24), "stream": True}
        events, adaptation = await self._adapted(payload, stream=True)
        stream = _Stream.of(events)
        self.stated_name = stream.model
        notes = [adaptation, self._other_name(), await self._serves_any_name()]
        return self._judged(stream, notes)

    async def tools(self) -> Judgement:
        choice = {"type": "function", "function": {"name": TOOL}}
        payload = {**self._payload(WEATHER, 128), "tools": _TOOLS, "tool_choice": choice}
        reply, _ = await self._adapted(payload)
        message = as_object(first_choice(reply).get("message"))
        calls = message.get("tool_calls")
        if not calls:
            words = mark("Asked to call the tool %(tool)s, it wrote “%(text)s” instead.")
            text = self._asker.quoted(message.get("content") or "")
            return Judgement(Verdict.NO, filled(words, tool=TOOL, text=text))
        function = as_object(as_object(calls[0] if isinstance(calls, list) else None).get("function"))
        shown = self._asker.quoted(f"{function.get('name')}({function.get('arguments')})")
        if function.get("name") == TOOL and _is_call(function.get("arguments")):
            words = mark("Asked to call the tool %(tool)s, it called %(call)s.")
            return Judgement(Verdict.YES, filled(words, tool=TOOL, call=shown))
        words = mark("Asked to call the tool %(tool)s with a city, it called %(call)s.")
        return Judgement(Verdict.WRONG, filled(words, tool=TOOL, call=shown))

    async def log_probabilities(self) -> Judgement | None:
        """None if it gives none over chats either."""
        payload = {**self._payload(COUNTING, 1), "logprobs": True}
        for n in _MOST_ALTERNATIVES:
            try:
                reply, _ = await self._adapted({**payload, "top_logprobs": n})
            except Refused:
                continue
            scored = read_scored(first_choice(reply))
            if scored is None or not is_log_probability(scored.values[0]):
                return None
            n_alternatives = len(scored.tops[0])
            words = mark("Over chats only: one token came back with its log-probability and %(n)s alternatives.")
            return Judgement(Verdict.YES, filled(words, n=n_alternatives), n_alternatives)
        return None

    async def limit_words(self, n_tokens: int, prompt: str) -> str:
        """How it refuses a request that is too long; empty if it does not. Nothing is read of an answer."""
        try:
            payload = {**self._payload(prompt, n_tokens), "stream": True}
            await self._asker.events("/chat/completions", payload, until=lambda data: True)
        except Refused as refused:
            return refused.text
        return ""

    def _payload(self, prompt: str, n_tokens: int) -> dict[str, Any]:
        payload: dict[str, Any] = {"model": self._name, "messages": [{"role": "user", "content": prompt}]}
        payload[self._options.token_limit_field] = n_tokens
        if self._options.send_temperature:
            payload["temperature"] = 0
        return payload

    async def _adapted(self, payload: dict[str, Any], *, stream: bool = False) -> tuple[Any, Sentence | None]:
        """The reply, and what had to be written differently. Hosted models refuse fields that others need."""
        for _ in range(2):
            try:
                return await self._sent(payload, stream), self._adaptation()
            except Refused as refused:
                if not self._adapt(refused.text, payload):
                    raise
        return await self._sent(payload, stream), self._adaptation()

    async def _sent(self, payload: dict[str, Any], stream: bool) -> Any:
        if stream:
            return await self._asker.events("/chat/completions", payload, until=lambda data: False)
        return await self._asker.post("/chat/completions", payload)

    def _adapt(self, refusal: str, payload: dict[str, Any]) -> bool:
        if "max_tokens" in payload and "max_completion_tokens" in refusal:
            payload["max_completion_tokens"] = payload.pop("max_tokens")
            self._options = dataclasses.replace(self._options, token_limit_field="max_completion_tokens")  # noqa: S106
            return True
        if "temperature" in payload and "temperature" in refusal:
            del payload["temperature"]
            self._options = dataclasses.replace(self._options, send_temperature=False)
            return True
        return False

    def _adaptation(self) -> Sentence | None:
        changed = {
            field.name: getattr(self._options, field.name)
            for field in dataclasses.fields(EndpointOptions)
            if getattr(self._options, field.name) != field.default
        }
        words = mark("It refuses the usual fields: register it with the options %(options)s.")
        return filled(words, options=json.dumps(changed)) if changed else None

    def _other_name(self) -> Sentence | None:
        if not self.stated_name or self.stated_name == self._name:
            return None
        return filled(mark("It calls the model “%(name)s”."), name=self._asker.quoted(self.stated_name))

    async def _serves_any_name(self) -> Sentence | None:
        payload = {**self._payload("Hi", 1), "model": NOBODY}
        try:
            reply = await self._asker.post("/chat/completions", payload)
        except Refused:
            return None
        if not first_choice(reply):
            return None
        return filled(
            mark("It answers under any name, even one that no model has: check that it serves the one you mean.")
        )

    def _judged(self, stream: "_Stream", notes: list[Sentence | None]) -> Judgement:
        if stream.error:
            words = mark("It broke off after %(n)s pieces: “%(words)s”.")
            words_ = filled(words, n=stream.n_pieces, words=self._asker.quoted(stream.error))
            return Judgement(Verdict.WRONG, joined(words_, *notes))
        if stream.n_pieces < 2:
            words = mark("It does not write piece by piece: the answer came in %(n)s pieces.")
            return Judgement(Verdict.WRONG, joined(filled(words, n=stream.n_pieces), *notes))
        if not stream.is_done and not stream.finish_reason:
            words = mark("%(n)s pieces came, and then the stream ended without [DONE] and without a finish_reason.")
            return Judgement(Verdict.WRONG, joined(filled(words, n=stream.n_pieces), *notes))
        words = _ENDS[stream.is_done, bool(stream.finish_reason)]
        reason = self._asker.quoted(stream.finish_reason)
        return Judgement(Verdict.YES, joined(filled(words, n=stream.n_pieces, reason=reason), *notes))


_ENDS = {
    (True, True): mark("The answer came in %(n)s pieces and ended with finish_reason “%(reason)s” and [DONE]."),
    (True, False): mark("The answer came in %(n)s pieces and ended with [DONE], without a finish_reason."),
    (False, True): mark("The answer came in %(n)s pieces and ended with finish_reason “%(reason)s”, without [DONE]."),
}


class _Stream(NamedTuple):
    n_pieces: int
    finish_reason: str
    is_done: bool
    model: str
    error: str

    @classmethod
    def of(cls, events: list[str]) -> "_Stream":
        n_pieces, reason, model, error = 0, "", "", ""
        is_done = bool(events) and events[-1].strip() == DONE
        for data in events[: len(events) - is_done]:
            try:
                chunk = read_chunk(data)
            except GenerationFailed as broken:
                error = str(broken)
                break
            reply = json.loads(data)
            n_pieces += bool(chunk.text or chunk.reasoning)
            reason = str(first_choice(reply).get("finish_reason") or reason)
            model = str(reply.get("model") or model)
        return cls(n_pieces, reason, is_done, model, error)


def _is_call(arguments: object) -> bool:
    """As the protocol has it: a text that holds a JSON object."""
    try:
        given = json.loads(arguments) if isinstance(arguments, str) else None
    except (ValueError, RecursionError):
        return False
    return isinstance(given, dict) and isinstance(given.get("city"), str)
