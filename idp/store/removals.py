"""What was removed lately, so that no form of before makes it again. The audit trail may be pruned; this is swept."""

from uuid import UUID

from idp.store.engine import Conn
from idp.store.sql import Sql

# `removed` are the rows that went, with their `what`.
REMOVED = """INSERT INTO removal (what, at) SELECT what, :now FROM removed
ON CONFLICT (what) DO UPDATE SET times = removal.times + 1, at = excluded.at"""
_TIMES = Sql("SELECT times FROM removal WHERE what = :what")


async def of_person(conn: Conn, *, account_id: UUID) -> int:
    """How often somebody with this id was removed, in the last day at least."""
    return await conn.value(_TIMES, what=f"person:{account_id}") or 0


async def of_client(conn: Conn, *, client_id: str) -> int:
    """How often a client with this id was removed, in the last day at least."""
    return await conn.value(_TIMES, what=f"client:{client_id}") or 0
