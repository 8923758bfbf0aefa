"""A model server with a real model behind it: what the local engine loaded, asked over HTTP as vLLM or SGLang are, right
or with one fault."""

import json
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from tests.helpers.model_server import Asked, Script

NAME = "lab/small"


@dataclass
class ScoringServer:
    """Plays a server of one kind. The defaults are right in all."""

    loaded: Any
    """What the local engine computes with."""
    kind: str = "vLLM"
    echo: str = "right"
    """Or a fault: `ignored`, `shifted`, `null`, `short`, `late`: right for as long as the probe takes and a little longer, then short."""
    ids: str = "right"
    """Or `refused`; `text`: read as the text of a list."""
    tokenize: bool = True
    alternatives: int = 20
    zero: bool = True
    """Whether it can write nothing."""
    length: int | None = None
    states_commit: bool = True
    trouble: list[Script] = field(default_factory=list)
    """What the next questions for log-probabilities meet, before all is well."""
    n_asked: Counter[str] = field(default_factory=Counter)
    longest: int = 0
    """Tokens of a prompt that it read."""

    def __call__(self, asked: Asked) -> Script:
        if asked.path == "/v1/models":
            commit = "0123456789abcdef0123456789abcdef01234567"
            root = f"/cache/models--lab--small/snapshots/{commit}" if self.states_commit else "small"
            row = {"id": NAME, "owned_by": self.kind.lower(), "root": root}
            return self._reply({"data": [row | ({"max_model_len": self.length} if self.length else {})]})
        if asked.path == "/version" and self.kind == "vLLM":
            return self._reply({"version": "0.32.0"})
        if asked.path == "/tokenize" and self.tokenize:
            self.n_asked["tokenize"] += 1
            tokens = self._cut(asked.body["prompt"], adds=asked.body["add_special_tokens"])
            return self._reply({"tokens": tokens, "count": len(tokens)})
        if asked.path == "/v1/completions":
            return self._completed(asked.body)
        if asked.path == "/generate" and self.kind == "SGLang":
            return self._generated(asked.body)
        return self._error(404, "Not Found")

    # --- the model

    def _cut(self, text: str, *, adds: bool) -> list[int]:
        return list(self.loaded.tokenizer(text, add_special_tokens=adds)["input_ids"])

    def _logs(self, tokens: list[int]) -> Any:
        """Of every next token, at every place."""
        import torch

        self.longest = max(self.longest, len(tokens))
        with torch.no_grad():
            return self.loaded.model(input_ids=torch.tensor([tokens])).logits[0].float().log_softmax(-1)

    def _spelled(self, token: int, as_ids: bool) -> str:
        return f"token_id:{token}" if as_ids else str(self.loaded.tokenizer.decode([token]))

    def _top(self, logs: Any, n: int, as_ids: bool, *, chosen: int | None = None) -> dict[str, float]:
        values, places = logs.topk(max(1, n))
        pairs = dict(zip(places.tolist(), values.tolist(), strict=True))
        if chosen is not None:
            pairs[chosen] = float(logs[chosen])
        return {self._spelled(token, as_ids): value for token, value in pairs.items()}

    # --- the protocol of completions

    def _completed(self, body: dict[str, Any]) -> Script:
        prompt = body["prompt"]
        if isinstance(prompt, list) and self.ids != "right":
            if self.ids == "refused":
                return self._error(400, "prompt must be a string")
            prompt = str(prompt)
        tokens = prompt if isinstance(prompt, list) else self._cut(prompt, adds=True)
        if self.length and len(tokens) + body["max_tokens"] > self.length:
            return self._error(400, f"This model's maximum context length is {self.length} tokens")
        if isinstance(body["prompt"], list) and "logprobs" in body and self.trouble:
            return self.trouble.pop(0)
        if body["max_tokens"] == 0 and not self.zero:
            return self._error(400, "max_tokens must be at least 1")
        if body.get("logprobs", 0) > self.alternatives:
            return self._error(400, f"logprobs must be at most {self.alternatives}")
        return self._answered(body, tokens)

    def _answered(self, body: dict[str, Any], tokens: list[int]) -> Script:
        logs, n_new = self._logs(tokens), min(1, body["max_tokens"])
        new = [int(logs[-1].argmax())] * n_new
        is_echoed = bool(body.get("echo")) and self.echo != "ignored"
        shown = (tokens if is_echoed else []) + new
        text = self.loaded.tokenizer.decode(shown, clean_up_tokenization_spaces=False)
        choice: dict[str, Any] = {"text": text, "finish_reason": "length", "logprobs": None}
        as_ids = bool(body.get("return_tokens_as_token_ids")) and self.kind == "vLLM"
        if "logprobs" in body and not (body.get("echo") and self.echo == "ignored"):
            self.n_asked["echo" if is_echoed else "next"] += 1
            choice["logprobs"] = self._scored(tokens, new, logs, body["logprobs"], as_ids, is_echoed)
        if body.get("stream"):
            return Script(body=[json.dumps({"choices": [choice]}), "[DONE]"])
        usage = {"prompt_tokens": len(tokens), "completion_tokens": n_new}
        return self._reply({"model": NAME, "choices": [choice], "usage": usage})

    def _scored(
        self, tokens: list[int], new: list[int], logs: Any, n: int, as_ids: bool, is_echoed: bool
    ) -> dict[str, Any]:
        values: list[Any] = []
        tops: list[Any] = []
        if is_echoed:
            values = [None, *(float(logs[place][token]) for place, token in enumerate(tokens[1:]))]
            tops = [None, *(self._top(logs[place], n, as_ids, chosen=token) for place, token in enumerate(tokens[1:]))]
            if self.echo == "shifted":
                values, tops = [*values[1:], values[-1] - 1], [*tops[1:], tops[-1]]
            if self.echo == "null":
                values, tops = [None] * len(tokens), []
            if self.echo == "short" or (self.echo == "late" and self.n_asked["echo"] > 30):
                values, tops = values[2:], tops[2:]
        spelled = [self._spelled(token, as_ids) for token in ((tokens if is_echoed else []) + new)]
        values += [float(logs[-1][token]) for token in new]
        tops += [self._top(logs[-1], n, as_ids) for _ in new]
        return {"tokens": spelled[-len(values) :], "token_logprobs": values, "top_logprobs": tops}

    # --- SGLang's own

    def _generated(self, body: dict[str, Any]) -> Script:
        tokens, n_top = body["input_ids"], body["top_logprobs_num"]
        logs, meta = self._logs(tokens), {"prompt_tokens": len(tokens), "completion_tokens": 1}
        self.n_asked["native" if "logprob_start_len" in body else "next"] += 1
        if (start := body.get("logprob_start_len")) is not None:
            n_off = 1 if self.echo == "shifted" else 0
            places = range(start + 1, len(tokens))
            given = [[float(logs[min(p - 1 + n_off, len(tokens) - 1)][tokens[p]]), tokens[p], None] for p in places]
            meta["input_token_logprobs"] = [[None, tokens[start], None], *given]
            meta["input_top_logprobs"] = [None, *(self._rows(logs[place - 1], n_top) for place in places)]
        meta["output_top_logprobs"] = [self._rows(logs[-1], n_top)]
        return self._reply({"text": "", "meta_info": meta})

    def _rows(self, logs: Any, n: int) -> list[Any]:
        values, places = logs.topk(max(1, n))
        return [[value, place, None] for value, place in zip(values.tolist(), places.tolist(), strict=True)]

    def _reply(self, body: Any) -> Script:
        return Script(body=[json.dumps(body).encode()])

    def _error(self, status: int, words: str) -> Script:
        return Script(status, body=[json.dumps({"error": {"message": words}}).encode()])
