"""Is this process alive, and is it ready? Asked by containers and proxies, so without a name, and told no secret."""

import logging
import threading
import time
from collections.abc import Callable

from asgiref.sync import async_to_sync
from django.conf import settings
from django.db import connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.cache import never_cache

from config import probes
from config.probes import NotWell
from llms.models import LanguageModel
from llms.pool import Readiness, pool

logger = logging.getLogger(__name__)

REMEMBERED_SECONDS = 2.0
"""Whoever asks more often hears the same again: a flood of questions must not become one of pings."""
NEEDED = 2
"""Models of a battle."""


@never_cache
def healthz(request: HttpRequest) -> HttpResponse:
    """For a container's health check: this process answers, and its database does."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    return HttpResponse("ok\n", content_type="text/plain")


@never_cache
def readyz(request: HttpRequest) -> HttpResponse:
    """For a proxy or an operator: everything that a battle needs is there. Each part says "ok", or what it lacks."""
    parts = _remembered.parts()
    is_ready = all(words == "ok" for words in parts.values())
    return JsonResponse({"ready": is_ready, "parts": parts}, status=200 if is_ready else 503)


def contenders_are_loaded() -> None:
    """Not well only while waiting helps: a site without models must be reached to have some registered."""
    contenders = [llm for llm in LanguageModel.objects.in_battles() if llm.battle_weight]
    states = [Readiness.READY if llm.endpoint_id else pool.readiness(llm) for llm in contenders]
    n_ready = states.count(Readiness.READY)
    if n_ready < NEEDED and Readiness.WARMING in states:
        raise NotWell(f"{n_ready} of {len(states)} models are loaded")


def _checks() -> dict[str, Callable[[], None]]:
    checks: dict[str, Callable[[], None]] = {
        "database": probes.database_answers,
        "migrations": probes.migrations_are_applied,
        "messages": async_to_sync(probes.layer_round_trip),
        "models": contenders_are_loaded,
    }
    return checks if settings.EMBEDDED else checks | {"worker": probes.a_worker_answers}


def _state_of(part: str, check: Callable[[], None]) -> str:
    try:
        check()
    except NotWell as reason:
        return str(reason)
    except Exception:  # whatever the library of a part raises: the words of an error may hold addresses
        logger.exception("%s is not ready", part)
        return "does not answer; the log says why"
    return "ok"


class _Remembered:
    """The last answer. One asks, the others wait for what it hears."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._parts: dict[str, str] = {}
        self._asked_at = -REMEMBERED_SECONDS

    def parts(self) -> dict[str, str]:
        with self._lock:
            if time.monotonic() - self._asked_at > REMEMBERED_SECONDS:
                self._parts = self._ask()
                self._asked_at = time.monotonic()
            return self._parts

    def forget(self) -> None:
        self._asked_at = -REMEMBERED_SECONDS

    def _ask(self) -> dict[str, str]:
        """What needs the database is not asked while that is away: each would wait for it anew."""
        parts: dict[str, str] = {}
        for part, check in _checks().items():
            needs_database = part in {"migrations", "models"}
            is_away = needs_database and parts["database"] != "ok"
            parts[part] = "waits for the database" if is_away else _state_of(part, check)
        return parts


_remembered = _Remembered()
