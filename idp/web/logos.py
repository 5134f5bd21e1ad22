"""GET /logo/{name}: what a client looks like, from our own origin. The name changes with the picture."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from idp.flows.logos import logo
from idp.web.answers import trouble
from idp.web.door import idp_of
from idp.web.pages import Trouble

_HEADERS = {
    "Cache-Control": "public, max-age=31536000, immutable",
    "X-Content-Type-Options": "nosniff",
    # Opened by itself it is a picture and nothing else, whatever else its bytes may be.
    "Content-Security-Policy": "default-src 'none'; sandbox",
}


async def show(request: Request) -> Response:
    """The picture, which may be kept for ever."""
    found = await logo(idp_of(request), request.path_params["name"])
    if found is None:
        return trouble(request, Trouble.NOT_FOUND)
    kind, content = found
    return Response(content, 200, _HEADERS, kind)


ROUTES = [Route("/logo/{name}", show, methods=["GET"])]
