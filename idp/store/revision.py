"""Which schema a database has, and which one this version needs. Changing it is in `migrations`, which loads slowly."""

import asyncpg

from idp.store.engine import Database
from idp.store.sql import Sql

WANTED = "0034"  # the newest of `migrations/`
_CURRENT = Sql("SELECT version_num FROM alembic_version")


async def current(url: str) -> str | None:
    """The revision the database has; None for an empty one. Raises `Unavailable`."""
    db = Database(url, size=1)
    await db.open()
    try:
        return await of(db)
    finally:
        await db.close()


async def of(db: Database) -> str | None:
    """The same of a database that is open."""
    try:
        found: str | None = await db.value(_CURRENT)
    except asyncpg.UndefinedTableError:
        return None
    return found
