"""Signing keys, sealed: next, current, retired (design 7). Of secret keys, only which of them came first."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from idp.store.engine import Conn, Connection
from idp.store.sql import Sql

CHANNEL = "stile_keys"


@dataclass(frozen=True, slots=True)
class StoredKey:
    """One signing key: its kid, its state (next, current or retired), its private JWK sealed."""

    id: str
    alg: str
    sealed: bytes = field(repr=False)
    state: str
    created_at: datetime
    retired_at: datetime | None


_TOLD = f"pg_notify('{CHANNEL}', '')"
_ALL = Sql("SELECT id, alg, sealed, state, created_at, retired_at FROM signing_key ORDER BY alg, created_at")
_LOCK = Sql("SELECT FROM signing_key ORDER BY id FOR UPDATE")
_ADD = Sql(f"""
INSERT INTO signing_key (id, alg, sealed, state, created_at) VALUES (:id, :alg, :sealed, :state, :now)
ON CONFLICT DO NOTHING
RETURNING {_TOLD}""")
_RETIRE = Sql("UPDATE signing_key SET state = 'retired', retired_at = :now WHERE alg = :alg AND state = 'current'")
_PROMOTE = Sql(f"""
UPDATE signing_key SET state = 'current' WHERE alg = :alg AND state = 'next' RETURNING id, {_TOLD}""")
_FORGET = Sql("DELETE FROM signing_key WHERE state = 'retired' AND retired_at < :before RETURNING id")
_SEEN = Sql("SELECT id FROM secret_key WHERE id = ANY (:ids) ORDER BY number")
_SEE = Sql("""
INSERT INTO secret_key (id)
SELECT id FROM unnest(:ids::text[]) WITH ORDINALITY AS listed (id, position) ORDER BY position
ON CONFLICT DO NOTHING""")


async def all_keys(conn: Conn) -> Sequence[StoredKey]:
    """Every signing key, by algorithm and age."""
    return [StoredKey(**row) for row in await conn.all(_ALL)]


async def add(conn: Conn, *, key_id: str, alg: str, sealed: bytes, state: str, now: datetime) -> bool:
    """Add a key. False if another process was first with one of that algorithm and state."""
    row = await conn.one(_ADD, id=key_id, alg=alg, sealed=sealed, state=state, now=now)
    return row is not None


async def locked(conn: Connection) -> Sequence[StoredKey]:
    """The same, and nobody else changes them before the transaction of `conn` ends."""
    await conn.all(_LOCK)
    return await all_keys(conn)


async def rotate(conn: Connection, *, alg: str, now: datetime) -> str | None:
    """Retire the current key and make the next one current, in the transaction of `conn`; the new current id.

    None, and nothing changed, if there is no next key.
    """
    keys = await locked(conn)
    if not any(key.alg == alg and key.state == "next" for key in keys):
        return None
    await conn.one(_RETIRE, alg=alg, now=now)
    promoted: str | None = await conn.value(_PROMOTE, alg=alg)
    return promoted


async def forget_retired(conn: Conn, *, before: datetime) -> Sequence[str]:
    """Delete keys retired before then: nobody remembers what they signed."""
    return [row["id"] for row in await conn.all(_FORGET, before=before)]


async def oldest_secret_key(conn: Conn, *, ids: Sequence[str]) -> str:
    """Which of these keys this database saw first: the same answer for every process, whatever the order of its list.

    Of keys it sees for the first time, the first one listed, which is the one that was used so far.
    """
    seen = await conn.all(_SEEN, ids=ids)
    if len(seen) < len(ids):
        await conn.one(_SEE, ids=ids)
        seen = await conn.all(_SEEN, ids=ids)
    return str(seen[0]["id"])
