"""Pages and sockets. What lives as long as the server (engines, live turns, in embedded mode the background work)
begins and ends with the ASGI lifespan."""

import os

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
from evaluation.private_views import MOST_BODY_BYTES
from telemetry.request_ids import RequestIds

sockets = OriginValidator(CookieMiddleware(URLRouter(websocket_urlpatterns)), settings.SOCKET_ORIGINS)
limited = BodyLimits(pages, {"/benchmarks/private/": MOST_BODY_BYTES})
application = ProtocolTypeRouter(
    {"http": RequestIds(limited), "websocket": RequestIds(sockets), "lifespan": Lifespan()}
)
