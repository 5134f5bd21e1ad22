"""What both demo applications do alike over HTTP: pages, forms, headers, signing in and out. No business of theirs."""

import contextlib
import hmac
import logging
import re
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Generic, TypeVar
from urllib.parse import parse_qsl, urlsplit

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.body_limit import RequestBodyLimitMiddleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from idp.demo.registration import Registration
from idp.demo.sessions import Session, Sessions
from stile_rp import Declined, Misconfigured, Outdated, ProviderUnavailable, SignedIn, Untrusted

HERE = Path(__file__).parent
BODY_LIMIT = 16 * 1024
LANGUAGE = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{1,8}){0,3}")
CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")

Own = TypeVar("Own")
log = logging.getLogger("idp.demo")

PROBLEMS = {
    400: ("That did not work", "Your browser sent something we did not expect. Nothing has been changed."),
    403: ("Please try once more", "This page was too old, or it was not opened from here. Nothing has been changed."),
    404: ("Page not found", "There is no such page, or it is no longer there."),
    405: ("That did not work", "This page cannot be used in that way. Nothing has been changed."),
    413: ("That is too long", "You sent more than we can take. Nothing has been changed."),
    503: (
        "Signing in is not available",
        "We cannot reach the sign-in service at the moment. Please try again shortly.",
    ),
}


@dataclass(frozen=True, slots=True)
class DemoUrls:
    """Where the parts of the demonstration are, each without a slash at the end."""

    provider: str = "http://localhost:8000"
    bank: str = "http://localhost:8001"
    notes: str = "http://localhost:8002"
    start: str = "http://localhost:8001/demo/"

    @property
    def inbox(self) -> str:
        """The text messages that would have gone to phones."""
        return f"{self.provider}/dev/outbox"

    @property
    def account(self) -> str:
        """Where people look after their ways to sign in."""
        return f"{self.provider}/account"

    @property
    def console(self) -> str:
        """Where those work who have a role."""
        return f"{self.provider}/admin"


class SecurityHeaders:
    """Puts the security headers on every answer of an application, errors included."""

    def __init__(self, app: ASGIApp, *, form_action: str = "", https: bool = False, frames: str = "'none'") -> None:
        self.app = app
        # Chromium holds every redirect that follows a form to form-action as well, and the provider may lead on.
        self.headers = {
            "content-security-policy": "default-src 'none'; style-src 'self'; img-src 'self' data:; frame-src "
            f"{frames}; form-action 'self'{form_action}; frame-ancestors {frames}; base-uri 'none'",
            "x-content-type-options": "nosniff",
            "referrer-policy": "no-referrer",
            "cross-origin-opener-policy": "same-origin",
        }
        if https:
            self.headers["strict-transport-security"] = "max-age=31536000; includeSubDomains"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on and dress the answer."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def dressed(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self.headers.items():
                    headers.setdefault(name, value)
                if not scope["path"].startswith("/static/"):
                    headers.setdefault("cache-control", "no-store")
            await send(message)

        await self.app(scope, receive, dressed)


def environment() -> Environment:
    """The templates, everything escaped, a missing name an error."""
    pages = Environment(loader=FileSystemLoader(HERE / "templates"), autoescape=True, undefined=StrictUndefined)
    pages.filters["day"] = lambda at: f"{at.day} {at:%B %Y}"
    pages.filters["minute"] = lambda at: f"{at.day} {at:%B %Y, %H:%M} UTC"
    pages.filters["second"] = lambda at: f"{at:%H:%M:%S} UTC"
    pages.filters["instant"] = lambda seconds: datetime.fromtimestamp(seconds, UTC)
    return pages


def line(text: str, *, longest: int) -> str | None:
    """`text` without surrounding or doubled spaces if it is one honest line of at most `longest` characters."""
    tidy = " ".join(text.split())
    return tidy if tidy and len(tidy) <= longest and not CONTROL.search(tidy) else None


class Site(Generic[Own]):
    """One application: its pages, its sessions, its relying party."""

    def __init__(
        self, config: Registration, urls: DemoUrls, *, folder: str, cookie: str, own: Callable[[], Own]
    ) -> None:
        self.config = config
        self.urls = urls
        self.party = config.party()
        self.sessions: Sessions[Own] = Sessions(config, cookie, own)
        self._folder = folder
        self._pages = environment()

    def page(self, name: str, session: Session[Own] | None = None, *, status: int = 200, **told: object) -> Response:
        """The page `name` of this application."""
        signed_in = session.signed_in if session is not None else None
        html = self._pages.get_template(f"{self._folder}/{name}.html").render(
            csrf=session.csrf if session is not None else "",
            person=signed_in.person if signed_in is not None else None,
            urls=self.urls,
            **told,
        )
        return HTMLResponse(html, status)

    def problem(self, status: int, session: Session[Own] | None = None) -> Response:
        """The page that says what went wrong and that nothing happened."""
        title, text = PROBLEMS.get(status, PROBLEMS[400])
        return self.page("problem", session, status=status, title=title, text=text)

    def signed_in(self, request: Request) -> tuple[Session[Own], SignedIn] | None:
        """The session of a signed-in browser."""
        session = self.sessions.find(request)
        return None if session is None or session.signed_in is None else (session, session.signed_in)

    async def form(self, request: Request, session: Session[Own]) -> dict[str, str]:
        """The fields of a form that this session's page sent; 403 for anybody else's, 400 for nonsense."""
        if request.headers.get("sec-fetch-site", "same-origin") not in {"same-origin", "none"}:
            raise HTTPException(403)
        body = await request.body()
        try:
            fields = parse_qsl(
                body.decode("ascii"), keep_blank_values=True, encoding="utf-8", errors="strict", max_num_fields=20
            )
        except ValueError:
            raise HTTPException(400) from None
        told = dict(fields)
        if len(told) != len(fields):
            raise HTTPException(400)
        if not hmac.compare_digest(told.get("csrf", "").encode(errors="replace"), session.csrf.encode()):
            raise HTTPException(403)
        return told

    async def login(self, request: Request, scopes: Sequence[str]) -> Response:
        """Off to the provider, in the language of `?ui_locales=` if the visitor came with one; it is remembered."""
        session = self.sessions.open(request)
        wanted = request.query_params.get("ui_locales", "").split()
        session.languages = tuple(tag for tag in wanted[:5] if LANGUAGE.fullmatch(tag)) or session.languages
        return await self.to_provider(session, scopes, then="/")

    async def to_provider(
        self,
        session: Session[Own],
        scopes: Sequence[str],
        *,
        then: str,
        acr_values: Sequence[str] = (),
        prompt: str | None = None,
        max_age: timedelta | None = None,
        details: Sequence[Mapping[str, Any]] = (),
    ) -> Response:
        """Send the browser to the provider; the callback brings it back."""
        url = await self.party.start(
            session.logins,
            scopes=scopes,
            then=then,
            acr_values=acr_values,
            prompt=prompt,
            max_age=max_age,
            ui_locales=session.languages,
            details=details or None,
        )
        response = RedirectResponse(url, 303)
        self.sessions.keep(response, session)
        return response

    async def answered(self, request: Request, session: Session[Own] | None) -> SignedIn | Declined:
        """What the provider answered this browser, checked."""
        logins = session.logins if session is not None else {}
        return await self.party.finish(logins, request.query_params.multi_items())

    async def logout(self, request: Request) -> Response:
        """End our session first, then the provider's; ours ends even if the provider does not answer."""
        session = self.sessions.find(request)
        if session is None:
            return RedirectResponse("/signed-out", 303)
        await self.form(request, session)
        self.sessions.end(session)
        target = "/signed-out"
        if session.signed_in is not None:
            with contextlib.suppress(ProviderUnavailable, Misconfigured):
                target = await self.party.sign_out(session.signed_in.id_token, ui_locales=session.languages)
        response = RedirectResponse(target, 303)
        self.sessions.forget(response)
        return response

    async def signed_out(self, request: Request) -> Response:
        """Where the provider sends people who signed out."""
        return self.page("signed_out", self.sessions.find(request))

    def application(self, routes: Sequence[BaseRoute]) -> Starlette:
        """The ASGI application: these routes and those every application here has."""

        async def refused(request: Request, error: Exception) -> Response:
            status = error.status_code if isinstance(error, HTTPException) else 400
            response = self.problem(status, self.sessions.find(request))
            if isinstance(error, HTTPException) and error.headers:
                response.headers.update(error.headers)
            return response

        async def untrusted(request: Request, error: Exception) -> Response:
            log.warning("an answer of the provider was not believed: %s", error)
            return self.page("not_signed_in", self.sessions.find(request), status=400, cancelled=False)

        async def outdated(request: Request, _: Exception) -> Response:
            # Nothing of it is used. Who is signed in already has come back from where they were: on they go.
            session = self.sessions.find(request)
            if session is not None and session.signed_in is not None:
                return RedirectResponse("/", 303)
            return self.page("not_signed_in", session, status=400, cancelled=False)

        async def unavailable(request: Request, error: Exception) -> Response:
            log.warning("the provider is not available: %s", error)
            response = self.problem(503, self.sessions.find(request))
            response.headers["retry-after"] = "10"
            return response

        @contextlib.asynccontextmanager
        async def lifespan(_: Starlette) -> AsyncIterator[None]:
            yield
            await self.party.aclose()

        return Starlette(
            routes=[
                *routes,
                Route("/logout", self.logout, methods=["POST"]),
                Route("/signed-out", self.signed_out),
                Mount("/static", StaticFiles(directory=HERE / "static")),
            ],
            middleware=[
                Middleware(
                    SecurityHeaders,
                    form_action=f" {urlsplit(self.config.settings.issuer).scheme}:",
                    https=self.config.base_url.startswith("https://"),
                ),
                Middleware(RequestBodyLimitMiddleware, max_body_size=BODY_LIMIT),
            ],
            exception_handlers={
                HTTPException: refused,
                ClientDisconnect: refused,
                Outdated: outdated,
                Untrusted: untrusted,
                ProviderUnavailable: unavailable,
                Misconfigured: unavailable,
            },
            lifespan=lifespan,
        )
