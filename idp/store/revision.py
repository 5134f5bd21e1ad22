"""Which schema a database has, and which one this version needs. Changing it is in `migrations`, which loads slowly."""

import asyncpg
from sqlalchemy import column, select, table

from idp.store.composed import Statement
from idp.store.engine import Database

WANTED = "0011"
_CURRENT = Statement(select(column("version_num")).select_from(table("alembic_version")))


def wanted() -> str:
    """The revision this version of Stile needs: the newest of `migrations/`."""
    return WANTED


async def current(url: str) -> str | None:
    """The revision the database has; None for an empty one. Raises `Unavailable`."""
    db = Database(url, size=1)
    await db.open()
    try:
        row = await db.one(_CURRENT)
    except asyncpg.UndefinedTableError:
        return None
    finally:
        await db.close()
    return None if row is None else str(row[0])
