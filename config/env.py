"""Readers of environment variables that fail loudly: a value that cannot be meant is an error that names the
variable, shows the value (unless it may hold a password) and says what is allowed. Empty counts as not set."""

import contextlib
import os
import re
import secrets
import tempfile
import zoneinfo
from collections.abc import Sequence
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Any, NamedTuple

import dj_database_url
from django.core.exceptions import ImproperlyConfigured

MIN_SECRET_LENGTH = 32
MAX_PORT = 65_535

_TRUE, _FALSE = {"1", "true", "yes", "on"}, {"0", "false", "no", "off"}
_ORIGIN = re.compile(r"(?P<scheme>https?)://(?P<host>\[[0-9a-f:.]+\]|[a-z0-9._-]+)(:(?P<port>\d{1,5}))?/?")
_STANDARD_PORTS = {"http": 80, "https": 443}


class Origin(NamedTuple):
    """Scheme, host and port as browsers write them: in lower case, the scheme's own port left out."""

    scheme: str
    host: str
    """An IPv6 address in its brackets."""
    port: int | None

    def __str__(self) -> str:
        return f"{self.scheme}://{self.host}" + (f":{self.port}" if self.port else "")


def env_text(name: str, default: str = "") -> str:
    return os.environ.get(name, "").strip() or default


def env_bool(name: str, default: bool) -> bool:
    value = env_text(name)
    if not value:
        return default
    if value.lower() not in _TRUE | _FALSE:
        raise ImproperlyConfigured(f"{name}={value!r}: write one of 1, true, yes, on, 0, false, no, off")
    return value.lower() in _TRUE


def env_int(name: str, default: int, *, at_least: int = 0, at_most: int | None = None) -> int:
    value = env_text(name)
    if not value:
        return default
    try:
        number = int(value)
    except ValueError:
        raise ImproperlyConfigured(f"{name}={value!r}: write a whole number") from None
    if number < at_least:
        raise ImproperlyConfigured(f"{name}={number}: must be {at_least} or more")
    if at_most is not None and number > at_most:
        raise ImproperlyConfigured(f"{name}={number}: must be {at_most} or less")
    return number


def env_choice(name: str, choices: Sequence[str], default: str) -> str:
    value = env_text(name, default)
    if value not in choices:
        raise ImproperlyConfigured(f"{name}={value!r}: write one of {', '.join(choices)}")
    return value


def env_list(name: str, default: Sequence[str] = ()) -> list[str]:
    """Parts between commas, without the blanks around them."""
    value = env_text(name)
    return [part for part in (part.strip() for part in value.split(",")) if part] if value else list(default)


def env_path(name: str, default: Path) -> Path:
    value = env_text(name)
    return Path(value).expanduser().resolve() if value else default


def env_networks(name: str) -> list[IPv4Network | IPv6Network]:
    """Addresses and networks between commas. A misspelt one would be a proxy that is silently not trusted."""
    try:
        return [ip_network(part) for part in env_list(name)]
    except ValueError as error:
        raise ImproperlyConfigured(f"{name}: {error}. Write addresses or networks, as 10.0.0.1, 10.0.0.0/8") from None


def env_time_zone(name: str, default: str) -> str:
    value = env_text(name, default)
    try:
        zoneinfo.ZoneInfo(value)
    except (ValueError, OSError, zoneinfo.ZoneInfoNotFoundError):
        raise ImproperlyConfigured(f"{name}={value!r}: write a zone such as UTC or Europe/Istanbul") from None
    return value


def env_origin(name: str, default: str) -> Origin:
    value = env_text(name, default)
    found = _ORIGIN.fullmatch(value.lower())
    port = int(found["port"] or 0) if found else 0
    if not found or port > MAX_PORT:
        raise ImproperlyConfigured(
            f"{name}={value!r}: write scheme, host and perhaps port, without a path, as https://hakem.example.org"
        )
    return Origin(found["scheme"], found["host"], port if port != _STANDARD_PORTS[found["scheme"]] and port else None)


def env_server(name: str, schemes: Sequence[str], default: str = "") -> str:
    """The URL of a server. It may hold a password, so no error shows it."""
    value = env_text(name, default)
    beginnings = tuple(f"{scheme}://" for scheme in schemes)
    if value and not value.startswith(beginnings):
        raise ImproperlyConfigured(f"{name} must begin with {' or '.join(beginnings)}")
    return value


def env_database(name: str, default: Path) -> dict[str, Any]:
    """Django's settings of one database: that of the URL, else an SQLite file."""
    value = env_server(name, ["sqlite", "postgres", "postgresql"])
    if not value:
        return {"ENGINE": "django.db.backends.sqlite3", "NAME": str(default)}
    with contextlib.suppress(ValueError):
        database: dict[str, Any] = dict(dj_database_url.parse(value))
        if database["NAME"] not in {"", ":memory:"}:
            return database
    raise ImproperlyConfigured(f"{name}: write sqlite:///PATH or postgres://USER:PASSWORD@HOST:PORT/NAME")


def env_secret(name: str, file: Path) -> str:
    """The secret from the environment, else from its file, made on first use and readable by its owner only."""
    value = env_text(name)
    if value:
        return _long_enough(value, f"{name} is too short: write {MIN_SECRET_LENGTH} random characters or more.")
    try:
        if not file.exists():
            _make_secret(file)
        value = file.read_text().strip()
    except OSError as error:
        raise ImproperlyConfigured(
            f"{file}: {error.strerror}. Set {name}, or set HAKEM_DATA_DIR to a folder that can be written."
        ) from error
    return _long_enough(
        value,
        f"{file} holds no usable secret. Set {name}, or delete the file to have a new one made"
        " (people who are signed in will have to sign in again).",
    )


def env_secrets(name: str, file: Path) -> list[str]:
    """Several secrets between commas, of which the first is the one in use."""
    parts = [part.strip() for part in env_secret(name, file).split(",") if part.strip()]
    return [
        _long_enough(part, f"{name}: each part must have {MIN_SECRET_LENGTH} characters or more.") for part in parts
    ]


def _long_enough(secret: str, otherwise: str) -> str:
    if len(secret) < MIN_SECRET_LENGTH:
        raise ImproperlyConfigured(otherwise)
    return secret


def _make_secret(file: Path) -> None:
    """Several processes may start at once: each writes a draft of its own, the first link wins, all read the
    winner's. No process id in the draft's name: in containers that share a folder, everybody is number 1."""
    file.parent.mkdir(parents=True, exist_ok=True)
    descriptor, draft = tempfile.mkstemp(prefix=f".{file.name}.", dir=file.parent)  # with mode 0600
    try:
        with os.fdopen(descriptor, "w") as handle:
            handle.write(secrets.token_urlsafe(48))
        with contextlib.suppress(FileExistsError):
            os.link(draft, file)
    finally:
        os.unlink(draft)
