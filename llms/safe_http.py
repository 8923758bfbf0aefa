"""Outgoing HTTP to addresses that somebody typed, guarded where the connection is made.

A name is resolved once, its addresses are judged, and the connection goes to the very address that was judged: a name
that means something else a moment later, a redirect, or an odd spelling of 127.0.0.1 gains nothing. Redirects are never
followed, and no proxy of the environment is used. Pure of Django: which networks are allowed is passed in.
"""

import asyncio
import contextlib
import functools
import itertools
import re
import socket
import ssl
from collections.abc import Iterable, Iterator, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any
from urllib.parse import urlsplit

import httpcore2

from llms.sentences import Sentence, filled, mark

STREAMS_A_POOL, MAX_POOLS = 16, 64
Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

_NAT64 = ip_network("64:ff9b::/96")
_NAT64_LOCAL = ip_network("64:ff9b:1::/48")
_IPV4_COMPATIBLE = ip_network("::/96")
# Counted as public by Python, or public by their number, and yet inside: site-local, the relays of 6to4, protocol
# assignments, documentation, and the wire server of a cloud.
_NOT_PUBLIC_EITHER = tuple(
    ip_network(network) for network in ("fec0::/10", "3fff::/20", "192.0.0.0/24", "192.88.99.0/24", "168.63.129.16/32")
)
# What speaks no HTTP and might be made to do harm by what looks like it: mail, shells, files, and the services that
# stand beside an installation of ours. As browsers do (https://fetch.spec.whatwg.org/#port-blocking), and databases.
_FOREIGN_PORTS = frozenset(
    {1, 7, 9, 11, 13, 15, 17, 19, 20, 21, 22, 23, 25, 37, 42, 43, 53, 69, 77, 79, 87, 95, 101, 102, 103, 104, 109, 110}
    | {111, 113, 115, 117, 119, 123, 135, 137, 139, 143, 161, 179, 389, 427, 465, 512, 513, 514, 515, 526, 530, 531}
    | {532, 540, 548, 554, 556, 563, 587, 601, 636, 989, 990, 993, 995, 1719, 1720, 1723, 2049, 3659, 4045, 4190, 5060}
    | {5061, 6000, 6566, 6665, 6666, 6667, 6668, 6669, 6679, 6697, 10080}
    | {1433, 1521, 2375, 2376, 2379, 2380, 3306, 4222, 5432, 5672, 6379, 6380, 9042, 11211, 15672, 27017}
)
_ODD_CHARACTERS = mark("The address holds characters that no address has. Write other alphabets in their xn-- form.")
_NO_ADDRESS = mark("“%(url)s” is no address (%(reason)s). Write one like http://127.0.0.1:8000/v1.")
_NOT_HTTP = mark("“%(url)s” does not begin with http:// or https://. Write an address that does.")
_WITH_NAME = mark("The address holds a name or a password before an @. Put the key into its own field.")
_NO_HOST = mark("“%(url)s” names no host. Write an address like http://127.0.0.1:8000/v1.")
_WITH_QUERY = mark("The address must end with its path. Take away the ? or # and what follows it.")
_NOT_PUBLIC = mark(
    "%(address)s is not a public address. If a model server of yours is there, add its network to ENDPOINT_NETWORKS, "
    "for example ENDPOINT_NETWORKS=%(network)s, and start again."
)
_FOREIGN_PORT = mark("Port %(port)s belongs to another kind of service. Give the port of the model server.")
_UNKNOWN_NAME = mark("the name %(host)s is not known")
_IN_FILES = mark("Sockets in the file system are not used. Give an address that begins with http:// or https://.")
_HOST = re.compile(r"[a-z0-9_]([a-z0-9_.-]*[a-z0-9_])?\.?", re.IGNORECASE)


class NotAllowed(Exception):
    """The guard refuses an address. `words` say which, and what an administrator can do."""

    def __init__(self, words: Sentence) -> None:
        super().__init__(words)
        self.words = words


def check_url(url: str) -> None:
    """Raises `NotAllowed` for a URL that could not be meant: judged again, by address, when a connection is made."""
    if not url.isascii() or not url.isprintable():
        raise NotAllowed(filled(_ODD_CHARACTERS))
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise NotAllowed(filled(_NO_ADDRESS, url=url, reason=str(error))) from None
    if parts.scheme not in {"http", "https"}:
        raise NotAllowed(filled(_NOT_HTTP, url=url))
    if "@" in parts.netloc:
        raise NotAllowed(filled(_WITH_NAME))
    if not parts.hostname or not (_HOST.fullmatch(parts.hostname) or ":" in parts.hostname):
        raise NotAllowed(filled(_NO_HOST, url=url))
    if parts.query or parts.fragment:
        raise NotAllowed(filled(_WITH_QUERY))
    _check_port(port or (443 if parts.scheme == "https" else 80))


def check_address(address: Address, allowed: Iterable[Network]) -> None:
    """Raises `NotAllowed` unless the address is public, or lies in an allowed network. What an IPv6 address carries
    inside (an IPv4 address, in one of five ways) is judged too."""
    allowed = tuple(allowed)
    for inner in _meanings(address):
        if not (_is_public(inner) or any(inner in network for network in allowed)):
            raise NotAllowed(filled(_NOT_PUBLIC, address=str(address), network=str(inner)))


def _meanings(address: Address) -> Iterator[Address]:
    """Every address that a connection to this one might reach."""
    if isinstance(address, IPv4Address):
        yield address
        return
    if address.ipv4_mapped:
        yield address.ipv4_mapped
        return
    yield address
    if address.sixtofour:
        yield address.sixtofour
    if address.teredo:
        yield from address.teredo
    if address in _NAT64 or (address in _IPV4_COMPATIBLE and int(address) > 1):
        yield IPv4Address(int(address) & 0xFFFF_FFFF)


def _is_public(address: Address) -> bool:
    odd = address.is_multicast or address.is_unspecified or address.is_reserved or address in _NAT64_LOCAL
    odd = odd or any(address in network for network in _NOT_PUBLIC_EITHER)
    return address in _NAT64 or (address.is_global and not odd)


def _check_port(port: int) -> None:
    if port in _FOREIGN_PORTS:
        raise NotAllowed(filled(_FOREIGN_PORT, port=port))


class GuardedNetwork(httpcore2.AsyncNetworkBackend):
    """Connects to addresses that the guard has judged, and to nothing else."""

    def __init__(self, allowed: Iterable[Network]) -> None:
        self._allowed = tuple(allowed)
        self._inner = httpcore2.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - the interface of httpcore
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        _check_port(port)
        addresses = await _resolved(host, port, timeout)
        for address in addresses:
            check_address(address, self._allowed)
        options = list(socket_options or ())
        for address in addresses[:-1]:
            try:
                return await self._inner.connect_tcp(str(address), port, timeout, local_address, options)
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout):
                continue
        return await self._inner.connect_tcp(str(addresses[-1]), port, timeout, local_address, options)

    async def connect_unix_socket(
        self,
        path: str,
        timeout: float | None = None,  # noqa: ASYNC109 - the interface of httpcore
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        raise NotAllowed(filled(_IN_FILES))

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


def connection_pool(allowed: Iterable[Network], *, connect_retries: int = 0) -> httpcore2.AsyncConnectionPool:
    """For one event loop. Without a limit of its own: how many may wait is decided above."""
    return httpcore2.AsyncConnectionPool(
        ssl_context=_ssl_context(),
        network_backend=GuardedNetwork(allowed),
        max_connections=None,
        keepalive_expiry=30.0,
        retries=connect_retries,
    )


class ConnectionPools:
    """Many small ones in place of a large one: httpcore looks at every connection of a pool whenever a request begins
    or ends, which for a thousand streams at a time costs more than the streams."""

    def __init__(self, allowed: Iterable[Network], n_streams: int) -> None:
        self._pools = [connection_pool(allowed) for _ in range(min(-(-n_streams // STREAMS_A_POOL), MAX_POOLS))]
        self._next = itertools.cycle(self._pools)

    def stream(
        self, method: str, url: str, **request: Any
    ) -> contextlib.AbstractAsyncContextManager[httpcore2.Response]:
        return next(self._next).stream(method, _parsed(url), **request)

    async def aclose(self) -> None:
        for pool in self._pools:
            await pool.aclose()


@functools.lru_cache(maxsize=1024)
def _parsed(url: str) -> httpcore2.URL:
    """The same few addresses all day."""
    return httpcore2.URL(url)


@functools.cache
def _ssl_context() -> ssl.SSLContext:
    """Made once: it takes tens of milliseconds, and would otherwise be made for each connection."""
    return ssl.create_default_context()


async def _resolved(host: str, port: int, seconds: float | None) -> Sequence[Address]:
    """Raises httpcore's errors, as its own back end would."""
    try:
        async with asyncio.timeout(seconds):
            found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except TimeoutError:
        raise httpcore2.ConnectTimeout(f"{host}: no answer from the name service") from None
    except (OSError, UnicodeError) as error:
        raise httpcore2.ConnectError(filled(_UNKNOWN_NAME, host=host)) from error
    addresses = [ip_address(str(entry[4][0]).split("%")[0]) for entry in found]
    if not addresses:
        raise httpcore2.ConnectError(filled(_UNKNOWN_NAME, host=host))
    return list(dict.fromkeys(addresses))
