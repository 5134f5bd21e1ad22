"""The headers that go with pages: what a browser may load, send and remember (threats SES-04). No HTTP server here."""

import base64
import hashlib
import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from urllib.parse import urlsplit

# The only script of the product. Its hash is in the policy of the one page that holds it.
FORM_POST_SCRIPT = 'document.getElementById("answer").submit()'
FORM_POST_SCRIPT_HASH = f"sha256-{base64.b64encode(hashlib.sha256(FORM_POST_SCRIPT.encode()).digest()).decode()}"

HSTS = "max-age=31536000; includeSubDomains"


def content_security_policy(form_targets: Sequence[str] = (), script_hash: str | None = None) -> str:
    """The policy of a page whose forms may lead to us and to the origins of `form_targets` (absolute URIs).

    Chromium applies `form-action` to the redirect that follows a POST, so a page that ends in a redirect to a client
    needs the client's redirect URI here. A URI without a usable origin raises ValueError.
    """
    targets = dict.fromkeys(_source(uri) for uri in form_targets)
    script = () if script_hash is None else (f"script-src '{script_hash}'",)
    return "; ".join(
        (
            "default-src 'none'",
            "style-src 'self'",
            "img-src 'self'",
            *script,
            " ".join(("form-action 'self'", *targets)),
            "frame-ancestors 'none'",
            "base-uri 'none'",
            "object-src 'none'",
        )
    )


def _source(uri: str) -> str:
    parts = urlsplit(uri)
    scheme = parts.scheme.lower()
    if scheme not in {"http", "https"}:
        # RFC 8252 7.1: private-use schemes have no host; CSP 3 2.3.1 names them by the scheme alone.
        if not re.fullmatch(r"[a-z][a-z0-9+.-]*", scheme) or scheme in {"javascript", "data"}:
            raise ValueError("not an address a form may lead to")
        return f"{scheme}:"
    host, port = (parts.hostname or ""), parts.port
    if not re.fullmatch(r"[a-z0-9._-]+|[0-9a-f:.]+", host):
        raise ValueError("not an address a form may lead to")
    if ":" in host or "_" in host:
        return f"{scheme}:"  # CSP 3 2.3.1 has no way to write an IPv6 address or an underscore
    return f"{scheme}://{host}" if port is None else f"{scheme}://{host}:{port}"


SECURITY_HEADERS: Mapping[str, str] = MappingProxyType(
    {
        "Content-Security-Policy": content_security_policy(),
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
        "Referrer-Policy": "no-referrer",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Permissions-Policy": "camera=(), microphone=(), geolocation=(), payment=(), usb=()",
    }
)


def page_headers(
    form_targets: Sequence[str] = (), script_hash: str | None = None, *, secure: bool = True
) -> dict[str, str]:
    """Every header of an HTML page. `secure`: browsers reach us over https; HSTS is for https only (RFC 6797 7.2)."""
    return {
        **SECURITY_HEADERS,
        "Content-Security-Policy": content_security_policy(form_targets, script_hash),
        "Content-Type": "text/html; charset=utf-8",
        "Cache-Control": "no-store",
        **({"Strict-Transport-Security": HSTS} if secure else {}),
    }
