"""What an operator's check-up asks the database about itself: its version, its time, and which keys sealed what."""

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

from idp.store.engine import Conn
from idp.store.sql import Sql

_ABOUT = Sql("SELECT current_setting('server_version_num')::integer AS version, clock_timestamp() AS now")
# crypto.seal writes a version byte, the length of the key's id, and the id.
_SEALED_BY = Sql("""
SELECT convert_from(substring(sealed FROM 3 FOR get_byte(sealed, 1)), 'LATIN1') AS key_id, count(*) AS sealed
FROM (SELECT sealed FROM authenticator UNION ALL SELECT sealed FROM signing_key) everything
WHERE length(sealed) > 2
GROUP BY key_id""")
_SAMPLE = Sql("""
SELECT account_id, id, factor, sealed FROM authenticator
WHERE sealed IS NOT NULL AND closed_at IS NULL
ORDER BY created_at DESC
LIMIT :limit""")


_GROUPS = Sql("""
SELECT DISTINCT g.name FROM account, unnest(groups) AS g (name)
UNION SELECT DISTINCT g.name FROM client, unnest(groups) AS g (name) ORDER BY 1""")


_OTHERWISE = Sql("SELECT count(*) FROM account WHERE NOT starts_with(password_hash, :prefix)")


async def about(conn: Conn) -> tuple[int, datetime]:
    """The server's version as a number (180004 is 18.4), and its time. Needs no table."""
    row = await conn.one(_ABOUT)
    assert row is not None
    return row["version"], row["now"]


async def sealed_by(conn: Conn) -> Mapping[str, int]:
    """How many values each secret key sealed, by the key's id."""
    return {row["key_id"]: row["sealed"] for row in await conn.all(_SEALED_BY)}


async def sealed_sample(conn: Conn, *, limit: int) -> list[tuple[UUID, UUID, str, bytes]]:
    """Account, id, factor and sealed value of the newest authenticators."""
    rows = await conn.all(_SAMPLE, limit=limit)
    return [(row["account_id"], row["id"], row["factor"], row["sealed"]) for row in rows]


async def groups(conn: Conn) -> list[str]:
    """Every group that somebody is in or some client is for, in order."""
    return [row["name"] for row in await conn.all(_GROUPS)]


async def hashed_otherwise(conn: Conn, *, prefix: str) -> int:
    """How many passwords are stored under a hash that does not begin so."""
    return int(await conn.value(_OTHERWISE, prefix=prefix))
