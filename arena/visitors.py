"""Who is behind a socket: what the browser sent when it opened it, and whose account that stands for by now."""

from collections.abc import Mapping
from importlib import import_module
from typing import Any, NamedTuple, Self

from django.conf import settings
from django.contrib.auth import get_user
from django.contrib.auth.models import AnonymousUser, User
from django.http import HttpRequest

from accounts.addresses import client_address
from arena import voters


class Visitor(NamedTuple):
    id: str
    """Random, from the signed cookie; empty if the browser keeps none."""
    address: str
    """For rate limits only."""
    session_key: str | None

    @classmethod
    def of(cls, scope: Mapping[str, Any]) -> Self:
        peer = (scope.get("client") or ("",))[0]
        return cls(
            voters.id_in(scope["cookies"]) or "",
            client_address(peer, headers_of(scope)),
            scope["cookies"].get(settings.SESSION_COOKIE_NAME),
        )

    def user_now(self) -> User | AnonymousUser:
        """A socket may stay open for days. What somebody may do ends when they sign out, not when they close it."""
        if not self.session_key:
            return AnonymousUser()
        request = HttpRequest()
        request.session = import_module(settings.SESSION_ENGINE).SessionStore(self.session_key)
        user: User | AnonymousUser = get_user(request)
        return user


def headers_of(scope: Mapping[str, Any]) -> dict[str, str]:
    return {name.decode("latin-1").title(): value.decode("latin-1") for name, value in scope["headers"]}
