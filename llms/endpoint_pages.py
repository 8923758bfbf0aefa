"""What the pages about model servers show: how a server is, and what its models were found to be able to do."""

import asyncio
import hashlib
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import NamedTuple

from django.core.cache import cache
from django.utils.formats import number_format
from django.utils.translation import ngettext

from llms import endpoints, probing
from llms.endpoints import Address, Health
from llms.engines.openai_compatible.server_facts import is_name
from llms.models import Capability, Endpoint, LanguageModel, Probe, ProbeResult
from llms.probing import N_CAPABILITIES
from llms.translations import translated

LISTING_SECONDS = 60
"""So long a server's list is not asked for again."""
N_SHOWN = 200
"""A hosted service may list thousands."""


class Row(NamedTuple):
    capability: str
    verdict: str
    words: str
    evidence: str
    number: str


class Served(NamedTuple):
    """One model of a server, as its page shows it."""

    name: str
    llms: Sequence[LanguageModel]
    """What is registered under this name; twice, if it is to be compared with itself."""
    rows: Sequence[Row]
    probed_at: datetime | None
    server: str
    """What served it when it was probed."""
    n_done: int | None
    """Capabilities that the probe under way has tried; None if there is none."""
    failure: str
    is_listed: bool
    n_all: int = N_CAPABILITIES


def ask(endpoint: Endpoint) -> Health:
    """Asks how it is, and remembers it."""
    return _kept(endpoint, endpoints.ask(endpoint))


def look(endpoint: Endpoint) -> Health:
    """Asks for its list of models, and changes nothing."""
    return _kept(endpoint, asyncio.run(endpoints.check(Address.of(endpoint))))


def last_look(endpoint: Endpoint) -> Health | None:
    """What it said a moment ago; None if nobody asked."""
    kept: Health | None = cache.get(_key(endpoint))
    return kept


def served(endpoint: Endpoint, listed: Iterable[str]) -> list[Served]:
    """What is registered, what it lists, and what was probed: each name once, in this order."""
    llms: dict[str, list[LanguageModel]] = {}
    results: dict[str, list[ProbeResult]] = {}
    for llm in endpoint.llms.all():
        llms.setdefault(llm.source, []).append(llm)
    for result in endpoint.probe_results.all():
        results.setdefault(result.served_name, []).append(result)
    probes = {probe.served_name: probe for probe in endpoint.probes.all()}
    in_list = set(listed)
    names = list(dict.fromkeys([*llms, *sorted(in_list), *results, *probes]))[:N_SHOWN]
    return [_served(name, llms.get(name, []), results.get(name, []), probes.get(name), in_list) for name in names]


def may_be_probed(name: str) -> bool:
    return is_name(name)


def _served(
    name: str, llms: list[LanguageModel], results: list[ProbeResult], probe: Probe | None, listed: set[str]
) -> Served:
    order = {capability: place for place, capability in enumerate(Capability)}
    results = sorted(results, key=lambda result: order.get(Capability(result.capability), 0))
    newest = results[0] if results else None
    return Served(
        name=name,
        llms=llms,
        rows=[_row(result) for result in results],
        probed_at=newest.probed_at if newest else None,
        server=newest.server if newest else "",
        n_done=probe.n_done if probe and probing.is_under_way(probe) else None,
        failure=translated(probing.failure_of(probe)) if probe else "",
        is_listed=name in listed,
    )


def _row(result: ProbeResult) -> Row:
    verdict = ProbeResult.Verdict(result.verdict)
    return Row(
        result.get_capability_display(),
        result.verdict,
        str(verdict.label),
        translated(result.evidence),
        _number(result),
    )


def _number(result: ProbeResult) -> str:
    if result.number is None:
        return ""
    words = {
        Capability.CONTEXT_LENGTH: ngettext("%(n)s token", "%(n)s tokens", result.number),
        Capability.GENERATED_LOG_PROBABILITIES: ngettext("%(n)s alternative", "%(n)s alternatives", result.number),
    }.get(Capability(result.capability), "%(n)s")
    return words % {"n": number_format(result.number, use_l10n=True, force_grouping=True)}


def _kept(endpoint: Endpoint, health: Health) -> Health:
    cache.set(_key(endpoint), health, LISTING_SECONDS)
    return health


def _key(endpoint: Endpoint) -> str:
    """Another address is another server."""
    return f"endpoint-listing-{endpoint.pk}-{hashlib.sha256(endpoint.base_url.encode()).hexdigest()[:16]}"
