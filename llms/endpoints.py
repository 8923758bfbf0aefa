"""Model servers: what it takes to reach one, and whether it is well.

A circuit breaker, kept in the database so that all processes know: after a few failures in a row an endpoint rests,
none of its models is drawn, and a background task asks it now and then whether it is back.
"""

import asyncio
import logging
from datetime import timedelta
from typing import NamedTuple, Self

from django.conf import settings
from django.db.models import F, Q
from django.db.models.functions import Now

from llms.engines.base import AccessRefused, DeadlineExceeded, EngineError, EngineUnreachable, GenerationFailed
from llms.engines.openai_compatible.connection import Connection
from llms.engines.openai_compatible.server import Reply, Server, Trouble
from llms.models import Endpoint
from llms.sealing import WrongKey, unseal

logger = logging.getLogger(__name__)

FAILURES_UNTIL_REST = 3
ASK_AGAIN_AFTER = timedelta(seconds=20)
CHECK_SECONDS = 10.0
COUNTS_AGAINST_IT = (EngineUnreachable, AccessRefused, DeadlineExceeded, GenerationFailed)
"""Its own doing. Too many requests, a prompt that is too long, or a model that it does not have, are not."""


class Health(NamedTuple):
    is_well: bool
    words: str
    """What is wrong, and how to mend it; or what it serves."""
    models: tuple[str, ...] = ()


class Address(NamedTuple):
    """What decides whether two models of an endpoint share their engine. Its key stays sealed until it is used."""

    base_url: str
    sealed_key: str
    max_concurrent: int

    @classmethod
    def of(cls, endpoint: Endpoint) -> Self:
        return cls(endpoint.base_url, endpoint.sealed_key, endpoint.max_concurrent)

    def connection(self) -> Connection:
        """Raises `WrongKey` if its key cannot be read any more."""
        return Connection(
            base_url=self.base_url,
            api_key=unseal(self.sealed_key),
            max_concurrent=self.max_concurrent,
            allowed_networks=tuple(settings.ENDPOINT_NETWORKS),
        )


def note_success(endpoint_id: int) -> None:
    """Only a row that says otherwise is written."""
    Endpoint.objects.filter(pk=endpoint_id).filter(~Q(n_failures=0) | ~Q(resting_since=None)).update(
        n_failures=0, resting_since=None, last_error=""
    )


def note_failure(endpoint_id: int, error: EngineError) -> None:
    if not isinstance(error, COUNTS_AGAINST_IT):
        return
    Endpoint.objects.filter(pk=endpoint_id).update(n_failures=F("n_failures") + 1, last_error=str(error)[:500])
    rests = Endpoint.objects.filter(pk=endpoint_id, n_failures__gte=FAILURES_UNTIL_REST, resting_since=None)
    if rests.update(resting_since=Now(), checked_at=Now()):
        logger.warning("endpoint %d rests after %d failures: %s", endpoint_id, FAILURES_UNTIL_REST, error)


def ask_those_that_rest() -> int:
    """Returns how many are well again. Two processes that do it at once ask each endpoint once: whoever sets the time
    of the check first is the one that asks."""
    n_well = 0
    due = Q(checked_at=None) | Q(checked_at__lt=Now() - ASK_AGAIN_AFTER)
    for endpoint in list(Endpoint.objects.exclude(resting_since=None).filter(due)):
        if Endpoint.objects.filter(due, pk=endpoint.pk).update(checked_at=Now()):
            n_well += ask(endpoint).is_well
    return n_well


def ask(endpoint: Endpoint) -> Health:
    """Asks it now, and remembers the answer. One good answer ends its rest."""
    try:
        health = asyncio.run(check(Address.of(endpoint)))
    except Exception:  # whatever a foreign server brings about must not cost the others their turn
        logger.exception("the answer of endpoint %s could not be read", endpoint)
        health = Health(False, "The server's answer could not be read. The log says why.")
    if health.is_well:
        note_success(endpoint.pk)
    else:
        Endpoint.objects.filter(pk=endpoint.pk).update(last_error=health.words[:500])
    return health


async def check(address: Address) -> Health:
    """Asks for the list of models, which costs a server nothing."""
    try:
        connection = address.connection()
    except WrongKey as error:
        return Health(False, str(error))
    server = Server(connection)
    try:
        async with asyncio.timeout(CHECK_SECONDS):
            return _health_of(await server.fetch("GET", "/models"), connection)
    except TimeoutError:
        return Health(False, f"{connection.base_url} did not answer within {CHECK_SECONDS:.0f} seconds.")
    except Trouble as trouble:
        return Health(False, f"{connection.base_url} cannot be reached: {trouble.error}")
    except EngineError as error:
        return Health(False, f"{connection.base_url} does not speak as it should: {error}")
    finally:
        await server.close()


def _health_of(reply: Reply, connection: Connection) -> Health:
    if reply.status in {401, 403}:
        return Health(False, f"The server does not accept the key (status {reply.status}). Type it anew.")
    if reply.status == 404:
        words = f"Nothing is at {connection.base_url}/models. Does the address lack its version, as /v1?"
        return Health(False, words)
    if reply.status != 200:
        return Health(False, f"The server answers with status {reply.status} when it is asked for its models.")
    rows = reply.body.get("data") if isinstance(reply.body, dict) else None
    if not isinstance(rows, list):
        return Health(False, "What answers there is no server of language models: it gives no list of them.")
    names = tuple(str(row["id"]) for row in rows if isinstance(row, dict) and row.get("id"))
    return Health(True, f"{len(names)} models" if len(names) != 1 else "1 model", names)
