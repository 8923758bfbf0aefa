"""Visitors are known again by a cookie that only we can make, and by nothing else."""

import pytest
from django.contrib.auth.models import AnonymousUser
from django.core import signing
from django.http import HttpRequest, HttpResponse

from arena import voters
from arena.models import Voter

NOBODY = AnonymousUser()


def answer_to(cookie=None):
    request, response = HttpRequest(), HttpResponse()
    if cookie is not None:
        request.COOKIES[voters.COOKIE] = cookie
    voters.give_cookie(request, response)
    return response.cookies.get(voters.COOKIE)


def test_a_visitor_gets_a_cookie_once(settings):
    given = answer_to()
    assert voters.id_in({voters.COOKIE: given.value})
    assert (given["httponly"], given["samesite"], given["secure"]) == (True, "Lax", "")
    assert answer_to(given.value) is None


def test_two_visitors_get_different_cookies():
    assert answer_to().value != answer_to().value


def test_the_cookie_is_secure_where_the_site_is(settings):
    settings.SESSION_COOKIE_SECURE = True
    assert answer_to()["secure"]


@pytest.mark.parametrize(
    "cookie",
    [
        "",
        "x",
        "a:b:c",
        ":::",
        "ü:ö:ä",
        "\x00",
        "x" * 5_000,
        signing.dumps("me", salt="another"),
        signing.dumps({"a": "dict"}, salt=voters._SALT),
        signing.dumps(None, salt=voters._SALT),
        signing.dumps("me", salt=voters._SALT, key="k" * 40),
    ],
    ids=range(11),  # those that are signed change with each second
)
def test_a_cookie_that_is_not_ours_is_replaced(cookie):
    assert voters.id_in({voters.COOKIE: cookie}) is None
    assert answer_to(cookie)


def test_a_cookie_that_is_too_old_is_replaced(monkeypatch):
    given = answer_to().value
    monkeypatch.setattr(voters, "_MAX_AGE", -1)
    assert answer_to(given)


@pytest.mark.django_db
def test_only_a_keyed_digest_is_stored(settings):
    voter = voters.remember("a random id", NOBODY)
    assert "random" not in voter.digest
    assert voter == voters.remember("a random id", NOBODY) == voters.known("a random id", NOBODY)
    settings.VOTER_KEY = "another key of at least thirty-two characters"
    assert voters.known("a random id", NOBODY) is None


@pytest.mark.django_db
def test_looking_leaves_no_trace():
    assert voters.known("a random id", NOBODY) is None
    assert voters.known("", NOBODY) is None
    assert voters.known(None, NOBODY) is None
    assert not Voter.objects.exists()


@pytest.mark.django_db
def test_an_account_is_one_voter_in_every_browser(vera, rana):
    at_home, at_work = (voters.remember(browser, vera) for browser in ("home", "work"))
    assert at_home == at_work == voters.known("phone", vera)
    assert at_home.user == vera
    assert voters.known("home", NOBODY) is None
    assert voters.remember("home", rana) != at_home
