"""What `doctor` has against settings."""

from ipaddress import ip_network

import pytest

from config.doctor import configuration
from config.doctor.findings import State

A, B, C = (
    "k3Jq9vXz7Rb2Lw8Ty5Nc1Hd6Fg4Ms0PaUe",
    "w8Ty5Nc1Hd6Fg4Ms0PaUek3Jq9vXz7Rb2L",
    "Hd6Fg4Ms0PaUek3Jq9vXz7Rb2Lw8Ty5Nc1",
)


@pytest.fixture(autouse=True)
def _keys(settings):
    settings.SECRET_KEY, settings.VOTER_KEY, settings.FIELD_KEYS = A, B, [C]
    settings.SECRET_KEY_FALLBACKS = []
    settings.METRICS_TOKEN = ""


@pytest.mark.parametrize(
    ("url", "debug", "state"),
    [
        ("http://127.0.0.1:8000", False, State.OK),
        ("http://[::1]:8000", True, State.OK),
        ("https://hakem.example.org", False, State.OK),
        ("http://hakem.example.org", False, State.WARNING),
        ("https://hakem.example.org", True, State.PROBLEM),
    ],
)
def test_the_address(url, debug, state, settings):
    settings.PUBLIC_URL, settings.DEBUG = url, debug
    assert configuration.public_url().state is state


@pytest.mark.parametrize(
    ("url", "proxies", "state"),
    [
        ("http://127.0.0.1:8000", [], State.OK),
        ("https://hakem.example.org", ["127.0.0.1"], State.OK),
        ("https://hakem.example.org", [], State.PROBLEM),
        ("https://hakem.example.org", ["127.0.0.1", "0.0.0.0/0"], State.PROBLEM),
        ("http://127.0.0.1:8000", ["::/0"], State.PROBLEM),
    ],
)
def test_proxies(url, proxies, state, settings):
    settings.PUBLIC_URL, settings.TRUSTED_PROXIES = url, [ip_network(one) for one in proxies]
    assert configuration.proxies().state is state


@pytest.mark.parametrize("name", ["ENDPOINT_NETWORKS", "METRICS_NETWORKS"])
def test_networks_without_a_bound(name, settings):
    assert configuration.networks().state is State.OK
    setattr(settings, name, [ip_network("0.0.0.0/0")])
    found = configuration.networks()
    assert found.state is State.WARNING
    assert found.words.startswith(name)


def test_secrets_are_long_random_and_different(settings):
    assert configuration.secrets().state is State.OK


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SECRET_KEY", "django-insecure-" + A),
        ("SECRET_KEY", "a" * 40),
        ("SECRET_KEY_FALLBACKS", ["0123" * 10]),
        ("VOTER_KEY", "changeme" * 5),
        ("FIELD_KEYS", [C, "x" * 40]),
    ],
)
def test_a_key_that_can_be_guessed(name, value, settings):
    setattr(settings, name, value)
    found = configuration.secrets()
    assert found.state is State.PROBLEM
    assert found.words.split()[0] in name
    assert str(value) not in found.words + found.mend


def test_one_key_for_everything(settings):
    settings.VOTER_KEY = A
    assert configuration.secrets().words == "one text serves as several keys"


def test_a_short_token(settings):
    settings.METRICS_TOKEN = "short"
    assert configuration.secrets().state is State.WARNING
    settings.METRICS_TOKEN = A
    assert configuration.secrets().state is State.OK


def test_keys_as_they_are_made_pass(settings_with, settings):
    made = settings_with()
    for name in ("SECRET_KEY", "VOTER_KEY", "FIELD_KEYS"):
        setattr(settings, name, made[name])
    assert configuration.secrets().state is State.OK


def test_djangos_own_checks(settings, monkeypatch):
    from django.core.checks import Warning as Found

    monkeypatch.setattr(configuration, "run_checks", lambda **options: [Found("A cookie.\nMore.", id="security.W012")])
    settings.PUBLIC_URL = "https://hakem.example.org"
    found = configuration.framework()
    assert (found.state, found.words) == (State.WARNING, "security.W012: A cookie.")
    settings.PUBLIC_URL = "http://127.0.0.1:8000"
    assert configuration.framework().state is State.OK
