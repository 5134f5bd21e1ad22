"""How soon a committed message is at the provider's door, how fast a queue drains: a real worker, a fake provider."""

import asyncio
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import asyncpg

from bench import house
from bench.house import House
from idp.crypto import KeyChain, parse_secret_keys
from idp.flows.sealed import NUMBER, bound
from idp.store.delivery import messages
from idp.store.delivery.messages import Telling
from idp.store.engine import Conn, Database
from idp.testing.faults import Fault, fault_of
from idp.testing.provider import FakeProvider, Pace, fake_provider

SINGLE, QUEUE, HISTORY = 300, 900, 1_000_000
PAUSE = 0.02  # seconds between messages that come one by one
WITHIN = 60.0
# The rules count every message; the budgets are set where they stop none.
SPENDING = """\
[countries]
EE = "allow"

[money]
hour = 1000000
day = 1000000
month = 1000000
"""


class _Wall:
    """The time of the machine that the bench, the worker and the database share."""

    def now(self) -> datetime:
        return datetime.now(UTC)  # noqa: TID251 - see above


@dataclass(frozen=True, slots=True)
class Sending:
    """Milliseconds from a commit to the provider, at the median and at 99 of 100; messages per second from a queue."""

    p50: float
    p99: float
    drained: float


def run(opened: House, *, scale: float = 1.0) -> Sending:
    """Messages one by one to a worker that has nothing else to do, then a queue at once."""
    return asyncio.run(_run(opened, scale))


async def _run(opened: House, scale: float) -> Sending:
    keys = KeyChain(parse_secret_keys(opened.secret_keys)[0])
    rules = opened.data_dir / "spending.toml"
    rules.write_text(SPENDING, encoding="utf-8")
    db = Database(opened.url, size=2)
    await db.open()
    try:
        async with fake_provider(pace=Pace(receipt=timedelta(0)), clock=_Wall()) as provider:
            given = {name.removeprefix("IDP_").lower(): value for name, value in provider.settings("smspm").items()}
            people = await _people(opened.url, keys, int(QUEUE * scale))
            with ExitStack() as stack:
                stack.enter_context(house.working(opened, "idp", settings={**given, "spending": str(rules)}))
                await _single(db, provider, people[:20])  # not measured: statements are planned
                late = sorted(await _single(db, provider, people[: int(SINGLE * scale)]))
                drained = await _queue(db, provider, people)
    finally:
        await db.close()
    return Sending(1000 * late[len(late) // 2], 1000 * late[int(0.99 * len(late))], drained)


async def _single(db: Database, provider: FakeProvider, people: list[UUID]) -> list[float]:
    """Seconds from the commit to the provider, for one message to each of these people in turn."""
    late: list[float] = []
    for person in people:
        provider.inbox = []
        await _notice(db, person)
        committed = _Wall().now()
        await _arrived(provider, 1)
        late.append(max(0.0, (provider.inbox[0].at - committed).total_seconds()))
        await asyncio.sleep(PAUSE)
    return late


async def _queue(db: Database, provider: FakeProvider, people: list[UUID]) -> float:
    """Messages per second when there are many at once."""
    provider.inbox = []
    async with db.transaction() as conn:
        for person in people:
            await _notice(conn, person)
    committed = _Wall().now()
    await _arrived(provider, len(people))
    return len(people) / (provider.inbox[-1].at - committed).total_seconds()


async def _notice(conn: Conn, person: UUID) -> None:
    now = _Wall().now()
    telling = Telling(person, "password_changed", locale=None, expires_at=now + timedelta(hours=1))
    await messages.notice(conn, telling, now=now)


async def _arrived(provider: FakeProvider, count: int) -> None:
    until = time.perf_counter() + WITHIN
    while len(provider.inbox) < count:
        if time.perf_counter() > until:
            raise RuntimeError(f"{len(provider.inbox)} of {count} messages arrived")
        await asyncio.sleep(0.002)


def _numbers() -> Iterator[str]:
    for last in range(1_000_000):
        number = f"+37256{last:06d}"
        if fault_of(number) is Fault.NONE:
            yield number


async def _people(url: str, keys: KeyChain, count: int) -> list[UUID]:
    """So many people with a phone that they have used before."""
    now = _Wall().now() - timedelta(days=30)
    accounts, phones = [], []
    for _, number in zip(range(count), _numbers(), strict=False):
        person, phone = uuid4(), uuid4()
        sealed = keys.seal(number.encode(), purpose=NUMBER, bound_to=bound(person, phone))
        accounts.append((person, f"texted-{person.hex[:12]}", now, now))
        phones.append((phone, person, "sms", "", "ending 00", sealed, now, now, now, now))
    raw = await asyncpg.connect(url)
    try:
        columns = ["id", "username", "created_at", "updated_at"]
        await raw.copy_records_to_table("account", records=accounts, columns=columns)
        columns = ["id", "account_id", "factor", "label", "hint", "sealed", "created_at", "confirmed_at"]
        await raw.copy_records_to_table(
            "authenticator", records=phones, columns=[*columns, "trusted_at", "last_used_at"]
        )
    finally:
        await raw.close()
    return [account[0] for account in accounts]


async def history(url: str, count: int) -> None:
    """So many messages that were sent within the last month, each with its try."""
    raw = await asyncpg.connect(url)
    try:
        await raw.execute(
            """
            WITH phone AS (SELECT id, account_id FROM authenticator WHERE factor = 'sms' LIMIT 1), sent AS (
                INSERT INTO message (id, account_id, authenticator_id, kind, created_at, expires_at, state, tries)
                SELECT gen_random_uuid(), account_id, id, 'code', at, at + interval '5 min', 'sent', 1
                FROM phone, (SELECT now() - n * interval '2 s' AS at FROM generate_series(1, $1::int) n) t
                RETURNING id, created_at
            )
            INSERT INTO message_attempt (id, message_id, gateway, region, started_at, finished_at, outcome)
            SELECT gen_random_uuid(), id, 'smspm', 'EE', created_at, created_at, 'accepted' FROM sent
            """,
            count,
            timeout=600,
        )
        await raw.execute("VACUUM (ANALYZE) message, message_attempt", timeout=300)
    finally:
        await raw.close()
