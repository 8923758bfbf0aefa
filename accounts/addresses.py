"""The address that a request came from. Used for rate limits and to guard the metrics, and stored nowhere."""

from collections.abc import Iterable, Mapping
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from django.conf import settings

Address = IPv4Address | IPv6Address


def client_address(peer: str, headers: Mapping[str, str]) -> str:
    """What stands for a person's household."""
    return _as_one_household(believed_address(peer, headers))


def believed_address(peer: str, headers: Mapping[str, str]) -> str:
    """`X-Forwarded-For` is believed only from a trusted proxy, and only its last hop that is not one."""
    if is_trusted_proxy(peer):
        hops = [hop.strip() for hop in headers.get("X-Forwarded-For", "").split(",") if hop.strip()]
        peer = next((hop for hop in reversed(hops) if not is_trusted_proxy(hop)), peer)
    return peer


def is_trusted_proxy(address: str) -> bool:
    return is_in(address, settings.TRUSTED_PROXIES)


def is_in(address: str, networks: Iterable[IPv4Network | IPv6Network]) -> bool:
    parsed = _parsed(address)
    return parsed is not None and any(parsed in network for network in networks)


def _parsed(address: str) -> Address | None:
    """A socket that listens on IPv6 as well sees IPv4 as `::ffff:192.0.2.1`, which is `192.0.2.1` all the same."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return None
    return (parsed.ipv4_mapped or parsed) if isinstance(parsed, IPv6Address) else parsed


def _as_one_household(address: str) -> str:
    """An IPv6 customer owns a whole /64 and could change address with every request."""
    parsed = _parsed(address)
    if parsed is None:
        return "unknown"
    if isinstance(parsed, IPv6Address):
        return str(ip_network((int(parsed), 64), strict=False).network_address)
    return str(parsed)
