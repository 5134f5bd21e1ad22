"""The counters behind the spending rules, read together. Booking before sending, and giving back, is in `bookings`.

Everything is a bucket or one row of a block, so no statement reads more for a million messages than for ten.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from uuid import UUID

from idp.spending import Period
from idp.spending.table import CONVERSION_WINDOW
from idp.store.engine import Conn, Row
from idp.store.sql import Sql, values_of

_LONGEST = {Period.HOUR: timedelta(hours=1), Period.DAY: timedelta(days=1), Period.MONTH: timedelta(days=31)}


@dataclass(frozen=True, slots=True)
class Recipient:
    """The phone a message goes to: whose it is, and the keyed hashes of its number and of the block around it.

    `suppressed_keys` are of the number too: those under which it may be suppressed.
    """

    account_id: UUID
    authenticator_id: UUID
    number_key: bytes
    block_key: bytes
    region: str
    suppressed_keys: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class Standing:
    """How things stand for one phone now."""

    suppressed: bool
    known: bool
    neighbours: int
    block_closed: bool
    region_closed: bool
    sends: int
    verified: int
    spent: Mapping[Period, Decimal]


def began(period: Period, now: datetime) -> datetime:
    """When the hour, day or month began (UTC)."""
    start = now.replace(minute=0, second=0, microsecond=0)
    match period:
        case Period.HOUR:
            return start
        case Period.DAY:
            return start.replace(hour=0)
        case Period.MONTH:
            return start.replace(hour=0, day=1)


def beginnings(now: datetime) -> dict[str, datetime]:
    """The buckets of this moment, those that come next, and the bounds of those that count, as statements bind them."""
    at = {period: began(period, now) for period in Period}
    after = {f"{period}_next": began(period, at[period] + _LONGEST[period]) for period in Period}
    a_day = {"day_before": at[Period.HOUR] - CONVERSION_WINDOW, "day_after": at[Period.HOUR] + CONVERSION_WINDOW}
    return {f"{period}_at": at[period] for period in Period} | after | a_day | {"now": now}


def each(text: str, *, between: str = ", ") -> str:
    """Part of a statement, once for each period: `{p}` stands for its name."""
    return between.join(text.format(p=period) for period in Period)


# What is in the row `m` of spending_money for this hour, day or month, or of the next one, for a clock may be a little
# behind. Nothing of later ones: after a clock that was far ahead the budget would be used up until that time came.
CURRENT = "m.{p}_at BETWEEN :{p}_at AND :{p}_next"
SPENT_IN = f"CASE WHEN {CURRENT} THEN m.{{p}}_spent ELSE 0 END"
SPENT = each(f"{SPENT_IN} AS {{p}}_spent")


def read_spent(row: Row) -> dict[Period, Decimal]:
    """The money in the columns `SPENT`."""
    return {period: row[f"{period}_spent"] for period in Period}


# The numbers of the block `b` with the times they were texted: other ones than this, that still count.
LATELY = """
    FROM unnest(b.numbers, b.times) AS entry (number, at)
    WHERE entry.at > :now::timestamptz - :per::interval AND entry.at < :now::timestamptz + :per::interval
      AND entry.number <> :number_key"""
# How many other numbers of the block `b` were texted lately and not verified since.
OTHERS = f"""(
    SELECT count(*) {LATELY} AND NOT EXISTS (
        SELECT FROM spending_number proved WHERE proved.number = entry.number AND proved.verified_at IS NOT NULL))"""
# Whether a bucket counts: those that a clock wrote that was far ahead do not.
WITHIN_A_DAY = "hour > :day_before AND hour < :day_after"

_STANDING = Sql(f"""
SELECT
    EXISTS (SELECT FROM suppressed_number WHERE hash = ANY (:suppressed_keys)) AS suppressed,
    EXISTS (
        SELECT FROM authenticator
        WHERE account_id = :account_id AND factor = 'sms' AND last_used_at IS NOT NULL
          AND (id = :authenticator_id OR lookup = :number_key)
    ) AS known,
    {OTHERS} AS neighbours,
    coalesce(b.closed_until > :now, false) AS block_closed,
    coalesce(closed.closed_until > :now, false) AS region_closed,
    sent.sends, sent.verified + unsettled.sends AS verified, {SPENT}
FROM (SELECT) AS one
LEFT JOIN spending_block b ON b.key = :block_key
LEFT JOIN spending_closed closed ON closed.region = :region
LEFT JOIN spending_money m ON m.id = 1
-- What was sent before the region was closed was judged already.
CROSS JOIN LATERAL (
    SELECT coalesce(sum(sends), 0) AS sends, coalesce(sum(verified), 0) AS verified
    FROM spending_region
    WHERE region = :region AND {WITHIN_A_DAY} AND coalesce(closed.closed_at < hour, true)
) sent
CROSS JOIN LATERAL (
    SELECT coalesce(sum(sends), 0) AS sends
    FROM spending_number
    WHERE region = :region AND verified_at IS NOT NULL AND NOT settled AND {WITHIN_A_DAY}
      AND coalesce(closed.closed_at < hour, true)
) unsettled""")


async def standing(conn: Conn, recipient: Recipient, *, per: timedelta, now: datetime) -> Standing:
    """How things stand for this phone, in one statement. `per`: how long a number counts as a neighbour."""
    row = await conn.one(_STANDING, **values_of(recipient), **beginnings(now), per=per)
    assert row is not None
    figures = {name: value for name, value in row.items() if not name.endswith("_spent")}
    return Standing(**figures, spent=read_spent(row))


# Notes that a phone which was texted is verified for the first time. A statement may go on: `… AND EXISTS (…)`.
PROVING = """
    UPDATE spending_number SET verified_at = :now WHERE authenticator_id = :authenticator_id AND verified_at IS NULL"""
