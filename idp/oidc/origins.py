"""Where the pages of a client live, as browsers name it in `Origin` (RFC 6454). Strings only; headers are elsewhere."""

import re
from functools import lru_cache
from urllib.parse import urlsplit

from idp.model import Client
from idp.oidc.redirects import LOOPBACK_HOSTS
from idp.sentences import sentence

_ORIGIN = re.compile(
    r"[A-Za-z][A-Za-z0-9+.-]*://[A-Za-z0-9._:\[\]-]+"
)  # RFC 3986 3.1, 3.2.2: a name or an address, and a port
_PORTS = {"http": 80, "https": 443}
# RFC 6454 4 and Fetch 3.2: documents with such addresses have an opaque origin, which is written "null"
_OPAQUE = frozenset({"about", "blob", "data", "file", "javascript"})


def serialised(uri: str) -> str | None:
    """The origin of a URI as a browser writes it (RFC 6454 6.2); None where it has none of its own."""
    try:
        parts = urlsplit(uri)
        host, port = parts.hostname, parts.port
    except ValueError:
        return None
    if not host or parts.scheme in _OPAQUE:
        return None
    host = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{host}" + ("" if port in {None, _PORTS.get(parts.scheme)} else f":{port}")


def problem(text: str) -> str | None:
    """Why pages of this origin cannot be let in, as half a sentence; None if they can."""
    origin = serialised(text) if _ORIGIN.fullmatch(text) else None
    if origin is None:
        return sentence("is not scheme://host or scheme://host:port, without a path, as a browser writes it")
    parts = urlsplit(origin)
    if parts.scheme == "http" and parts.hostname not in LOOPBACK_HOSTS:
        return sentence("must be https, http on loopback, or an app's own scheme such as capacitor")
    return None


def of(client: Client) -> frozenset[str]:
    """Where this client's pages live: as registered, else the origins of its redirect URIs on the web."""
    return _of(client.origins, client.redirect_uris)


@lru_cache(maxsize=4096)
def _of(registered: tuple[str, ...], redirect_uris: tuple[str, ...]) -> frozenset[str]:
    web = (uri for uri in redirect_uris if uri.startswith(("https://", "http://")))
    return frozenset(origin for uri in registered or tuple(web) if (origin := serialised(uri)) is not None)
