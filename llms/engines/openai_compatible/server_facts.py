"""What a server states about itself: name and version, the models it has, how much they read, which weights they are.

Each kind has its own places for this, beside the protocol that they share. All of them are asked, because none says
first which kind it is.
"""

import asyncio
import re
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple, TypeGuard

from llms.engines.openai_compatible.asking import Asker, Refused
from llms.engines.openai_compatible.findings import Judgement, Verdict
from llms.engines.openai_compatible.replies import as_object
from llms.engines.openai_compatible.server import Reply
from llms.sentences import filled, mark

LONGEST_NAME = 120
LONGEST_SERVED_NAME = 500
MOST_MODELS = 5_000
"""Hosted services list hundreds. What goes on for longer is no list of models, and is kept in memory."""
_COMMIT = re.compile(r"(?:@|/snapshots/)([0-9a-f]{40})\b")
"""A branch or a tag can mean other weights tomorrow: neither pins them."""
_DIGEST = re.compile(r"(?:sha256:)?([0-9a-f]{64})")
_WEB_SERVERS = re.compile(
    r"uvicorn|hypercorn|granian|gunicorn|nginx|caddy|cloudflare|envoy|istio|apache|openresty", re.I
)
_PLACES = ("/version", "/props", "/api/version", "/info", "/server_info", "/get_server_info", "/openapi.json")
_LENGTHS = ("max_model_len", "loaded_context_length", "context_length", "max_context_length", "context_window")


class Facts(NamedTuple):
    kind: str
    """Empty if it is of none that is known here."""
    server: str
    """As "vLLM 0.32.0"; empty if it does not say."""
    models: tuple[str, ...]
    listing_trouble: str
    """Why it gives no list of its models; empty if it does."""


class ServedFacts(NamedTuple):
    """About one of its models."""

    identity: str
    """Which weights exactly; empty if it states nothing that pins them."""
    context: Judgement | None


class ServerFacts:
    def __init__(self, asker: Asker) -> None:
        self._asker = asker
        self._rows: list[dict[str, Any]] = []
        self._said: dict[str, Any] = {}
        self._kind = ""

    async def server(self) -> Facts:
        """Raises `Unanswered` if there is nobody."""
        asked = [self._asker.about(place) for place in _PLACES]
        trouble, *replies = await asyncio.gather(self._list(), *asked, return_exceptions=True)  # all come to their end
        if isinstance(trouble, BaseException):
            raise trouble
        self._said = {place: reply.body for place, reply in zip(_PLACES, replies, strict=True) if reply}
        self._kind, version = _named(self._said, {str(row.get("owned_by")) for row in self._rows})
        name = f"{self._kind} {version}".strip() or _title(self._said) or _header(replies)
        names = tuple(str(row["id"]) for row in self._rows)
        return Facts(self._kind, _plain(name)[:LONGEST_NAME], names, trouble)

    async def of(self, served_name: str) -> ServedFacts:
        """After `server`."""
        row = next((row for row in self._rows if row["id"] == served_name), {})
        if self._kind == "Ollama":
            return await self._of_ollama(served_name)
        return ServedFacts(
            await self._identity(served_name, row), self._context(row) or await self._listed_length(served_name)
        )

    async def _list(self) -> str:
        try:
            listing = await self._asker.get("/models")
        except Refused as refused:
            return f"status {refused.status}"
        rows = listed_models(listing)
        self._rows = rows or []
        return "" if rows is not None else "no list"

    async def _identity(self, served_name: str, row: Mapping[str, Any]) -> str:
        info = as_object(self._said.get("/info"))
        if self._kind == "text-generation-inference" and _is_commit(info.get("model_sha")):
            return self._pinned(f"{info.get('model_id')}@{info['model_sha']}")
        if self._kind == "SGLang":
            return await self._identity_at_sglang()
        loaded_as = served_name if self._kind == "transformers serve" else ""  # it loads what the name says, no other
        for stated in (row.get("root"), row.get("id"), loaded_as):
            if isinstance(stated, str) and (found := _COMMIT.search(stated)):
                return self._pinned(f"{stated[: found.start()]}@{found[1]}")
        return ""

    async def _identity_at_sglang(self) -> str:
        """Its weights can be replaced while it runs; then it is told a new version of them."""
        reply = await self._asker.about("/model_info") or await self._asker.about("/get_model_info")
        info = as_object(reply.body if reply else None)
        path, version = str(info.get("model_path") or ""), str(info.get("weight_version") or "")
        if found := _COMMIT.search(path):
            path = f"{path[: found.start()]}@{found[1]}"
        elif version in {"", "default"}:
            revision = as_object(self._said.get("/server_info") or self._said.get("/get_server_info")).get("revision")
            if not _is_commit(revision):
                return ""
            path = f"{path}@{revision}"
        return self._pinned(f"{path} {version}".strip() if version != "default" else path)

    def _pinned(self, stated: str) -> str:
        return f"{self._kind} {_plain(stated)[-100:]}".strip()[:LONGEST_NAME]

    async def _of_ollama(self, served_name: str) -> ServedFacts:
        tags, shown = await asyncio.gather(
            self._asker.about("/api/tags"), self._asker.about("/api/show", {"model": served_name})
        )
        rows = as_object(tags.body if tags else None).get("models")
        wanted = {served_name, f"{served_name}:latest"}
        found = [as_object(row) for row in (rows if isinstance(rows, list) else [])]
        digests = [_DIGEST.fullmatch(str(row.get("digest"))) for row in found if row.get("name") in wanted]
        identity = next((self._pinned(f"sha256:{digest[1]}") for digest in digests if digest), "")
        info = as_object(as_object(shown.body if shown else None).get("model_info"))
        lengths = [value for name, value in info.items() if str(name).endswith(".context_length")]
        words = mark(
            "/api/show states %(number)s tokens for these weights. Ollama reads fewer if it is not told more: see "
            "OLLAMA_CONTEXT_LENGTH."
        )
        return ServedFacts(identity, _length(lengths[0] if lengths else None, words))

    def _context(self, row: Mapping[str, Any]) -> Judgement | None:
        props, meta = as_object(self._said.get("/props")), as_object(row.get("meta"))
        slot = as_object(props.get("default_generation_settings")).get("n_ctx") or props.get("n_ctx")
        words = mark("/props states %(number)s tokens for each of its slots.")
        if judgement := _length(slot, words):
            return judgement
        for name in _LENGTHS:
            if judgement := _length(
                row.get(name), mark("Its list of models states %(number)s tokens (%(field)s)."), name
            ):
                return judgement
        info = as_object(self._said.get("/info"))
        if judgement := _length(
            info.get("max_total_tokens"), mark("/info states %(number)s tokens (%(field)s)."), "max_total_tokens"
        ):
            return judgement
        words = mark("It states the %(number)s tokens that the model was trained with (%(field)s); it may read fewer.")
        return _length(meta.get("n_ctx_train"), words, "n_ctx_train")

    async def _listed_length(self, served_name: str) -> Judgement | None:
        """LM Studio says it beside the protocol."""
        reply = await self._asker.about("/api/v0/models")
        rows = as_object(reply.body if reply else None).get("data")
        for row in rows if isinstance(rows, list) else ():
            if as_object(row).get("id") == served_name:
                return self._context(row)
        return None


def listed_models(listing: object) -> list[dict[str, Any]] | None:
    """A list of models as servers give it, without what could not be asked for; None if it is none."""
    rows = as_object(listing).get("data")
    if not isinstance(rows, list):
        return None
    return [row for row in rows if isinstance(row, dict) and is_name(row.get("id"))][:MOST_MODELS]


def is_name(stated: object) -> TypeGuard[str]:
    """Whether a model can be asked for, and shown, under this name."""
    return isinstance(stated, str) and 0 < len(stated) <= LONGEST_SERVED_NAME and stated.isprintable()


def _named(said: Mapping[str, Any], owners: set[str]) -> tuple[str, str]:
    """Kind and version. The first that can mean nothing else decides."""
    props, info, api = (as_object(said.get(place)) for place in ("/props", "/info", "/openapi.json"))
    described, paths = as_object(api.get("info")), as_object(api.get("paths"))
    title, version = str(described.get("title") or ""), str(described.get("version") or "")
    version_of = {place: str(as_object(said.get(place)).get("version") or "") for place in _PLACES}
    if "build_info" in props or "default_generation_settings" in props:
        return "llama.cpp", str(props.get("build_info") or "")
    if "llama.cpp Python" in title:
        return "llama-cpp-python", version
    if "/v1/systemone" in paths or "/load_model" in paths:
        return "transformers serve", ""
    if "sglang" in owners or "disaggregation_mode" in as_object(said.get("/get_server_info")):
        return "SGLang", version_of["/server_info"] or version_of["/get_server_info"]
    if "model_sha" in info and version_of["/info"]:
        return "text-generation-inference", version_of["/info"]
    if "vllm" in owners or (version_of["/version"] and "/tokenize" in paths):
        return "vLLM", version_of["/version"]
    if version_of["/api/version"]:
        return "Ollama", version_of["/api/version"]
    return "", ""


def _title(said: Mapping[str, Any]) -> str:
    described = as_object(as_object(said.get("/openapi.json")).get("info"))
    title, version = str(described.get("title") or ""), str(described.get("version") or "")
    return f"{title} {version}".strip() if title != "FastAPI" else ""


def _header(replies: Iterable[Reply | None]) -> str:
    """What a header states, if it is more than the name of some web server. Only replies with status 200 get here."""
    stated = [reply.headers.get("server", "") for reply in replies if reply]
    return next((name for name in stated if name and not _WEB_SERVERS.search(name)), "")


def _length(value: object, words: str, field: str = "") -> Judgement | None:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 < value < 2**40:
        return None
    return Judgement(Verdict.YES, filled(words, number=value, field=field), value)


def _is_commit(value: object) -> bool:
    return isinstance(value, str) and bool(re.fullmatch(r"[0-9a-f]{40}", value))


def _plain(text: str) -> str:
    return "".join(character for character in text if character.isprintable())
