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
from idp.flows.idp import Idp
from idp.model.links import Link, LinkFor
from idp.store.engine import Conn, Connection
from idp.store.people import links

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
) -> Made:
    """A link that nobody stored yet."""
    nonce, key_id = random_bytes(_NONCE_BYTES), idp.secrets.current
    token = link_token(idp, purpose, nonce=nonce, key_id=key_id)
    return Made(Link(digest(token), purpose, account_id, now, now + ttl, None, about, fields or {}), nonce, key_id)


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


async def look(idp: Idp, purpose: LinkFor, token: str) -> Link | None:
    """The link with this token, if there is one, whether it works still or not. Spends nothing."""
    return await links.look(idp.db, token_hash=digest(token), purpose=purpose)


async def spend(conn: Conn, purpose: LinkFor, token: str, *, now: datetime) -> Link | None:
    """Use a link up: the link for exactly one caller, ever. None for everybody else."""
    return await links.spend(conn, token_hash=digest(token), purpose=purpose, now=now)
