"""What judging a text message costs: with nothing counted yet, and after a million to never-verified numbers."""

import time
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from statistics import median
from uuid import uuid4

import asyncpg

from bench.house import House
from idp.spending import Period
from idp.store.delivery import bookings, spending
from idp.store.delivery.spending import Recipient
from idp.store.engine import Database

MESSAGES = 1_000_000
PER = timedelta(hours=1)


async def run(opened: House, *, scale: float, rounds: int) -> str:
    """A small table: the two statements of one message, in milliseconds at the median, before and after."""
    many = int(MESSAGES * scale)
    before = await _measured(opened.url, rounds=rounds)
    await _fill(opened.url, many)
    after = await _measured(opened.url, rounds=rounds)
    lines = [
        f"| judging a message | nothing yet, ms | after {many} messages, ms | ratio |",
        "| --- | ---: | ---: | ---: |",
    ]
    for name, small, full in zip(("read the counters", "book it"), before, after, strict=True):
        lines.append(f"| {name} | {small:.2f} | {full:.2f} | {full / small:.2f} |")
    return "\n".join(lines) + "\n"


async def _measured(url: str, *, rounds: int) -> tuple[float, float]:
    db = Database(url, size=2)
    await db.open()
    reading: list[float] = []
    booking: list[float] = []
    try:
        for _ in range(rounds):
            recipient = Recipient(uuid4(), uuid4(), uuid4().bytes, uuid4().bytes, "EE", (uuid4().bytes,))
            now = datetime.now(UTC)  # noqa: TID251 - the bench and its database share a machine
            began = time.perf_counter()
            await spending.standing(db, recipient, per=PER, now=now)
            between = time.perf_counter()
            await bookings.book(
                db,
                recipient,
                slot=True,
                most=3,
                price=Decimal("0.10"),
                caps=dict.fromkeys(Period, Decimal(10**9)),
                per=PER,
                now=now,
            )
            reading.append(between - began)
            booking.append(time.perf_counter() - between)
    finally:
        await db.close()
    return median(reading) * 1000, median(booking) * 1000


async def _fill(url: str, many: int) -> None:
    """So many messages in the last day, each to a number of its own; half verified, some just now."""
    raw = await asyncpg.connect(url)
    try:
        await raw.execute(
            """
            INSERT INTO spending_number (authenticator_id, number, region, hour, at, sends, verified_at, settled)
            SELECT gen_random_uuid(), sha256(('n' || n)::bytea), 'EE', date_trunc('hour', t), t, 1,
                   CASE WHEN n % 2 = 0 THEN t END, n % 2 = 0 AND n % 10000 <> 0
            FROM generate_series(1, $1::integer) AS n, LATERAL (SELECT now() - n % 86400 * interval '1 s' AS t) AS at
            """,
            many,
            timeout=300,
        )
        await raw.execute(
            """
            INSERT INTO spending_block (key, region, numbers, times, expires_at)
            SELECT sha256(('b' || n)::bytea), 'EE', ARRAY[sha256(('n' || 3 * n)::bytea)], ARRAY[now()],
                   now() + interval '1 h'
            FROM generate_series(1, $1::integer / 3) AS n
            """,
            many,
            timeout=300,
        )
        await raw.execute(
            """
            INSERT INTO spending_region (region, hour, sends, verified)
            SELECT 'EE', date_trunc('hour', now()) - n * interval '1 h', $1::integer / 24, $1::integer / 48
            FROM generate_series(0, 23) AS n
            ON CONFLICT (region, hour) DO UPDATE SET sends = excluded.sends, verified = excluded.verified
            """,
            many,
        )
        await raw.execute("ANALYZE", timeout=300)
    finally:
        await raw.close()
