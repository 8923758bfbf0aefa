"""The address that a request came from. Used for rate limits only, and stored nowhere."""

from collections.abc import Mapping
from ipaddress import IPv6Address, ip_address, ip_network

from django.conf import settings


def client_address(peer: str, headers: Mapping[str, str]) -> str:
    """`X-Forwarded-For` is believed only from a trusted proxy, and only its last hop that is not one."""
    if _is_trusted(peer):
        hops = [hop.strip() for hop in headers.get("X-Forwarded-For", "").split(",") if hop.strip()]
        peer = next((hop for hop in reversed(hops) if not _is_trusted(hop)), peer)
    return _as_one_household(peer)


def _is_trusted(address: str) -> bool:
    try:
        return any(ip_address(address) in ip_network(proxy) for proxy in settings.TRUSTED_PROXIES)
    except ValueError:
        return False


def _as_one_household(address: str) -> str:
    """An IPv6 customer owns a whole /64 and could change address with every request."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return "unknown"
    if isinstance(parsed, IPv6Address):
        return str(ip_network((parsed, 64), strict=False).network_address)
    return str(parsed)
