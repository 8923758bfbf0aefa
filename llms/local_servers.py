"""Model servers on this machine: the usual ports are asked what answers there. Nothing is sent but the question."""

import asyncio
from collections.abc import Iterable
from ipaddress import IPv4Address
from typing import NamedTuple

from django.conf import settings

from llms.engines.openai_compatible.asking import Asker, Patience, Unanswered
from llms.engines.openai_compatible.connection import Connection
from llms.engines.openai_compatible.server import Server
from llms.engines.openai_compatible.server_facts import Facts, ServerFacts
from llms.safe_http import NotAllowed, check_address
from llms.sentences import Sentence, filled, mark

LOOPBACK = IPv4Address("127.0.0.1")
USUAL_PORTS = (8000, 8001, 8080, 8081, 30000, 11434, 1234, 3000, 1337, 4000, 4891, 5000, 5001, 9997, 23333)
"""vLLM and transformers serve, llama.cpp, SGLang, Ollama, LM Studio, text-generation-inference, Jan, LiteLLM, GPT4All,
text-generation-webui, KoboldCpp, Xinference, LMDeploy."""
PATIENCE = Patience(one_reply=2.0, about_itself=2.0, all_together=2.0, when_busy=0.1)


class FoundServer(NamedTuple):
    base_url: str
    server: str
    """Name and version, as "vLLM 0.32.0"; empty if it does not say."""
    models: tuple[str, ...]
    words: Sentence
    """What it serves, or what is wrong with it."""


def find(ports: Iterable[int] = USUAL_PORTS) -> list[FoundServer]:
    """Takes about two seconds. Empty where the settings keep us away: see `why_not`."""
    return [] if why_not() else asyncio.run(_find([port for port in ports if port != settings.PORT]))


def why_not() -> Sentence | None:
    """Why this machine may not be looked at; None if it may."""
    try:
        check_address(LOOPBACK, settings.ENDPOINT_NETWORKS)
    except NotAllowed:
        words = mark("Servers on this machine may not be asked: add %(address)s to ENDPOINT_NETWORKS, and start again.")
        return filled(words, address=LOOPBACK)
    return None


async def _find(ports: Iterable[int]) -> list[FoundServer]:
    found = await asyncio.gather(*(_ask(port) for port in ports))
    return [server for server in found if server]


async def _ask(port: int) -> FoundServer | None:
    """None if nobody is there, or nobody who could be a model server."""
    address = f"http://{LOOPBACK}:{port}/v1"
    asker = Asker(Server(Connection(address, allowed_networks=tuple(settings.ENDPOINT_NETWORKS))), PATIENCE)
    try:
        facts = await ServerFacts(asker).server()
    except Unanswered:
        return None
    finally:
        await asker.close()
    if facts.listing_trouble and not facts.kind:
        return None
    return FoundServer(address, facts.server, facts.models, _words_of(facts))


def _words_of(facts: Facts) -> Sentence:
    if facts.listing_trouble:
        words = mark("It gives no list of its models (%(trouble)s): register one by its name.")
        return filled(words, trouble=facts.listing_trouble)
    if not facts.models:
        return filled(mark("It serves no model yet."))
    return filled(mark("It serves %(models)s."), models=", ".join(facts.models))
