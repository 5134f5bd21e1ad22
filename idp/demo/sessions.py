"""The applications' own sessions: an opaque cookie, the rest on the server, in memory. No protocol."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Generic, TypeVar

from starlette.requests import Request
from starlette.responses import Response

from idp.demo.registration import Registration
from stile_rp import SignedIn

IDLE = timedelta(minutes=30)
ABSOLUTE = timedelta(hours=8)
KEPT = 10_000

Own = TypeVar("Own")


@dataclass(slots=True)
class Session(Generic[Own]):
    """One browser. `own` is what the application keeps about it; `csrf` stands in every form.

    `languages` is what this visitor wants the provider's pages in, best first.
    """

    id: str = field(repr=False)
    csrf: str = field(repr=False)
    own: Own
    started_at: datetime
    seen_at: datetime
    logins: dict[str, Any] = field(default_factory=dict, repr=False)
    signed_in: SignedIn | None = None
    languages: tuple[str, ...] = ()


class Sessions(Generic[Own]):
    """All sessions of one application."""

    def __init__(self, config: Registration, name: str, own: Callable[[], Own]) -> None:
        self._now = config.now
        self._own = own
        self._secure = config.base_url.startswith("https://")
        # Browsers keep Secure and __Host- for https; on a loopback http address the plain name has to do.
        self._cookie = f"__Host-{name}" if self._secure else name
        self._sessions: dict[str, Session[Own]] = {}

    def find(self, request: Request) -> Session[Own] | None:
        """This browser's session, if it has a living one."""
        session = self._sessions.get(request.cookies.get(self._cookie, ""))
        if session is None:
            return None
        now = self._now()
        if now - session.seen_at > IDLE or now - session.started_at > ABSOLUTE:
            self.end(session)
            return None
        session.seen_at = now
        self._sessions[session.id] = self._sessions.pop(session.id)  # the least recently seen stands first
        return session

    def open(self, request: Request) -> Session[Own]:
        """This browser's session, a new one if need be."""
        session = self.find(request)
        if session is None:
            now = self._now()
            session = Session(secrets.token_urlsafe(32), secrets.token_urlsafe(32), self._own(), now, now)
            while len(self._sessions) >= KEPT:
                del self._sessions[next(iter(self._sessions))]
            self._sessions[session.id] = session
        return session

    def sign_in(self, session: Session[Own], signed_in: SignedIn) -> None:
        """Somebody is there: a new cookie and new forms, so that whoever knew the old ones knows nothing."""
        before = session.signed_in
        if before is not None and before.person.subject != signed_in.person.subject:
            session.own = self._own()
        self.end(session)
        session.id, session.csrf = secrets.token_urlsafe(32), secrets.token_urlsafe(32)
        session.started_at = session.seen_at = self._now()
        session.signed_in = signed_in
        self._sessions[session.id] = session

    def end(self, session: Session[Own]) -> None:
        """The cookie opens nothing any more."""
        self._sessions.pop(session.id, None)

    def keep(self, response: Response, session: Session[Own]) -> None:
        """Give the browser the cookie of this session."""
        response.set_cookie(self._cookie, session.id, httponly=True, samesite="lax", secure=self._secure)

    def forget(self, response: Response) -> None:
        """Take the cookie away."""
        response.delete_cookie(self._cookie, httponly=True, samesite="lax", secure=self._secure)
