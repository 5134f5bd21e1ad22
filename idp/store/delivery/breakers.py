"""The breaker of each gateway and region: open after too many bad tries, then one probe at a time, from anywhere.

What it counts are rows of `message_attempt`, the latest hundred of five minutes at most, so history costs nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from idp.store.engine import Conn
from idp.store.sql import Sql

EVERYWHERE = "*"  # the region of a breaker for the whole gateway, as after wrong credentials
NOWHERE = "ZZ"  # the region of what belongs to no country (CLDR: unknown)
WINDOW = timedelta(minutes=5)
OPEN_FOR = timedelta(seconds=60)
PROBE_FOR = timedelta(seconds=20)  # then another may try: the one before did not live to tell
FEWEST = 5
LATEST = 100
BAD = ("not_sent", "ambiguous", "misconfigured")

# A JSON list of every open breaker: gateway, region, and the seconds until one may try it (0: now, as a probe).
BLOCKED = """
    SELECT jsonb_agg(jsonb_build_array(
        gateway, region, greatest(0, extract(epoch FROM greatest(open_until, probe_until) - :now::timestamptz))))
    FROM gateway_breaker WHERE open_until IS NOT NULL"""

_MINE = "gateway = :gateway AND region = ANY (:regions)"

_PROBE = Sql(f"""
WITH free AS (
    SELECT region FROM gateway_breaker
    WHERE {_MINE} AND open_until <= :now AND (probe_until IS NULL OR probe_until <= :now)
    ORDER BY region
    FOR UPDATE
)
-- All or none: what was won beside what is another's would be nobody's until its time is over.
UPDATE gateway_breaker SET probe_until = :until
WHERE {_MINE} AND region IN (SELECT region FROM free)
  AND (SELECT count(*) FROM free) = cardinality(:regions)
RETURNING region""")


async def probe(conn: Conn, *, gateway: str, regions: Sequence[str], now: datetime) -> bool:
    """Become the one who tries a gateway again in all of these regions; else nothing changes.

    True for exactly one caller at a time for each region.
    """
    won = await conn.all(_PROBE, gateway=gateway, regions=regions, now=now, until=now + PROBE_FOR)
    return {row["region"] for row in won} == set(regions)


_RELEASE = Sql(f"""
UPDATE gateway_breaker SET probe_until = NULL WHERE {_MINE} AND open_until IS NOT NULL AND probe_until > :now""")


async def release(conn: Conn, *, gateway: str, regions: Sequence[str], now: datetime) -> None:
    """The probe was not made: another may be, at once. Only for whom `probe` chose less than `PROBE_FOR` ago."""
    await conn.all(_RELEASE, gateway=gateway, regions=regions, now=now)


_CLOSE = Sql(f"UPDATE gateway_breaker SET open_until = NULL, probe_until = NULL, closed_at = :now WHERE {_MINE}")
_REOPEN = Sql(f"""
UPDATE gateway_breaker SET open_until = :until, probe_until = NULL WHERE {_MINE} AND open_until IS NOT NULL""")


async def close(conn: Conn, *, gateway: str, regions: Sequence[str], now: datetime) -> None:
    """The probe got an answer: use the gateway again. What was bad before counts no more."""
    await conn.all(_CLOSE, gateway=gateway, regions=regions, now=now)


async def reopen(conn: Conn, *, gateway: str, regions: Sequence[str], now: datetime) -> None:
    """The probe failed too: leave the gateway alone as long as before."""
    await conn.all(_REOPEN, gateway=gateway, regions=regions, until=now + OPEN_FOR)


# An open one is left to its probe.
_OPENED = """
ON CONFLICT (gateway, region) DO UPDATE SET open_until = :until, probe_until = NULL WHERE b.open_until IS NULL
RETURNING region"""

_COUNT = Sql(f"""
WITH lately AS (
    SELECT outcome FROM message_attempt
    WHERE gateway = :gateway AND region = :region AND outcome IS NOT NULL
      AND started_at > greatest(:since, (
          SELECT max(closed_at) FROM gateway_breaker WHERE gateway = :gateway AND region IN (:region, '{EVERYWHERE}')))
    ORDER BY started_at DESC
    LIMIT {LATEST}
)
INSERT INTO gateway_breaker AS b (gateway, region, open_until)
SELECT :gateway, :region, :until FROM lately
HAVING count(*) >= {FEWEST} AND 2 * count(*) FILTER (WHERE outcome IN {BAD}) >= count(*)
{_OPENED}""")

_TRIP = Sql(f"""
INSERT INTO gateway_breaker AS b (gateway, region, open_until) VALUES (:gateway, :region, :until) {_OPENED}""")


async def count(conn: Conn, *, gateway: str, region: str, now: datetime) -> bool:
    """After a bad try: open the breaker if half of the latest were bad. True for the caller who opened it."""
    since, until = now - WINDOW, now + OPEN_FOR
    return await conn.one(_COUNT, gateway=gateway, region=region, since=since, until=until) is not None


async def trip(conn: Conn, *, gateway: str, now: datetime) -> bool:
    """Leave a gateway alone in every region. True for the caller who opened it."""
    return await conn.one(_TRIP, gateway=gateway, region=EVERYWHERE, until=now + OPEN_FOR) is not None


@dataclass(frozen=True, slots=True)
class Breaker:
    """How one breaker stands: `state` is open, probing, half-open (the next message tries) or closed."""

    gateway: str
    region: str
    state: str
    open_until: datetime | None


_STATES = Sql("""
SELECT gateway, region, open_until,
    CASE WHEN open_until IS NULL THEN 'closed'
         WHEN open_until > :now THEN 'open'
         WHEN probe_until > :now THEN 'probing'
         ELSE 'half-open' END AS state
FROM gateway_breaker
ORDER BY gateway, region""")


async def states(conn: Conn, *, now: datetime) -> Sequence[Breaker]:
    """Every breaker that was ever open: at most one for each gateway and country."""
    return [Breaker(**row) for row in await conn.all(_STATES, now=now)]
