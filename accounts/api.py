"""Who the API takes the caller for, and what every endpoint asks first."""

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest
from ninja import Router, Schema
from ninja.errors import HttpError

from accounts.roles import Scope, role_of
from accounts.tokens import allowed_scopes, effective_scopes

router = Router(tags=["account"])


class Me(Schema):
    username: str
    role: str | None
    scopes: list[str]


def scope_guard(scope: Scope) -> Callable[[HttpRequest], Any]:
    """An `auth` for endpoints: a token must carry the scope. Visitors and people who are signed in by a session pass
    here; what they may see is decided by the rows themselves."""

    def guard(request: HttpRequest) -> bool:
        token = getattr(request, "api_token", None)
        if token and scope not in effective_scopes(token):
            raise HttpError(403, f"This token lacks the scope “{scope}”. Make one that has it on your account page.")
        return True

    return guard


@router.get("/me", response=Me)
def me(request: HttpRequest) -> dict[str, object]:
    """Who you are here, and what your token may do today."""
    token = getattr(request, "api_token", None)
    if token:
        scopes = effective_scopes(token)
    elif request.user.is_authenticated:
        scopes = allowed_scopes(request.user)
    else:
        scopes = frozenset()
    return {"username": request.user.get_username(), "role": role_of(request.user), "scopes": sorted(scopes)}
