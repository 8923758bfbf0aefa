"""`/metrics`: what this process counted, and what the installation looks like at the moment of asking.

Readable from `METRICS_NETWORKS` or with `METRICS_TOKEN`, and for nobody else: how long answers take, and where, is
something that a voter must not know.
"""

import logging
import secrets
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import psutil
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead
from prometheus_client.registry import Collector

from accounts.addresses import believed_address, is_in
from config import probes
from leaderboard.models import LiveBoard
from leaderboard.sources import votes
from llms.models import Endpoint, LanguageModel, Visibility
from llms.pool import Readiness, pool

logger = logging.getLogger(__name__)
FORWARDING = ("X-Forwarded-For", "Forwarded", "X-Real-Ip", "Via")


@require_safe
@never_cache
def metrics(request: HttpRequest) -> HttpResponse:
    if not _may_read(request):
        words = "Metrics are for METRICS_NETWORKS, or for whoever sends METRICS_TOKEN: Authorization: Bearer …\n"
        return HttpResponse(words, status=403, content_type="text/plain; charset=utf-8")
    registry = CollectorRegistry()
    registry.register(Site())
    counted = _of_all_processes() if settings.METRICS_FOLDER else REGISTRY
    return HttpResponse(generate_latest(counted) + generate_latest(registry), content_type=CONTENT_TYPE_LATEST)


def _may_read(request: HttpRequest) -> bool:
    given = request.headers.get("Authorization", "").removeprefix("Bearer ").encode()
    if settings.METRICS_TOKEN and secrets.compare_digest(given, settings.METRICS_TOKEN.encode()):
        return True
    peer = request.META.get("REMOTE_ADDR", "")
    asker = believed_address(peer, request.headers)
    if asker == peer and any(name in request.headers for name in FORWARDING):
        return False  # a proxy that is not in TRUSTED_PROXIES: whoever is behind it is not on this machine
    return is_in(asker, settings.METRICS_NETWORKS)


def _of_all_processes() -> CollectorRegistry:
    registry = CollectorRegistry()
    for file in Path(settings.METRICS_FOLDER).glob("gauge_live*_*.db"):
        process = file.stem.rpartition("_")[2]
        if process.isdecimal() and not psutil.pid_exists(int(process)):
            # killed, so it could not say that nothing is going on in it any more
            mark_process_dead(int(process))  # type: ignore[no-untyped-call]
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return registry


class Site(Collector):
    """What is not counted but looked up. A part that is away costs its own numbers only."""

    def collect(self) -> Iterator[GaugeMetricFamily]:
        away = GaugeMetricFamily("hakem_part_away", "Could not be asked for its numbers", labels=["part"])
        parts: dict[str, Callable[[], Iterable[GaugeMetricFamily]]] = {
            "database": lambda: [*_endpoints(), *_boards(), *_engines()],
            "broker": _queues,
        }
        for part, numbers in parts.items():
            found: list[GaugeMetricFamily] = []
            try:
                found = list(numbers())
            except Exception:  # whatever the library of a part raises
                logger.exception("%s has no numbers", part)
            away.add_metric([part], float(not found))
            yield from found
        yield away


def _endpoints() -> Iterator[GaugeMetricFamily]:
    resting = GaugeMetricFamily("hakem_endpoint_resting", "1 while its models are not drawn", labels=["endpoint"])
    for endpoint in Endpoint.objects.all():
        resting.add_metric([endpoint.name], float(endpoint.resting_since is not None))
    yield resting


def _boards() -> Iterator[GaugeMetricFamily]:
    computed = GaugeMetricFamily("hakem_board_computed_seconds", "When, in Unix time", labels=["audience"])
    behind = GaugeMetricFamily("hakem_board_behind", "1 while votes wait to be counted in", labels=["audience"])
    for board in LiveBoard.objects.all():
        if board.computed_at:
            computed.add_metric([board.audience], board.computed_at.timestamp())
        behind.add_metric([board.audience], float(votes.mark(Visibility(board.audience)) != board.mark))
    yield computed
    yield behind


def _engines() -> Iterator[GaugeMetricFamily]:
    """Of the process that is asked."""
    states = [pool.readiness(llm) for llm in LanguageModel.objects.in_battles() if not llm.endpoint_id]
    models = GaugeMetricFamily("hakem_local_models", "Models that may be drawn, by their engines", labels=["state"])
    for state in Readiness:
        models.add_metric([state.value], states.count(state))
    yield models
    held = GaugeMetricFamily("hakem_engine_bytes", "What loaded engines take, as estimated", labels=["device"])
    bytes_on: Counter[str] = Counter()
    for engine in pool.held():
        bytes_on[engine.device] += engine.n_bytes
    for device, n_bytes in bytes_on.items():
        held.add_metric([device], n_bytes)
    yield held


def _queues() -> Iterator[GaugeMetricFamily]:
    depth = GaugeMetricFamily("hakem_queue_depth", "Tasks that wait for a worker", labels=["queue"])
    if not settings.EMBEDDED:
        for queue, length in probes.queue_depths().items():
            depth.add_metric([queue], length)
    yield depth
