"""Saved codes by their hashes: store, look up. They are used up in `consuming`; a set of them is an authenticator."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from idp.store.engine import Conn
from idp.store.sql import Sql

_THEIRS = """
FROM recovery_code r JOIN authenticator a ON a.id = r.authenticator_id
WHERE r.hash = ANY (:hashes) AND a.account_id = :account_id AND a.closed_at IS NULL"""

_SAVE = Sql("INSERT INTO recovery_code (hash, authenticator_id) SELECT unnest(:hashes::bytea[]), :authenticator_id")
_COUNT = Sql(f"SELECT count(*) {_THEIRS}")
_UNUSED = Sql(f"SELECT a.id {_THEIRS} AND r.used_at IS NULL")
_CHECK = Sql("""
UPDATE authenticator SET checked_at = :now
WHERE id = :authenticator_id AND account_id = :account_id AND factor = 'recovery' AND closed_at IS NULL
RETURNING id""")
_USED_AT = Sql("SELECT used_at FROM recovery_code WHERE authenticator_id = :authenticator_id AND hash = :hash")


async def check(conn: Conn, *, authenticator_id: UUID, account_id: UUID, now: datetime) -> bool:
    """The person says that this set of theirs is at hand; False if there is no such open set."""
    row = await conn.one(_CHECK, authenticator_id=authenticator_id, account_id=account_id, now=now)
    return row is not None


async def save(conn: Conn, *, authenticator_id: UUID, hashes: Sequence[bytes]) -> None:
    """Store the hashes of a set of recovery codes."""
    await conn.one(_SAVE, authenticator_id=authenticator_id, hashes=hashes)


async def count(conn: Conn, *, account_id: UUID, hashes: Sequence[bytes]) -> int:
    """How many of these are hashes of a recovery code in this person's open set, used or not."""
    return int(await conn.value(_COUNT, account_id=account_id, hashes=hashes))


async def set_of_unused(conn: Conn, *, account_id: UUID, hashes: Sequence[bytes]) -> UUID | None:
    """The person's open set that one of these hashes is an unused recovery code of. Nothing is used up."""
    found: UUID | None = await conn.value(_UNUSED, account_id=account_id, hashes=hashes)
    return found


async def used_at(conn: Conn, *, authenticator_id: UUID, code_hash: bytes) -> datetime | None:
    """When a saved code was used; None if it was not, or there is no such code."""
    used: datetime | None = await conn.value(_USED_AT, authenticator_id=authenticator_id, hash=code_hash)
    return used
