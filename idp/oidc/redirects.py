"""Redirect URIs: which may be registered, and whether a given one is registered. No requests, no storage."""

import re
from collections.abc import Iterable
from urllib.parse import urlsplit

from idp.sentences import sentence

# RFC 8252 7.3: loopback IP literals; 8.3 advises against `localhost`, which a resolver may send elsewhere
_LOOPBACK = re.compile(r"(http://(?:127\.0\.0\.1|\[::1\]))(?::([1-9][0-9]{0,4}))?((?:[/?].*)?)", re.ASCII)
LOOPBACK_HOSTS = frozenset({"localhost", "127.0.0.1", "::1"})
_URI = re.compile(r"[!#-;=?-\[\]_a-z~]+")  # RFC 3986 2: what may stand in a URI unescaped


def is_registered(given: str, registered: Iterable[str], *, native: bool) -> bool:
    """Exact string comparison (RFC 9700 2.1); for native clients the port of a loopback URI may vary (RFC 8252 7.3)."""
    known = tuple(registered)
    if given in known:
        return True
    portless = _portless(given) if native else None
    return portless is not None and any(_portless(uri) == portless for uri in known)


def leads_on(uri: str, registered: Iterable[str]) -> tuple[str, ...]:
    """What a form may lead to whose answer goes to `uri`: its web, and the app that a callback on the web may open."""
    return (uri, *(own for own in sorted(registered) if not own.startswith(("https://", "http://"))))


def home(registered: Iterable[str]) -> str | None:
    """Where an application on the web lives, as far as its redirect URIs say so: their origin, if it is one."""
    parts = [urlsplit(uri) for uri in registered if uri.startswith(("https://", "http://"))]
    origins = {f"{part.scheme}://{part.netloc}/" for part in parts}
    return origins.pop() if len(origins) == 1 else None


def _portless(uri: str) -> tuple[str, str] | None:
    match = _LOOPBACK.fullmatch(uri)
    # a port above 65535 is none, and urlsplit raises for it wherever the URI is looked at again
    return None if match is None or int(match[2] or 1) > 65535 else (match[1], match[3])


def problem(uri: str, *, native: bool) -> str | None:
    """Why this URI may not be registered, as half a sentence; None if it may (RFC 6749 3.1.2, RFC 9700 4.1.3)."""
    if not _URI.fullmatch(uri):
        return sentence("holds characters that a URI must escape")
    if "#" in uri:
        return sentence("has a fragment")
    try:
        parts = urlsplit(uri)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return sentence("is not a URI")
    if parts.username is not None:
        return sentence("holds credentials")
    # RFC 8252 7.1: private-use schemes are reverse domain names, which keeps javascript: and data: out
    if (
        (parts.scheme == "https" and host)
        or (parts.scheme == "http" and host in LOOPBACK_HOSTS)
        or (native and "." in parts.scheme)
    ):
        return None
    return sentence("must be https with a host, http on loopback, or a native client's scheme such as com.example.app")
