"""Personal tokens for the API."""

import hashlib
from datetime import timedelta

import pytest
from django.contrib.auth.models import Group
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from ninja.errors import HttpError

from accounts import tokens
from accounts.api import scope_guard
from accounts.models import ApiToken
from accounts.roles import Role, Scope

pytestmark = pytest.mark.django_db


@pytest.fixture
def issue():
    def issue(user, *scopes, **more):
        return tokens.issue(user, name="script", scopes=scopes or [Scope.READ], **more)

    return issue


def call(client, secret, path="/api/v1/me", scheme="Bearer"):
    return client.get(path, headers={"Authorization": f"{scheme} {secret}"})


# --- issuing -----------------------------------------------------------------------------------------------------


def test_only_the_digest_is_stored(vera, issue):
    token, secret = issue(vera)
    row = ApiToken.objects.values().get()
    assert row["digest"] == hashlib.sha256(secret.encode()).hexdigest()
    assert secret not in str(row)
    assert secret.startswith(token.hint)
    assert len(secret) - len(token.hint) > 30


def test_two_tokens_are_never_alike(vera, issue):
    assert len({issue(vera).secret for _ in range(20)}) == 20


@pytest.mark.parametrize(
    ("role", "allowed"),
    [
        (Role.VOTER, {"read"}),
        (Role.RESEARCHER, {"read", "ingest"}),
        (Role.ADMIN, {"read", "run", "register", "ingest"}),
    ],
)
def test_a_role_limits_the_scopes(role, allowed, vera, issue):
    vera.groups.set(Group.objects.filter(name=role.value))
    for scope in Scope:
        if scope in allowed:
            assert issue(vera, scope).token.scopes == [scope]
        else:
            with pytest.raises(tokens.ScopeNotAllowed, match=scope):
                issue(vera, Scope.READ, scope)
    assert ApiToken.objects.count() == len(allowed)


def test_somebody_without_a_role_gets_no_token(vera, issue):
    vera.is_active = False
    with pytest.raises(tokens.ScopeNotAllowed):
        issue(vera)


# --- calling -----------------------------------------------------------------------------------------------------


def test_a_token_signs_its_owner_in(rana, issue, client):
    assert call(client, issue(rana, Scope.READ, Scope.INGEST).secret).json() == {
        "username": "rana",
        "role": "researcher",
        "scopes": ["ingest", "read"],
    }


def test_without_a_token_the_session_counts(adem, sign_in, client):
    assert client.get("/api/v1/me").json() == {"username": "", "role": None, "scopes": []}
    assert sign_in(adem).get("/api/v1/me").json()["scopes"] == ["ingest", "read", "register", "run"]


def test_a_token_outweighs_the_session(vera, adem, issue, sign_in):
    assert call(sign_in(adem), issue(vera).secret).json()["username"] == "vera"


@pytest.mark.parametrize("scheme", ["bearer", "BEARER"])
def test_the_scheme_may_be_spelt_as_one_likes(scheme, vera, issue, client):
    assert call(client, issue(vera).secret, scheme=scheme).json()["username"] == "vera"


def test_a_demotion_shrinks_a_token_at_once(adem, issue, client):
    secret = issue(adem, *Scope).secret
    adem.groups.set(Group.objects.filter(name="researcher"))
    assert call(client, secret).json()["scopes"] == ["ingest", "read"]
    adem.groups.clear()
    assert call(client, secret).json()["scopes"] == ["read"]


def test_a_promotion_adds_nothing_to_a_token(vera, issue, client):
    secret = issue(vera).secret
    vera.groups.set(Group.objects.filter(name="admin"))
    assert call(client, secret).json() == {"username": "vera", "role": "admin", "scopes": ["read"]}


def test_a_scope_of_another_version_means_nothing(vera, issue, client):
    token, secret = issue(vera)
    ApiToken.objects.filter(pk=token.pk).update(scopes=["read", "fly"])
    assert call(client, secret).json()["scopes"] == ["read"]


def test_a_token_without_the_scope_is_told_which_one_it_lacks(vera, issue, client):
    token, secret = issue(vera)
    ApiToken.objects.filter(pk=token.pk).update(scopes=[])
    answer = call(client, secret, "/api/v1/models")
    assert answer.status_code == 403
    assert "“read”" in answer.json()["detail"]


@pytest.mark.parametrize("scope", Scope)
def test_the_guard_lets_exactly_its_scope_in(scope, adem, issue):
    request = HttpRequest()
    for carried in Scope:
        request.api_token = issue(adem, carried).token
        if carried == scope:
            assert scope_guard(scope)(request)
        else:
            with pytest.raises(HttpError, match=scope) as refused:
                scope_guard(scope)(request)
            assert refused.value.status_code == 403


def unknown(secret, token):
    return "hakem_" + "x" * 43


def empty(secret, token):
    return ""


def cut_short(secret, token):
    return secret[:-1]


def expired(secret, token):
    ApiToken.objects.update(expires_at=timezone.now())
    return secret


def revoked(secret, token):
    tokens.revoke(token)
    return secret


def of_an_inactive_account(secret, token):
    token.user.is_active = False
    token.user.save()
    return secret


def of_a_deleted_account(secret, token):
    token.user.delete()
    return secret


def the_digest_itself(secret, token):
    return token.digest


def not_ascii(secret, token):
    return "hakem_é"


def sql(secret, token):
    return "' OR 1=1 --"


@pytest.mark.parametrize(
    "spoil",
    [
        unknown,
        empty,
        cut_short,
        expired,
        revoked,
        of_an_inactive_account,
        of_a_deleted_account,
        the_digest_itself,
        not_ascii,
        sql,
    ],
)
def test_a_bad_token_is_refused_and_told_what_to_do(spoil, vera, issue, client):
    token, secret = issue(vera)
    answer = call(client, spoil(secret, token))
    assert answer.status_code == 401
    assert answer["WWW-Authenticate"] == "Bearer"
    assert "account page" in answer.json()["detail"]


def test_a_bad_token_is_refused_even_where_a_visitor_would_not_be(vera, sign_in):
    assert call(sign_in(vera), "hakem_x", "/api/v1/leaderboard").status_code == 401


def test_a_token_is_good_until_the_moment_it_expires(vera, issue, client):
    assert call(client, issue(vera, expires_at=timezone.now() + timedelta(minutes=1)).secret).status_code == 200


def test_at_that_moment_it_is_not(vera, issue):
    now = timezone.now()
    issue(vera, expires_at=now)
    assert not ApiToken.objects.usable(now)
    assert ApiToken.objects.usable(now - timedelta(microseconds=1))


@pytest.mark.parametrize("path", ["/account/", "/admin/", "/account/password/"])
def test_outside_the_api_a_token_means_nothing(path, adem, issue, client):
    answer = call(client, issue(adem, *Scope).secret, path)
    assert answer.status_code == 302
    assert "next" in answer["Location"]


def test_a_token_opens_no_page_of_a_closed_site(adem, issue, client, settings):
    settings.ACCESS = "members"
    secret = issue(adem, *Scope).secret
    assert call(client, secret, "/leaderboard/").status_code == 302
    assert call(client, secret, "/api/v1/leaderboard").status_code == 200


@pytest.mark.parametrize("scheme", ["Basic", "Token", ""])
def test_another_scheme_is_no_token(scheme, vera, issue, client):
    assert call(client, issue(vera).secret, scheme=scheme).json()["username"] == ""


def test_a_token_sees_what_its_owner_may_see(rana, vera, issue, client, register, orion):
    register("Nova 70B", visibility="internal")

    def seen(user):
        return {row["slug"] for row in call(client, issue(user).secret, "/api/v1/models").json()}

    assert seen(rana) == {"orion-7b", "nova-70b"}
    assert seen(vera) == {"orion-7b"}


def test_the_last_use_is_noted_once_a_minute(vera, issue, client):
    secret = issue(vera).secret
    call(client, secret)
    first = ApiToken.objects.get().last_used_at
    assert first is not None
    call(client, secret)
    assert ApiToken.objects.get().last_used_at == first
    ApiToken.objects.update(last_used_at=first - timedelta(seconds=61))
    call(client, secret)
    assert ApiToken.objects.get().last_used_at >= first


def test_a_use_within_the_minute_writes_nothing(vera, issue, client, django_assert_num_queries):
    secret = issue(vera).secret
    call(client, secret)
    with django_assert_num_queries(1):
        tokens.recognise(secret)


# --- revoking ----------------------------------------------------------------------------------------------------


def test_a_revoked_token_stays_revoked_since_the_first_time(vera, issue, sign_in):
    token, _ = issue(vera)
    address = reverse("accounts:revoke_token", args=[token.pk])
    page = sign_in(vera).post(address, follow=True)
    assert "The token “script” is revoked." in page.content.decode()
    since = ApiToken.objects.get().revoked_at
    sign_in(vera).post(address)
    assert ApiToken.objects.get().revoked_at == since


def test_nobody_revokes_the_token_of_another(vera, adem, issue, sign_in):
    token, _ = issue(vera)
    assert sign_in(adem).post(reverse("accounts:revoke_token", args=[token.pk])).status_code == 404
    assert ApiToken.objects.get().revoked_at is None
    assert token.hint not in sign_in(adem).get(reverse("accounts:account")).content.decode()


def test_an_administrator_revokes_in_the_admin(vera, adem, issue, sign_in):
    issue(vera)
    old, _ = issue(vera)
    tokens.revoke(old)
    since = ApiToken.objects.get(pk=old.pk).revoked_at
    form = {"action": "revoke", "_selected_action": [token.pk for token in ApiToken.objects.all()]}
    address = reverse("admin:accounts_apitoken_changelist")
    assert sign_in(adem).post(address, form).status_code == 302
    assert not ApiToken.objects.filter(revoked_at=None).exists()
    assert ApiToken.objects.get(pk=old.pk).revoked_at == since


def test_who_may_only_look_at_tokens_does_not_revoke_them(vera, adem, issue, sign_in):
    token, _ = issue(vera)
    Group.objects.get(name="admin").permissions.remove(
        Group.objects.get(name="admin").permissions.get(codename="change_apitoken")
    )
    form = {"action": "revoke", "_selected_action": [token.pk]}
    sign_in(adem).post(reverse("admin:accounts_apitoken_changelist"), form)
    assert ApiToken.objects.get().revoked_at is None


def test_a_token_is_named_by_its_beginning(vera, issue):
    token, secret = issue(vera)
    assert str(token) == f"script ({secret[:12]}…)"
