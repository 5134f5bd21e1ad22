"""Whose address a request comes from: the peer's, or what proxies that we trust wrote. No flow is called here."""

import re
from collections.abc import Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

from starlette.requests import Request

Network = IPv4Network | IPv6Network
_LOOPBACK = (IPv4Network("127.0.0.0/8"), IPv6Network("::1/128"))
_HOPS = 32
_LONGEST_HOP = 80  # quoted, in brackets, with the longest zone of Linux and a port
# RFC 7239 6: a node may have a port, and then IPv6 stands in brackets; proxies write X-Forwarded-For the same way.
_BRACKETED = re.compile(r"\[([^\[\]]+)\](?::[0-9]{1,5})?", re.ASCII)
_WITH_PORT = re.compile(r"([0-9.]+):[0-9]{1,5}", re.ASCII)


def address(request: Request, trusted: Sequence[Network]) -> str:
    """The client's address: X-Forwarded-For counts from the right, for as long as proxies we trust wrote it.

    One address is one text, however a proxy or a dual-stack listener writes it.
    """
    lines = request.headers.getlist("x-forwarded-for")
    peer = request.client.host if request.client else "unknown"
    found = _ip(peer)
    # RFC 9110 5.6.1.2: empty elements of a list are ignored
    hops = [hop for line in lines for each in line.split(",") if (hop := each.strip())]
    for hop in reversed(hops[-_HOPS:]):
        if found is None or not _within(found, trusted) or (before := _hop(hop)) is None:
            break
        found = before
    return peer if found is None else str(found)


def is_from(request: Request, trusted: Sequence[Network]) -> bool:
    """Whether a proxy that we trust sent this very request, for itself or for somebody."""
    found = _ip(request.client.host) if request.client else None
    return found is not None and _within(found, trusted)


def is_loopback(address: str) -> bool:
    """Whether a request came from this very machine."""
    ip = _ip(address)
    return ip is not None and _within(ip, _LOOPBACK)


def _within(ip: IPv4Address | IPv6Address, networks: Sequence[Network]) -> bool:
    return any(ip in network for network in networks)


@lru_cache(maxsize=1024)
def _hop(text: str) -> IPv4Address | IPv6Address | None:
    """One element of X-Forwarded-For; None for what is no address, such as `unknown` (RFC 7239 6.2)."""
    if len(text) > _LONGEST_HOP:
        return None
    if len(text) > 1 and text[0] == text[-1] == '"':
        text = text[1:-1]
    found = _BRACKETED.fullmatch(text) or _WITH_PORT.fullmatch(text)
    return _ip(text if found is None else found[1])


@lru_cache(maxsize=1024)
def _ip(text: str) -> IPv4Address | IPv6Address | None:
    """An address without its zone, which means nothing elsewhere; a mapped IPv4 is that IPv4 (RFC 4291 2.5.5.2)."""
    if len(text) > _LONGEST_HOP:
        return None
    try:
        parsed = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return parsed if isinstance(parsed, IPv4Address) else parsed.ipv4_mapped or parsed
