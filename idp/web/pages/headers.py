"""The headers that go with pages: what a browser may load, send and remember (threats SES-04). No HTTP server here."""

import base64
import hashlib
import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType

# The only script in a page. Its hash is in the policy of the one page that holds it.
FORM_POST_SCRIPT = 'document.getElementById("answer").submit()'
FORM_POST_SCRIPT_HASH = f"sha256-{base64.b64encode(hashlib.sha256(FORM_POST_SCRIPT.encode()).digest()).decode()}"

PASSKEY_SCRIPT = "passkey.js"  # the only file with a script, for the pages that ask a browser for a passkey

HSTS_ALONE = "max-age=31536000"
HSTS = f"{HSTS_ALONE}; includeSubDomains"


def content_security_policy(form_targets: Sequence[str] = (), script: str | None = None) -> str:
    """The policy of a page whose forms may lead to us and wherever the clients at `form_targets` (absolute URIs) lead.

    Chromium holds every redirect that follows a form to `form-action`, the client's own further ones included, and
    where those go is the client's business (decision 0009). So it names the scheme of the URI, and no origin. `script`
    is the source of the one script that may run: a hash in quotes, or the address of a file.
    ValueError for what no form may lead to.
    """
    targets = dict.fromkeys(_source(uri) for uri in form_targets)
    scripts = () if script is None else (f"script-src {script}",)
    return "; ".join(
        (
            "default-src 'none'",
            "style-src 'self'",
            "img-src 'self'",
            *scripts,
            " ".join(("form-action 'self'", *targets)),
            "frame-ancestors 'none'",
            "base-uri 'none'",
            "object-src 'none'",
        )
    )


def _source(uri: str) -> str:
    # CSP 3 2.3.1: `http:` lets https pass too; a native application's own scheme stands as it is (RFC 8252 7.1)
    scheme, colon, _ = uri.partition(":")
    scheme = scheme.lower()
    if not colon or not re.fullmatch(r"[a-z][a-z0-9+.-]*", scheme) or scheme in {"javascript", "data"}:
        raise ValueError("not an address a form may lead to")
    return f"{scheme}:"


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


def page_headers(form_targets: Sequence[str] = (), script: str | None = None, *, secure: bool = True) -> dict[str, str]:
    """Every header of an HTML page. `secure`: browsers reach us over https; HSTS is for https only (RFC 6797 7.2)."""
    return {
        **SECURITY_HEADERS,
        "Content-Security-Policy": content_security_policy(form_targets, script),
        "Content-Type": "text/html; charset=utf-8",
        "Cache-Control": "no-store",
        **({"Strict-Transport-Security": HSTS} if secure else {}),
    }
