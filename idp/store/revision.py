"""Which schema a database has, and which one this version needs. Changing it is in `migrations`, which loads slowly."""

import asyncpg

from idp.store.engine import Database
from idp.store.sql import Sql

WANTED = "0012"
_CURRENT = Sql("SELECT version_num FROM alembic_version")


def wanted() -> str:
    """The revision this version of Stile needs: the newest of `migrations/`."""
    return WANTED


async def current(url: str) -> str | None:
    """The revision the database has; None for an empty one. Raises `Unavailable`."""
    db = Database(url, size=1)
    await db.open()
    try:
        found: str | None = await db.value(_CURRENT)
    except asyncpg.UndefinedTableError:
        return None
    finally:
        await db.close()
    return found
