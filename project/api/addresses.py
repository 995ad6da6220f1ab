"""The address of a client, for everything that counts by address."""

from ipaddress import IPv6Address, IPv6Interface, ip_address

from django.conf import settings
from django.http import HttpRequest
from rest_framework.request import Request

#: An owner of IPv6 addresses has at least this many bits of them.
IPV6_PREFIX = 64


def client_address(request: HttpRequest | Request) -> str:
    """Return the IPv4 address of the client, or its IPv6 network, because a client has a whole network of those.

    Behind NUM_PROXIES proxies it is the address that the first of them added to X-Forwarded-For. What is no address
    counts as the peer's.
    """
    peer = request.META.get("REMOTE_ADDR", "")
    forwarded = request.META.get("HTTP_X_FORWARDED_FOR")
    if forwarded and settings.NUM_PROXIES:
        addresses = forwarded.split(",")
        if found := network_of(addresses[-min(settings.NUM_PROXIES, len(addresses))]):
            return found
    return network_of(peer) or "unknown"


def network_of(text: str) -> str | None:
    """Return the IPv4 address or the IPv6 network in a text such as 192.0.2.7, 192.0.2.7:80, 2001:db8::7, [::1]:80.

    Returns:
        None if the text is no address.
    """
    host = text.strip().strip('"')
    if host.startswith("["):
        host = host[1:].partition("]")[0]
    elif host.count(":") == 1:
        host = host.partition(":")[0]
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:
        return None
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped:
            return str(address.ipv4_mapped)
        return str(IPv6Interface((address, IPV6_PREFIX)).network)
    return str(address)
