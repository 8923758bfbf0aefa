"""Real model servers, played with all that they do right and wrong, as it was measured on the real ones.

One tiny model is behind them all: it cuts a text at blanks, knows three facts, and finds everything else improbable.
"""

import json
import re
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.helpers.model_server import HANG, Asked, Script, event

NAME = "lab/orion-7b"
COMMIT = "0123456789abcdef0123456789abcdef01234567"
DIGEST = "a1" * 32
_FACTS = {"and": " oxygen", "France is": " Paris", "system is": " Jupiter"}


def cut(text: str) -> list[str]:
    return re.findall(r"^\S+|\s+\S+|\s+$", text)


def greedy(tokens: list[str]) -> str:
    text = "".join(tokens)
    return next((answer for end, answer in _FACTS.items() if text.endswith(end)), " word")


def log_probability(before: list[str], token: str) -> float:
    """Of the greedy token −0.26 or so; of others between −1 and −6."""
    noise = zlib.crc32("".join([*before, token]).encode()) % 5000 / 1000
    return -0.25 - noise / 500 if token == greedy(before) else -1.0 - noise


@dataclass
class Played:
    """A server of a kind, by what it does. The defaults are right in all."""

    facts: dict[str, Any] = field(default_factory=dict)
    """What it says of itself: path → reply."""
    row: dict[str, Any] = field(default_factory=dict)
    """More about its model in its list."""
    listing_status: int = 200
    name: str = NAME
    any_name: bool = False
    echoed_name: str = ""
    pieces: int = 5
    done: bool = True
    finish: str | None = "length"
    tools: str = "called"
    completions: str = "right"
    """Or a status."""
    echo: str = "right"
    zero: str = "honoured"
    ids: str = "right"
    tokenize: str = "vllm"
    log_probabilities: str = "right"
    chat_log_probabilities: bool = True
    most_alternatives: int = 20
    limit: str = ""
    refuses: tuple[str, ...] = ()
    """Fields of chats."""
    first_delay: float = 0.0
    headers: dict[str, str] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)

    def __call__(self, asked: Asked) -> Script:
        self.asked.append(asked)
        if asked.path in self.facts:
            return self._reply(self.facts[asked.path])
        answer: dict[str, Callable[[Asked], Script]] = {
            "/v1/models": self._models,
            "/v1/chat/completions": self._chat,
            "/v1/completions": self._complete,
            "/tokenize": self._tokenize,
        }
        return answer.get(asked.path, lambda asked: self._error(404, "Not Found"))(asked)

    def _reply(self, body: Any) -> Script:
        return Script(headers=self.headers, body=[json.dumps(body).encode()])

    def _error(self, status: int, words: str) -> Script:
        return Script(status, headers=self.headers, body=[json.dumps({"error": {"message": words}}).encode()])

    def _models(self, asked: Asked) -> Script:
        if self.listing_status != 200:
            return self._error(self.listing_status, "cannot list")
        return self._reply({"data": [{"id": self.name, **self.row}]})

    def _knows(self, body: dict[str, Any]) -> bool:
        return self.any_name or body.get("model") == self.name

    # --- chats

    def _chat(self, asked: Asked) -> Script:
        body = asked.body
        if not self._knows(body):
            return self._error(404, f"The model {body.get('model')} does not exist.")
        for name in self.refuses:
            if name in body:
                instead = " Use 'max_completion_tokens' instead." if name == "max_tokens" else ""
                return self._error(400, f"Unsupported parameter: '{name}' is not supported.{instead}")
        n_wanted = body.get("max_tokens") or body.get("max_completion_tokens") or 0
        if self.limit and (n_wanted > 1_000_000 or len(body["messages"][0]["content"]) > 9_000):
            return self._error(400, self.limit)
        if body.get("stream"):
            return Script(headers=self.headers, body=self._chat_events())
        if "tools" in body:
            return self._reply({"choices": [{"message": self._tool_message()}]})
        return self._reply({"choices": [self._chat_choice(body)]})

    def _chat_events(self) -> list[Any]:
        more = {"model": self.echoed_name or self.name}
        events: list[Any] = [event(f"word{n} ", **more) for n in range(self.pieces)]
        if self.finish:
            events.append(event(finish=self.finish, **more))
        return events + ["[DONE]"] * self.done

    def _chat_choice(self, body: dict[str, Any]) -> dict[str, Any]:
        choice: dict[str, Any] = {"message": {"content": "one"}, "finish_reason": "length"}
        if body.get("logprobs") and self.chat_log_probabilities:
            top = [{"token": f"t{n}", "logprob": -0.1 - n} for n in range(body.get("top_logprobs", 0))]
            choice["logprobs"] = {"content": [{"token": "t0", "logprob": -0.1, "top_logprobs": top}]}
        return choice

    def _tool_message(self) -> dict[str, Any]:
        if self.tools == "text":
            return {"content": "It is sunny in Ankara."}
        arguments: Any = {"called": '{"city": "Ankara"}', "object": {"city": "Ankara"}, "broken": '{"city": '}[
            self.tools
        ]
        return {"tool_calls": [{"function": {"name": "get_weather", "arguments": arguments}}]}

    # --- completions

    def _complete(self, asked: Asked) -> Script:
        body = asked.body
        if self.completions != "right":
            return self._error(int(self.completions), "no completions here")
        if not self._knows(body):
            return self._error(404, "no such model")
        if body.get("logprobs", 0) > self.most_alternatives:
            return self._error(400, f"logprobs must be at most {self.most_alternatives}")
        prompt = body["prompt"]
        if isinstance(prompt, list) and self.ids not in {"right", "text", "uncounted"}:
            return self._error(int(self.ids), "prompt must be a string")
        n_before = len([one for one in self.asked if one.path == "/v1/completions"])
        script = self._completed(body, self._tokens_of(prompt))
        return (
            Script(script.status, script.headers, [self.first_delay, *(script.body or [])]) if n_before == 1 else script
        )

    def _tokens_of(self, prompt: Any) -> list[str]:
        if not isinstance(prompt, list):
            return cut(prompt)
        if self.ids == "text":
            return cut(" ".join(map(str, prompt)) + " and more")
        return [_text_of_id(number) for number in prompt]

    def _completed(self, body: dict[str, Any], tokens: list[str]) -> Script:
        n_new = body["max_tokens"]
        if n_new == 0:
            if self.zero == "refused":
                return self._error(400, "max_tokens must be at least 1")
            n_new = {"honoured": 0, "one": 1, "on": 40}[self.zero]
        new: list[str] = []
        for _ in range(n_new):
            new.append(greedy([*tokens, *new]))
        is_echoed = bool(body.get("echo")) and self.echo not in {"ignored", "chat", "generated"}
        shown = [*tokens, *new] if is_echoed else new
        if body.get("stream"):
            pieces = ["".join(tokens)] * is_echoed + new
            rest = [HANG] if n_new > 1 else []
            chunks = [json.dumps({"choices": [{"text": piece}]}) for piece in pieces]
            return Script(
                headers=self.headers,
                body=[*chunks, *rest, json.dumps({"choices": [{"finish_reason": "length"}]}), "[DONE]"],
            )
        choice = {"text": "".join(shown), "finish_reason": "length", "logprobs": self._scores(body, tokens, new)}
        usage = {"prompt_tokens": len(tokens), "completion_tokens": len(new)}
        is_counted = not (isinstance(body["prompt"], list) and self.ids == "uncounted")
        return self._reply({"model": self.name, "choices": [choice], **({"usage": usage} if is_counted else {})})

    def _scores(self, body: dict[str, Any], tokens: list[str], new: list[str]) -> Any:
        if "logprobs" not in body or self.log_probabilities == "none":
            return None
        if self.log_probabilities == "positive":
            return {"tokens": new, "token_logprobs": [3.5] * len(new), "top_logprobs": []}
        values = [log_probability([*tokens, *new[:n]], token) for n, token in enumerate(new)]
        n_top = body["logprobs"]
        if self.log_probabilities == "chat":
            content = [
                {"token": t, "logprob": v, "top_logprobs": _top_list(t, v, n_top)}
                for t, v in zip(new, values, strict=True)
            ]
            return {"content": content}
        tops = [{t: v, **{f"x{n}": v - 1 - n for n in range(n_top - 1)}} for t, v in zip(new, values, strict=True)]
        if not body.get("echo") or self.echo in {"ignored", "generated"}:
            return (
                None
                if self.echo == "ignored" and body.get("echo")
                else {"tokens": new, "token_logprobs": values, "top_logprobs": tops}
            )
        return self._echoed([*tokens, *new])

    def _echoed(self, all_tokens: list[str]) -> Any:
        if self.echo == "no numbers":
            return None
        if self.echo == "null":
            return {"tokens": all_tokens, "token_logprobs": [None] * len(all_tokens), "top_logprobs": []}
        values: list[Any] = [log_probability(all_tokens[:n], token) for n, token in enumerate(all_tokens)]
        tops: list[Any] = [
            {(top := greedy(all_tokens[:n])): log_probability(all_tokens[:n], top)} for n in range(len(all_tokens))
        ]
        if self.echo == "shifted":  # each token is looked up in what was foretold for the one after it
            tops = [*tops[1:], tops[-1]]
            values = [log_probability(all_tokens[: n + 1], token) for n, token in enumerate(all_tokens)]
        if self.echo == "wrong":
            values = [value - 0.7 for value in values]
        if self.echo == "not top":
            tops = [{"else": -0.01} for _ in values]
        if self.echo == "short":
            all_tokens, values, tops = all_tokens[2:], values[2:], tops[2:]
        if self.echo != "first":
            values[0] = tops[0] = None
        if self.echo == "holes":
            values[2] = None
        return {"tokens": all_tokens, "token_logprobs": values, "top_logprobs": tops}

    def _tokenize(self, asked: Asked) -> Script:
        wants = {"vllm": "prompt", "llama": "content", "tgi": "inputs", "more": "prompt", "none": ""}[self.tokenize]
        if self.tokenize == "none" or wants not in asked.body:
            return self._reply({"tokens": []}) if self.tokenize == "llama" else self._error(404, "Not Found")
        ids = [_id_of_text(token) for token in cut(asked.body[wants])] + [7] * (self.tokenize == "more")
        if self.tokenize == "tgi":
            return self._reply([{"id": number, "text": "x"} for number in ids])
        return self._reply({"tokens": ids, "count": len(ids)})


_TEXTS: dict[int, str] = {}


def _id_of_text(token: str) -> int:
    number = 1000 + zlib.crc32(token.encode()) % 30000
    _TEXTS[number] = token
    return number


def _text_of_id(number: int) -> str:
    return _TEXTS.get(number, f" w{number}")


def _top_list(token: str, value: float, n: int) -> list[dict[str, Any]]:
    return [{"token": token, "logprob": value}, *({"token": f"x{i}", "logprob": value - 1 - i} for i in range(n - 1))]


# --- the kinds ---------------------------------------------------------------------------------------------------


def vllm(**more: Any) -> Played:
    row = {"owned_by": "vllm", "root": f"/cache/models--lab--orion/snapshots/{COMMIT}", "max_model_len": 4096}
    return Played(facts={"/version": {"version": "0.32.0"}}, row=row, **more)


def llama_cpp_python(**more: Any) -> Played:
    facts = {"/openapi.json": {"info": {"title": "🦙 llama.cpp Python API", "version": "0.3.36"}, "paths": {}}}
    limit = "This model's maximum context length is 2048 tokens, however you requested 9012 tokens"
    return Played(facts=facts, echo="shifted", zero="on", ids="500", tokenize="none", limit=limit, **more)


def llama_server(**more: Any) -> Played:
    settings = {"default_generation_settings": {"n_ctx": 1024}, "build_info": "b6000-abc1234", "total_slots": 4}
    return Played(
        facts={"/props": settings},
        row={"owned_by": "llamacpp", "meta": {"n_ctx_train": 8192}},
        any_name=True,
        echo="chat",
        log_probabilities="chat",
        zero="one",
        tokenize="llama",
        headers={"Server": "llama.cpp"},
        **more,
    )


def transformers_serve(**more: Any) -> Played:
    facts = {"/openapi.json": {"info": {"title": "FastAPI", "version": "0.1.0"}, "paths": {"/v1/systemone": {}}}}
    return Played(
        facts=facts,
        listing_status=500,
        echoed_name=f"{NAME}@main",
        done=False,
        echo="ignored",
        log_probabilities="none",
        chat_log_probabilities=False,
        ids="400",
        tokenize="none",
        headers={"Server": "uvicorn"},
        **more,
    )


def ollama(**more: Any) -> Played:
    facts = {
        "/api/version": {"version": "0.13.1"},
        "/api/tags": {"models": [{"name": f"{NAME}:latest", "digest": DIGEST}]},
        "/api/show": {"model_info": {"general.architecture": "llama", "llama.context_length": 131072}},
    }
    return Played(
        facts=facts, row={"owned_by": "library"}, echo="generated", zero="one", ids="400", tokenize="none", **more
    )


def sglang(**more: Any) -> Played:
    facts = {
        "/get_server_info": {"version": "0.5.4", "disaggregation_mode": "null", "revision": None},
        "/model_info": {"model_path": "lab/orion-7b", "weight_version": "step-1200"},
    }
    return Played(facts=facts, row={"owned_by": "sglang", "max_model_len": 32768}, **more)


def text_generation_inference(**more: Any) -> Played:
    info = {"model_id": "lab/orion-7b", "model_sha": COMMIT, "version": "3.3.6", "max_total_tokens": 4096}
    return Played(facts={"/info": info}, listing_status=404, completions="404", tokenize="tgi", **more)


def hosted(**more: Any) -> Played:
    """Chats only, and only its own fields."""
    return Played(
        completions="404",
        tokenize="none",
        most_alternatives=5,
        refuses=("max_tokens", "temperature"),
        headers={"Server": "cloudflare"},
        **more,
    )
