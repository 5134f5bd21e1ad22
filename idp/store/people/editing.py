"""What an operator changes of a person, and the end of one. How they sign in is beside."""

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

import asyncpg

from idp.errors import AlreadyThere
from idp.model import Account
from idp.sentences import sentence
from idp.store.engine import Conn, Connection
from idp.store.removals import REMOVED
from idp.store.sql import Sql

_EDIT = Sql("""
UPDATE account SET username = :username, name = :name, locale = :locale, claims = :claims, groups = :groups,
                   updated_at = :now
WHERE id = :account_id""")
# What is theirs goes with them: the tables say so. The audit trail stays.
_REMOVE = Sql(f"""
WITH removed AS (DELETE FROM account WHERE id = :account_id RETURNING 'person:' || id AS what)
{REMOVED}
RETURNING what""")
# Any number that nobody else locks: whoever would change an administrator waits for who does so already.
_ONE_AT_A_TIME = Sql("SELECT pg_advisory_xact_lock(7310562943)")
_OTHERS = Sql("""
SELECT EXISTS (
    SELECT FROM account
    WHERE groups && :groups AND id <> :account_id AND disabled_at IS NULL AND frozen_at IS NULL
      AND password_hash IS NOT NULL
      AND EXISTS (
          SELECT FROM authenticator
          WHERE account_id = account.id AND factor = ANY (:factors) AND confirmed_at IS NOT NULL AND closed_at IS NULL
      )
)""")


async def edit(conn: Connection, after: Account, *, now: datetime) -> None:
    """Store name, username, language, groups and claims. Raises `AlreadyThere` when the username is taken."""
    try:
        await conn.one(
            _EDIT,
            account_id=after.id,
            username=after.username,
            name=after.name,
            locale=after.locale,
            claims=dict(after.claims),
            groups=sorted(after.groups),
            now=now,
        )
    except asyncpg.UniqueViolationError:
        told = sentence("A user named %(name)s exists already.", name=repr(after.username))
        raise AlreadyThere(told, field="username") from None


async def remove(conn: Connection, *, account_id: UUID, now: datetime) -> bool:
    """Delete a person with all that is theirs. True for exactly one caller."""
    return await conn.one(_REMOVE, account_id=account_id, now=now) is not None


async def one_at_a_time(conn: Connection) -> None:
    """Until the transaction ends, nobody else changes an administrator."""
    await conn.one(_ONE_AT_A_TIME)


async def has_others(conn: Conn, *, account_id: UUID, groups: Iterable[str], factors: Iterable[str]) -> bool:
    """Whether somebody else in one of these groups can sign in with one of these."""
    return bool(await conn.value(_OTHERS, account_id=account_id, groups=sorted(groups), factors=sorted(factors)))
