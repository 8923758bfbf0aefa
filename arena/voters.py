"""Who votes, without knowing who they are: a random id in a signed cookie, of which only a keyed digest is stored."""

import hmac
import secrets

from django.conf import settings
from django.contrib.auth.models import AnonymousUser, User
from django.core import signing
from django.http import HttpRequest, HttpResponse

from arena.models import Voter

COOKIE = "voter"
_SALT = "arena.voter"
_MAX_AGE = 400 * 86_400


def id_in(cookies: dict[str, str]) -> str | None:
    """The visitor's random id, if the cookie is one of ours."""
    try:
        value = signing.loads(cookies.get(COOKIE, ""), salt=_SALT, max_age=_MAX_AGE)
    except signing.BadSignature:
        return None
    return value if isinstance(value, str) else None


def give_cookie(request: HttpRequest, response: HttpResponse) -> None:
    """A page that opens a battle socket makes sure that the visitor has an id: sockets cannot set cookies."""
    if id_in(request.COOKIES) is None:
        response.set_cookie(
            COOKIE,
            signing.dumps(secrets.token_urlsafe(16), salt=_SALT),
            max_age=_MAX_AGE,
            httponly=True,
            samesite="Lax",
            secure=bool(settings.SESSION_COOKIE_SECURE),
        )


def digest_of(random_id: str, user: User | AnonymousUser) -> str:
    """An account is one voter in every browser; whoever uses the browser after it is another one."""
    identity = f"account {user.pk}" if user.is_authenticated else f"visitor {random_id}"
    return hmac.new(settings.VOTER_KEY.encode(), identity.encode(), "sha256").hexdigest()


def known(random_id: str | None, user: User | AnonymousUser) -> Voter | None:
    """The voter behind an id or an account, if they ever began a battle."""
    if not random_id and not user.is_authenticated:
        return None
    return Voter.objects.filter(digest=digest_of(random_id or "", user)).first()


def remember(random_id: str, user: User | AnonymousUser) -> Voter:
    """The voter behind an id or an account, made on first use."""
    account = user if user.is_authenticated else None
    voter, _ = Voter.objects.get_or_create(digest=digest_of(random_id, user), defaults={"user": account})
    return voter
