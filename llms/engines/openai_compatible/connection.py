"""How a model server is reached. Everything that an administrator sets for an endpoint, as plain values."""

import re
from dataclasses import dataclass, field, replace
from ipaddress import IPv4Network, IPv6Network
from urllib.parse import urlsplit, urlunsplit

from llms.safe_http import check_url

_VERSION_OF_PATH = re.compile(r"/v\d+[a-z0-9]*$")
_PASTED_PATHS = re.compile(r"(/chat/completions|/completions|/models|/responses|/embeddings)/?$")


@dataclass(frozen=True, slots=True)
class Connection:
    """Two of them are equal if they mean the same: then one pool of connections serves both."""

    base_url: str
    """With the version, as http://127.0.0.1:8000/v1."""
    api_key: str = field(default="", repr=False)
    max_concurrent: int = 16
    """Answers at the same time; the others wait in line."""
    max_waiting: int = 1000
    allowed_networks: tuple[IPv4Network | IPv6Network, ...] = ()
    """Besides public addresses."""


def base_url_from(typed: str) -> str:
    """What people paste, with or without the version or a whole path, as the base of all paths. Raises `NotAllowed`."""
    typed = typed.strip()
    if "://" not in typed:
        typed = f"{_likely_scheme(typed)}://{typed}"
    check_url(typed)
    parts = urlsplit(typed)
    path = _PASTED_PATHS.sub("", parts.path).rstrip("/")
    return urlunsplit((parts.scheme, parts.netloc.lower(), path or "/v1", "", ""))


def is_key(text: str) -> bool:
    """Whether it can stand in a header, which ends with its line."""
    return text.isascii() and text.isprintable() and bool(text) and " " not in text


def root_of(connection: Connection) -> Connection:
    """The same server without the version in its address: there it has what is beside the protocol."""
    return replace(connection, base_url=_VERSION_OF_PATH.sub("", connection.base_url))


def _likely_scheme(typed: str) -> str:
    """A key must not cross the internet in clear: only what is clearly near is taken for http."""
    host = typed.partition("/")[0].rpartition(":")[0] or typed.partition("/")[0]
    is_near = "." not in host or host.replace(".", "").isdecimal() or host.startswith("[")
    return "http" if is_near else "https"
