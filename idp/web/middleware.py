"""Around every request: its id, its log line and figures, and an answer for whatever went wrong. Plain ASGI."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from datetime import timedelta
from urllib.parse import urlsplit

import structlog
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Match, Mount, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from idp import metrics
from idp.addresses import ORIGIN
from idp.crypto import random_bytes
from idp.errors import IdpError, SealBroken, TooMany, Unavailable, places
from idp.flows.idp import SITE_PATH
from idp.logs import REQUEST
from idp.model import NOBODY, OPERATOR
from idp.oidc import metadata
from idp.web import cors
from idp.web.answers import trouble
from idp.web.api import problems
from idp.web.door import NotOurForm, TooLarge, Unreadable
from idp.web.forward_auth import FORWARD_AUTH
from idp.web.pages import HSTS, HSTS_ALONE, SECURITY_HEADERS, Trouble

_log = structlog.get_logger("idp.web")
_JSON = (
    metadata.TOKEN,
    metadata.PAR,
    metadata.USERINFO,
    metadata.INTROSPECT,
    metadata.REVOKE,
    metadata.JWKS,
    "/.well-known/",
)
_RETRY = {"Retry-After": "5"}
LIMIT = timedelta(seconds=4.5)  # nobody waits for an answer for longer than 5, whatever is slow; then it is "not now"


class Around:
    """The outermost layer. Whatever happens inside, a person gets a page and a client gets JSON, with our headers."""

    def __init__(self, app: ASGIApp, *, issuer: str) -> None:
        self._app = app
        secure = issuer.startswith("https://")
        self._always = _lines({**SECURITY_HEADERS, **({"Strict-Transport-Security": HSTS} if secure else {})})
        # RFC 6797 7: of the host of an application we say nothing about the hosts below it
        self._elsewhere = _lines({**SECURITY_HEADERS, **({"Strict-Transport-Security": HSTS_ALONE} if secure else {})})
        self._base = urlsplit(issuer).path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        nobody = OPERATOR.set(NOBODY)
        asked = dict(scope)  # routing writes into its scope
        request_id = random_bytes(16).hex()
        scope.setdefault("state", {})["request_id"] = request_id
        REQUEST.set(request_id)
        status = 500
        begun = False
        limit = asyncio.timeout(LIMIT.total_seconds())
        now = asyncio.get_running_loop().time

        async def ask() -> Message:
            # A slow request is not a slow answer: how long one may take to come is the server's to say.
            limit.reschedule(None)
            message = await receive()
            limit.reschedule(now() + LIMIT.total_seconds())
            return message

        async def answer(message: Message) -> None:
            nonlocal status, begun
            if message["type"] == "http.response.start":
                begun = True
                status = message["status"]
                self._add_headers(message, request_id, asked["path"])
                self._let_pages_read(message, asked)
            await send(message)

        async def answer_in_time(message: Message) -> None:
            if limit.when() is not None:
                limit.reschedule(None)  # nor is a slow reader
            await answer(message)

        try:
            # What it cuts short is in doubt. Attempts are spent before anything is compared, so that a repeated request
            # is a new attempt, and the connection to the database is hung up, so that no waiting outlives the answer.
            async with limit:
                await self._app(scope, ask, answer_in_time)
        except Exception as error:
            if begun:
                raise
            response = self._refusal(Request(scope, receive), error, asked)
            await response(scope, receive, answer)
        finally:
            seconds = time.perf_counter() - started
            endpoint = scope.get("endpoint")
            route = getattr(endpoint, "__name__", "none")
            metrics.observe_request(route, scope["method"], status, seconds)
            _log.info("request", method=scope["method"], route=route, status=status, ms=round(seconds * 1000, 1))
            REQUEST.set(None)
            ORIGIN.set(None)
            OPERATOR.reset(nobody)

    def _add_headers(self, message: Message, request_id: str, path: str) -> None:
        headers: list[tuple[bytes, bytes]] = message["headers"]
        there = {name for name, _ in headers}
        elsewhere = path.startswith((f"{SITE_PATH}/", self._base + FORWARD_AUTH))
        headers.extend(pair for pair in (self._elsewhere if elsewhere else self._always) if pair[0] not in there)
        headers.append((b"x-request-id", request_id.encode()))

    def _let_pages_read(self, message: Message, asked: Scope) -> None:
        """CORS, here where no answer gets past: a page that cannot read the error sees a broken network."""
        path = asked["path"].removeprefix(self._base)
        if not path.startswith(cors.READABLE):
            return
        idp = getattr(asked["app"].state, "idp", None)
        origin = Headers(scope=asked).get("origin")
        known = idp.clients.values() if idp is not None else ()
        for name, value in cors.headers(path, asked["method"], origin, known).items():
            message["headers"].append((name.lower().encode(), value.encode()))

    def _refusal(self, request: Request, error: Exception, asked: Scope) -> Response:
        kind, detail, log = _kind(error)
        if log:
            # A database error's text may hold a row, so only its kind is written.
            _log.error("failed", error=type(error).__name__, detail=str(error) if isinstance(error, IdpError) else "")
        if kind is Trouble.BROKEN and not isinstance(error, IdpError):
            _log.error("traceback", where=places(error.__traceback__))
        path = request.url.path.removeprefix(self._base)
        headers = {"Cache-Control": "no-store", **(_RETRY if kind is Trouble.UNAVAILABLE else {})}
        if kind is Trouble.METHOD:
            # RFC 9110 15.5.6: a 405 MUST say what is allowed; Starlette names the methods of one route of several
            headers["Allow"] = ", ".join(sorted(_allowed(request.app.routes, asked)))
        if path.startswith(problems.API):
            return problems.of_status(kind.status, headers)
        if path.startswith(_JSON):
            code = "temporarily_unavailable" if kind.status == 503 else "server_error"
            code = "invalid_request" if kind.status < 500 else code
            return JSONResponse({"error": code, "error_description": kind.title}, kind.status, headers)
        retry = error.retry_after if isinstance(error, TooMany) else None
        response = trouble(request, kind, detail=detail, retry=retry)
        response.headers.update(headers)
        return response


def _lines(headers: Mapping[str, str]) -> list[tuple[bytes, bytes]]:
    return [(name.lower().encode(), value.encode()) for name, value in headers.items()]


def _kind(error: Exception) -> tuple[Trouble, str | None, bool]:
    """The page for an error, what to tell developers, and whether it is ours to mend."""
    match error:
        case NotOurForm(forgotten=True):
            return Trouble.SIGNED_OUT, None, False
        case NotOurForm():
            return Trouble.FORM_REFUSED, None, False
        case TooLarge():
            return Trouble.TOO_LARGE, None, False
        case Unreadable():
            return Trouble.BAD_REQUEST, str(error), False
        case TooMany():
            return Trouble.TOO_MANY, None, False
        case SealBroken() | Unavailable() | TimeoutError():
            return Trouble.UNAVAILABLE, None, True
        case HTTPException(status_code=404 | 405 as status):
            return Trouble.NOT_FOUND if status == 404 else Trouble.METHOD, None, False
        case HTTPException(status_code=status) if status < 500:
            return Trouble.BAD_REQUEST, None, False
        case _:
            return Trouble.BROKEN, None, True


def _allowed(routes: Sequence[BaseRoute], scope: Scope) -> set[str]:
    """The methods of all routes that have this path."""
    found: set[str] = set()
    for route in routes:
        match, inside = route.matches(scope)
        if match is Match.NONE:
            continue
        if isinstance(route, Mount):
            found |= _allowed(route.routes, {**scope, **inside})
        elif isinstance(route, Route):
            found |= route.methods or set()
    return found
