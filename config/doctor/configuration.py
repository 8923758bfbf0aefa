"""What the settings ask for, where that cannot be meant or is not safe."""

from ipaddress import IPv4Network, IPv6Network
from urllib.parse import urlsplit

from django.conf import settings
from django.core.checks import INFO, run_checks

from config.doctor.findings import Check, Finding, ok, problem, warning
from config.env import MIN_SECRET_LENGTH

GROUP = "Settings"
LOCAL = {"127.0.0.1", "localhost", "::1"}
FEWEST_CHARACTERS = 10
"""Different ones in a random secret of 32; a chance of one in millions that there are fewer."""
TELLING = ("changeme", "change-me", "insecure", "secret", "password", "example")


def public_url() -> Finding:
    parts = urlsplit(settings.PUBLIC_URL)
    if parts.hostname in LOCAL:
        return ok(f"{settings.PUBLIC_URL}, for this machine only")
    if settings.DEBUG:
        return problem(f"DEBUG shows source code to everybody at {settings.PUBLIC_URL}", "unset DEBUG")
    if parts.scheme != "https":
        words = f"{settings.PUBLIC_URL} is not encrypted: passwords and cookies can be read on their way"
        return warning(words, f"a proxy with TLS in front, and PUBLIC_URL=https://{parts.hostname}")
    return ok(f"{settings.PUBLIC_URL}, secure cookies")


def proxies() -> Finding:
    if any(_is_everybody(network) for network in settings.TRUSTED_PROXIES):
        return problem("TRUSTED_PROXIES is everybody: anyone can pretend any address", "name the proxy's own address")
    if urlsplit(settings.PUBLIC_URL).scheme == "https" and not settings.TRUSTED_PROXIES:
        words = "https is the work of a proxy, but none is trusted: all visitors share its address, and its limits"
        return problem(words, "TRUSTED_PROXIES=<the proxy's address as Hakem sees it, for example 127.0.0.1>")
    names = ", ".join(map(str, settings.TRUSTED_PROXIES))
    return ok(f"{names} may say whom they speak for" if names else "none")


def networks() -> Finding:
    for name in ("ENDPOINT_NETWORKS", "METRICS_NETWORKS"):
        if any(_is_everybody(network) for network in getattr(settings, name)):
            return warning(f"{name} is everywhere", f"name the networks that are meant: {name}=10.1.0.0/16")
    return ok("model servers and metrics are bounded")


def _is_everybody(network: IPv4Network | IPv6Network) -> bool:
    return network.prefixlen == 0


def secrets() -> Finding:
    named = {
        "SECRET_KEY": [settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS],
        "VOTER_KEY": [settings.VOTER_KEY],
        "FIELD_KEYS": settings.FIELD_KEYS,
    }
    weak = [name for name, keys in named.items() if any(_is_weak(key) for key in keys)]
    mend = "python -c 'import secrets; print(secrets.token_urlsafe(48))' (docs/operating.md says how keys are changed)"
    if weak:
        return problem(f"{' and '.join(weak)} can be guessed", mend)
    every = [key for keys in named.values() for key in keys]
    if len(set(every)) < len(every):
        return problem("one text serves as several keys", mend)
    if settings.METRICS_TOKEN and len(settings.METRICS_TOKEN) < MIN_SECRET_LENGTH:
        return warning(f"METRICS_TOKEN has fewer than {MIN_SECRET_LENGTH} characters", mend)
    return ok("long, random and different")


def _is_weak(key: str) -> bool:
    return len(set(key)) < FEWEST_CHARACTERS or any(word in key.lower() for word in TELLING)


def framework() -> Finding:
    """Django's own checks for a server that others reach. It knows none of the above."""
    found = [message for message in run_checks(include_deployment_checks=True) if not message.is_silenced()]
    serious = [message for message in found if message.level > INFO]
    if urlsplit(settings.PUBLIC_URL).scheme != "https":  # said above, once
        serious = [message for message in serious if not (message.id or "").startswith("security.")]
    if serious:
        words = "; ".join(f"{message.id}: {message.msg.splitlines()[0]}" for message in serious)
        return warning(words, "python manage.py check --deploy")
    return ok("Django has nothing against them")


CHECKS = (
    Check(GROUP, "address", public_url),
    Check(GROUP, "proxies", proxies),
    Check(GROUP, "networks", networks),
    Check(GROUP, "secrets", secrets),
    Check(GROUP, "framework", framework, seconds=20),
)
