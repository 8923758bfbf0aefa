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

from llms import refusals
from llms.engines.base import AccessRefused, DeadlineExceeded, EngineError, EngineUnreachable, GenerationFailed
from llms.engines.openai_compatible.connection import Connection
from llms.engines.openai_compatible.server import Reply, Server, Trouble
from llms.engines.openai_compatible.server_facts import listed_models
from llms.models import Endpoint, LanguageModel
from llms.sealing import WrongKey, unseal
from llms.sentence_field import words_of
from llms.sentences import Sentence, filled, mark

logger = logging.getLogger(__name__)

FAILURES_UNTIL_REST = 3
ASK_AGAIN_AFTER = timedelta(seconds=20)
CHECK_SECONDS = 10.0
_UNREADABLE = mark("The server's answer could not be read. The log says why.")
_SILENT = mark(
    "%(address)s did not answer within %(seconds)s seconds. Is the server busy, or still loading? Ask again."
)
_AWAY = mark("%(address)s cannot be reached (%(reason)s). Start the server there, or mend the address.")
_BARRED = mark("%(address)s is not asked. %(reason)s")
_NOT_AS_IT_SHOULD = mark(
    "%(address)s does not speak as it should (%(reason)s). Is it a model server, and this its port?"
)
_KEY_REFUSED = mark("The server does not accept the key (status %(status)s). Type it anew.")
_KEY_MISSING = mark("The server wants a key (status %(status)s). Type it.")
_NOTHING_THERE = mark("Nothing is at %(address)s/models. Does the address lack its version, as /v1?")
_ODD_STATUS = mark("The server answers with status %(status)s when it is asked for its models. Its own log says why.")
_NO_MODEL_SERVER = mark(
    "What answers there is no server of language models: it gives no list of them. Mend the address or its port."
)
_MODELS = mark("%(n)s models")
_ONE_MODEL = mark("1 model")
COUNTS_AGAINST_IT = (EngineUnreachable, AccessRefused, DeadlineExceeded, GenerationFailed)
"""Its own doing. Too many requests, a prompt that is too long, or a model that it does not have, are not."""


class Health(NamedTuple):
    is_well: bool
    words: Sentence
    """What is wrong, and how to mend it; or what it serves."""
    models: tuple[str, ...] = ()
    refuses_key: bool = False


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


def note_answer(llm_id: int, endpoint_id: int) -> None:
    """Of a model that it serves. As long as all is well this is one look, and no write."""
    row = LanguageModel.objects.filter(pk=llm_id)
    if row.filter(~Q(n_refusals=0) | ~Q(endpoint__n_failures=0) | ~Q(endpoint__resting_since=None)).exists():
        note_success(endpoint_id)
        refusals.forget(row)


def note_failure(endpoint_id: int, error: EngineError) -> None:
    if not isinstance(error, COUNTS_AGAINST_IT):
        return
    Endpoint.objects.filter(pk=endpoint_id).update(n_failures=F("n_failures") + 1, last_error=words_of(error))
    rests = Endpoint.objects.filter(pk=endpoint_id, n_failures__gte=FAILURES_UNTIL_REST, resting_since=None)
    if rests.update(resting_since=Now(), checked_at=Now()):
        # no words of the server in the log: they may repeat what it was asked; the row has them
        logger.warning("endpoint %d rests after %d failures: %s", endpoint_id, FAILURES_UNTIL_REST, error.code)


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
        health = Health(False, filled(_UNREADABLE))
    if health.is_well:
        note_success(endpoint.pk)
        known = set(health.models)  # a query takes only so many names
        refused = endpoint.llms.filter(n_refusals__gt=0).values_list("pk", "source")
        refusals.forget(endpoint.llms.filter(pk__in=[pk for pk, source in refused if source in known]))
    else:
        Endpoint.objects.filter(pk=endpoint.pk).update(last_error=health.words)
    return health


async def check(address: Address) -> Health:
    """Asks for the list of models, which costs a server nothing."""
    try:
        connection = address.connection()
    except WrongKey as error:
        return Health(False, error.words)
    server = Server(connection)
    try:
        async with asyncio.timeout(CHECK_SECONDS):
            return _health_of(await server.fetch("GET", "/models"), connection)
    except TimeoutError:
        return Health(False, filled(_SILENT, address=connection.base_url, seconds=int(CHECK_SECONDS)))
    except Trouble as trouble:
        words = _BARRED if trouble.after is None else _AWAY  # the guard's refusals stay what they are
        return Health(False, filled(words, address=connection.base_url, reason=words_of(trouble.error)))
    except EngineError as error:
        return Health(False, filled(_NOT_AS_IT_SHOULD, address=connection.base_url, reason=words_of(error)))
    finally:
        await server.close()


def _health_of(reply: Reply, connection: Connection) -> Health:
    if reply.status in {401, 403}:
        words = _KEY_REFUSED if connection.api_key else _KEY_MISSING
        return Health(False, filled(words, status=reply.status), refuses_key=True)
    if reply.status == 404:
        return Health(False, filled(_NOTHING_THERE, address=connection.base_url))
    if reply.status != 200:
        return Health(False, filled(_ODD_STATUS, status=reply.status))
    rows = listed_models(reply.body)
    if rows is None:
        return Health(False, filled(_NO_MODEL_SERVER))
    names = tuple(row["id"] for row in rows)
    return Health(True, filled(_ONE_MODEL if len(names) == 1 else _MODELS, n=len(names)), names)
