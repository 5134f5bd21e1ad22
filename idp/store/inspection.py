"""What an operator's check-up asks the database about itself: its version, its time, and which keys sealed what."""

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

from sqlalchemy import Integer, bindparam, cast, func, literal, select, union_all

from idp.store.composed import Statement
from idp.store.engine import Conn
from idp.store.schema import authenticator, signing_key

_ABOUT = Statement(select(cast(func.current_setting("server_version_num"), Integer), func.clock_timestamp()))

# crypto.seal writes a version byte, the length of the key's id, and the id.
_ids = union_all(
    *(
        select(
            func.convert_from(
                func.substring(table.c.sealed, 3, func.get_byte(table.c.sealed, literal(1, Integer))), "LATIN1"
            ).label("key_id")
        ).where(table.c.sealed.is_not(None), func.length(table.c.sealed) > literal(2, Integer))
        for table in (authenticator, signing_key)
    )
).subquery()
_SEALED_BY = Statement(select(_ids.c.key_id, func.count()).group_by(_ids.c.key_id))
_SAMPLE = Statement(
    select(authenticator.c.account_id, authenticator.c.id, authenticator.c.factor, authenticator.c.sealed)
    .where(authenticator.c.sealed.is_not(None), authenticator.c.closed_at.is_(None))
    .order_by(authenticator.c.created_at.desc())
    .limit(bindparam("limit", type_=Integer))
)


async def about(conn: Conn) -> tuple[int, datetime]:
    """The server's version as a number (180004 is 18.4), and its time. Needs no table."""
    row = await conn.one(_ABOUT)
    assert row is not None
    return row[0], row[1]


async def sealed_by(conn: Conn) -> Mapping[str, int]:
    """How many values each secret key sealed, by the key's id."""
    return {str(key_id): int(count) for key_id, count in await conn.all(_SEALED_BY)}


async def sealed_sample(conn: Conn, *, limit: int) -> list[tuple[UUID, UUID, str, bytes]]:
    """Account, id, factor and sealed value of the newest authenticators."""
    return [
        (account_id, id_, factor, sealed) for account_id, id_, factor, sealed in await conn.all(_SAMPLE, limit=limit)
    ]
