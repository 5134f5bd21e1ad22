"""Which pages in a browser may read what machines are told (Fetch 3.2): headers for every answer, errors included.

Never for the authorization endpoint, which nobody reads from a page (RFC 9700 2.6).
"""

from collections.abc import Iterable

from starlette.requests import Request
from starlette.responses import Response

from idp.model import Client
from idp.oidc import metadata, origins

PUBLIC = (metadata.JWKS, metadata.openid_path(""), metadata.oauth_path(""))
REGISTERED = (metadata.TOKEN, metadata.USERINFO, metadata.INTROSPECT, metadata.REVOKE, metadata.PAR)
READABLE = (*PUBLIC, *REGISTERED)  # how every path begins whose answers have such headers
_ALLOWED = {"Access-Control-Max-Age": "600", "Access-Control-Allow-Methods": "GET, POST"}


def headers(path: str, method: str, origin: str | None, clients: Iterable[Client]) -> dict[str, str]:
    """What the answer to this request needs besides its own headers. `path` is without the issuer's."""
    preflight = method == "OPTIONS"
    if path in PUBLIC or path.startswith(f"{metadata.oauth_path('')}/"):
        # Fetch 3.2.5: the star stands for every header but this one
        allowed = {**_ALLOWED, "Access-Control-Allow-Headers": "*, Authorization"} if preflight else {}
        return {"Access-Control-Allow-Origin": "*", **allowed}
    if path not in REGISTERED:
        return {}
    if origin is None or not any(origin in origins.of(client) for client in clients):
        return {"Vary": "Origin"}
    own = {"Access-Control-Expose-Headers": "WWW-Authenticate, Retry-After"}
    if preflight:
        own = {**_ALLOWED, "Access-Control-Allow-Headers": "Authorization, Content-Type"}
    return {"Vary": "Origin", "Access-Control-Allow-Origin": origin, **own}


async def preflight(request: Request) -> Response:  # noqa: ARG001 - what may be sent, the headers above say
    """OPTIONS: nothing to say but the headers that every answer here has."""
    return Response(status_code=204)
