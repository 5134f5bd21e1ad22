"""The hold of an authenticator begins when somebody could tell its owner: not before, whatever the providers do."""

import asyncio
from datetime import datetime, timedelta
from itertools import pairwise
from uuid import UUID

import pytest
from sqlalchemy import select, update

from idp.flows.delivery import deliver, notices
from idp.flows.delivery.deliver import Delivered
from idp.model import Factor, Notice
from idp.sms import Channel, Delivery, Outcome, Reason, Sent
from idp.store.delivery import leases, receipts, untold
from idp.store.schema.people import account, authenticator
from idp.store.schema.records import message, message_attempt
from idp.testing import FakeGateway
from tests.world.account_pages import apps, come_in, enrol, having
from tests.world.composed import Statement
from tests.world.mailing import can_mail
from tests.world.parallel import at_once
from tests.world.provider import BOB_PHONE, PASSWORD, Browser, Provider, parameters
from tests.world.sending import deliver_all, use

DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)
BROKEN = Sent(Outcome.AMBIGUOUS, reason=Reason.PROVIDER_ERROR)
NOT_REACHED = Sent(Outcome.NOT_SENT, reason=Reason.NETWORK)
NOTICES = Statement(
    select(message.c.kind, message.c.channel, message.c.state).where(message.c.kind != "code").order_by(message.c.id)
)
ATTEMPTS = Statement(
    select(message_attempt.c.id, message_attempt.c.gateway).order_by(message_attempt.c.started_at.desc())
)
MAIL = Statement(
    update(account).where(account.c.username == "bob").values(email="bob@example.com").returning(account.c.id)
)
CLOSE_PHONES = Statement(
    update(authenticator)
    .where(authenticator.c.factor == "sms")
    .values(closed_at=authenticator.c.created_at)
    .returning(authenticator.c.id)
)


async def added(provider: Provider) -> Browser:
    """Bob has added an app, by text message; nobody was told so far."""
    browser = provider.browser()
    await come_in(provider, browser)
    await enrol(provider, browser)
    return browser


async def deliver_in_time(provider: Provider, *, tries: int = 3) -> None:
    """Until nothing that is due is left, with the waits between tries."""
    for _ in range(tries):
        await provider.deliver()
        provider.clock.move(timedelta(seconds=11))


async def app_of(provider: Provider, username: str = "bob") -> dict[str, object]:
    [app] = await apps(provider, username)
    return app


async def moves_money(provider: Provider) -> bool:
    """Whether bob can make a transfer with the app, in a browser of its own."""
    browser = provider.browser()
    page = await browser.get(provider.authorize_url(scope="openid transfers:write"))
    page = await browser.submit("/password", username="bob", password=PASSWORD)
    if page.status_code == 200:
        page = await browser.submit("/totp", code=provider.totp("enrolled"))
    if page.status_code == 200:
        page = await browser.submit("/consent", decision="allow")
    return "code" in parameters(page)


async def test_enr_01_an_app_that_nobody_could_be_told_of_moves_no_money_however_long(provider: Provider) -> None:
    await added(provider)
    provider.gateway.answers = [BROKEN] * 1000
    for _ in range(12):
        await deliver_in_time(provider)
        provider.clock.move(DAY)
        await notices.tell_again(provider.idp)
    assert (await app_of(provider))["trusted_at"] is None
    assert not await moves_money(provider)
    # The provider is back: the round after that is taken, and a day later the app opens what it should.
    provider.gateway.answers = []
    await provider.deliver()
    told_at = provider.clock.now()
    assert (await app_of(provider))["trusted_at"] == told_at + DAY
    provider.clock.time = told_at + DAY - MINUTE
    assert not await moves_money(provider)
    provider.clock.time = told_at + DAY + MINUTE
    assert await moves_money(provider)


async def test_what_the_account_page_says_before_and_after(provider: Provider) -> None:
    browser = await added(provider)
    page = await browser.get("/account")
    assert "opens sensitive actions 24 hours after our message to you about it was sent" in page.text
    await provider.deliver()
    page = await browser.get("/account")
    assert "opens sensitive actions from" in page.text
    assert "still trying" not in page.text


async def test_one_channel_that_takes_it_is_enough_and_the_first_one_counts(provider: Provider) -> None:
    can_mail(provider)
    await provider.rows(MAIL)
    text = FakeGateway(name="text", answers=[NOT_REACHED] * 100)
    mail = FakeGateway(name="smtp", channels=frozenset({Channel.EMAIL}))
    await added(provider)
    use(provider, text)
    await deliver_all(provider, text)
    assert (await app_of(provider))["trusted_at"] is None
    await deliver_all(provider, mail)
    told_at = provider.clock.now()
    assert (await app_of(provider))["trusted_at"] == told_at + DAY
    # What arrives later elsewhere does not make it longer.
    provider.clock.move(HOUR)
    text.answers.clear()
    await deliver_all(provider, text)
    assert (await app_of(provider))["trusted_at"] == told_at + DAY


async def test_without_any_channel_it_stays_on_hold_and_is_told_when_there_is_one(provider: Provider) -> None:
    browser = await added(provider)
    await provider.deliver()
    await provider.rows(
        Statement(
            update(authenticator)
            .where(authenticator.c.factor == "totp")
            .values(trusted_at=None, hold=DAY, tell_at=provider.clock.now())
            .returning(authenticator.c.id)
        )
    )
    await provider.rows(CLOSE_PHONES)
    assert await notices.tell_again(provider.idp) == 0
    page = await browser.get("/account")
    assert "there is no phone or email address where we could tell you about it" in page.text
    provider.clock.move(DAY)
    assert (await app_of(provider))["trusted_at"] is None
    account_id = (await app_of(provider))["account_id"]
    assert isinstance(account_id, UUID)
    await provider.add_phone(account_id, BOB_PHONE)
    assert await notices.tell_again(provider.idp) == 1
    await provider.deliver()
    assert (await app_of(provider))["trusted_at"] == provider.clock.now() + DAY


async def test_codes_made_with_a_text_message_wait_to_be_told_of_too(provider: Provider) -> None:
    await added(provider)
    provider.gateway.answers = [BROKEN] * 100
    await deliver_in_time(provider)
    [codes] = [each for each in await having(provider, "bob") if each["factor"] == "recovery"]
    assert (codes["trusted_at"], codes["hold"]) == (None, DAY)
    provider.gateway.answers = []
    provider.clock.move(HOUR)
    assert await notices.tell_again(provider.idp) == 2
    await provider.deliver()
    [codes] = [each for each in await having(provider, "bob") if each["factor"] == "recovery"]
    assert codes["trusted_at"] == provider.clock.now() + DAY


async def test_the_rounds_become_rarer_and_end(provider: Provider) -> None:
    """An outage of a month costs a person two messages a day at most."""
    await added(provider)
    begun = provider.clock.now()
    provider.gateway.answers = [NOT_REACHED] * 10_000
    rounds: list[timedelta] = []
    while provider.clock.now() < begun + timedelta(days=40):
        await deliver_in_time(provider)
        if await notices.tell_again(provider.idp):
            rounds.append(provider.clock.now() - begun)
        provider.clock.move(HOUR / 2)
    assert 30 <= len(rounds) <= 40
    assert rounds[0] < 2 * HOUR
    assert all(later - earlier <= DAY + HOUR for earlier, later in pairwise(rounds))
    assert timedelta(days=29) <= rounds[-1] <= timedelta(days=32)


async def test_a_notice_that_still_waits_is_not_doubled(provider: Provider) -> None:
    await added(provider)
    provider.clock.move(HOUR)
    assert await notices.tell_again(provider.idp) == 0
    assert [row[2] for row in await provider.rows(NOTICES)] == ["waiting", "waiting"]


async def test_many_nodes_tell_once_a_round(provider: Provider) -> None:
    await added(provider)
    for _ in range(10):
        provider.gateway.answers = [NOT_REACHED] * 6
        await deliver_in_time(provider)
        provider.clock.move(2 * DAY)

        async def tell(_: int) -> int:
            return await notices.tell_again(provider.idp)

        assert sum(await at_once(8, tell)) == 2


async def test_a_sender_killed_between_the_acceptance_and_its_record_begins_no_hold(
    provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody knows that it was taken: the next sender tells once more, and then it begins."""
    await added(provider)

    async def killed(*_: object, **__: object) -> str:
        raise asyncio.CancelledError

    with monkeypatch.context() as patched:
        patched.setattr(deliver, "_mark", killed)
        for _ in range(2):
            with pytest.raises(asyncio.CancelledError):
                await deliver.deliver_one(provider.idp, (provider.gateway,))
    assert (await app_of(provider))["trusted_at"] is None
    provider.clock.move(leases.LEASE + MINUTE)
    await provider.deliver()
    assert (await app_of(provider))["trusted_at"] == provider.clock.now() + DAY


@pytest.mark.parametrize("status", [Delivery.QUEUED, Delivery.SENT, Delivery.DELIVERED])
async def test_a_receipt_says_that_it_was_taken_when_the_answer_was_lost(provider: Provider, status: Delivery) -> None:
    await added(provider)
    provider.gateway.answers = [BROKEN] * 100
    await deliver_in_time(provider)
    assert (await app_of(provider))["trusted_at"] is None
    for attempt_id, gateway in await provider.rows(ATTEMPTS):
        await receipts.report(
            provider.idp.db,
            attempt_id=attempt_id,
            gateway=gateway,
            provider_id="late",
            status=status,
            reason=None,
            provider_code=None,
            now=provider.clock.now(),
        )
    assert (await app_of(provider))["trusted_at"] == provider.clock.now() + DAY


async def test_a_receipt_that_it_did_not_arrive_begins_nothing(provider: Provider) -> None:
    await added(provider)
    provider.gateway.answers = [BROKEN] * 100
    await deliver_in_time(provider)
    for attempt_id, gateway in await provider.rows(ATTEMPTS):
        await receipts.report(
            provider.idp.db,
            attempt_id=attempt_id,
            gateway=gateway,
            provider_id="late",
            status=Delivery.UNDELIVERED,
            reason=None,
            provider_code=None,
            now=provider.clock.now(),
        )
    assert (await app_of(provider))["trusted_at"] is None


async def test_many_acceptances_at_once_begin_it_once(provider: Provider) -> None:
    """Two channels and receipts of both: the first sets the moment, and nothing moves it."""
    await added(provider)
    account_id = (await app_of(provider))["account_id"]
    assert isinstance(account_id, UUID)
    await provider.deliver()
    first = (await app_of(provider))["trusted_at"]
    assert isinstance(first, datetime)
    provider.clock.move(HOUR)
    person = await provider.idp.db.one(Statement(select(account.c.id).where(account.c.username == "bob")))
    assert person is not None
    for _ in range(8):
        await provider.idp.db.one(
            Statement(
                update(authenticator)
                .where(authenticator.c.factor == "totp", authenticator.c.account_id == account_id)
                .values(trusted_at=None, hold=DAY, tell_at=provider.clock.now())
                .returning(authenticator.c.id)
            )
        )
        provider.clock.move(MINUTE)
        begun = provider.clock.now()
        assert await notices.tell_again(provider.idp) == 1

        async def send(_: int) -> Delivered | None:
            return await deliver.deliver_one(provider.idp, (provider.gateway,))

        await at_once(6, send)
        assert (await app_of(provider))["trusted_at"] == begun + DAY


async def test_what_follows_a_removal_waits_until_the_removal_was_told(provider: Provider) -> None:
    """Else who knows the password, has the phone and a saved code removes the app while no message can leave."""
    browser = provider.browser()
    await come_in(provider, browser, "alice")
    [app] = await apps(provider, "alice")
    room = f"/account/authenticators/{app['id']}"
    page = await browser.get(room)
    await browser.get(f"{page.url.path}/recovery")
    await browser.submit("/recovery", code=provider.saved["alice"][0])
    provider.gateway.answers = [NOT_REACHED] * 1000
    page = await browser.submit("/remove")
    assert "was removed" in page.text
    for _ in range(3):
        await deliver_in_time(provider)
        provider.clock.move(DAY)
    removed = {each["id"]: each for each in await having(provider, "alice")}[app["id"]]
    assert (removed["trusted_at"], removed["hold"]) == (None, DAY)
    provider.gateway.answers = []
    await notices.tell_again(provider.idp)
    await provider.deliver()
    removed = {each["id"]: each for each in await having(provider, "alice")}[app["id"]]
    assert removed["trusted_at"] == provider.clock.now() + DAY
    assert [row[0] for row in await provider.rows(NOTICES)].count(Notice.AUTHENTICATOR_REMOVED) > 1


def test_the_words_of_the_rounds_are_those_of_the_notices() -> None:
    told = {Notice.TOTP_ADDED.value, Notice.RECOVERY_ADDED.value, Notice.AUTHENTICATOR_REMOVED.value}
    assert told == {f"{Factor.TOTP}_added", f"{Factor.RECOVERY}_added", untold.REMOVED}
