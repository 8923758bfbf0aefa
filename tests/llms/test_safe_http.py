"""Where an address that somebody typed may not lead, in all its spellings."""

import asyncio
import socket
from ipaddress import ip_address, ip_network

import httpcore2
import pytest

from llms.engines.openai_compatible.connection import base_url_from
from llms.safe_http import ConnectionPools, NotAllowed, check_address, check_url, connection_pool
from tests.helpers.model_server import LOOPBACK

TIMEOUTS = {"timeout": {"connect": 2.0, "read": 2.0}}

HOSTS = """
127.0.0.1 localhost 127.1 127.0.1 2130706433 0x7f.1 0x7f000001 017700000001 0177.0.0.1 127.255.255.254 0 0.0.0.0
169.254.169.254 10.0.0.1 10.255.255.255 172.16.0.1 172.31.255.255 192.168.0.1 100.64.0.1 192.0.0.1 192.0.2.1 198.18.0.1
198.51.100.1 203.0.113.1 224.0.0.1 239.255.255.255 240.0.0.1 255.255.255.255
[::1] [::] [::127.0.0.1] [::ffff:127.0.0.1] [::ffff:7f00:1] [::ffff:10.0.0.1] [::ffff:169.254.169.254]
[0:0:0:0:0:ffff:127.0.0.1] [::ffff:0:127.0.0.1] [64:ff9b::127.0.0.1] [64:ff9b::a9fe:a9fe] [64:ff9b:1::1]
[fec0::2] 192.0.0.192 168.63.129.16 192.88.99.1 [3fff::1] [2002:7f00:1::] [2002:a9fe:a9fe::1] [2001:0:7f00:1::] [2001:db8::1] [fe80::1] [fc00::1] [fd00:ec2::254] [ff02::1] [100::1]
""".split()  # noqa: SIM905 - a table to read


@pytest.mark.parametrize("host", HOSTS)
async def test_no_spelling_leads_inside(host):
    async with connection_pool(()) as pool:
        with pytest.raises(NotAllowed, match="ENDPOINT_NETWORKS"):
            await pool.request("GET", f"http://{host}:8000/v1/models", extensions=TIMEOUTS)


@pytest.mark.parametrize(
    "address", ["8.8.8.8", "1.1.1.1", "2606:4700:4700::1111", "64:ff9b::808:808", "::ffff:8.8.8.8"]
)
def test_public_addresses_are_allowed(address):
    check_address(ip_address(address), ())


@pytest.mark.parametrize(
    ("address", "network"), [("10.1.2.3", "10.1.0.0/16"), ("::ffff:10.1.2.3", "10.1.2.3"), ("::1", "::1")]
)
def test_what_the_environment_allows_is_allowed(address, network):
    check_address(ip_address(address), [ip_network(network)])


@pytest.mark.parametrize("address", ["10.2.0.1", "127.0.0.1", "64:ff9b::10.2.0.1"])
def test_and_nothing_beside_it(address):
    with pytest.raises(NotAllowed):
        check_address(ip_address(address), [ip_network("10.1.0.0/16")])


@pytest.mark.parametrize(
    "url",
    [
        "ftp://example.org/v1",
        "file:///etc/passwd",
        "gopher://127.0.0.1:70/",
        "//example.org/v1",
        "example.org",
        "http://user@example.org/v1",
        "http://user:password@example.org/v1",
        "http://example.org@127.0.0.1/v1",
        "http:///v1",
        "http://exa mple.org/v1",
        "http://example.org\\@127.0.0.1/v1",
        "http://example.org/v1?x=1",
        "http://example.org/v1#x",
        "http://example.org:99999/v1",
        "http://example.org:port/v1",
        "http://[::1/v1",
        "http://example.org/ü",
        "http://example.org/v1\n",
        "http://exämple.org/v1",
        *(f"http://example.org:{port}/v1" for port in (22, 25, 6379, 5432, 5672, 11211, 3306, 2375)),
    ],
)
def test_what_cannot_be_meant_is_refused_before_anything_is_asked(url):
    with pytest.raises(NotAllowed) as refused:
        check_url(url)
    assert str(refused.value).endswith(".")


@pytest.mark.parametrize("port", [22, 6379])
async def test_not_even_where_the_network_is_allowed(port):
    async with connection_pool(LOOPBACK) as pool:
        with pytest.raises(NotAllowed, match="Port"):
            await pool.request("GET", f"http://127.0.0.1:{port}/", extensions=TIMEOUTS)


async def test_a_name_is_resolved_once_and_judged_as_a_whole(monkeypatch):
    """A name with a public and a private address is refused; one that changes its mind is asked only once."""
    asked = []

    async def getaddrinfo(host, port, **more):
        asked.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in ("8.8.8.8", "127.0.0.1")]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", getaddrinfo)
    async with connection_pool(()) as pool:
        with pytest.raises(NotAllowed, match=r"127\.0\.0\.1"):
            await pool.request("GET", "http://rebinding.example:8000/", extensions=TIMEOUTS)
    assert asked == ["rebinding.example"]


async def test_the_connection_goes_to_the_address_that_was_judged(monkeypatch):
    connected = []

    async def getaddrinfo(host, port, **more):
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in ("8.8.8.8", "8.8.4.4")]

    async def connect_tcp(self, host, *arguments, **more):
        connected.append(host)
        raise httpcore2.ConnectError("nobody there")

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", getaddrinfo)
    monkeypatch.setattr(httpcore2.AnyIOBackend, "connect_tcp", connect_tcp)
    async with connection_pool(()) as pool:
        with pytest.raises(httpcore2.ConnectError):
            await pool.request("GET", "http://models.example:8000/", extensions=TIMEOUTS)
    assert connected == ["8.8.8.8", "8.8.4.4"]


async def test_a_name_that_is_not_known():
    async with connection_pool(()) as pool:
        with pytest.raises(httpcore2.ConnectError, match=r"nowhere\.invalid is not known"):
            await pool.request("GET", "http://nowhere.invalid/", extensions=TIMEOUTS)


async def test_no_socket_of_the_file_system():
    async with httpcore2.AsyncConnectionPool(
        uds="/var/run/docker.sock", network_backend=connection_pool(())._network_backend
    ) as pool:
        with pytest.raises(NotAllowed):
            await pool.request("GET", "http://localhost/", extensions=TIMEOUTS)


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("http://127.0.0.1:8000", "http://127.0.0.1:8000/v1"),
        (" http://127.0.0.1:8000/ ", "http://127.0.0.1:8000/v1"),
        ("127.0.0.1:8000/v1/", "http://127.0.0.1:8000/v1"),
        ("https://API.example.org/v1/chat/completions", "https://api.example.org/v1"),
        ("https://example.org/openai/v1/models", "https://example.org/openai/v1"),
        ("http://[::1]:8000/v1", "http://[::1]:8000/v1"),
        ("[::1]:8000", "http://[::1]:8000/v1"),
        ("localhost:8000", "http://localhost:8000/v1"),
        ("vllm:8000/v1", "http://vllm:8000/v1"),
        ("api.example.org/v1", "https://api.example.org/v1"),
        ("api.example.org:8443", "https://api.example.org:8443/v1"),
    ],
)
def test_what_people_paste_is_understood(typed, meant):
    assert base_url_from(typed) == meant


async def test_every_one_of_many_pools_has_the_guard():
    pools = ConnectionPools((), n_streams=100)
    try:
        for _ in range(10):
            with pytest.raises(NotAllowed, match="ENDPOINT_NETWORKS"):
                async with pools.stream("GET", "http://127.0.0.1:8000/v1/models", extensions=TIMEOUTS):
                    pass
    finally:
        await pools.aclose()
