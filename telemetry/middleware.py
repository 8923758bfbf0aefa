"""Counts and times every request, by its route and not by its address, which may be anything."""

import logging
import time
from collections.abc import Callable
from urllib.parse import quote

from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from telemetry.metrics import REQUESTS

logger = logging.getLogger(__name__)
METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
QUIET = {"healthz", "readyz", "metrics", "static"}
"""Asked every few seconds, or with every page."""
LONGEST_PATH = 200

Handler = Callable[[HttpRequest], HttpResponseBase]


def measured(get_response: Handler) -> Handler:
    def middleware(request: HttpRequest) -> HttpResponseBase:
        began = time.perf_counter()
        response = get_response(request)
        seconds = time.perf_counter() - began
        method, route = request.method if request.method in METHODS else "other", _route_of(request)
        REQUESTS.labels(method, route, response.status_code).observe(seconds)
        level = logging.DEBUG if route in QUIET else logging.INFO
        path = quote(request.path)[:LONGEST_PATH]
        logger.log(level, "%s %s %d in %.0f ms", method, path, response.status_code, 1000 * seconds)
        return response

    return middleware


def _route_of(request: HttpRequest) -> str:
    if request.resolver_match:
        return request.resolver_match.route or "/"
    return "static" if request.path.startswith(settings.STATIC_URL) else "nowhere"
