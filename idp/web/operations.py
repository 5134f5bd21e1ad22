"""For machines and developers: health, static files, the development inbox. /metrics is served elsewhere."""

import mimetypes
from functools import lru_cache
from pathlib import Path

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from idp.catalogue import template_dirs
from idp.errors import IdpError
from idp.flows import health
from idp.flows.delivery import outgoing
from idp.settings import names_this_machine
from idp.web.address import is_loopback
from idp.web.answers import brand_of, page, trouble
from idp.web.door import base_path, idp_of, visitor
from idp.web.pages import Outbox, OutboxMessage, Trouble, brand_css

_LONGEST_NAME = 100  # a file system would complain of a longer one than it can hold
_KINDS = {".css", ".js", ".svg", ".png", ".ico", ".txt"}


async def live(request: Request) -> Response:  # noqa: ARG001 - it answers, so it lives
    """GET /health/live: this process answers."""
    return PlainTextResponse("ok\n", headers={"Cache-Control": "no-store"})


async def ready(request: Request) -> Response:
    """GET /health/ready: 200 when a sign-in would work here now, else 503 and what is missing."""
    problems = await health.problems(idp_of(request))
    headers = {"Cache-Control": "no-store", **({"Retry-After": "5"} if problems else {})}
    return JSONResponse({"ready": not problems, "problems": problems}, 503 if problems else 200, headers)


@lru_cache(maxsize=64)
def _file(name: str, overrides: Path | None) -> tuple[bytes, str] | None:
    for directory in template_dirs(overrides):
        path = directory / "static" / name
        if len(name) <= _LONGEST_NAME and path.suffix in _KINDS and path.is_file():
            return path.read_bytes(), mimetypes.guess_type(name)[0] or "application/octet-stream"
    return None


async def static(request: Request) -> Response:
    """GET /static/{name}: the style sheet and the logo; addresses carry a version, so they may be kept."""
    name = request.path_params["name"]
    idp = idp_of(request)
    headers = {"Cache-Control": "public, max-age=31536000, immutable", "X-Content-Type-Options": "nosniff"}
    if name == "brand.css":
        return Response(brand_css(brand_of(request)), 200, headers, "text/css")
    if name == "logo" and idp.settings.brand_logo is not None:
        kind = mimetypes.guess_type(idp.settings.brand_logo.name)[0] or "application/octet-stream"
        return Response(_logo(idp.settings.brand_logo), 200, headers, kind)
    found = _file(name, idp.settings.templates)
    if found is None:
        return trouble(request, Trouble.NOT_FOUND)
    return Response(found[0], 200, headers, found[1])


@lru_cache(maxsize=2)
def _logo(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise IdpError(f"IDP_BRAND_LOGO cannot be read ({type(error).__name__}).") from None


async def outbox(request: Request) -> Response:
    """GET /dev/outbox: what the phones would show. Only with IDP_DEV, which needs a loopback issuer, and from here."""
    idp = idp_of(request)
    here = is_loopback(visitor(request).address) and names_this_machine(request.headers.get("host", ""))
    if not idp.settings.dev or not idp.settings.loopback or not here:
        return trouble(request, Trouble.NOT_FOUND)
    shown = tuple(
        OutboxMessage(to=line.to, at=line.message.created_at, text=line.text, code=line.code)
        for line in await outgoing.inbox(idp)
    )
    return page(request, Outbox(messages=shown, here=f"{base_path(idp)}/dev/outbox"))


ROUTES = [
    Route("/health/live", live, methods=["GET"]),
    Route("/health/ready", ready, methods=["GET"]),
    Route("/static/{name}", static, methods=["GET"]),
    Route("/dev/outbox", outbox, methods=["GET"]),
]
