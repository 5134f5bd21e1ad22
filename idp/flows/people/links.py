"""Links of mails, whatever they are for: made in the transaction of their cause, looked at, spent once.

The token is derived when the mail leaves, as codes are: the outbox keeps what it is derived from, the link a hash. What
a link shows and does is its own room's business.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from idp.crypto import digest, random_bytes
from idp.flows.delivery.linking import link_token, seal_address
from idp.flows.idp import Idp, Visitor, next_token
from idp.model import Account, Session
from idp.model.links import Link, LinkFor
from idp.store.engine import Conn, Connection
from idp.store.people import links
from idp.store.signin import sessions

_NONCE_BYTES = 16


@dataclass(frozen=True, slots=True)
class Made:
    """A link to be stored, and from what its token is derived."""

    link: Link
    nonce: bytes = field(repr=False)
    key_id: str


def new(
    idp: Idp,
    purpose: LinkFor,
    account_id: UUID,
    *,
    ttl: timedelta,
    now: datetime,
    about: UUID | None = None,
    fields: Mapping[str, Any] | None = None,
    nonce: bytes | None = None,
) -> Made:
    """A link that nobody stored yet; with a `nonce` of a form that may be sent twice, unless that was."""
    nonce, key_id = nonce or random_bytes(_NONCE_BYTES), idp.secrets.current
    token = link_token(idp, purpose, nonce=nonce, key_id=key_id)
    return Made(Link(digest(token), purpose, account_id, now, now + ttl, None, about, fields or {}), nonce, key_id)


async def before(conn: Conn, made: Made) -> Link | None:
    """The same link as it was stored by the first of two forms. None: there is none."""
    found = await links.look(conn, token_hash=made.link.hash, purpose=made.link.purpose)
    return found if found is not None and found.account_id == made.link.account_id else None


async def make(conn: Connection, made: Made, idp: Idp, *, locale: str | None, to: str | None = None) -> None:
    """Store a link and its mail, in the transaction of what it is about. `to`: another address than the person's."""
    message_id = uuid4()
    await links.add(conn, made.link)
    await links.mail(
        conn,
        made.link,
        message_id=message_id,
        nonce=made.nonce,
        key_id=made.key_id,
        locale=locale,
        sealed_to=None if to is None else seal_address(idp, to, message_id),
    )


def opened_by(browser: str, token: str) -> UUID:
    """The session that a link opens in the browser with this cookie: the same for a form that is sent twice."""
    return UUID(bytes=digest(f"{browser}\n{token}")[:16], version=4)


async def open_session(
    conn: Connection, idp: Idp, visitor: Visitor, link: Link, token: str, *, now: datetime
) -> tuple[Session, str]:
    """Begin the session that a link opens, which was used up in this very transaction; and its cookie.

    Whoever was signed in here is not any more: nothing of theirs may be used by who opened the link.
    """
    assert visitor.token is not None
    session = Session(opened_by(visitor.token, token), link.account_id, now, now, visitor.user_agent, link=link.purpose)
    cookie = next_token(idp.secrets, visitor.token, session.id)
    await sessions.open_by_link(conn, session, token_hash=digest(cookie), now=now)
    if visitor.session_id is not None:
        await sessions.end(conn, session_id=visitor.session_id, now=now)
    return session, cookie


async def opened_here(idp: Idp, visitor: Visitor, token: str) -> str | None:
    """The cookie that `open_session` gave for this very form before, if its session goes on as it began."""
    assert visitor.token is not None
    session_id = opened_by(visitor.token, token)
    cookie = next_token(idp.secrets, visitor.token, session_id)
    return cookie if await sessions.is_new(idp.db, session_id=session_id, token_hash=digest(cookie)) else None


async def look(idp: Idp, purpose: LinkFor, token: str) -> Link | None:
    """The link with this token, if there is one, whether it works still or not. Spends nothing."""
    return await links.look(idp.db, token_hash=digest(token), purpose=purpose)


async def spend(conn: Conn, purpose: LinkFor, token: str, *, now: datetime) -> Link | None:
    """Use a link up: the link for exactly one caller, ever. None for everybody else."""
    return await links.spend(conn, token_hash=digest(token), purpose=purpose, now=now)


async def withdraw(conn: Connection, idp: Idp, leaving: Account, *, now: datetime) -> None:
    """What somebody asked for who is no operator any more, or perhaps somebody else, waits for no second one.

    In the transaction that takes their role, or the account.
    """
    if idp.policy.role_of(leaving.groups) is not None:
        await links.withdraw(conn, operator=leaving.id, now=now)
