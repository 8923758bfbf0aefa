"""What the models of a server can do, found out by asking it, and remembered.

Of two probes of one model at the same time the one that began later counts: whatever the other writes from then on
finds that its row has moved on.
"""

import asyncio
from collections.abc import AsyncGenerator, Iterator, Sequence
from datetime import timedelta
from typing import Self

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from llms import endpoints
from llms.endpoints import Address
from llms.engines.openai_compatible import capabilities
from llms.engines.openai_compatible.asking import Asker, Patience, Unanswered
from llms.engines.openai_compatible.capabilities import KeyRefused
from llms.engines.openai_compatible.findings import Finding, Verdict
from llms.engines.openai_compatible.server import Server
from llms.engines.openai_compatible.server_facts import Facts, ServedFacts, ServerFacts
from llms.models import Capability, Endpoint, Probe, ProbeResult
from llms.sealing import WrongKey
from llms.sentences import filled, mark

N_CAPABILITIES = len(capabilities.CAPABILITIES)
PATIENCE = Patience()
BREAKS_WHEN_ASKED_TOO_MUCH = "transformers serve"
"""Its batching dies of a prompt that is longer than its context."""
GIVEN_UP_AFTER = timedelta(seconds=PATIENCE.all_together + 60)
"""A probe that has not ended by then died with its process."""

CUT_OFF = filled(mark("The probe was cut off, as when the server of this site is restarted. Probe again."))


class ProbeFailed(Exception):
    """The server cannot be asked at all. The text, a sentence, says why, and how to mend it."""


def probe(endpoint: Endpoint, served_name: str) -> list[ProbeResult]:
    """Ask, store, and return what was found. Takes seconds to minutes. Raises `ProbeFailed`."""
    begun = {"asked_at": timezone.now(), "n_done": 0, "ended_at": None, "failure": ""}
    row, _ = Probe.objects.update_or_create(endpoint=endpoint, served_name=served_name, defaults=begun)
    return carry_out(row)


def begin(endpoint: Endpoint, served_name: str) -> Probe | None:
    """The row of a probe that somebody is to carry out; None if one is under way."""
    now = timezone.now()
    row, is_new = Probe.objects.get_or_create(endpoint=endpoint, served_name=served_name, defaults={"asked_at": now})
    if not is_new:
        is_over = Q(ended_at__isnull=False) | Q(asked_at__lt=now - GIVEN_UP_AFTER)
        begun = {"asked_at": now, "n_done": 0, "ended_at": None, "failure": ""}
        if not Probe.objects.filter(is_over, pk=row.pk).update(**begun):
            return None
        row.refresh_from_db()
    return row


def is_under_way(row: Probe) -> bool:
    return row.ended_at is None and row.asked_at > timezone.now() - GIVEN_UP_AFTER


def failure_of(row: Probe) -> str:
    """Why it found nothing out; empty if it did, or still tries to."""
    if row.ended_at is None:
        return "" if is_under_way(row) else CUT_OFF
    return row.failure


def carry_out(row: Probe) -> list[ProbeResult]:
    """Raises `ProbeFailed`."""
    mine = Probe.objects.filter(pk=row.pk, asked_at=row.asked_at, ended_at=None)
    found: list[Finding] = []
    try:
        with _Conversation(row.endpoint) as server:
            facts, served = server.facts(row.served_name)
            for finding in server.findings(row.served_name, facts, served):
                found.append(finding)
                mine.update(n_done=len(found))
    except ProbeFailed as failed:
        mine.update(ended_at=timezone.now(), failure=failed.args[0])
        raise
    with transaction.atomic():
        if mine.update(ended_at=timezone.now()):
            _store(row, facts.server, found)
    return list(ProbeResult.objects.filter(endpoint=row.endpoint_id, served_name=row.served_name))


def findings(endpoint: Endpoint, served_name: str) -> dict[Capability, ProbeResult]:
    """What the newest probe found; empty if there was none."""
    results = ProbeResult.objects.filter(endpoint=endpoint, served_name=served_name)
    return {Capability(result.capability): result for result in results}


def stated_identity(endpoint: Endpoint, served_name: str, former: str = "") -> str:
    """What the server states, now, about the very weights it serves; empty if nothing pins them. Raises `ProbeFailed`,
    also if it leaves open whether they are still the former ones."""
    with _Conversation(endpoint) as server:
        found = server.facts(served_name)[1].identity
        if former and found != former and server.has_open_questions:
            words = mark(
                "%(address)s did not say which weights it serves, as it did before: see whether the server is well, "
                "and try again."
            )
            raise ProbeFailed(filled(words, address=endpoint.base_url))
        return found


class _Conversation:
    """With a server, from ordinary code and step by step, so that each step can be noted in the database."""

    def __init__(self, endpoint: Endpoint) -> None:
        try:
            self._connection = Address.of(endpoint).connection()
        except WrongKey as error:
            raise ProbeFailed(error.words) from error
        self._runner = asyncio.Runner()

    def __enter__(self) -> Self:
        self._asker = self._runner.run(_asker(Server(self._connection)))
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._runner.run(self._asker.close())
        self._runner.close()

    @property
    def has_open_questions(self) -> bool:
        return self._asker.has_open_questions

    def facts(self, served_name: str) -> tuple[Facts, ServedFacts]:
        """What it states about itself, and what it states about one of its models."""
        facts = ServerFacts(self._asker)
        try:
            stated = self._runner.run(facts.server())
        except Unanswered as unanswered:
            words = mark(
                "%(address)s cannot be reached. %(reason)s Start the server or mend its address, and probe again."
            )
            sentence = filled(words, address=self._connection.base_url, reason=unanswered.words)
            raise ProbeFailed(sentence) from unanswered
        return stated, self._runner.run(facts.of(served_name))

    def findings(self, served_name: str, facts: Facts, served: ServedFacts) -> Iterator[Finding]:
        may_be_long = facts.kind != BREAKS_WHEN_ASKED_TOO_MUCH
        steps = capabilities.findings(self._asker, served_name, served.context, may_be_long=may_be_long)
        while finding := self._runner.run(_next_of(steps)):
            yield finding


async def _asker(server: Server) -> Asker:
    return Asker(server, PATIENCE)


async def _next_of(steps: AsyncGenerator[Finding]) -> Finding | None:
    try:
        return await anext(steps, None)
    except KeyRefused as refused:
        words = mark("The server does not accept the key (status %(status)s). Type it anew, and probe again.")
        raise ProbeFailed(filled(words, status=refused.status)) from refused


def _store(row: Probe, server: str, found: Sequence[Finding]) -> None:
    """Replaces what an earlier probe found."""
    now = timezone.now()
    Endpoint.objects.filter(pk=row.endpoint_id).update(server=server)
    kept = ProbeResult.objects.filter(endpoint=row.endpoint_id, served_name=row.served_name)
    kept.exclude(capability__in=[finding.capability for finding in found]).delete()
    results = [
        ProbeResult(
            endpoint_id=row.endpoint_id,
            served_name=row.served_name,
            capability=finding.capability,
            verdict=finding.verdict.value,
            evidence=finding.evidence,
            number=finding.number,
            server=server,
            probed_at=now,
        )
        for finding in found
    ]
    ProbeResult.objects.bulk_create(
        results,
        update_conflicts=True,
        unique_fields=["endpoint", "served_name", "capability"],
        update_fields=["verdict", "evidence", "number", "server", "probed_at"],
    )
    if any(finding.capability == Capability.CHAT and finding.verdict == Verdict.YES for finding in found):
        endpoints.note_success(row.endpoint_id)
