"""People: make, find, change. Passwords arrive hashed."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg

from idp.errors import AlreadyThere
from idp.model import Account, Authenticator, Factor
from idp.sentences import sentence
from idp.store.engine import Conn, Connection, Row
from idp.store.people.columns import ACCOUNT, AUTHENTICATORS, read_account, read_authenticators
from idp.store.sql import Sql, values_of

_BY_NAME = Sql(f"SELECT {ACCOUNT}, {AUTHENTICATORS} FROM account p WHERE p.username = :username")
_BY_ID = Sql(f"SELECT {ACCOUNT}, {AUTHENTICATORS} FROM account p WHERE p.id = :account_id")
_ADD = Sql("""
INSERT INTO account (id, username, password_hash, name, email, email_verified, groups, claims, locale, created_at,
                     updated_at, password_until, password_by)
VALUES (:id, :username, :password_hash, :name, :email, :email_verified, :groups, :claims, :locale, :created_at,
        :created_at, :password_until, :password_by)""")
_LOCK = Sql("SELECT FROM account WHERE id = :account_id FOR NO KEY UPDATE")
_LOCKED = Sql(f"SELECT {ACCOUNT} FROM account p WHERE p.id = :account_id FOR NO KEY UPDATE")
_LOCK_OF_SESSION = Sql("""
SELECT FROM account WHERE id = (SELECT account_id FROM session WHERE token_hash = :token_hash) FOR NO KEY UPDATE""")
_HASH = Sql("SELECT password_hash FROM account WHERE id = :account_id")
_PASSWORD = Sql("""
UPDATE account SET password_hash = :password_hash, password_until = :until, password_by = :by, updated_at = :now
WHERE id = :account_id""")
_OWN_PASSWORD = Sql("""
UPDATE account SET password_hash = :password_hash, password_until = NULL, password_by = NULL, updated_at = :now
WHERE id = :account_id AND password_until IS NOT NULL AND password_hash = :old_hash
RETURNING id""")
_CLAIMS = Sql("UPDATE account SET claims = :claims, updated_at = :now WHERE id = :account_id")
_PROFILE = Sql("""
UPDATE account SET name = :name, locale = :locale, claims = :claims, updated_at = :now WHERE id = :account_id""")
_GROUPS = Sql("UPDATE account SET groups = :groups, updated_at = :now WHERE id = :account_id")
_PREFERS = Sql("""
UPDATE account SET prefers = :factor
WHERE id = :account_id AND prefers IS DISTINCT FROM :factor
RETURNING id""")
_DISABLE = Sql("UPDATE account SET disabled_at = :disabled_at, updated_at = :now WHERE id = :account_id")
# Never earlier than it was to be, so that a second recovery does not shorten the first.
_CLOSE_STRONG = Sql("""
UPDATE account SET strong_from = greatest(strong_from, :until) WHERE id = :account_id""")
# Nothing is said anew of the address, but that it takes mail again.
_SAME = "(email IS NOT DISTINCT FROM :email AND email_verified = :verified)"
_EMAIL = Sql(f"""
WITH mailbox AS (
    UPDATE account
    SET email = :email, email_verified = :verified, email_refused_at = NULL, updated_at = :now,
        -- The oldest one stays: of two changes in a row the first may have been somebody else's.
        former_email = CASE WHEN former_until > :now OR NOT email_verified OR {_SAME} THEN former_email
                            ELSE email END,
        email_trusted_at = CASE WHEN {_SAME} THEN email_trusted_at ELSE :trusted_at::timestamptz END,
        former_until = CASE WHEN email_verified AND NOT {_SAME} OR former_until > :now
                            THEN greatest(former_until, :former_until::timestamptz) END
    WHERE id = :account_id AND (NOT {_SAME} OR email_refused_at IS NOT NULL)
    RETURNING id
),
unsent AS (
    UPDATE message SET state = 'expired', lease_until = NULL
    WHERE account_id = (SELECT id FROM mailbox) AND channel = 'email' AND kind = 'code' AND state = 'waiting'
),
-- What was to be told to the address before is told there, and its link goes to nobody else.
told AS (
    UPDATE message SET former = true
    WHERE account_id = (SELECT id FROM mailbox) AND channel = 'email' AND kind <> 'code' AND state = 'waiting'
      AND nonce IS NOT NULL AND purpose IS NULL
      AND EXISTS (SELECT FROM account WHERE id = :account_id AND email_verified AND email IS DISTINCT FROM :email)
),
dead AS (
    -- Out of tries, whatever any node's clock says.
    UPDATE challenge SET attempts = max_attempts
    WHERE account_id = (SELECT id FROM mailbox) AND factor = 'email' AND consumed_at IS NULL
),
-- Who has a link that was mailed to the old address proves nothing by it any more; an operator's printed one is none.
over AS (
    UPDATE link SET used_at = :now
    WHERE account_id = (SELECT id FROM mailbox) AND purpose IN ('verify_email', 'reset', 'invite', 'register')
      AND used_at IS NULL AND fields -> 'mailed' IS DISTINCT FROM 'false'
),
left_open AS (
    UPDATE session SET ended_at = :now
    WHERE account_id = (SELECT id FROM mailbox) AND link = 'reset' AND ended_at IS NULL
)
SELECT EXISTS (SELECT FROM mailbox) AS changed""")
# What people were told of before is settled by the recovery, of which they are told with a link of its own.
_THAW = Sql("""
WITH over AS (
    UPDATE link SET used_at = :now
    WHERE account_id = :account_id AND purpose = 'freeze' AND used_at IS NULL AND created_at < :now
)
UPDATE account SET frozen_at = NULL WHERE id = :account_id""")
_FREEZE = Sql("""
UPDATE account SET frozen_at = :now, updated_at = :now WHERE id = :account_id AND frozen_at IS NULL RETURNING id""")
_COUNT = Sql("SELECT count(*) FROM account")


async def by_username(conn: Conn, *, username: str) -> tuple[Account, tuple[Authenticator, ...]] | None:
    """A person and their confirmed, open authenticators."""
    row = await conn.one(_BY_NAME, username=username, closed_since=None)
    return None if row is None else _person(row)


async def by_id(conn: Conn, *, account_id: UUID) -> tuple[Account, tuple[Authenticator, ...]] | None:
    """A person and their confirmed, open authenticators."""
    row = await conn.one(_BY_ID, account_id=account_id, closed_since=None)
    return None if row is None else _person(row)


def _person(row: Row) -> tuple[Account, tuple[Authenticator, ...]]:
    found = read_account(row)
    assert found is not None
    return found, read_authenticators(found.id, row["authenticators"])


async def add(conn: Conn, new: Account, *, password_hash: str | None, by: str | None = None) -> None:
    """Store a new person, whose password this operator chose. Raises `AlreadyThere` when the username is taken."""
    values = values_of(new) | {"claims": dict(new.claims)}
    try:
        await conn.one(_ADD, **values, password_hash=password_hash, password_by=by)
    except asyncpg.UniqueViolationError:
        told = sentence("A user named %(name)s exists already.", name=repr(new.username))
        raise AlreadyThere(told, field="username") from None


async def lock(conn: Connection, *, account_id: UUID) -> None:
    """Until the transaction ends, nobody else changes how this person signs in."""
    await conn.one(_LOCK, account_id=account_id)


async def locked(conn: Connection, *, account_id: UUID) -> Account | None:
    """As `lock`, and the person as they are now; None if there is none any more."""
    row = await conn.one(_LOCKED, account_id=account_id)
    return None if row is None else read_account(row)


async def lock_of_session(conn: Connection, *, token_hash: bytes) -> None:
    """As `lock`, for the person of the session with this token."""
    await conn.one(_LOCK_OF_SESSION, token_hash=token_hash)


async def password_hash(conn: Conn, *, account_id: UUID) -> str | None:
    """The stored hash of a person's password, None without one."""
    found: str | None = await conn.value(_HASH, account_id=account_id)
    return found


async def set_password(
    conn: Conn,
    *,
    account_id: UUID,
    password_hash: str,
    now: datetime,
    until: datetime | None = None,
    by: str | None = None,
) -> None:
    """Replace the password, for good or `until` then: the person is to choose one of their own. `by` an operator.

    Ending sessions and grants is the flow's business, in the same transaction.
    """
    values = {"account_id": account_id, "password_hash": password_hash, "until": until, "by": by, "now": now}
    await conn.one(_PASSWORD, **values)


async def set_own_password(
    conn: Conn, *, account_id: UUID, old_hash: str | None, password_hash: str, now: datetime
) -> bool:
    """In place of the one that an operator gave. True for exactly one caller."""
    values = {"account_id": account_id, "old_hash": old_hash, "password_hash": password_hash, "now": now}
    return await conn.one(_OWN_PASSWORD, **values) is not None


async def set_claims(conn: Conn, *, account_id: UUID, claims: Mapping[str, Any], now: datetime) -> None:
    """Replace the further standard claims of a person."""
    await conn.one(_CLAIMS, account_id=account_id, claims=dict(claims), now=now)


async def set_profile(
    conn: Conn, *, account_id: UUID, name: str | None, locale: str | None, claims: Mapping[str, Any], now: datetime
) -> None:
    """Replace what a person says of themselves, all further claims with it."""
    await conn.one(_PROFILE, account_id=account_id, name=name, locale=locale, claims=dict(claims), now=now)


async def set_groups(conn: Conn, *, account_id: UUID, groups: Iterable[str], now: datetime) -> None:
    """Put a person into exactly these groups."""
    await conn.one(_GROUPS, account_id=account_id, groups=sorted(groups), now=now)


async def close_strong(conn: Conn, *, account_id: UUID, until: datetime) -> None:
    """Until then the person opens nothing strong and changes nothing of how they sign in (decision 0014)."""
    await conn.one(_CLOSE_STRONG, account_id=account_id, until=until)


async def set_email(
    conn: Conn,
    *,
    account_id: UUID,
    email: str | None,
    verified: bool,
    now: datetime,
    former_until: datetime | None = None,
    trusted_at: datetime | None = None,
) -> bool:
    """Another address, or another word on whether it is theirs; codes that went to the old one die. False: no change.

    What is told until `former_until` is told to the old one too, if that was verified. Before `trusted_at` it is on
    hold; None: trusted at once. Links that were mailed to the old one work no more.

    A code that is asked for in the same moment, by who still saw the old address, is derived for that one alone.
    """
    return bool(
        await conn.value(
            _EMAIL,
            account_id=account_id,
            email=email,
            verified=verified,
            former_until=former_until,
            trusted_at=trusted_at,
            now=now,
        )
    )


async def set_prefers(conn: Conn, *, account_id: UUID, factor: Factor | None) -> bool:
    """What this person is asked for first; None for whatever fits. False if that is so already."""
    return await conn.one(_PREFERS, account_id=account_id, factor=factor) is not None


async def set_disabled(conn: Conn, *, account_id: UUID, disabled_at: datetime | None, now: datetime) -> None:
    """Disable a person, or enable again with None."""
    await conn.one(_DISABLE, account_id=account_id, disabled_at=disabled_at, now=now)


async def thaw(conn: Conn, *, account_id: UUID, now: datetime) -> None:
    """The account is recovered: it is frozen no more, and no link from before freezes it again.

    When it opens is another matter (`close_strong`).
    """
    await conn.one(_THAW, account_id=account_id, now=now)


async def freeze(conn: Connection, *, account_id: UUID, now: datetime) -> bool:
    """Close what is sensitive until the account is recovered. True for exactly one caller, until then."""
    return await conn.one(_FREEZE, account_id=account_id, now=now) is not None


async def count(conn: Conn) -> int:
    """How many people there are."""
    return int(await conn.value(_COUNT))
