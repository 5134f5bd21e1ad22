"""Links of mails by the hashes of their tokens: make, look, spend once. The mail that carries one is put out beside."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol
from uuid import UUID

from idp.model.links import Link, LinkFor
from idp.store.delivery.messages import CHANNEL, waking
from idp.store.engine import Conn, Row
from idp.store.sql import Sql, values_of

_LINK = "l.hash, l.purpose, l.account_id, l.created_at, l.expires_at, l.used_at, l.about, l.fields"

_ADD = Sql("""
INSERT INTO link (hash, purpose, account_id, about, fields, created_at, expires_at)
VALUES (:hash, :purpose, :account_id, :about, :fields, :created_at, :expires_at)""")

_ADD_MANY = Sql(f"""
WITH made AS (
    SELECT * FROM jsonb_to_recordset(:links) AS made (
        hash text, purpose text, account_id uuid, fields jsonb, created_at timestamptz, expires_at timestamptz,
        nonce text, key_id text, locale text)
),
linked AS (
    INSERT INTO link (hash, purpose, account_id, fields, created_at, expires_at)
    SELECT decode(hash, 'hex'), purpose, account_id, fields, created_at, expires_at FROM made
),
queued AS (
    INSERT INTO message (id, account_id, channel, kind, nonce, key_id, purpose, locale, created_at, expires_at)
    SELECT gen_random_uuid(), account_id, 'email', purpose, decode(nonce, 'hex'), key_id, purpose, locale, created_at,
           expires_at
    FROM made WHERE :mail
    RETURNING id
)
SELECT {waking("queued")}""")

# The mail that carries a link goes to the person's address, or to `sealed_to`, which is bound to the message's id.
_MAIL = Sql(f"""
WITH queued AS (
    INSERT INTO message (id, account_id, channel, kind, nonce, key_id, purpose, sealed_to, locale, created_at,
                         expires_at)
    VALUES (:message_id, :account_id, 'email', :purpose, :nonce, :key_id, :purpose, :sealed_to, :locale, :created_at,
            :expires_at)
    RETURNING id
)
SELECT id, pg_notify('{CHANNEL}', '') FROM queued""")

_LOOK = Sql(f"SELECT {_LINK} FROM link l WHERE l.hash = :hash AND l.purpose = :purpose")

_WAITING = Sql(f"""
SELECT {_LINK} FROM link l
WHERE l.account_id = :account_id AND l.purpose = :purpose AND l.used_at IS NULL AND l.expires_at > :now
ORDER BY l.created_at DESC LIMIT 1""")

# One to freeze the account stands in every notice.
_OPEN = Sql(f"""
SELECT {_LINK} FROM link l
WHERE l.account_id = :account_id AND l.purpose <> 'freeze' AND l.used_at IS NULL AND l.expires_at > :now
ORDER BY l.created_at DESC LIMIT 20""")
# One for each person, whoever asked.
_FOR_OPERATORS = Sql("""
SELECT l.account_id, a.username, l.fields ->> 'by' AS by, l.expires_at FROM link l JOIN account a ON a.id = l.account_id
WHERE l.purpose = 'recover' AND l.used_at IS NULL AND l.expires_at > :now
ORDER BY l.expires_at LIMIT 20""")

_SPEND = Sql(f"""
UPDATE link l SET used_at = :now
WHERE l.hash = :hash AND l.purpose = :purpose AND l.used_at IS NULL AND l.expires_at > :now
RETURNING {_LINK}""")

_NEWEST = Sql(f"""
SELECT {_LINK} FROM link l
WHERE l.account_id = :account_id AND l.purpose = :purpose
ORDER BY l.created_at DESC, l.used_at IS NULL DESC
LIMIT 1""")

_DROP = Sql("""
UPDATE link SET used_at = :now
WHERE account_id = :account_id AND purpose = :purpose AND used_at IS NULL
RETURNING hash""")

# Few wait for an operator at any time, and operators leave seldom: no index.
_WITHDRAW = Sql("""
UPDATE link SET used_at = :now
WHERE purpose = 'recover' AND fields ->> 'account' = :operator AND used_at IS NULL""")


def _read(row: Row) -> Link:
    return Link(**{**row, "purpose": LinkFor(row["purpose"])})


async def add(conn: Conn, new: Link) -> None:
    """Store a link that was just made."""
    await conn.one(_ADD, **values_of(new) | {"purpose": new.purpose.value, "fields": dict(new.fields)})


class Made(Protocol):
    """A link, and from what its token is derived."""

    @property
    def link(self) -> Link:
        """What is kept of it."""

    @property
    def nonce(self) -> bytes:
        """What its mail derives the token from."""

    @property
    def key_id(self) -> str:
        """And with which key."""


async def add_many(conn: Conn, made: Sequence[tuple[Made, str | None]], *, mail: bool) -> None:
    """Store links, each with the language of its person, and with `mail` the mails that carry them."""
    rows = [
        {
            "hash": one.link.hash.hex(),
            "purpose": one.link.purpose.value,
            "account_id": str(one.link.account_id),
            "fields": dict(one.link.fields),
            "created_at": one.link.created_at.isoformat(),
            "expires_at": one.link.expires_at.isoformat(),
            "nonce": one.nonce.hex(),
            "key_id": one.key_id,
            "locale": locale,
        }
        for one, locale in made
    ]
    await conn.one(_ADD_MANY, links=rows, mail=mail)


async def mail(
    conn: Conn,
    link: Link,
    *,
    message_id: UUID,
    nonce: bytes,
    key_id: str,
    locale: str | None,
    sealed_to: bytes | None = None,
) -> None:
    """Put the mail that carries this link into the outbox. It is worth sending for as long as the link works."""
    await conn.one(
        _MAIL,
        message_id=message_id,
        account_id=link.account_id,
        purpose=link.purpose.value,
        nonce=nonce,
        key_id=key_id,
        sealed_to=sealed_to,
        locale=locale,
        created_at=link.created_at,
        expires_at=link.expires_at,
    )


async def look(conn: Conn, *, token_hash: bytes, purpose: LinkFor) -> Link | None:
    """The link of this token, whether it works still or not. Changes nothing."""
    row = await conn.one(_LOOK, hash=token_hash, purpose=purpose.value)
    return None if row is None else _read(row)


async def waiting(conn: Conn, *, account_id: UUID, purpose: LinkFor, now: datetime) -> Link | None:
    """The newest link of this kind that a person may still open."""
    row = await conn.one(_WAITING, account_id=account_id, purpose=purpose.value, now=now)
    return None if row is None else _read(row)


async def open_of(conn: Conn, *, account_id: UUID, now: datetime) -> Sequence[Link]:
    """The links of a person that work still, newest first, but for those that freeze the account."""
    return [_read(row) for row in await conn.all(_OPEN, account_id=account_id, now=now)]


async def for_operators(conn: Conn, *, now: datetime) -> Sequence[tuple[UUID, str, str, datetime]]:
    """The recoveries that wait for a second operator: account, username, who asked, until when. The oldest first."""
    rows = await conn.all(_FOR_OPERATORS, now=now)
    return [(row["account_id"], row["username"], row["by"], row["expires_at"]) for row in rows]


async def spend(conn: Conn, *, token_hash: bytes, purpose: LinkFor, now: datetime) -> Link | None:
    """Use a link up. The link for exactly one caller, ever; None for all others, and for one that does not work."""
    row = await conn.one(_SPEND, hash=token_hash, purpose=purpose.value, now=now)
    return None if row is None else _read(row)


async def newest(conn: Conn, *, account_id: UUID, purpose: LinkFor) -> Link | None:
    """The link of this kind that was made last for a person, whether it works still or not."""
    row = await conn.one(_NEWEST, account_id=account_id, purpose=purpose.value)
    return None if row is None else _read(row)


async def drop(conn: Conn, *, account_id: UUID, purpose: LinkFor, now: datetime) -> int:
    """No link of this kind that the person has works any more; how many did."""
    return len(await conn.all(_DROP, account_id=account_id, purpose=purpose.value, now=now))


async def withdraw(conn: Conn, *, operator: UUID, now: datetime) -> None:
    """What this operator asked another one to confirm waits no more."""
    await conn.one(_WITHDRAW, operator=str(operator), now=now)
