"""The lease of a message: one sender at a time, and what a sender writes counts only while the lease is its own."""

from datetime import datetime, timedelta
from uuid import UUID, uuid4

from idp.audit import MessageSent
from idp.sms import Outcome
from idp.sms.routing import MOST_TRIES
from idp.store.delivery import leases, messages
from idp.store.delivery.messages import Outgoing, Telling
from idp.store.people import accounts
from tests.world.parallel import at_once
from tests.world.provider import Provider

Twins = tuple[Provider, Provider]
ROUNDS = range(3)
LEASE = timedelta(seconds=20)  # sms.md 3


async def some_messages(provider: Provider, how_many: int) -> None:
    now = provider.clock.now()
    person = await accounts.by_username(provider.idp.db, username="bob")
    assert person is not None
    for _ in range(how_many):
        telling = Telling(person[0].id, "password_changed", locale=None, expires_at=now + timedelta(hours=1))
        await messages.notice(provider.idp.db, telling, now=now)


async def claim_many(twins: Twins, times: int) -> list[Outgoing]:
    async def claim(number: int) -> Outgoing | None:
        return await leases.claim(twins[number % 2].idp.db, channels=["sms"], now=twins[0].clock.now())

    return [each for each in await at_once(times, claim) if each is not None]


async def begin(provider: Provider, claimed: Outgoing, attempt_id: UUID, *, gateway: str = "fake") -> datetime | None:
    now, db = provider.clock.now(), provider.idp.db
    return await leases.begin(
        db, claimed, attempt_id=attempt_id, gateway=gateway, region="EE", most=MOST_TRIES, now=now
    )


async def mark(provider: Provider, attempt_id: UUID, lease: datetime, outcome: Outcome) -> str | None:
    now = provider.clock.now()
    return await leases.mark(
        provider.idp.db,
        attempt_id=attempt_id,
        lease=lease,
        outcome=outcome,
        sent=outcome is Outcome.ACCEPTED,
        final=False,
        audit=MessageSent(message="", gateway="", provider_id=None, kind="", to=""),
        now=now,
        again_at=now,
    )


async def test_a_message_has_one_sender_at_a_time(twins: Twins) -> None:
    await some_messages(twins[0], 8)
    claimed: list[UUID] = []
    for _ in ROUNDS:
        claimed += [each.id for each in await claim_many(twins, 16)]
    assert len(claimed) == len(set(claimed)) == 8


async def test_a_dead_senders_message_is_taken_over_by_one_and_only_when_its_lease_has_run_out(twins: Twins) -> None:
    await some_messages(twins[0], 1)
    for number in range(4):
        (claimed,) = await claim_many(twins, 16)
        assert [each.outcome for each in claimed.tries] == [None] * number
        assert await begin(twins[0], claimed, uuid4()) is not None or number == 3
        assert not await claim_many(twins, 16)
        twins[0].clock.move(LEASE - timedelta(seconds=1))
        assert not await claim_many(twins, 16)
        twins[0].clock.move(timedelta(seconds=1))


async def test_many_tries_begun_at_once_on_one_lease_are_one(twins: Twins) -> None:
    for _ in ROUNDS:
        await some_messages(twins[0], 1)
        (claimed,) = await claim_many(twins, 2)
        twins[0].clock.move(timedelta(seconds=1))  # a renewed lease is another one
        begun = await at_once(16, lambda number, mine=claimed: begin(twins[number % 2], mine, uuid4()))  # type: ignore[misc]
        assert len([each for each in begun if each is not None]) == 1


async def test_a_sender_that_lost_its_lease_begins_nothing_and_ends_nothing(provider: Provider) -> None:
    await some_messages(provider, 1)
    db = provider.idp.db
    slow = await leases.claim(db, channels=["sms"], now=provider.clock.now())
    provider.clock.move(LEASE)
    now = provider.clock.now()
    assert slow is not None
    assert await begin(provider, slow, uuid4()) is None
    quick = await leases.claim(db, channels=["sms"], now=now)
    assert quick is not None
    for gone in (
        await leases.let_go(db, slow, "denied", denied_by="x", region="EE", now=now),
        await leases.let_go(db, slow, "failed", region="EE", now=now),
        await leases.let_go(db, slow, "waiting", region="EE", again_at=now, now=now),
    ):
        assert gone == "gone"
    assert await leases.claim(db, channels=["sms"], now=now) is None
    assert await begin(provider, quick, uuid4()) is not None


async def test_what_was_sent_stays_sent_when_the_first_of_two_senders_was_slow(provider: Provider) -> None:
    await some_messages(provider, 1)
    tries, held = [uuid4(), uuid4()], []
    for attempt_id in tries:
        claimed = await leases.claim(provider.idp.db, channels=["sms"], now=provider.clock.now())
        assert claimed is not None
        held.append(await begin(provider, claimed, attempt_id))
        provider.clock.move(LEASE)
    assert held[0] is not None
    assert held[1] is not None
    # who lost the lease neither fails the message nor opens it to a third sender
    assert await mark(provider, tries[0], held[0], Outcome.ACCEPTED) == "sent"
    assert await mark(provider, tries[1], held[1], Outcome.NOT_SENT) == "sent"


async def test_a_slow_failure_leaves_the_message_to_whoever_has_it_now(provider: Provider) -> None:
    await some_messages(provider, 1)
    db, first = provider.idp.db, uuid4()
    slow = await leases.claim(db, channels=["sms"], now=provider.clock.now())
    assert slow is not None
    lease = await begin(provider, slow, first)
    assert lease is not None
    now = provider.clock.move(LEASE)
    quick = await leases.claim(db, channels=["sms"], now=now)
    assert quick is not None
    assert await mark(provider, first, lease, Outcome.NOT_SENT) == "waiting"
    assert await leases.claim(db, channels=["sms"], now=now) is None
    assert await begin(provider, quick, uuid4()) is not None
