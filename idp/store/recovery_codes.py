"""Saved codes by their hashes: store, look up. They are used up in `consuming`; a set of them is an authenticator."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import ARRAY, LargeBinary, Uuid, bindparam, func, select
from sqlalchemy.dialects.postgresql import insert

from idp.store.composed import Statement
from idp.store.engine import Conn
from idp.store.schema import authenticator, recovery_code

_r = recovery_code.c
_set = bindparam("authenticator_id", type_=Uuid)
_theirs = (
    _r.hash == func.any(bindparam("hashes", type_=ARRAY(LargeBinary))),
    authenticator.c.account_id == bindparam("account_id", type_=Uuid),
    authenticator.c.closed_at.is_(None),
)
_of_set = recovery_code.join(authenticator, authenticator.c.id == _r.authenticator_id)

_SAVE = Statement(
    insert(recovery_code)
    .from_select(["hash", "authenticator_id"], select(func.unnest(bindparam("hashes", type_=ARRAY(LargeBinary))), _set))
    .returning(_r.hash)
)
_COUNT = Statement(select(func.count()).select_from(_of_set).where(*_theirs))
_UNUSED = Statement(select(authenticator.c.id).select_from(_of_set).where(*_theirs, _r.used_at.is_(None)))
_USED_AT = Statement(
    select(_r.used_at).where(_r.authenticator_id == _set, _r.hash == bindparam("hash", type_=LargeBinary))
)


async def save(conn: Conn, *, authenticator_id: UUID, hashes: Sequence[bytes]) -> None:
    """Store the hashes of a set of recovery codes."""
    await conn.all(_SAVE, authenticator_id=authenticator_id, hashes=list(hashes))


async def count(conn: Conn, *, account_id: UUID, hashes: Sequence[bytes]) -> int:
    """How many of these are hashes of a recovery code in this person's open set, used or not."""
    row = await conn.one(_COUNT, account_id=account_id, hashes=list(hashes))
    return 0 if row is None else int(row[0])


async def set_of_unused(conn: Conn, *, account_id: UUID, hashes: Sequence[bytes]) -> UUID | None:
    """The person's open set that one of these hashes is an unused recovery code of. Nothing is used up."""
    row = await conn.one(_UNUSED, account_id=account_id, hashes=list(hashes))
    return None if row is None else UUID(str(row[0]))


async def used_at(conn: Conn, *, authenticator_id: UUID, code_hash: bytes) -> datetime | None:
    """When a saved code was used; None if it was not, or there is no such code."""
    row = await conn.one(_USED_AT, authenticator_id=authenticator_id, hash=code_hash)
    return None if row is None else row[0]
