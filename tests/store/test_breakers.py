"""One probe and one opening, however many workers look at a breaker in the same moment."""

from datetime import datetime, timedelta
from uuid import uuid4

from sqlalchemy import bindparam, insert, literal, select

from idp.flows.delivery import deliver
from idp.store.delivery import breakers
from idp.store.schema.records import gateway_breaker, message_attempt
from idp.testing import FakeGateway
from tests.world.asking import forget_limits
from tests.world.composed import Statement
from tests.world.parallel import at_once
from tests.world.provider import Provider
from tests.world.sending import DOWN, asks_for_a_code, broken, use

Twins = tuple[Provider, Provider]
OPEN = Statement(
    insert(gateway_breaker)
    .values(gateway=bindparam("gateway"), region=bindparam("region"), open_until=bindparam("until"))
    .returning(gateway_breaker.c.region)
)


async def test_only_one_of_two_workers_probes(twins: Twins) -> None:
    (first,) = use(twins[0], broken(times=5))
    assert isinstance(first, FakeGateway)
    for _ in range(5):
        await forget_limits(twins[0])
        await asks_for_a_code(twins[0])
        await deliver.deliver_one(twins[0].idp, (first,))
    use(twins[1], first)
    twins[0].clock.move(timedelta(seconds=60))
    won = await at_once(
        20,
        lambda number: breakers.probe(
            twins[number % 2].idp.db, gateway="first", regions=["EE"], now=twins[0].clock.now()
        ),
    )
    assert won.count(True) == 1
    # whoever was to probe died; after its time somebody else may
    assert not await breakers.probe(twins[0].idp.db, gateway="first", regions=["EE"], now=twins[0].clock.now())
    twins[0].clock.move(timedelta(seconds=20))
    first.answers = [DOWN] * 20
    done = await at_once(8, lambda number: deliver.deliver_one(twins[number % 2].idp, (first,)))
    assert len([each for each in done if each is not None and each.gateway is not None]) == 1


async def test_who_wins_one_of_two_breakers_leaves_it_to_others(twins: Twins) -> None:
    db, now = twins[0].idp.db, twins[0].clock.now()
    await opens(twins[0], "EE", "LV", breakers.EVERYWHERE)
    now += breakers.OPEN_FOR
    assert await breakers.probe(db, gateway="first", regions=["EE"], now=now)
    # Estonia is another's to try, so this one tries nothing, and stands in nobody's way
    assert not await breakers.probe(db, gateway="first", regions=["EE", breakers.EVERYWHERE], now=now)
    assert await breakers.probe(db, gateway="first", regions=["LV", breakers.EVERYWHERE], now=now)


async def test_of_many_who_need_two_breakers_one_has_both(twins: Twins) -> None:
    ways = (["EE", breakers.EVERYWHERE], ["LV", breakers.EVERYWHERE], [breakers.EVERYWHERE, "EE"])
    await opens(twins[0], "EE", "LV", breakers.EVERYWHERE)
    now = twins[0].clock.now()
    for _ in range(10):
        now += breakers.OPEN_FOR

        async def probe(number: int, now: datetime = now) -> list[str] | None:
            db, regions = twins[number % 2].idp.db, ways[number % 3]
            return regions if await breakers.probe(db, gateway="first", regions=regions, now=now) else None

        (won,) = [each for each in await at_once(16, probe) if each is not None]
        found = await breakers.states(twins[0].idp.db, now=now)
        assert {each.region for each in found if each.state == "probing"} == set(won)


async def opens(provider: Provider, *regions: str) -> None:
    """The first gateway is left alone in these regions, from now."""
    now = provider.clock.now()
    for region in regions:
        await provider.idp.db.one(OPEN, gateway="first", region=region, until=now + breakers.OPEN_FOR)


async def test_two_that_count_at_the_same_time_open_it_once(twins: Twins) -> None:
    (first,) = use(twins[0], broken(times=4))
    assert isinstance(first, FakeGateway)
    for _ in range(4):
        await forget_limits(twins[0])
        await asks_for_a_code(twins[0])
        await deliver.deliver_one(twins[0].idp, (first,))
    await twins[0].rows(deliver_an_old_attempt())
    opened = await at_once(
        10,
        lambda number: breakers.count(twins[number % 2].idp.db, gateway="first", region="EE", now=twins[0].clock.now()),
    )
    assert opened.count(True) == 1


def deliver_an_old_attempt() -> Statement:
    """One more bad try of an existing message, as another worker would have written it."""
    old = message_attempt.c
    copied = select(
        literal(uuid4()), old.message_id, old.gateway, old.region, old.started_at, old.finished_at, old.outcome
    ).limit(1)
    return Statement(
        insert(message_attempt)
        .from_select(["id", "message_id", "gateway", "region", "started_at", "finished_at", "outcome"], copied)
        .returning(message_attempt.c.id)
    )
