"""People who set up an account that nobody has used yet: the mailbox proved, the first password, the end of it."""

from datetime import datetime
from uuid import UUID

import asyncpg

from idp.errors import AlreadyThere
from idp.store.engine import Conn
from idp.store.sql import Sql

_VERIFY = Sql("""
UPDATE account SET email_verified = true, updated_at = :now WHERE id = :account_id AND email IS NOT NULL""")
# A provisional account has its name from nobody; another keeps the name that an operator gave it.
_FIRST = Sql("""
UPDATE account
SET password_hash = :password_hash, updated_at = :now,
    username = CASE WHEN provisional_until IS NULL THEN username ELSE :username END
WHERE id = :account_id AND password_hash IS NULL
RETURNING id""")
_FORGET = Sql("""
UPDATE account SET password_hash = NULL, password_until = NULL, updated_at = :now WHERE id = :account_id""")
_SETTLE = Sql("UPDATE account SET provisional_until = NULL WHERE id = :account_id AND password_hash IS NOT NULL")


async def verify_mailbox(conn: Conn, *, account_id: UUID, now: datetime) -> None:
    """The link that was mailed there was pressed: the address is theirs."""
    await conn.one(_VERIFY, account_id=account_id, now=now)


async def set_first_password(conn: Conn, *, account_id: UUID, username: str, password_hash: str, now: datetime) -> bool:
    """True for exactly one caller: the account had none. Raises `AlreadyThere` when the username is taken."""
    values = {"account_id": account_id, "username": username, "password_hash": password_hash, "now": now}
    try:
        return await conn.one(_FIRST, **values) is not None
    except asyncpg.UniqueViolationError:
        raise AlreadyThere(f"A user named {username!r} exists already.") from None


async def forget_password(conn: Conn, *, account_id: UUID, now: datetime) -> None:
    """Nobody signs in any more, until a first password is set again."""
    await conn.one(_FORGET, account_id=account_id, now=now)


async def settle(conn: Conn, *, account_id: UUID) -> None:
    """The account is there for good."""
    await conn.one(_SETTLE, account_id=account_id)
