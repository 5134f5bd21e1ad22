"""The audit trail counted by the hour, for whoever looks rather than reads."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from idp.store.engine import Conn
from idp.store.sql import Sql

# By the index of `at`: a day of rows, whatever there is of older ones.
_HOURS = Sql("""
SELECT date_trunc('hour', at, 'UTC') AS hour, name, count(*) AS count
FROM audit_event
WHERE at > :since AND name = ANY (:names)
GROUP BY 1, 2""")


async def hours(conn: Conn, names: Sequence[str], *, since: datetime) -> Mapping[tuple[str, datetime], int]:
    """How often each of these events happened in each hour since then; none means that it did not."""
    rows = await conn.all(_HOURS, since=since, names=list(names))
    return {(row["name"], row["hour"]): row["count"] for row in rows}
