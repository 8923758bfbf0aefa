from typing import Any

from django.urls import path

from arena.consumers import BattleConsumer

battle: Any = BattleConsumer.as_asgi()  # an ASGI application, where Django's types expect a view

websocket_urlpatterns: Any = [
    path("ws/battle/", battle),
    path("ws/battle/<uuid:battle_id>/", battle),
]
