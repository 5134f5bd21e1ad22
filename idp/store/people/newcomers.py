"""People who set up an account that nobody has used yet: the mailbox proved, the first password, the end of it."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg

from idp.audit import Event
from idp.errors import AlreadyThere
from idp.sentences import sentence
from idp.store.audits import audit_values
from idp.store.delivery.messages import CHANNEL
from idp.store.engine import Conn
from idp.store.people.links import Made
from idp.store.sql import Sql

_VERIFY = Sql("""
UPDATE account a SET email_verified = true, updated_at = :now
WHERE a.id = :account_id AND a.email IS NOT NULL AND (a.provisional_until IS NULL OR NOT EXISTS (
    SELECT FROM account other
    WHERE lower(other.email COLLATE "C") = lower(a.email COLLATE "C") AND other.email_verified
      AND other.id <> a.id))
RETURNING a.id""")
# A provisional account has its name from nobody; another keeps the name that an operator gave it.
_FIRST = Sql("""
UPDATE account
SET password_hash = :password_hash, updated_at = :now,
    username = CASE WHEN provisional_until IS NULL THEN username ELSE :username END
WHERE id = :account_id AND password_hash IS NULL
RETURNING id""")
_WAITING = Sql("""
SELECT username FROM account WHERE username = ANY (:usernames) AND password_hash IS NULL ORDER BY username""")
_FORGET = Sql("""
UPDATE account SET password_hash = NULL, password_until = NULL, password_by = NULL, updated_at = :now
WHERE id = :account_id""")
# An account that is nobody's yet, or the one that has this verified address: each gets the link that is for it. The
# trail has a row for either, and for an address of somebody who is kept out: every answer waits for one commit.
_REGISTER = Sql(f"""
WITH there AS (
    SELECT id, locale, disabled_at FROM account
    WHERE lower(email COLLATE "C") = lower(:email COLLATE "C") AND email_verified
),
fresh AS (
    INSERT INTO account (id, username, name, email, email_verified, locale, created_at, updated_at, provisional_until)
    SELECT :account_id, :username, :name, :email, false, :locale, :now, :now, :until
    WHERE NOT EXISTS (SELECT FROM there)
    RETURNING id, locale
),
reached AS (
    SELECT id, locale, :new_purpose AS purpose, :new_hash::bytea AS hash, :new_nonce::bytea AS nonce,
           :new_expires::timestamptz AS expires_at, :fields::jsonb AS fields
    FROM fresh
    UNION ALL
    (SELECT id, coalesce(locale, :locale), :known_purpose, :known_hash, :known_nonce, :known_expires, '{{}}'
     FROM there WHERE disabled_at IS NULL ORDER BY id LIMIT 1)
),
linked AS (
    INSERT INTO link (hash, purpose, account_id, fields, created_at, expires_at)
    SELECT hash, purpose, id, fields, :now, expires_at FROM reached
),
queued AS (
    INSERT INTO message (id, account_id, channel, kind, nonce, key_id, purpose, locale, created_at, expires_at)
    SELECT gen_random_uuid(), id, 'email', purpose, nonce, :key_id, purpose, locale, :now, expires_at FROM reached
    RETURNING account_id
),
audited AS (
    INSERT INTO audit_event (at, name, account_id, fields)
    SELECT :now, :audit_name, q.account_id, :audit_fields FROM (SELECT) AS always LEFT JOIN queued q ON true
)
SELECT count(*), pg_notify('{CHANNEL}', '') FROM queued""")
_SETTLE = Sql("UPDATE account SET provisional_until = NULL WHERE id = :account_id AND password_hash IS NOT NULL")


async def register(
    conn: Conn,
    *,
    new: Made,
    known: Made,
    username: str,
    name: str | None,
    email: str,
    locale: str,
    until: datetime,
    audit: Event,
    now: datetime,
) -> None:
    """Mail the link `new` to an account that goes `until` then; or `known`, where the address is somebody's."""
    await conn.one(
        _REGISTER,
        account_id=new.link.account_id,
        username=username,
        name=name,
        email=email,
        locale=locale,
        until=until,
        key_id=new.key_id,
        fields=dict(new.link.fields),
        now=now,
        **_values("new", new),
        **_values("known", known),
        **audit_values(audit),
    )


def _values(prefix: str, made: Made) -> dict[str, Any]:
    return {
        f"{prefix}_purpose": made.link.purpose.value,
        f"{prefix}_hash": made.link.hash,
        f"{prefix}_nonce": made.nonce,
        f"{prefix}_expires": made.link.expires_at,
    }


async def verify_mailbox(conn: Conn, *, account_id: UUID, now: datetime) -> bool:
    """The link that was mailed there was pressed: the address is theirs, unless somebody proved it before."""
    return await conn.one(_VERIFY, account_id=account_id, now=now) is not None


async def set_first_password(conn: Conn, *, account_id: UUID, username: str, password_hash: str, now: datetime) -> bool:
    """True for exactly one caller: the account had none. Raises `AlreadyThere` when the username is taken."""
    values = {"account_id": account_id, "username": username, "password_hash": password_hash, "now": now}
    try:
        return await conn.one(_FIRST, **values) is not None
    except asyncpg.UniqueViolationError:
        told = sentence("A user named %(name)s exists already.", name=repr(username))
        raise AlreadyThere(told, field="username") from None


async def waiting(conn: Conn, *, usernames: Sequence[str]) -> tuple[str, ...]:
    """Those of these people who have set no password yet."""
    return tuple(row["username"] for row in await conn.all(_WAITING, usernames=list(usernames)))


async def forget_password(conn: Conn, *, account_id: UUID, now: datetime) -> None:
    """Nobody signs in any more, until a first password is set again."""
    await conn.one(_FORGET, account_id=account_id, now=now)


async def settle(conn: Conn, *, account_id: UUID) -> None:
    """The account is there for good."""
    await conn.one(_SETTLE, account_id=account_id)
