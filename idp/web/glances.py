"""Requests that only glance: HEAD, and what a browser or a link scanner fetches before anybody asked for the page.

They change nothing (RFC 9110 9.2.1), and no endpoint has to think of them: one that is not known to read alone does not
hear of them at all.
"""

from collections.abc import Awaitable, Callable
from functools import wraps

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from idp.web import operations, tokens

Endpoint = Callable[[Request], Awaitable[Response]]

# Fetch 3.7 (Sec-Purpose), and the names that browsers used before
_PURPOSES = (b"sec-purpose", b"purpose", b"x-moz")
_READ = {
    tokens.userinfo,
    tokens.jwks,
    tokens.discovery,
    operations.live,
    operations.ready,
    operations.static,
    operations.outbox,
}


def unmoved(route: Route) -> Route:
    """This route, where a glance changes nothing."""
    if route.endpoint in _READ or "GET" not in (route.methods or ()):
        return route
    return Route(route.path, _unmoved(route.endpoint), methods=list(route.methods or ()))


def _unmoved(endpoint: Endpoint) -> Endpoint:
    @wraps(endpoint)
    async def seen(request: Request) -> Response:
        if request.method == "HEAD":
            # RFC 9110 9.3.2: fields that only the work for the content would tell may be left out
            return Response(None, 200, {**_KEEP_NOTHING, "Content-Type": "text/html; charset=utf-8"})
        if request.method == "GET" and _early(request):
            # Whatever is no success, a browser throws away, and asks again when somebody really goes there.
            return Response(None, 403, _KEEP_NOTHING)
        return await endpoint(request)

    return seen


_KEEP_NOTHING = {"Cache-Control": "no-store", "Vary": "Sec-Purpose, Purpose, X-Moz"}


def _early(request: Request) -> bool:
    return any(b"prefetch" in value.lower() for name, value in request.scope["headers"] if name in _PURPOSES)
