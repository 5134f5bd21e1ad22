"""The audit trail counted by the hour, for whoever looks rather than reads."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from idp.store.engine import Conn
from idp.store.sql import Sql


@dataclass(frozen=True, slots=True)
class Count:
    """How often one event happened in one hour, with this factor; a right code of a text message in which country."""

    name: str
    hour: datetime
    factor: str
    region: str
    count: int


# By the index of `at`: a day of rows, whatever there is of older ones. Where a text message went, its message knows.
_HOURS = Sql("""
WITH happened AS (
    SELECT date_trunc('hour', at, 'UTC') AS hour, name, coalesce(fields ->> 'factor', '') AS factor,
        CASE WHEN name = 'factor.verified' AND fields ->> 'factor' = 'sms'
              AND fields ->> 'interaction' ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$'
            THEN (fields ->> 'interaction')::uuid END AS interaction
    FROM audit_event
    WHERE at >= :since AND name = ANY (:names)
)
SELECT hour, name, factor, coalesce(m.region, '') AS region, count(*) AS count
FROM happened LEFT JOIN LATERAL (
    SELECT region FROM message WHERE interaction_id = interaction AND channel = 'sms' ORDER BY created_at DESC LIMIT 1
) m ON interaction IS NOT NULL
GROUP BY 1, 2, 3, 4""")


async def hours(conn: Conn, names: Sequence[str], *, since: datetime) -> Sequence[Count]:
    """How often each of these events happened in each hour since then; none means that it did not."""
    return [Count(**row) for row in await conn.all(_HOURS, since=since, names=list(names))]
