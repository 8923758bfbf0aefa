"""Issue, recognise and revoke personal API tokens."""

import hashlib
import secrets
from collections.abc import Collection
from datetime import datetime, timedelta
from typing import NamedTuple

from django.contrib.auth.models import User
from django.utils import timezone

from accounts.models import ApiToken
from accounts.roles import SCOPES_OF_ROLE, Scope, role_of

PREFIX = "hakem_"
LAST_USE_PRECISION = timedelta(minutes=1)


class IssuedToken(NamedTuple):
    token: ApiToken
    secret: str
    """Shown to its owner now, and never again."""


class ScopeNotAllowed(ValueError):
    """Somebody asked for a scope that their role does not have."""


def allowed_scopes(user: User) -> frozenset[Scope]:
    role = role_of(user)
    return SCOPES_OF_ROLE[role] if role else frozenset()


def issue(user: User, *, name: str, scopes: Collection[Scope], expires_at: datetime | None = None) -> IssuedToken:
    refused = set(scopes) - allowed_scopes(user)
    if refused:
        raise ScopeNotAllowed(", ".join(sorted(refused)))
    secret = PREFIX + secrets.token_urlsafe(32)
    token = ApiToken.objects.create(
        user=user,
        name=name,
        scopes=sorted(scopes),
        digest=_digest(secret),
        hint=secret[: len(PREFIX) + 6],
        expires_at=expires_at,
    )
    return IssuedToken(token, secret)


def recognise(secret: str) -> ApiToken | None:
    """The usable token behind a secret. The secret is 256 random bits, so a plain digest cannot be turned back."""
    now = timezone.now()
    token = ApiToken.objects.usable(now).select_related("user").filter(digest=_digest(secret)).first()
    if token and (token.last_used_at is None or now - token.last_used_at > LAST_USE_PRECISION):
        ApiToken.objects.filter(pk=token.pk).update(last_used_at=now)
    return token


def effective_scopes(token: ApiToken) -> frozenset[Scope]:
    """What the token may do today: a person who lost a role loses its scopes, whatever the token says. A scope that
    only another version knows means nothing."""
    return frozenset(scope for scope in allowed_scopes(token.user) if scope in token.scopes)


def revoke(token: ApiToken) -> None:
    ApiToken.objects.filter(pk=token.pk, revoked_at=None).update(revoked_at=timezone.now())


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
