"""The kit in Starlette: pages that people sign in to, actions that they confirm, and APIs that believe tokens."""

import logging
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from typing import Any
from urllib.parse import quote

import httpx
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from stile_rp import pages
from stile_rp.access import AccessToken, Need, require
from stile_rp.answers import Declined
from stile_rp.claims import Person
from stile_rp.effects import Memory, Steps
from stile_rp.errors import Misconfigured, ProviderUnavailable, Refused, StepUpRequired, Untrusted
from stile_rp.kept import PATH, Details, Session
from stile_rp.party import AsyncRelyingParty, Clock, local_clock
from stile_rp.settings import Settings
from stile_rp.site import LARGEST, Confirmed, Site, To

__all__ = ["AccessToken", "Auth", "Confirmed", "Declined", "Person", "Settings"]
NO_STORE = {"cache-control": "no-store"}

log = logging.getLogger("stile_rp")


class Auth:
    """One application. Pages need Starlette's `SessionMiddleware`, or one that keeps sessions on the server.

    `page` writes the page that people see when signing in did not work.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        http: Callable[[], httpx.AsyncClient] | None = None,
        memory: Memory | None = None,
        page: Callable[[pages.Problem], str] = pages.html,
        clock: Clock = local_clock,
    ) -> None:
        self.party = AsyncRelyingParty(settings, http=http, memory=memory, clock=clock)
        self.settings = settings
        self._site = Site(self.party.steps)
        self._page = page

    @property
    def routes(self) -> list[Route]:
        """`/login`, `/callback`, `/logout` (POST), `/signed-out` and `/backchannel-logout` (POST), below the prefix."""
        prefix = self.settings.prefix
        return [
            Route(f"{prefix}/login", self._login),
            Route(f"{prefix}/callback", self._callback),
            Route(f"{prefix}/logout", self._logout, methods=["POST"]),
            Route(f"{prefix}/signed-out", self._signed_out),
            Route(f"{prefix}/backchannel-logout", self._back_channel, methods=["POST"]),
        ]

    async def person(self, request: Request) -> Person | None:
        """Who is signed in here."""
        return await self.party.world.run(self._site.person(_session(request)))

    async def signed_in(self, request: Request) -> Person:
        """Who is signed in here; whoever is not is sent to sign in, and comes back if this was a GET."""
        person = await self.person(request)
        if person is not None:
            return person
        then = _here(request) if request.method == "GET" else None
        answer = await self._run(self._site.sign_in(_session(request), then=then))
        if isinstance(answer, To):
            raise HTTPException(303, headers={"location": answer.url, **NO_STORE})
        raise HTTPException(answer.status, answer.text, {"retry-after": "10"})

    async def sign_in(self, request: Request, *, then: str | None = None, **asked: Any) -> Response:  # noqa: ANN401
        """Off to the provider, and back to `then`; `asked` are other parameters of `RelyingParty.start`."""
        return await self._answer(request, await self._run(self._site.sign_in(_session(request), then=then, **asked)))

    async def confirm(
        self,
        request: Request,
        *,
        action: str = "",
        details: Details = None,
        then: str,
        acr: Sequence[str] = (),
        max_age: timedelta | None = None,
        ui_locales: Sequence[str] = (),
    ) -> Response:
        """Have this action (its scope) or these details confirmed: off to the provider, and back to `then`."""
        session = _session(request)
        steps = self._site.confirm(
            session, action=action, details=details, then=then, acr=acr, max_age=max_age, ui_locales=ui_locales
        )
        return await self._answer(request, await self._run(steps))

    async def confirmed(
        self, request: Request, *, action: str = "", details: Details = None
    ) -> Confirmed | Declined | None:
        """What came of `confirm` with this action and these details, for this very address: once, then None."""
        session, here = _session(request), _here(request)
        return await self.party.world.run(self._site.confirmed(session, action=action, details=details, here=here))

    async def access_token(self, request: Request) -> str | None:
        """An access token of who is signed in (`keep_tokens`), refreshed if need be; None when that has ended."""
        return await self.party.world.run(self._site.access_token(_session(request)))

    def require(
        self,
        *scopes: str,
        acr: str | Sequence[str] = (),
        max_age: timedelta | None = None,
        session_ok: bool = False,
        details: str | None = None,
        once: bool | None = None,
    ) -> Callable[[Request], Awaitable[AccessToken]]:
        """Gives the access token of a request that has what is needed, and answers others (see `stile_rp.require`)."""
        self.settings.api()
        need = require(*scopes, acr=acr, max_age=max_age, session_ok=session_ok, details=details, once=once)

        async def required(request: Request) -> AccessToken:
            return await self.check(request, need)

        return required

    async def check(self, request: Request, need: Need) -> AccessToken:
        """The access token of this request, if it has what is needed; else the `HTTPException` that says so."""
        steps = self.party.steps.access.check(request.headers.getlist("authorization"), need)
        try:
            return await self.party.world.run(steps)
        except Refused as refused:
            raise HTTPException(refused.status, str(refused), refused.headers) from refused
        except (ProviderUnavailable, Misconfigured) as error:
            log.warning("an access token could not be checked: %s", error)
            raise HTTPException(503, "access tokens cannot be checked now", {"retry-after": "10"}) from error

    async def step_up(self, request: Request, error: Exception) -> Response:
        """For `exception_handlers={StepUpRequired: auth.step_up}`: send the browser where an API's answer leads."""
        if not isinstance(error, StepUpRequired):
            raise error
        return await self._answer(request, self._site.step_up(_session(request), error))

    async def _login(self, request: Request) -> Response:
        return await self.sign_in(request, then=request.query_params.get("then"))

    async def _callback(self, request: Request) -> Response:
        answer = request.query_params.multi_items()
        return await self._answer(request, await self.party.world.run(self._site.callback(_session(request), answer)))

    async def _logout(self, request: Request) -> Response:
        if not self._site.ours(request.headers):
            raise HTTPException(403, "this form was not sent from here")
        return await self._answer(request, await self.party.world.run(self._site.sign_out(_session(request))))

    async def _signed_out(self, request: Request) -> Response:
        return await self._answer(request, self._site.signed_out())

    async def _back_channel(self, request: Request) -> Response:
        body = b""
        async for part in request.stream():
            body += part
            if len(body) > LARGEST:
                return Response(status_code=413, headers=NO_STORE)
        try:
            await self.party.world.run(self._site.back_channel(body))
        except Untrusted as error:
            log.warning("a back-channel sign-out was not believed: %s", error)
            return Response(status_code=400, headers=NO_STORE)  # Back-Channel Logout 2.8
        except (ProviderUnavailable, Misconfigured) as error:
            log.warning("a back-channel sign-out could not be checked: %s", error)
            return Response(status_code=503, headers=NO_STORE)
        return Response(status_code=200, headers=NO_STORE)

    async def _run(self, steps: Steps[To]) -> To | pages.Problem:
        """Off to the provider, or the page that says why not."""
        try:
            return await self.party.world.run(steps)
        except (ProviderUnavailable, Misconfigured) as error:
            log.warning("nobody can sign in: %s", error)
            return pages.of_error(error, self.settings.login)

    async def _answer(self, request: Request, answer: To | pages.Problem) -> Response:
        if isinstance(answer, To):
            # starsessions has it: whoever knew the id of before knows nothing
            if answer.renew and (handler := request.scope.get("session_handler")) is not None:
                await handler.destroy()
                handler.regenerate_id()
            return RedirectResponse(answer.url, 303, NO_STORE)
        return HTMLResponse(self._page(answer), answer.status, NO_STORE)


def _here(request: Request) -> str:
    path, root = request.scope["path"], request.scope.get("root_path", "").rstrip("/")
    if not f"{path}/".startswith(f"{root}/"):
        path = root + path  # a proxy in front took it away
    query = request.scope["query_string"].decode("ascii", "replace")
    return f"{quote(path, safe=PATH)}?{query}".rstrip("?")


def _session(request: Request) -> Session:
    if "session" not in request.scope:
        raise Misconfigured("people cannot stay signed in: add Starlette's SessionMiddleware to this application")
    session: Session = request.session
    return session
