"""What an operator sees of sending: messages of everybody, gateways, what waits, blocks that are closed."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from idp.store.delivery.messages import LOGGED, OUTGOING, WHERE_TO, Logged, read_logged
from idp.store.engine import Conn
from idp.store.sql import Sql

_PAGE = Sql(f"""
WITH latest AS (
    SELECT * FROM message
    -- A message expires after it is made, and by that there is an index.
    WHERE expires_at > :since AND created_at > :since AND (:state::text IS NULL OR state = :state)
      AND (:username::text IS NULL OR account_id = (SELECT id FROM account WHERE username = :username))
      AND (:after::uuid IS NULL OR (created_at, id) < (SELECT created_at, id FROM message WHERE id = :after))
    ORDER BY created_at DESC, id DESC
    LIMIT :limit
)
SELECT {OUTGOING}, {LOGGED}
FROM latest m {WHERE_TO}
LEFT JOIN message_attempt t ON t.message_id = m.id
ORDER BY m.created_at DESC, m.id DESC, t.started_at DESC""")


async def page(
    conn: Conn, *, since: datetime, username: str | None, state: str | None, after: UUID | None, limit: int
) -> Sequence[Logged]:
    """Messages made since then, to this person and in this state, newest first, from `after` that one on.

    One line for each try.
    """
    rows = await conn.all(_PAGE, since=since, username=username, state=state, after=after, limit=limit)
    return [read_logged(row) for row in rows]


@dataclass(frozen=True, slots=True)
class Tries:
    """What one gateway did in one country: how many tries, and what became of them."""

    gateway: str
    region: str
    tries: int
    accepted: int
    rejected: int
    failed: int
    delivered: int


_TRIES = Sql("""
SELECT gateway, region, count(*) AS tries,
    count(*) FILTER (WHERE outcome = 'accepted') AS accepted,
    count(*) FILTER (WHERE outcome = 'rejected') AS rejected,
    count(*) FILTER (WHERE outcome IN ('not_sent', 'ambiguous', 'misconfigured')) AS failed,
    count(*) FILTER (WHERE delivery = 'delivered') AS delivered
FROM message_attempt
WHERE started_at > :since
GROUP BY gateway, region
ORDER BY gateway, region""")


async def tries(conn: Conn, *, since: datetime) -> Sequence[Tries]:
    """Every gateway that was used since then."""
    return [Tries(**row) for row in await conn.all(_TRIES, since=since)]


@dataclass(frozen=True, slots=True)
class Paused:
    """A gateway that failed and is left alone in this country (`*` is everywhere) until then."""

    gateway: str
    region: str
    until: datetime


_PAUSED = Sql("""
SELECT gateway, region, open_until AS until FROM gateway_breaker WHERE open_until IS NOT NULL
ORDER BY gateway, region""")


async def paused(conn: Conn) -> Sequence[Paused]:
    """Every gateway that is left alone somewhere."""
    return [Paused(**row) for row in await conn.all(_PAUSED)]


@dataclass(frozen=True, slots=True)
class Hour:
    """Messages of one hour by channel and country: how many there were, left, arrived, and were denied."""

    hour: datetime
    channel: str
    region: str
    messages: int
    sent: int
    delivered: int
    denied: int


_HOURS = Sql("""
SELECT date_trunc('hour', m.created_at, 'UTC') AS hour, m.channel, coalesce(m.region, '') AS region,
    count(*) AS messages,
    count(*) FILTER (WHERE m.state = 'sent') AS sent,
    count(*) FILTER (WHERE EXISTS (
        SELECT FROM message_attempt t WHERE t.message_id = m.id AND t.delivery = 'delivered')) AS delivered,
    count(*) FILTER (WHERE m.state = 'denied') AS denied
FROM message m
WHERE m.expires_at > :since AND m.created_at > :since
GROUP BY 1, 2, 3
ORDER BY 1, 2, 3""")


async def hours(conn: Conn, *, since: datetime) -> Sequence[Hour]:
    """What was to leave since then, hour by hour."""
    return [Hour(**row) for row in await conn.all(_HOURS, since=since)]


@dataclass(frozen=True, slots=True)
class Block:
    """Numbers in a row that are closed to those who never verified theirs. `key` names it and does not tell which."""

    key: bytes
    region: str
    closed_until: datetime


_BLOCKS = Sql("""
SELECT key, region, closed_until FROM spending_block WHERE closed_until > :now
ORDER BY closed_until DESC, key LIMIT 500""")
_OPEN_BLOCK = Sql("""
UPDATE spending_block SET closed_until = NULL, numbers = '{}', times = '{}'
WHERE key = :key AND closed_until > :now
RETURNING region""")


async def blocks(conn: Conn, *, now: datetime) -> Sequence[Block]:
    """The blocks that are closed now, at most 500."""
    return [Block(**row) for row in await conn.all(_BLOCKS, now=now)]


async def open_block(conn: Conn, *, key: bytes, now: datetime) -> str | None:
    """Open a block again, as if nothing had been sent to it; its country. None if it is not closed."""
    row = await conn.one(_OPEN_BLOCK, key=key, now=now)
    return None if row is None else str(row["region"])
