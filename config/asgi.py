"""Pages and sockets. What lives as long as the server (engines, live turns, in embedded mode the background work)
begins and ends with the ASGI lifespan."""

import os
from typing import Final

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

from django.core.asgi import get_asgi_application

pages = get_asgi_application()  # sets Django up: nothing below may be imported before

from channels.routing import ProtocolTypeRouter, URLRouter
from channels.security.websocket import OriginValidator
from channels.sessions import CookieMiddleware
from django.conf import settings

from arena.routing import websocket_urlpatterns
from config.body_limits import BodyLimits
from config.lifespan import Lifespan
from evaluation import import_views, private_views
from telemetry.request_ids import RequestIds

MOST_OF_BODIES: Final = {
    "/benchmarks/private/": private_views.MOST_BODY_BYTES,
    "/runs/import/": import_views.MOST_BODY_BYTES,
    "/": settings.DATA_UPLOAD_MAX_MEMORY_SIZE,
}
"""Uploads, and all that is no upload. The proxy in docs/operating.md lets as much through."""

sockets = OriginValidator(CookieMiddleware(URLRouter(websocket_urlpatterns)), settings.SOCKET_ORIGINS)
limited = BodyLimits(pages, MOST_OF_BODIES)
application = ProtocolTypeRouter(
    {"http": RequestIds(limited), "websocket": RequestIds(sockets), "lifespan": Lifespan()}
)
