"""Pages and sockets. What lives as long as the server (engines, live turns, in embedded mode the background work)
begins and ends with the ASGI lifespan."""

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

from django.core.asgi import get_asgi_application

pages = get_asgi_application()  # sets Django up: nothing below may be imported before

from channels.auth import AuthMiddlewareStack
from channels.routing import ProtocolTypeRouter, URLRouter
from channels.security.websocket import OriginValidator
from django.conf import settings

from arena.routing import websocket_urlpatterns
from config.lifespan import Lifespan

sockets = OriginValidator(AuthMiddlewareStack(URLRouter(websocket_urlpatterns)), settings.SOCKET_ORIGINS)
application = ProtocolTypeRouter({"http": pages, "websocket": sockets, "lifespan": Lifespan()})
