"""A forgotten password: a link by e-mail, the strongest factor there is, then a new password. It never signs in.

Whoever asks is answered the same, in the same time, whatever was typed (promise 9): `forgotten`.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import assert_never
from uuid import UUID, uuid4

from idp import limits
from idp.audit import GrantRevoked, PasswordChanged, ResetBegun, SignedOut
from idp.crypto import digest
from idp.factors import password as passwords
from idp.factors.strength import acceptable
from idp.flows.delivery.notices import tell
from idp.flows.idp import INTERNAL, Idp, Visitor, address_key, device_key
from idp.flows.language import message_language
from idp.flows.people import links
from idp.flows.people.account import TWICE, Done, Weak
from idp.flows.people.rooms import TooOften
from idp.flows.signin.authorize import ToInteraction, facts_of, paused
from idp.flows.signin.begin import begin
from idp.limits import Closed, Refused
from idp.model import Account, AuthorizationRequest, Change, Device, Notice, Session
from idp.model.links import Link, LinkFor
from idp.policy import Ask, May, Refuse, resetting
from idp.store import audits, rate_limits
from idp.store.engine import Conn, Connection
from idp.store.people import accounts, resets
from idp.store.people import links as store_links
from idp.store.signin import facts as store_facts
from idp.store.signin import sessions
from idp.store.tokens import grants

RESET_PATH = "/reset"
RESET = AuthorizationRequest(
    client_id=INTERNAL, redirect_uri=RESET_PATH, scopes=("openid",), change=Change.RESET_PASSWORD
)


@dataclass(frozen=True, slots=True)
class Over:
    """No link was opened in this browser, or what it opened has ended; nothing was changed."""


@dataclass(frozen=True, slots=True)
class Barred:
    """Nothing that this person can prove lets them choose a password; `refuse` is what the policy says of it."""

    refuse: Refuse
    account: Account | None


@dataclass(frozen=True, slots=True)
class Opened:
    """Somebody who proved all that is asked for, and what it costs."""

    now: datetime
    account: Account
    session: Session
    device: Device | None
    may: May


async def look(idp: Idp, visitor: Visitor, token: str) -> Link | ToInteraction | None:
    """The link while it works; on to where its button led, in the very browser it was pressed in; else None."""
    found = await links.look(idp, LinkFor.RESET, token)
    if found is None:
        return None
    return found if found.works(idp.clock.now()) else await _again(idp, visitor, token)


async def press(idp: Idp, visitor: Visitor, token: str) -> ToInteraction | None:
    """Use the link up and begin the session that it opens. None for a link that does not work.

    Exactly one browser gets in. A form that it sends twice gets the same answer twice.
    """
    now, asked = idp.clock.now(), _asked(token)
    async with idp.db.transaction() as conn:
        link = await links.spend(conn, LinkFor.RESET, token, now=now)
        if link is not None:
            session, cookie = await links.open_session(conn, idp, visitor, link, token, now=now)
            await sessions.begin(conn, started=paused(idp, RESET, asked, session.id, now=now), now=now)
            await audits.add(conn, ResetBegun(), now=now, account_id=session.account_id)
            return ToInteraction(asked, cookie)
    return await _again(idp, visitor, token)


def _asked(token: str) -> UUID:
    """The interaction that a link begins."""
    return UUID(bytes=digest(f"reset\n{token}")[:16], version=4)


async def _again(idp: Idp, visitor: Visitor, token: str) -> ToInteraction | None:
    """To where the button led, for the browser that pressed it; also for one that never heard the answer."""
    if visitor.token_hash is None:
        return None
    asked = _asked(token)
    if (cookie := await links.opened_here(idp, visitor, token)) is not None:
        return ToInteraction(asked, cookie)
    mine = await sessions.is_in(idp.db, interaction_id=asked, token_hash=visitor.token_hash)
    return ToInteraction(asked) if mine else None


async def enter(idp: Idp, visitor: Visitor) -> Opened | ToInteraction | Barred | Over | Done:
    """Whoever proved what it takes may choose a password; what is missing is asked for."""
    match await _judge(idp.db, idp, visitor):
        case Ask():
            asked = await begin(idp, RESET, visitor)
            return asked if isinstance(asked, ToInteraction) else Over()
        case Over():
            return await _just_done(idp, visitor)
        case otherwise:
            return otherwise


async def _judge(conn: Conn, idp: Idp, visitor: Visitor) -> Opened | Ask | Barred | Over:
    now = idp.clock.now()
    if visitor.token_hash is None:
        return Over()
    loaded = await store_facts.of_session(
        conn,
        token_hash=visitor.token_hash,
        session_id=visitor.session_id,
        client_id=INTERNAL,
        device=device_key(idp, visitor),
        sessions=idp.policy.sessions,
        now=now,
    )
    if loaded.session is None:
        return Over()
    started = paused(idp, RESET, uuid4(), loaded.session.id, now=now)
    facts = facts_of(idp, loaded, started, idp.account_pages(), now=now)
    if facts.account is None:
        return Over()
    match resetting(facts, idp.policy):
        case May() as may:
            return Opened(now, facts.account, loaded.session, loaded.device, may)
        case Refuse() as refuse:
            return Barred(refuse, facts.account)
        case Ask() as ask:
            return ask
        case never:
            assert_never(never)


async def _just_done(idp: Idp, visitor: Visitor) -> Done | Over:
    """Who sends the form twice sees the second answer alone."""
    if visitor.token_hash is None:
        return Over()
    since = idp.clock.now() - TWICE
    return Done() if await resets.just_done(idp.db, token_hash=visitor.token_hash, since=since) else Over()


async def choose(idp: Idp, visitor: Visitor, *, new: str) -> Done | Weak | TooOften | ToInteraction | Barred | Over:
    """Set the password. Every session ends, this one too, and every grant; nobody is signed in."""
    opened = await enter(idp, visitor)
    if not isinstance(opened, Opened):
        return opened
    account = opened.account
    words = (idp.settings.brand, account.name or "", (account.email or "").partition("@")[0])
    problems = acceptable(new, username=account.username, words=words)
    parsed = passwords.parse(new)
    if problems or parsed is None:
        return Weak(tuple(problems))
    charge = (idp.limits.enrolments, limits.subject(idp.limits.enrolments, account.id))
    match await rate_limits.spend(idp.db, [charge], now=opened.now):
        case Refused(retry_after):
            return TooOften(retry_after, account)
        case Closed():
            return TooOften(limits.FOR_EVER, account)
        case None:
            pass
    hashed = await idp.passwords.hash_password(parsed)
    async with idp.db.transaction() as conn:
        await accounts.lock(conn, account_id=account.id)
        again = await _judge(conn, idp, visitor)
        if isinstance(again, Opened) and again.account.id == account.id:
            await _set(conn, idp, visitor, again, hashed)
            return Done()
    return await _just_done(idp, visitor)


async def _set(conn: Connection, idp: Idp, visitor: Visitor, opened: Opened, hashed: str) -> None:
    account, now, closed = opened.account, opened.now, opened.may.closed
    await accounts.set_password(conn, account_id=account.id, password_hash=hashed, now=now)
    if closed:
        await accounts.close_strong(conn, account_id=account.id, until=now + closed)
    if opened.may.recovers and account.frozen_at is not None:
        await accounts.thaw(conn, account_id=account.id, now=now)
    await store_links.drop(conn, account_id=account.id, purpose=LinkFor.RESET, now=now)
    ended = await sessions.end_others(conn, account_id=account.id, keep=None, now=now)
    await audits.add(conn, SignedOut(why="reset", sessions=ended), now=now, account_id=account.id)
    await grants.revoke_of_account(
        conn, account_id=account.id, except_session=None, audit=GrantRevoked(why="password"), now=now
    )
    held = round(closed.total_seconds()) or None
    await audits.add(conn, PasswordChanged(by="reset", hold=held), now=now, account_id=account.id)
    await rate_limits.forget(conn, _waits(idp, visitor, opened))
    locale = message_language(idp, visitor, account)
    await tell(idp, conn, account, Notice.PASSWORD_CHANGED, locale=locale, now=now)


def _waits(idp: Idp, visitor: Visitor, opened: Opened) -> list[bytes]:
    """Whoever tried the old password until they had to wait does not wait with the new one, in this place."""
    name, address = idp.secrets.index(opened.account.username, purpose="username"), address_key(idp, visitor)
    rows = [limits.subject_in(idp.limits.password_stranger, name, address)]
    if opened.device is not None:
        rows.append(limits.subject_in(idp.limits.password_device, name, opened.device.subject))
    return rows
