"""The spending counters under fire: many senders from two pools, in many rounds, and clocks that jump."""

import random
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from idp.crypto import KeyChain
from idp.flows.delivery import spending
from idp.flows.delivery.spending import Cleared
from idp.sms import Outcome, Sent
from idp.spending import Denied, Period
from idp.store.delivery import denials
from tests.world.parallel import at_once
from tests.world.provider import Provider
from tests.world.running import running, settings_for
from tests.world.spenders import PRICE, estonian, message_to, people, person, rule_of, spent, use

SETTLED = (
    Sent(Outcome.NOT_SENT),
    Sent(Outcome.REJECTED),
    Sent(Outcome.AMBIGUOUS),
    Sent(Outcome.ACCEPTED, "x"),
    Sent(Outcome.ACCEPTED, "x", cost=Decimal("0.03"), currency="EUR"),
)
_GIVEN_BACK = (Decimal("-0.10"), Decimal("-0.10"), Decimal(0), Decimal(0), Decimal("-0.07"))


@pytest.fixture
async def other(bare: Provider, database_url: str, key_chain: KeyChain, tmp_path: Path) -> AsyncIterator[Provider]:
    """A second pool on the same database, with the same time and rules."""
    async with running(database_url, key_chain, settings_for(tmp_path)) as second:
        second.clock, second.idp.clock = bare.clock, bare.idp.clock
        second.secrets = bare.secrets
        yield second


@pytest.fixture
async def raw(database_url: str) -> AsyncIterator["asyncpg.Connection[Any]"]:
    connection = await asyncpg.connect(database_url)
    yield connection
    await connection.close()


@pytest.mark.parametrize("seed", range(4))
async def test_what_many_senders_book_and_give_back_adds_up(
    bare: Provider, other: Provider, raw: "asyncpg.Connection[Any]", seed: int
) -> None:
    chance = random.Random(seed)
    both = (bare, other)
    caps = {"hour": Decimal("1.05"), "day": Decimal("2.5"), "month": Decimal("2.6")}
    text = "[money]\n" + "\n".join(f"{name} = {cap}" for name, cap in caps.items())
    for each in both:
        use(each, text, conversion="shadow", neighbours=chance.choice(("enforce", "off", "shadow")))
    crowd = [await person(bare, estonian(1 + n // 5, n % 4)) for n in range(20)]
    expected = dict.fromkeys(Period, Decimal(0))
    for _ in range(12):

        async def one(number: int) -> tuple[Cleared | Denied, int]:
            provider, someone = both[number % 2], crowd[chance.randrange(20)]
            verdict = await spending.check(provider.idp, message_to(someone), someone.number, now=bare.clock.now())
            how = chance.randrange(len(SETTLED))
            if isinstance(verdict, Cleared):
                now = await spent(provider)
                assert all(now[period] <= caps[period] for period in Period), now
                await spending.settle(provider.idp, verdict, SETTLED[how])
            return verdict, how

        for verdict, how in await at_once(24, one):
            if isinstance(verdict, Cleared):
                for period in Period:
                    expected[period] += PRICE + _GIVEN_BACK[how]
        assert await spent(bare) == expected
        sends = await raw.fetchval("SELECT coalesce(sum(sends), 0) FROM spending_region")
        assert sends == await raw.fetchval("SELECT coalesce(sum(sends), 0) FROM spending_number")
        assert await raw.fetchval("SELECT coalesce(min(sends), 0) FROM spending_number") >= 0
        assert await raw.fetchval("SELECT coalesce(max(cardinality(numbers)), 0) FROM spending_block") <= 5
        if chance.random() < 0.4:
            bare.clock.move(timedelta(minutes=61 - bare.clock.now().minute))
            expected[Period.HOUR] = Decimal(0)


EDGE = datetime(2026, 12, 31, 23, 59, 59, 900_000, tzinfo=UTC)


async def test_at_midnight_of_a_new_year_both_sides_have_their_budget(bare: Provider, other: Provider) -> None:
    for each in (bare, other):
        use(each, "[money]\nhour = 1\nday = 1\nmonth = 1", neighbours="off", conversion="off")
    crowd = await people(bare, 40)
    bare.clock.time = EDGE

    async def one(number: int) -> Cleared | Denied:
        provider, someone = (bare, other)[number % 2], crowd[number]
        when = EDGE + timedelta(milliseconds=200 * (number % 2))
        return await spending.check(provider.idp, message_to(someone), someone.number, now=when)

    verdicts = await at_once(40, one)
    taken = sum(isinstance(each, Cleared) for each in verdicts)
    assert 10 <= taken <= 20
    bare.clock.move(timedelta(milliseconds=200))
    assert all(amount <= 1 for amount in (await spent(bare)).values())


@pytest.mark.parametrize("ahead", [timedelta(hours=3), timedelta(days=400), timedelta(days=4000)])
async def test_a_clock_that_was_far_ahead_for_a_while_does_not_stop_messages_for_ever(
    bare: Provider, ahead: timedelta
) -> None:
    use(bare, "[money]\nhour = 1\nday = 20\nmonth = 100", neighbours="off", conversion="off")
    crowd = await people(bare, 12)
    bare.clock.move(ahead)
    assert [await rule_of(bare, each) for each in crowd] == ["sent"] * 10 + ["money"] * 2
    bare.clock.move(-ahead)
    told = [await rule_of(bare, each) for each in crowd]
    assert told == ["sent"] * 10 + ["money"] * 2
    bare.clock.move(timedelta(hours=2))
    assert [await rule_of(bare, each) for each in crowd] == ["sent"] * 10 + ["money"] * 2


async def test_what_a_clock_far_ahead_counted_closes_neither_block_nor_country(bare: Provider) -> None:
    use(bare)
    bare.clock.move(timedelta(days=4000))
    told = [await rule_of(bare, await person(bare, estonian(1, n))) for n in range(3)]
    told += [await rule_of(bare, each) for each in await people(bare, 17)]
    assert set(told) == {"sent"}
    bare.clock.move(-timedelta(days=4000))
    assert await rule_of(bare, await person(bare, estonian(1, 9))) == "sent"
    (seen,) = await denials.traffic(bare.idp.db, now=bare.clock.now())
    assert seen.sends == 1
