"""Booking a message against the spending rules before it is sent, and giving back what was not used.

Never over a limit, however many book at once: every limit is checked again on the very row that is charged. Locks in
one order everywhere: block, money, number, region.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from idp.spending import Period
from idp.spending.table import CONVERSION_WINDOW
from idp.store.delivery.spending import CURRENT, LATELY, OTHERS, SPENT_IN, Recipient, beginnings, each, read_spent
from idp.store.engine import Conn
from idp.store.sql import Sql, values_of

_CHARGED = each(f"""
        {{p}}_at = CASE WHEN {CURRENT} THEN m.{{p}}_at ELSE :{{p}}_at END,
        {{p}}_spent = {SPENT_IN} + :price,
        {{p}}_told = CASE WHEN {CURRENT} THEN m.{{p}}_told ELSE 0 END""")

_BOOK = Sql(f"""
-- A place in the block, which is refused when the others have them all. Only where slots are counted.
WITH block AS (
    INSERT INTO spending_block AS b (key, region, numbers, times, expires_at)
    SELECT :block_key, :region, ARRAY[:number_key]::bytea[], ARRAY[:now]::timestamptz[],
           :now::timestamptz + :per::interval
    WHERE :slot
    ON CONFLICT (key) DO UPDATE
    SET numbers = array_append(ARRAY(SELECT entry.number {LATELY} ORDER BY entry.at), :number_key),
        times = array_append(ARRAY(SELECT entry.at {LATELY} ORDER BY entry.at), :now),
        expires_at = greatest(b.expires_at, :now::timestamptz + :per::interval)
    WHERE :most::integer IS NULL OR coalesce(b.closed_until <= :now, true) AND {OTHERS} < :most
    RETURNING 1
),
-- The price out of all three budgets, or out of none.
money AS (
    INSERT INTO spending_money AS m (id, {each("{p}_at, {p}_spent")})
    SELECT 1, {each(":{p}_at, :price")}
    WHERE (NOT :slot OR EXISTS (SELECT FROM block))
      AND {each("coalesce(:price <= :{p}_cap::numeric, true)", between=" AND ")}
    ON CONFLICT (id) DO UPDATE
    SET {_CHARGED}
    WHERE {each(f"coalesce({SPENT_IN} + :price <= :{{p}}_cap, true)", between=" AND ")}
    RETURNING {each("m.{p}_spent, m.{p}_told")}
),
number AS (
    INSERT INTO spending_number AS n (authenticator_id, number, region, hour, at, sends)
    SELECT :authenticator_id, :number_key, :region, :hour_at, :now, 1 WHERE :slot AND EXISTS (SELECT FROM money)
    ON CONFLICT (authenticator_id) DO UPDATE
    SET hour = :hour_at, at = :now, sends = CASE WHEN n.at > :a_day_ago THEN n.sends + 1 ELSE 1 END
    RETURNING 1
),
bucket AS (
    INSERT INTO spending_region AS r (region, hour, sends)
    SELECT :region, :hour_at, 1 WHERE EXISTS (SELECT FROM number)
    ON CONFLICT (region, hour) DO UPDATE SET sends = r.sends + 1
)
SELECT EXISTS (SELECT FROM money) AS paid, EXISTS (SELECT FROM block) AS placed,
    {each("coalesce(m.{p}_spent, 0) AS {p}_spent, coalesce(m.{p}_told, 0) AS {p}_told")}
FROM (SELECT) AS one LEFT JOIN money m ON true""")


@dataclass(frozen=True, slots=True)
class Booked:
    """What was taken. `spent` and `told` are those of the budgets afterwards."""

    paid: bool
    placed: bool
    spent: Mapping[Period, Decimal]
    told: Mapping[Period, int]


async def book(
    conn: Conn,
    recipient: Recipient,
    *,
    slot: bool,
    most: int | None,
    price: Decimal,
    caps: Mapping[Period, Decimal | None],
    per: timedelta,
    now: datetime,
) -> Booked:
    """Take the price and, with `slot`, a place in the block and a send of the region; none that is over its limit.

    `most`: other numbers the block may have at most; `caps`: what may be spent at most. None: no limit. Never over a
    limit, however many book at once. Where `paid` is false nothing counts but a place in the block, if `placed`.
    """
    row = await conn.one(
        _BOOK,
        **values_of(recipient),
        **beginnings(now),
        **{f"{period}_cap": caps[period] for period in Period},
        a_day_ago=now - CONVERSION_WINDOW,
        slot=slot,
        most=most,
        price=price,
        per=per,
    )
    assert row is not None
    told = {period: row[f"{period}_told"] for period in Period}
    return Booked(row["paid"], row["placed"], read_spent(row), told)


def _left(*, beside: int) -> str:
    """Take the number out of the block, unless it was sent more than that: to this phone, or to whoever shares it."""
    others = "FROM unnest(b.numbers, b.times) AS entry (number, at) WHERE entry.number <> :number_key"
    return f"""
    UPDATE spending_block b
    SET numbers = ARRAY(SELECT entry.number {others} ORDER BY entry.at),
        times = ARRAY(SELECT entry.at {others} ORDER BY entry.at)
    WHERE b.key = :block_key AND NOT EXISTS (
        SELECT FROM spending_number
        WHERE (authenticator_id = :authenticator_id OR number = :number_key)
          AND sends > CASE WHEN authenticator_id = :authenticator_id THEN {beside} ELSE 0 END)"""


_CORRECTED = each("""
        {p}_spent = CASE WHEN m.{p}_at = :{p}_at THEN greatest(0, m.{p}_spent + :difference) ELSE m.{p}_spent END""")

_ADJUST = Sql(f"""
WITH block AS ({_left(beside=1)} AND :slot RETURNING 1),
money AS (
    UPDATE spending_money m
    SET {_CORRECTED}
    WHERE id = 1 AND (SELECT count(*) FROM block) >= 0
    RETURNING 1
),
number AS (
    UPDATE spending_number SET sends = sends - 1
    WHERE authenticator_id = :authenticator_id AND sends > 0 AND :slot AND (SELECT count(*) FROM money) >= 0
    RETURNING 1
),
bucket AS (
    UPDATE spending_region SET sends = sends - 1
    WHERE region = :region AND hour = :hour_at AND sends > 0 AND EXISTS (SELECT FROM number)
)
SELECT count(*) FROM money""")


async def adjust(conn: Conn, recipient: Recipient, *, slot: bool, difference: Decimal, booked_at: datetime) -> None:
    """Correct a booking once the price is known, or give it back: all of it with `slot`, when nothing was sent."""
    await conn.one(_ADJUST, **values_of(recipient), **beginnings(booked_at), slot=slot, difference=difference)


_LEAVE = Sql(_left(beside=0))


async def leave_block(conn: Conn, recipient: Recipient) -> None:
    """Give back a place in a block that was taken for nothing: there was no money left."""
    await conn.one(_LEAVE, **values_of(recipient))
