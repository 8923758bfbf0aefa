"""The door: sign-in, sign-out, and the password."""

import html
import math
import re
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.contrib.auth import get_user
from django.contrib.auth.models import User
from django.test import Client, RequestFactory
from django.urls import reverse

from accounts.forms import SignInForm

pytestmark = pytest.mark.django_db

SIGN_IN = "/accounts/sign-in/"
RIGHT = {"username": "vera", "password": "correct horse battery"}
WRONG = {"username": "vera", "password": "wrong"}


def test_the_right_password_lets_in(vera, client):
    response = client.post(SIGN_IN, RIGHT)
    assert (response.status_code, response["Location"]) == (302, "/")
    assert get_user(client) == vera


@pytest.mark.parametrize(
    "wrong", [WRONG, {**RIGHT, "username": "nobody"}, {"username": "", "password": ""}, {}], ids=str
)
def test_anything_else_does_not_and_says_so(wrong, vera, client):
    response = client.post(SIGN_IN, wrong)
    assert response.status_code == 200
    assert b'class="errorlist' in response.content
    assert get_user(client).is_anonymous


def test_it_does_not_tell_whether_a_name_exists(vera, client):
    def errors(name):
        return client.post(SIGN_IN, {"username": name, "password": "wrong"}).context["form"].errors

    assert errors("vera") == errors("nobody")


def test_an_inactive_account_is_kept_out(vera, client):
    User.objects.update(is_active=False)
    assert client.post(SIGN_IN, RIGHT).status_code == 200
    assert get_user(client).is_anonymous


def test_deactivation_ends_a_session(vera, sign_in):
    client = sign_in(vera)
    User.objects.update(is_active=False)
    assert client.get("/account/").status_code == 302


# --- where to go next --------------------------------------------------------------------------------------------


def test_the_page_carries_on_where_one_wanted_to_go(vera, client):
    page = client.get(SIGN_IN, {"next": "/leaderboard/"})
    assert b'name="next" value="/leaderboard/"' in page.content
    after_an_error = client.post(SIGN_IN, {**WRONG, "next": "/leaderboard/"})
    assert b'name="next" value="/leaderboard/"' in after_an_error.content
    assert client.post(SIGN_IN, {**RIGHT, "next": "/leaderboard/"})["Location"] == "/leaderboard/"


def test_the_link_to_it_brings_one_back(client, db):
    page = client.get("/leaderboard/?x=1&y=/")
    link = re.search(r'<a [^>]*href="([^"]*)" data-sign-in>', page.content.decode())
    there = client.get(html.unescape(link[1]))
    assert (there.request["PATH_INFO"], there.context["next"]) == (SIGN_IN, "/leaderboard/?x=1&y=/")
    assert "for people who are signed in" not in there.content.decode()
    assert "data-sign-in" not in there.content.decode()


def test_whoever_was_sent_there_is_told_why(client, db):
    assert "for people who are signed in" in client.get("/account/", follow=True).content.decode()


FOREIGN = [
    "https://evil.example",
    "//evil.example",
    "///evil.example",
    "http:evil.example",
    "\\\\evil.example",
    "/\\evil.example",
    "javascript:alert(1)",
    "https://testserver@evil.example/",
    "\x01//evil.example",
]


@pytest.mark.parametrize("target", FOREIGN)
def test_nobody_is_sent_to_another_site(target, vera, client, sign_in):
    assert client.post(SIGN_IN, {**RIGHT, "next": target})["Location"] == "/"
    assert sign_in(vera).get(SIGN_IN, {"next": target})["Location"] == "/"


def test_somebody_who_is_signed_in_passes_straight_through(vera, sign_in):
    assert sign_in(vera).get(SIGN_IN)["Location"] == "/"
    assert sign_in(vera).get(SIGN_IN, {"next": "/account/"})["Location"] == "/account/"


@pytest.mark.parametrize("target", [SIGN_IN, f"{SIGN_IN}?next={SIGN_IN}"])
def test_nobody_goes_round_in_circles(target, vera, sign_in):
    response = sign_in(vera).get(SIGN_IN, {"next": target}, follow=True)
    assert response.status_code == 200
    assert response.request["PATH_INFO"] == "/"


def test_the_admin_has_no_door_of_its_own(adem, vera, client, sign_in):
    response = client.get("/admin/llms/languagemodel/", follow=True)
    assert response.request["PATH_INFO"] == SIGN_IN
    assert b'name="next" value="/admin/llms/languagemodel/"' in response.content
    response = client.post("/admin/login/", {"username": "adem", "password": "correct horse battery"})
    assert get_user(client).is_anonymous
    assert response["Location"].startswith(SIGN_IN)
    assert sign_in(adem).get("/admin/login/?next=/admin/")["Location"] == "/admin/"
    assert sign_in(vera).get("/admin/login/?next=/admin/").status_code == 403


def test_the_admin_sends_nobody_to_another_site(adem, client):
    response = client.get("/admin/login/?next=https://evil.example", follow=True)
    assert b'name="next" value=""' in response.content


# --- how often ---------------------------------------------------------------------------------------------------


@pytest.fixture
def three_an_hour(settings):
    settings.SIGN_INS_PER_HOUR = 3


def test_guessing_stops_after_the_limit(three_an_hour, vera, client):
    assert [client.post(SIGN_IN, WRONG).status_code for _ in range(4)] == [200, 200, 200, 429]


def test_too_many_attempts_say_when_to_come_back(three_an_hour, vera, client):
    for _ in range(4):
        response = client.post(SIGN_IN, WRONG)
    seconds = int(response["Retry-After"])
    assert 1 <= seconds <= 3600
    words = f"Too many attempts. Try again in {math.ceil(seconds / 60)} minutes."
    assert response.context["form"].non_field_errors() == [words]
    assert b'value="vera"' in response.content


def test_then_the_right_password_is_not_even_looked_at(three_an_hour, vera, client, monkeypatch):
    for _ in range(3):
        client.post(SIGN_IN, WRONG)
    monkeypatch.setattr("django.contrib.auth.forms.authenticate", lambda *a, **k: pytest.fail("looked at"))
    assert client.post(SIGN_IN, RIGHT).status_code == 429
    assert get_user(client).is_anonymous


def test_the_limit_belongs_to_an_address(three_an_hour, vera, client):
    for _ in range(4):
        client.post(SIGN_IN, WRONG)
    assert client.post(SIGN_IN, RIGHT, REMOTE_ADDR="192.0.2.7").status_code == 302


def test_a_made_up_forwarding_header_does_not_lift_it(three_an_hour, vera, client):
    codes = [client.post(SIGN_IN, WRONG, headers={"X-Forwarded-For": f"198.51.100.{n}"}).status_code for n in range(4)]
    assert codes == [200, 200, 200, 429]


def test_looking_at_the_page_costs_nothing(three_an_hour, client):
    assert {client.get(SIGN_IN).status_code for _ in range(10)} == {200}


# --- out again ---------------------------------------------------------------------------------------------------


def test_signing_out_ends_the_session(vera, sign_in):
    client = sign_in(vera)
    assert client.post("/accounts/sign-out/")["Location"] == "/"
    assert get_user(client).is_anonymous


def test_a_link_signs_nobody_out(vera, sign_in):
    client = sign_in(vera)
    assert client.get("/accounts/sign-out/").status_code == 405
    assert get_user(client) == vera


@pytest.mark.parametrize(
    "path", ["/accounts/sign-in/", "/accounts/sign-out/", "/account/", "/account/password/", "/preferences/theme/"]
)
def test_a_foreign_form_is_refused_with_words(path, vera):
    client = Client(enforce_csrf_checks=True)
    client.force_login(vera)
    if path == SIGN_IN:
        client.logout()
    response = client.post(path, RIGHT)
    assert response.status_code == 403
    assert "The form has expired" in response.content.decode()


# --- the password ------------------------------------------------------------------------------------------------

CHANGE = "/account/password/"
NEW = {"old_password": RIGHT["password"], "new_password1": "staple gun 7 red", "new_password2": "staple gun 7 red"}


def test_the_password_changes(vera, sign_in):
    client, elsewhere = sign_in(vera), sign_in(vera)
    page = client.post(CHANGE, NEW, follow=True)
    assert "Your password is changed." in page.content.decode()
    assert page.request["PATH_INFO"] == reverse("accounts:account")
    assert User.objects.get().check_password("staple gun 7 red")
    assert get_user(client) == vera
    assert get_user(elsewhere).is_anonymous


@pytest.mark.parametrize(
    "wrong",
    [
        {"old_password": "wrong"},
        {"new_password2": "another one 7"},
        {"new_password1": "12345678901", "new_password2": "12345678901"},
        {"new_password1": "short1", "new_password2": "short1"},
        {"new_password1": "password123", "new_password2": "password123"},
        {"new_password1": "vera", "new_password2": "vera"},
    ],
    ids=str,
)
def test_a_bad_password_is_refused(wrong, vera, sign_in):
    page = sign_in(vera).post(CHANGE, {**NEW, **wrong})
    assert page.context["form"].errors
    assert User.objects.get().check_password(RIGHT["password"])


def test_a_class_that_signs_in_from_one_school_is_no_attack(three_an_hour, vera):
    for _ in range(5):
        assert Client().post(SIGN_IN, RIGHT).status_code == 302


def test_a_burst_of_guesses_gets_no_further_than_one_after_the_other(three_an_hour, monkeypatch):
    """Ten at once, while the first password is still being looked at."""
    looked_at = []

    def slow(request, **credentials):
        looked_at.append(credentials["username"])
        time.sleep(0.02)

    def guess(_):
        request = RequestFactory().post(SIGN_IN, WRONG)
        form = SignInForm(request, data=WRONG)
        form.is_valid()
        return form.retry_after is not None

    monkeypatch.setattr("django.contrib.auth.forms.authenticate", slow)
    with ThreadPoolExecutor(10) as threads:
        refused = list(threads.map(guess, range(10)))
    assert len(looked_at) == 3
    assert sum(refused) == 7
