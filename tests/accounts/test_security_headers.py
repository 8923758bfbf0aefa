"""What browsers are told about every kind of page."""

import re

import pytest
from django.urls import reverse

pytestmark = pytest.mark.django_db

POLICY = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self'",
    "img-src": "'self'",
    "font-src": "'self'",
    "connect-src": "'self'",
    "form-action": "'self'",
    "manifest-src": "'self'",
    "base-uri": "'none'",
    "frame-ancestors": "'none'",
    "object-src": "'none'",
}
WITH_TRUSTED_TYPES = {**POLICY, "require-trusted-types-for": "'script'", "trusted-types": "'none'"}
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "X-DNS-Prefetch-Control": "off",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}
PAGES = [
    "/leaderboard/",
    "/leaderboard/?fragment",
    "/leaderboard.csv",
    "/account/",
    "/account/password/",
    "/api/v1/leaderboard",
    "/api/v1/openapi.json",
    "/healthz",
    "/nowhere/",
    "/static/img/favicon.svg",
]
ADMIN_PAGES = [
    "/admin/",
    "/admin/llms/languagemodel/",
    "/admin/llms/languagemodel/add/",
    "/admin/auth/user/",
    "/admin/auth/user/add/",
    "/admin/accounts/apitoken/",
    "/admin/arena/battle/",
    "/admin/password_change/",
]


def policy_of(response):
    return dict(part.strip().split(" ", 1) for part in response["Content-Security-Policy"].split(";"))


def test_the_door_has_the_policy(client):
    assert policy_of(client.get("/accounts/sign-in/")) == POLICY


def test_pages_that_show_model_text_make_no_string_into_markup(voted, orion, lyra, client):
    for address in ("/", reverse("arena:battle", args=[voted().pk])):
        assert policy_of(client.get(address)) == WITH_TRUSTED_TYPES


@pytest.mark.parametrize("path", [*PAGES, *ADMIN_PAGES])
def test_every_other_page_has_exactly_the_policy(path, adem, sign_in):
    response = sign_in(adem).get(path)
    response.getvalue()
    assert response.status_code == (404 if "nowhere" in path else 200)
    assert policy_of(response) == POLICY


@pytest.mark.parametrize("path", ["/", *PAGES, "/admin/"])
def test_every_answer_has_the_other_headers(path, adem, sign_in):
    response = sign_in(adem).get(path)
    response.getvalue()
    assert {name: response.get(name) for name in HEADERS} == HEADERS
    if not path.startswith("/static/"):
        assert response["X-Frame-Options"] == "DENY"


@pytest.mark.parametrize("path", ["/api/v1/me", "/leaderboard/"])
def test_a_refusal_has_them_too(path, client, settings):
    settings.ACCESS = "members"
    response = client.get(path)
    assert response.status_code in {302, 401}
    assert policy_of(response) == POLICY
    assert {name: response.get(name) for name in HEADERS} == HEADERS


@pytest.mark.parametrize("path", ["/", "/leaderboard/", "/account/", "/account/password/", "/nowhere/", *ADMIN_PAGES])
def test_no_page_holds_what_the_policy_forbids(path, adem, sign_in, orion, lyra):
    """Inline scripts and handlers would not run, inline styles would not show. JSON in a script element is data."""
    html = sign_in(adem).get(path).content.decode()
    assert re.findall(r"<script(?![^>]*\b(?:src=|type=\"application/json\"))[^>]*>", html) == []
    assert re.findall(r"<[a-z][^>]*\s(?:on[a-z]+|style)=", html) == []
    assert re.findall(r"<style\b|javascript:", html) == []
    assert re.findall(r"(?:src|href|action)=\"(?:https?:)?//[^\"]*", html) == []


def test_a_secure_site_says_so_for_a_year(client, settings):
    settings.SECURE_HSTS_SECONDS = 31_536_000
    assert client.get("/healthz", secure=True)["Strict-Transport-Security"] == "max-age=31536000"
    assert "Strict-Transport-Security" not in client.get("/healthz")


def test_session_and_form_cookies_are_kept_from_scripts_and_other_sites(vera, client):
    client.get("/accounts/sign-in/")
    client.post("/accounts/sign-in/", {"username": "vera", "password": "correct horse battery"})
    assert client.cookies["sessionid"]["httponly"]
    assert client.cookies["sessionid"]["samesite"] == client.cookies["csrftoken"]["samesite"] == "Lax"
