"""An authorization request that comes in: answered, asked about at its own address, or stored and asked about."""

from dataclasses import replace
from datetime import datetime

from idp import limits
from idp.crypto import digest
from idp.errors import TooMany
from idp.flows.idp import Idp, Visitor, address_key, exempt, session_token
from idp.flows.signin.authorize import Show, ToClient, ToInteraction, at_once
from idp.flows.signin.first import first_cookie
from idp.limits import Closed, Refused
from idp.model import AuthorizationRequest, Session
from idp.policy import Kind
from idp.store import rate_limits
from idp.store.signin import sessions


async def begin(idp: Idp, request: AuthorizationRequest, visitor: Visitor) -> ToClient | ToInteraction:
    """A new authorization request: answered at once if nothing has to be asked, else stored and asked about.

    Raises `PageError` as `at_once`, and `TooMany` where one address has more stored for nobody than anybody needs.
    """
    found = await at_once(idp, request, visitor)
    return found if isinstance(found, ToClient) else await _store(idp, found, visitor)


async def begin_here(idp: Idp, request: AuthorizationRequest, visitor: Visitor) -> ToClient | ToInteraction | Show:
    """As `begin`, for a request that has an address: where the password is asked for, that is done there.

    Nothing is stored for it. A browser needs a cookie for its form to be known by, and keeps the one it has if that
    opens its session, or names one that nobody began yet. What once was a session is not begun again under its id.
    """
    found = await at_once(idp, request, visitor)
    if isinstance(found, ToClient):
        return found
    return with_cookie(idp, found, visitor) if found.ask.kind is Kind.PASSWORD else await _store(idp, found, visitor)


def with_cookie(idp: Idp, asked: Show, visitor: Visitor) -> Show:
    """The page for a password of which nothing is stored, with the cookie that its form needs to be known by."""
    if asked.loaded.session is not None or (visitor.untried and not asked.loaded.taken):
        return asked
    return replace(asked, token=first_cookie(idp, now=asked.facts.now))


async def _store(idp: Idp, asked: Show, visitor: Visitor) -> ToInteraction:
    started, loaded = asked.interaction, asked.loaded
    if loaded.session is None or loaded.session.account_id is None:
        await charge(idp, visitor, now=started.started_at)
    if loaded.session is not None:
        await sessions.begin(idp.db, started=started, now=started.started_at)
        return ToInteraction(started.id)
    token = session_token(idp.secrets, started.session_id)
    anonymous = Session(started.session_id, None, started.started_at, started.started_at, visitor.user_agent)
    await sessions.begin(
        idp.db, started=started, now=started.started_at, new_session=anonymous, token_hash=digest(token)
    )
    return ToInteraction(started.id, token)


async def charge(idp: Idp, visitor: Visitor, *, now: datetime) -> None:
    """What is stored for a stranger is counted, so that nobody fills the tables from one address."""
    if exempt(idp, visitor):
        return
    charge = (idp.limits.stored_requests, limits.subject(idp.limits.stored_requests, address_key(idp, visitor)))
    match await rate_limits.spend(idp.db, [charge], now=now, waits=False):
        case Refused(retry_after):
            raise TooMany(retry_after)
        case Closed():
            raise TooMany(limits.FOR_EVER)
        case None:
            return
