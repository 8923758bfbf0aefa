"""Theme and language, kept in cookies."""

import pytest

from tests.accounts.test_sign_in import FOREIGN

THEME = "/preferences/theme/"
pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("theme", ["system", "light", "dark"])
def test_a_theme_is_remembered(theme, client):
    response = client.post(THEME, {"theme": theme, "next": "/leaderboard/"})
    assert response["Location"] == "/leaderboard/"
    cookie = response.cookies["theme"]
    assert (cookie.value, cookie["max-age"], cookie["samesite"], cookie["secure"]) == (theme, 31_536_000, "Lax", "")
    assert f'data-theme="{theme}"' in client.get("/leaderboard/").content.decode()


def test_over_https_the_cookie_is_secure(client, settings):
    settings.SESSION_COOKIE_SECURE = True
    assert client.post(THEME, {"theme": "dark"}).cookies["theme"]["secure"]


@pytest.mark.parametrize("theme", ["", "pink", '"><script>'])
def test_a_theme_that_does_not_exist_is_ignored(theme, client):
    response = client.post(THEME, {"theme": theme})
    assert response.status_code == 302
    assert "theme" not in response.cookies


@pytest.mark.parametrize("cookie", ["pink", '"><script>alert(1)</script>', ""])
def test_a_made_up_cookie_is_the_systems_theme(cookie, client):
    client.cookies["theme"] = cookie
    assert 'data-theme="system"' in client.get("/leaderboard/").content.decode()


@pytest.mark.parametrize("target", [*FOREIGN, ""])
def test_no_preference_sends_anybody_to_another_site(target, client):
    assert client.post(THEME, {"theme": "dark", "next": target})["Location"] == "/"
    assert client.post("/preferences/language/", {"language": "tr", "next": target})["Location"] == "/"


def test_over_https_nobody_is_sent_to_http(client):
    response = client.post(THEME, {"theme": "dark", "next": "http://testserver/"}, secure=True)
    assert response["Location"] == "/"


def test_a_link_changes_nothing(client):
    assert client.get(THEME, {"theme": "dark"}).status_code == 405
    assert not client.get("/preferences/language/", {"language": "tr"}).cookies


def test_a_language_is_remembered(client):
    client.post("/preferences/language/", {"language": "tr"})
    assert '<html lang="tr"' in client.get("/leaderboard/").content.decode()
    client.post("/preferences/language/", {"language": "xx"})
    assert '<html lang="tr"' in client.get("/leaderboard/").content.decode()
