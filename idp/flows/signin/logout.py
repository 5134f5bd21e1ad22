"""Signing out: because an application asks (RP-Initiated Logout 1.0), or because the person does."""

import base64
import binascii
import json
from dataclasses import dataclass, field
from uuid import UUID

from idp.audit import SignedOut
from idp.errors import SealBroken
from idp.flows.idp import INTERNAL, Idp, Visitor
from idp.model import Account, Client, Session
from idp.oidc import logout
from idp.oidc.errors import PageError
from idp.oidc.logout import AlreadyOut, Ask, LogOut, LogoutRequest
from idp.oidc.params import Params
from idp.oidc.redirects import leads_on
from idp.store import audits
from idp.store.signin import facts as store_facts
from idp.store.signin import sessions

_PURPOSE = "logout-request"
_NAMES = ("id_token_hint", "client_id", "post_logout_redirect_uri", "state", "ui_locales")
_OFFER = ("client_id", "post_logout_redirect_uri", "state")


@dataclass(frozen=True, slots=True)
class Confirm:
    """Ask the person; `request` brings the application's request back with their answer."""

    account: Account
    client: Client | None
    redirect_to: str | None
    request: str = field(repr=False)
    ui_locales: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Out:
    """Nobody is signed in any more. `redirect_to` is the application's registered page, with its state.

    `offered` is such a page to be pressed, not followed; `told` brings it to the page that says so (`ended`).
    `account` is who it was, `ui_locales` what the application asked for: the language of the page that says so.
    """

    client: Client | None = None
    redirect_to: str | None = None
    account: Account | None = None
    ui_locales: tuple[str, ...] = ()
    offered: str | None = None
    told: Params = field(default_factory=dict, repr=False)


def pack(idp: Idp, params: Params) -> str:
    """A logout request sealed, so that it can wait in a URL or a form: an ID token must not stand there in the open."""
    kept = json.dumps({name: params[name] for name in _NAMES if name in params}).encode()
    sealed = idp.secrets.seal(kept, purpose=_PURPOSE, bound_to=_PURPOSE)
    return base64.urlsafe_b64encode(sealed).rstrip(b"=").decode()


def unpack(idp: Idp, packed: str) -> Params:
    """What `pack` packed; nothing for anything else."""
    try:
        sealed = base64.b64decode(packed + "=" * (-len(packed) % 4), altchars=b"-_", validate=True)
        kept: dict[str, str] = json.loads(idp.secrets.unseal(sealed, purpose=_PURPOSE, bound_to=_PURPOSE))
    except (binascii.Error, ValueError, SealBroken):
        return {}
    return kept


async def begin(idp: Idp, params: Params, visitor: Visitor) -> Confirm | Out:
    """Sign out at once where the hint is of this very session, else ask. Raises `PageError` for a bad request."""
    request = _parse(idp, params)
    session, account = await _who(idp, visitor)
    match logout.decide(request, session=session):
        case LogOut():
            assert session is not None
            await _end(idp, session.id, account, why="application")
        case Ask():
            assert account is not None
            return Confirm(account, request.client, request.redirect_to, pack(idp, params), _languages(params))
        case AlreadyOut():
            pass
    return _out(request, params, account)


def leads_to(idp: Idp, params: Params) -> tuple[str, ...]:
    """What a form may lead to that sends this request. Raises `PageError` for a bad request."""
    request = _parse(idp, params)
    return leads_on(request.redirect_to, request.client.redirect_uris) if request.redirect_to and request.client else ()


async def confirmed(idp: Idp, params: Params, visitor: Visitor) -> Out:
    """The person said yes on our own page. Raises `PageError` when the request has become a bad one."""
    request = _parse(idp, params)
    out = await sign_out(idp, visitor, why="application")
    return _out(request, params, out.account)


def ended(idp: Idp, told: Params) -> Out:
    """What there is to offer after a sign-out that has happened."""
    try:
        return _out(_parse(idp, {name: told[name] for name in _OFFER if name in told}), told, None)
    except PageError:
        return Out()


def _out(request: LogoutRequest, params: Params, account: Account | None) -> Out:
    told = {name: params[name] for name in _OFFER if name in params} if request.offered else {}
    return Out(request.client, request.redirect_to, account, _languages(params), request.offered, told)


async def sign_out(idp: Idp, visitor: Visitor, *, why: str = "person") -> Out:
    """End this browser's session and its grants without offline_access, whatever it has proved."""
    session, account = await _who(idp, visitor)
    if session is not None:
        await _end(idp, session.id, account, why=why)
    return Out(account=account)


async def is_signed_in(idp: Idp, visitor: Visitor) -> bool:
    """Whether there is anybody to sign out in this browser."""
    session, _ = await _who(idp, visitor)
    return session is not None and session.account_id is not None


def _languages(params: Params) -> tuple[str, ...]:
    return tuple(params.get("ui_locales", "").split()[:10])  # RIL 2


def _parse(idp: Idp, params: Params) -> LogoutRequest:
    return logout.parse(params, client_lookup=idp.registered, issuer=idp.issuer, keys=idp.keys)


async def _who(idp: Idp, visitor: Visitor) -> tuple[Session | None, Account | None]:
    if visitor.token_hash is None:
        return None, None
    loaded = await store_facts.of_session(
        idp.db,
        token_hash=visitor.token_hash,
        session_id=visitor.session_id,
        client_id=INTERNAL,
        device=None,
        sessions=idp.policy.sessions,
        now=idp.clock.now(),
    )
    return loaded.session, loaded.account


async def _end(idp: Idp, session_id: UUID, account: Account | None, *, why: str) -> None:
    now = idp.clock.now()
    async with idp.db.transaction() as conn:
        if await sessions.end(conn, session_id=session_id, now=now):
            await audits.add(conn, SignedOut(why=why), now=now, account_id=account.id if account else None)
