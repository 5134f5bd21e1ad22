"""Signing keys, sealed: next, current, retired (design 7). Of secret keys, only which of them came first."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Text, bindparam, delete, func, literal_column, select, update
from sqlalchemy.dialects.postgresql import insert

from idp.store.composed import Statement
from idp.store.engine import Conn, Connection
from idp.store.schema import Texts, secret_key, signing_key

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


_k = signing_key.c
_ALL = Statement(
    select(_k.id, _k.alg, _k.sealed, _k.state, _k.created_at, _k.retired_at).order_by(_k.alg, _k.created_at)
)
_ADD = Statement(
    insert(signing_key)
    .values(
        id=bindparam("id"),
        alg=bindparam("alg"),
        sealed=bindparam("sealed"),
        state=bindparam("state"),
        created_at=bindparam("now"),
    )
    .on_conflict_do_nothing()
    .returning(func.pg_notify(CHANNEL, ""))
)
_RETIRE = Statement(
    update(signing_key)
    .where(_k.alg == bindparam("old_alg", type_=Text), _k.state == literal_column("'current'"))
    .values(state="retired", retired_at=bindparam("now"))
    .returning(_k.id)
)
_PROMOTE = Statement(
    update(signing_key)
    .where(_k.alg == bindparam("old_alg", type_=Text), _k.state == literal_column("'next'"))
    .values(state="current")
    .returning(_k.id, func.pg_notify(CHANNEL, ""))
)
_FORGET = Statement(
    delete(signing_key)
    .where(_k.state == literal_column("'retired'"), _k.retired_at < bindparam("before"))
    .returning(_k.id)
)
_s = secret_key.c
_ids = bindparam("ids", type_=Texts)
_listed = func.unnest(_ids).table_valued("id", with_ordinality="position").render_derived()
_SEEN = Statement(select(_s.id).where(_s.id == func.any(_ids)).order_by(_s.number))
_SEE = Statement(
    insert(secret_key)
    .from_select(["id"], select(_listed.c.id).order_by(_listed.c.position))
    .on_conflict_do_nothing()
    .returning(_s.id)
)
_LOCK = Statement(select(_k.id).order_by(_k.id).with_for_update())


async def all_keys(conn: Conn) -> Sequence[StoredKey]:
    """Every signing key, by algorithm and age."""
    return [StoredKey(*row) for row in await conn.all(_ALL)]


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
    await conn.all(_RETIRE, old_alg=alg, now=now)
    row = await conn.one(_PROMOTE, old_alg=alg)
    return None if row is None else str(row[0])


async def forget_retired(conn: Conn, *, before: datetime) -> Sequence[str]:
    """Delete keys retired before then: nobody remembers what they signed."""
    return [row[0] for row in await conn.all(_FORGET, before=before)]


async def oldest_secret_key(conn: Conn, *, ids: Sequence[str]) -> str:
    """Which of these keys this database saw first: the same answer for every process, whatever the order of its list.

    Of keys it sees for the first time, the first one listed, which is the one that was used so far.
    """
    seen = await conn.all(_SEEN, ids=list(ids))
    if len(seen) < len(ids):
        await conn.all(_SEE, ids=list(ids))
        seen = await conn.all(_SEEN, ids=list(ids))
    return str(seen[0][0])
