"""Whom a network address stands for, and whose request is being answered. Nothing is looked up."""

from contextvars import ContextVar
from dataclasses import dataclass
from ipaddress import IPv6Address, IPv6Network, ip_address

UNKNOWN_ADDRESS = "unknown"


@dataclass(frozen=True, slots=True)
class Origin:
    """Who caused an event over the network: the address as we believe it, and what the browser says of itself."""

    address: str
    browser: str = ""


_BROWSERS = (("Edg", "Edge"), ("OPR", "Opera"), ("Firefox", "Firefox"), ("Chrom", "Chrome"), ("Safari", "Safari"))
_SYSTEMS = (
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("Windows", "Windows"),
    ("Macintosh", "Mac"),
    ("CrOS", "ChromeOS"),
    ("Linux", "Linux"),
)


def device(browser: str) -> str | None:
    """A browser as its owner knows it, roughly: what it says of itself is long, and says other browsers' names too.

    None for one that nobody knows: nothing of what it says is repeated, for anybody may write there what they like.
    """
    program = next((name for mark, name in _BROWSERS if mark in browser), None)
    system = next((name for mark, name in _SYSTEMS if mark in browser), None)
    return ", ".join(name for name in (program, system) if name) or None


# Set at the door for as long as a request is answered; None for senders, sweepers and operators.
ORIGIN: ContextVar[Origin | None] = ContextVar("origin", default=None)


def address_bucket(address: str) -> str:
    """Who an address stands for: IPv4 alone, IPv6 with its whole /64, a mapped IPv4 as itself.

    What is no address (a Unix socket) shares one bucket: doubt limits more, not less.
    """
    try:
        parsed = ip_address(address)
    except ValueError:
        return UNKNOWN_ADDRESS
    if isinstance(parsed, IPv6Address):
        if parsed.ipv4_mapped is not None:
            return str(parsed.ipv4_mapped)
        return str(IPv6Network((int(parsed), 64), strict=False))
    return str(parsed)
