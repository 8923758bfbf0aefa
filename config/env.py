"""Readers of environment variables that fail loudly: a value that cannot be meant is an error that names the
variable, shows the value and says what is allowed. An empty value counts as not set."""

import contextlib
import os
import secrets
from collections.abc import Sequence
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured

MIN_SECRET_LENGTH = 32

_TRUE, _FALSE = {"1", "true", "yes", "on"}, {"0", "false", "no", "off"}


def env_text(name: str, default: str = "") -> str:
    return os.environ.get(name, "").strip() or default


def env_bool(name: str, default: bool) -> bool:
    value = env_text(name).lower()
    if not value:
        return default
    if value not in _TRUE | _FALSE:
        raise ImproperlyConfigured(f"{name}={value!r}: write one of 1, true, yes, on, 0, false, no, off")
    return value in _TRUE


def env_int(name: str, default: int, *, at_least: int = 0) -> int:
    value = env_text(name)
    if not value:
        return default
    try:
        number = int(value)
    except ValueError:
        raise ImproperlyConfigured(f"{name}={value!r}: write a whole number") from None
    if number < at_least:
        raise ImproperlyConfigured(f"{name}={number}: must be {at_least} or more")
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


def env_secret(name: str, file: Path) -> str:
    """The secret from the environment, else from its file, made on first use and readable by its owner only."""
    value = env_text(name)
    if value:
        return value
    if not file.exists():
        _make_secret(file)
    secret = file.read_text().strip()
    if len(secret) < MIN_SECRET_LENGTH:
        raise ImproperlyConfigured(
            f"{file} holds no usable secret. Set {name}, or delete the file to have a new one made"
            " (people who are signed in will have to sign in again)."
        )
    return secret


def _make_secret(file: Path) -> None:
    """Two processes may start at once: each writes its own file, the first link wins, both read the winner's."""
    file.parent.mkdir(parents=True, exist_ok=True)
    draft = file.with_name(f".{file.name}.{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as handle:
        handle.write(secrets.token_urlsafe(48))
    with contextlib.suppress(FileExistsError):
        os.link(draft, file)
    draft.unlink()
