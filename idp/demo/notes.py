"""Acme Notes: a second application of the same provider. It shows single sign-on and the renewal of tokens."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

import httpx
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from idp.demo.registration import Registration
from idp.demo.sessions import Session
from idp.demo.site import CONTROL, DemoUrls, Site
from stile_rp import Declined, ProviderUnavailable, SignedIn

ASKED = ("openid", "profile", "offline_access")
SOON = 30.0  # seconds
NOTES_KEPT = 100
LONGEST = 500


@dataclass(frozen=True, slots=True)
class Note:
    """One note."""

    at: datetime
    text: str


@dataclass(slots=True)
class Desk:
    """What the application keeps about one session. The lock: a refresh token must not be used twice at once."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    renewed_at: datetime | None = None
    cannot_renew: bool = False


class Notes:
    """The pages."""

    def __init__(self, config: Registration, urls: DemoUrls) -> None:
        self.site = Site(config, urls, folder="notes", cookie="acme_notes", own=Desk)
        self._notes: dict[str, list[Note]] = {}  # by subject, newest first

    async def home(self, request: Request) -> Response:
        """What this is, or your notes; tokens that are about to end are renewed on the way."""
        here = self.site.signed_in(request)
        if here is None:
            return self.site.page("home", ended=False)
        session, signed_in = here
        due = signed_in.refresh_token is not None and signed_in.expires_at - SOON <= self.site.config.now().timestamp()
        if due and not await self._renew(session, signed_in):
            return self._ended(session)
        return self._list(session, error=None, typed="")

    async def login(self, request: Request) -> Response:
        """Off to the provider. Whoever is signed in there comes back without being asked."""
        return await self.site.login(request, ASKED)

    async def callback(self, request: Request) -> Response:
        """Back from the provider."""
        session = self.site.sessions.find(request)
        outcome = await self.site.answered(request, session)
        if session is None:
            return RedirectResponse("/", 303)
        if isinstance(outcome, Declined):
            return self.site.page("not_signed_in", session, status=403, cancelled=outcome.error == "access_denied")
        self.site.sessions.sign_in(session, outcome)
        session.own.renewed_at, session.own.cannot_renew = None, False
        response = RedirectResponse("/", 303)
        self.site.sessions.keep(response, session)
        return response

    async def add(self, request: Request) -> Response:
        """One more note."""
        session, signed_in = self._signed_in(request)
        typed = (await self.site.form(request, session)).get("text", "").replace("\r\n", "\n").strip()
        if not typed or len(typed) > LONGEST or CONTROL.search(typed):
            return self._list(session, error=f"Write something of at most {LONGEST} characters", typed=typed[:2000])
        notes = self._notes.setdefault(signed_in.person.subject, [])
        notes.insert(0, Note(self.site.config.now(), typed))
        del notes[NOTES_KEPT:]
        return RedirectResponse("/", 303)

    async def renew(self, request: Request) -> Response:
        """Renew the tokens now, to see it happen."""
        session, signed_in = self._signed_in(request)
        await self.site.form(request, session)
        if signed_in.refresh_token is not None and not await self._renew(session, signed_in):
            return self._ended(session)
        return RedirectResponse("/", 303)

    async def allow_renewal(self, request: Request) -> Response:
        """Ask for `offline_access` with consent (OIDC Core 11), for providers that did not give it without."""
        session, _ = self._signed_in(request)
        await self.site.form(request, session)
        return await self.site.to_provider(session, ASKED, then="/", prompt="consent")

    async def try_transfer(self, request: Request) -> Response:
        """Try to move money with the token of this application; the bank's API is expected to refuse."""
        session, signed_in = self._signed_in(request)
        await self.site.form(request, session)
        try:
            answer = await self.site.party.world.http.post(
                f"{self.site.urls.bank}/api/transfers",
                json={"payee": "Acme Notes", "amount": "1.00"},
                headers={"authorization": f"Bearer {signed_in.access_token}"},
            )
        except httpx.HTTPError:
            return self.site.page("tried", session, status_code=None, challenge="")
        challenge = answer.headers.get("www-authenticate", "")
        return self.site.page("tried", session, status_code=answer.status_code, challenge=challenge)

    def _list(self, session: Session[Desk], *, error: str | None, typed: str) -> Response:
        signed_in = session.signed_in
        subject = signed_in.person.subject if signed_in is not None else ""
        return self.site.page(
            "notes",
            session,
            status=200 if error is None else 400,
            notes=self._notes.get(subject, []),
            desk=session.own,
            signed_in=signed_in,
            error=error,
            typed=typed,
            longest=LONGEST,
        )

    def _ended(self, session: Session[Desk]) -> Response:
        self.site.sessions.end(session)
        response = self.site.page("home", ended=True)
        self.site.sessions.forget(response)
        return response

    def _signed_in(self, request: Request) -> tuple[Session[Desk], SignedIn]:
        here = self.site.signed_in(request)
        if here is None:
            raise HTTPException(403)
        return here

    async def _renew(self, session: Session[Desk], seen: SignedIn) -> bool:
        """Renew once, however many ask at the same time; False when the provider has ended this login."""
        async with session.own.lock:
            if session.signed_in is not seen:  # somebody renewed while we waited
                return session.signed_in is not None
            try:
                renewed = await self.site.party.refresh(seen)
            except ProviderUnavailable:
                session.own.cannot_renew = True  # the notes are ours: they stay readable
                return True
            if renewed is None:
                session.signed_in = None
                return False
            session.signed_in = renewed
            session.own.renewed_at, session.own.cannot_renew = self.site.config.now(), False
            return True


def notes(config: Registration, urls: DemoUrls | None = None) -> Starlette:
    """The notes as an ASGI application."""
    here = Notes(config, urls or DemoUrls())
    routes: Sequence[BaseRoute] = [
        Route("/", here.home),
        Route("/login", here.login),
        Route("/callback", here.callback),
        Route("/notes", here.add, methods=["POST"]),
        Route("/renew", here.renew, methods=["POST"]),
        Route("/allow-renewal", here.allow_renewal, methods=["POST"]),
        Route("/try-transfer", here.try_transfer, methods=["POST"]),
    ]
    return here.site.application(routes)
