"""The server's own tokenizer, asked text by text. Slower than one that is registered here, and always right."""

from typing import Any

from llms.engines.openai_compatible.replies import as_object
from llms.engines.openai_compatible.scoring.routes import BadReply
from llms.engines.openai_compatible.scoring.wire import Wire
from llms.engines.scored_texts import Needed, Tokens
from llms.sentences import filled, mark

SOME_TEXT = "Water"


class ServedCutter:
    """For one event loop at a time. It knows a first token only if the tokenizer puts it in front by itself."""

    def __init__(self, wire: Wire, name: str, kind: str) -> None:
        self._wire, self._name, self._kind = wire, name, kind
        self._added: Tokens = []

    @property
    def first_token(self) -> int | None:
        return self._added[0] if self._added else None

    async def learn(self) -> None:
        """What it puts in front of a text."""
        bare, whole = await self._ids(SOME_TEXT, False), await self._ids(SOME_TEXT, True)
        self._added = whole[: len(whole) - len(bare)] if bare and whole[-len(bare) :] == bare else []

    async def cut(self, wanted: Needed) -> list[Tokens]:
        adds = wanted.is_beginning
        if adds and self._added:
            bare = await self._ids(wanted.texts[0], False)
            adds = bare[: len(self._added)] != self._added  # it stands there already
        return [await self._ids(text, adds) for text in wanted.texts]

    async def _ids(self, text: str, is_beginning: bool) -> Tokens:
        if not text:
            return list(self._added) if is_beginning else []
        reply = await self._wire.post("/tokenize", self._payload(text, is_beginning), is_beside=True)
        listed = reply if isinstance(reply, list) else as_object(reply).get("tokens")
        ids = [one.get("id") if isinstance(one, dict) else one for one in (listed if isinstance(listed, list) else [])]
        tokens = [one for one in ids if isinstance(one, int) and not isinstance(one, bool)]
        if not tokens or len(tokens) != len(ids):
            raise BadReply(filled(mark("Its /tokenize gave no tokens for a text.")))
        return tokens

    def _payload(self, text: str, is_beginning: bool) -> dict[str, Any]:
        """As llama.cpp, text-generation-inference, or vLLM and SGLang want it."""
        if self._kind == "llama.cpp":
            return {"content": text, "add_special": is_beginning}
        if self._kind == "text-generation-inference":
            return {"inputs": text, "add_special_tokens": is_beginning}
        return {"model": self._name, "prompt": text, "add_special_tokens": is_beginning}
