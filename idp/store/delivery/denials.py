"""What the spending rules denied or would have denied, what they closed, and the figures that people look at."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from idp.audit import BudgetReached, CountryClosed, MessageDenied
from idp.spending import Period
from idp.store.audits import AUDITED, audit_values
from idp.store.batches import LOCKED
from idp.store.delivery.spending import SPENT, WITHIN_A_DAY, Recipient, beginnings, read_spent
from idp.store.engine import Conn
from idp.store.sql import Sql, values_of

_RECORD = Sql(f"""
WITH counted AS (
    INSERT INTO spending_denied AS d (hour, rule, mode, region, count) VALUES (:hour_at, :rule, :mode, :region, 1)
    ON CONFLICT (hour, rule, mode, region) DO UPDATE SET count = d.count + 1
)
{AUDITED}""")


async def record(conn: Conn, recipient: Recipient, event: MessageDenied, *, now: datetime) -> None:
    """Count a denial, real or of a shadow rule, and write it into the audit trail."""
    values = values_of(recipient) | beginnings(now) | audit_values(event, account_id=recipient.account_id)
    await conn.one(_RECORD, **values, rule=event.rule, mode=event.mode)


_CLOSE_BLOCK = Sql("""
INSERT INTO spending_block AS b (key, region, numbers, times, closed_until, expires_at)
VALUES (:block_key, :region, '{}', '{}', :until, :until)
ON CONFLICT (key) DO UPDATE SET closed_until = :until, expires_at = greatest(b.expires_at, :until)
WHERE b.closed_until IS NULL OR b.closed_until <= :now""")


async def close_block(conn: Conn, recipient: Recipient, *, until: datetime, now: datetime) -> None:
    """Close a block of numbers to those that were never verified. One that is closed stays so, no longer."""
    await conn.one(_CLOSE_BLOCK, **values_of(recipient), until=until, now=now)


_CLOSE_REGION = Sql(f"""
WITH closed AS (
    INSERT INTO spending_closed AS c (region, closed_at, closed_until) VALUES (:region, :now, :until)
    ON CONFLICT (region) DO UPDATE SET closed_at = :now, closed_until = :until WHERE c.closed_until <= :now
    RETURNING 1
),
audited AS ({AUDITED} WHERE EXISTS (SELECT FROM closed))
SELECT EXISTS (SELECT FROM closed) AS closed""")


async def close_region(conn: Conn, event: CountryClosed, *, until: datetime, now: datetime) -> bool:
    """Close a region to never-verified numbers. True for the one who did, and wrote it into the audit trail."""
    return bool(await conn.value(_CLOSE_REGION, **audit_values(event), region=event.region, until=until, now=now))


def _tell(period: Period) -> Sql:
    return Sql(f"""
WITH first AS (
    UPDATE spending_money SET {period}_told = :level WHERE {period}_at = :{period}_at AND {period}_told < :level
    RETURNING 1
),
audited AS ({AUDITED} WHERE EXISTS (SELECT FROM first))
SELECT EXISTS (SELECT FROM first) AS first""")


_TELL = {period: _tell(period) for period in Period}


async def tell(conn: Conn, event: BudgetReached, *, level: int, now: datetime) -> bool:
    """True for exactly one caller for each level of a budget in each of its periods; then it is in the audit trail."""
    values = beginnings(now) | audit_values(event)
    return bool(await conn.value(_TELL[Period(event.period)], **values, level=level))


_SETTLE = Sql(f"""
-- Numbers that were verified since are added to their region's bucket, each once.
WITH settled AS (
    UPDATE spending_number SET settled = true
    WHERE authenticator_id = ANY (ARRAY(
        SELECT authenticator_id FROM spending_number WHERE verified_at IS NOT NULL AND NOT settled {LOCKED}))
    RETURNING region, hour, sends
),
added AS (
    INSERT INTO spending_region AS r (region, hour, sends, verified)
    SELECT region, hour, sum(sends), sum(sends) FROM settled
    GROUP BY region, hour
    -- Two sweepers take the buckets in the same order.
    ORDER BY region, hour
    ON CONFLICT (region, hour) DO UPDATE SET verified = r.verified + excluded.verified
)
SELECT count(*) FROM settled""")


async def settle(conn: Conn) -> int:
    """Add at most one batch of verified numbers to the buckets; how many."""
    return int(await conn.value(_SETTLE))


@dataclass(frozen=True, slots=True)
class Denials:
    """So often a rule denied in a region, or would have (`mode` is shadow)."""

    rule: str
    mode: str
    region: str
    count: int


_DENIED = Sql("""
SELECT rule, mode, region, sum(count) AS count
FROM spending_denied
WHERE hour > :since
GROUP BY rule, mode, region
ORDER BY rule, mode, sum(count) DESC, region""")


async def since(conn: Conn, *, since: datetime) -> Sequence[Denials]:
    """What was denied, by rule, mode and region."""
    return [Denials(**row) for row in await conn.all(_DENIED, since=since)]


@dataclass(frozen=True, slots=True)
class Traffic:
    """Codes to never-verified numbers of a region in 24 hours, how many were verified, and until when it is closed."""

    region: str
    sends: int
    verified: int
    closed_until: datetime | None


_TRAFFIC = Sql(f"""
WITH buckets AS (
    SELECT region, sum(sends) AS sends, sum(verified) AS verified FROM spending_region
    WHERE {WITHIN_A_DAY}
    GROUP BY region
),
unsettled AS (
    SELECT region, sum(sends) AS verified FROM spending_number
    WHERE verified_at IS NOT NULL AND NOT settled AND {WITHIN_A_DAY}
    GROUP BY region
)
SELECT region, b.sends, b.verified + coalesce(u.verified, 0) AS verified,
    CASE WHEN c.closed_until > :now THEN c.closed_until END AS closed_until
FROM buckets b LEFT JOIN unsettled u USING (region) LEFT JOIN spending_closed c USING (region)
ORDER BY region""")


async def traffic(conn: Conn, *, now: datetime) -> Sequence[Traffic]:
    """What never-verified numbers were sent, by region."""
    return [Traffic(**row) for row in await conn.all(_TRAFFIC, **beginnings(now))]


_SPENT = Sql(f"SELECT {SPENT} FROM (SELECT) AS one LEFT JOIN spending_money m ON m.id = 1")


async def spent(conn: Conn, *, now: datetime) -> Mapping[Period, Decimal]:
    """What was spent in this hour, day and month."""
    row = await conn.one(_SPENT, **beginnings(now))
    assert row is not None
    return read_spent(row)


_CLOSED_BLOCKS = Sql("SELECT count(*) FROM spending_block WHERE closed_until > :now")


async def closed_blocks(conn: Conn, *, now: datetime) -> int:
    """How many blocks of numbers are closed."""
    return int(await conn.value(_CLOSED_BLOCKS, now=now))
