"""Whose request it is, when proxies stand between."""

from ipaddress import ip_network

import pytest

from accounts.addresses import client_address
from accounts.middleware import untrusted_headers


@pytest.fixture(autouse=True)
def _behind_a_proxy(settings):
    settings.TRUSTED_PROXIES = [ip_network("10.0.0.0/8"), ip_network("2001:db8:ffff::/48")]


def address(peer, forwarded=None):
    return client_address(peer, {} if forwarded is None else {"X-Forwarded-For": forwarded})


def test_without_a_proxy_it_is_the_peer():
    assert address("192.0.2.1") == "192.0.2.1"


def test_a_header_from_anybody_else_is_not_believed():
    assert address("192.0.2.1", "198.51.100.9") == "192.0.2.1"


def test_a_trusted_proxy_is_believed():
    assert address("10.0.0.1", "198.51.100.9") == "198.51.100.9"
    assert address("2001:db8:ffff::1", "198.51.100.9") == "198.51.100.9"


def test_only_the_last_hop_that_is_no_proxy_counts():
    """Whatever stands before it was written by the client."""
    assert address("10.0.0.1", "203.0.113.66, 198.51.100.9, 10.1.1.1") == "198.51.100.9"


def test_a_client_cannot_pose_as_a_proxy():
    assert address("10.0.0.1", "10.9.9.9, 198.51.100.9") == "198.51.100.9"


@pytest.mark.parametrize("header", [None, "", " , ,", "10.1.1.1", "10.1.1.1, 10.2.2.2"])
def test_where_the_header_names_nobody_else_it_is_the_proxy(header):
    assert address("10.0.0.1", header) == "10.0.0.1"


@pytest.mark.parametrize("hop", ["unknown", "198.51.100.9:4711", "<script>", "999.1.1.1", "_hidden", "\x00"])
def test_a_hop_that_is_no_address_is_one_unknown_household(hop):
    assert address("10.0.0.1", f"198.51.100.9, {hop}") == "unknown"


@pytest.mark.parametrize("peer", ["", "testclient", "/run/hakem.sock"])
def test_a_peer_that_is_no_address_is_unknown_and_not_believed(peer):
    assert address(peer, "198.51.100.9") == "unknown"


def test_a_whole_64_is_one_household():
    one, other = address("2001:db8:1:2::1"), address("2001:db8:1:2:ffff:ffff:ffff:ffff")
    assert one == other == "2001:db8:1:2::"
    assert address("2001:db8:1:3::1") != one


def test_an_ipv4_address_is_the_same_however_the_socket_sees_it():
    assert address("::ffff:192.0.2.1") == "192.0.2.1"
    assert address("::ffff:192.0.2.2") == "192.0.2.2"
    assert address("::ffff:10.0.0.1", "198.51.100.9") == "198.51.100.9"


def test_a_link_local_address_may_name_its_interface():
    assert address("fe80::1%eth0") == "fe80::"


def test_without_trusted_proxies_nobody_is_believed(settings):
    settings.TRUSTED_PROXIES = []
    assert address("127.0.0.1", "198.51.100.9") == "127.0.0.1"


@pytest.mark.parametrize(("peer", "is_secure"), [("10.0.0.1", True), ("192.0.2.1", False), ("", False)])
def test_only_a_proxy_may_say_that_it_was_https(peer, is_secure, rf):
    request = rf.get("/", REMOTE_ADDR=peer, HTTP_X_FORWARDED_PROTO="https")
    assert untrusted_headers(lambda request: request.is_secure())(request) == is_secure


def test_it_is_asked_before_anything_else(settings):
    assert settings.MIDDLEWARE[0] == "accounts.middleware.untrusted_headers"
