"""Sending: one try at a time, to the next gateway where the one before could not, three tries at most."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from idp.flows.delivery import deliver, notices
from idp.model import Notice
from idp.model.regions import ByRegion
from idp.sms import Channel, Message, Outcome, Reason, Sent
from idp.store.people import accounts
from idp.store.schema.records import audit_event, message, suppressed_number
from idp.testing import FakeGateway
from tests.world.asking import forget_limits
from tests.world.composed import Statement
from tests.world.mailing import can_mail
from tests.world.provider import ALICE_PHONE, Provider
from tests.world.sending import asks_for_a_code, attempts, deliver_all, page_of, states, use, why_suppressed

MARGIN = timedelta(seconds=30)  # sms.md 3
AUDIT = Statement(select(audit_event.c.name, audit_event.c.fields).order_by(audit_event.c.id))
MESSAGES = Statement(
    select(message.c.channel, message.c.authenticator_id, message.c.denied_by, message.c.region).order_by(
        message.c.created_at
    )
)
HASHES = Statement(select(suppressed_number.c.hash, suppressed_number.c.reason))


async def test_the_next_gateway_is_tried_at_once_and_each_try_is_its_own_row(provider: Provider) -> None:
    await asks_for_a_code(provider)
    first = FakeGateway(name="first", answers=[Sent(Outcome.NOT_SENT, reason=Reason.NETWORK)])
    second = FakeGateway(name="second")
    use(provider, first, second)
    await deliver_all(provider, first, second)
    assert await attempts(provider) == [("first", "not_sent", "EE"), ("second", "accepted", "EE")]
    assert first.codes() == second.codes()
    assert await states(provider) == ["sent"]


@pytest.mark.parametrize(
    ("outcome", "most"), [pytest.param(Outcome.NOT_SENT, 3, id="free"), pytest.param(Outcome.AMBIGUOUS, 2, id="spent")]
)
async def test_one_gateway_is_asked_again_later_and_not_for_ever(
    provider: Provider, outcome: Outcome, most: int
) -> None:
    await asks_for_a_code(provider)
    (broken,) = use(provider, FakeGateway(answers=[Sent(outcome, reason=Reason.TIMEOUT)] * 5))
    assert isinstance(broken, FakeGateway)
    for tries in (1, 2, 3, 3, 3):
        await deliver.deliver_one(provider.idp, (broken,))
        assert len(broken.sent) == min(tries, most)
        assert await deliver.deliver_one(provider.idp, (broken,)) is None
        provider.clock.move(timedelta(seconds=2 if tries == 1 else 10))
    assert len(set(broken.codes())) == 1
    assert await states(provider) == ["failed"]


async def test_what_a_provider_refuses_is_not_tried_again(provider: Provider) -> None:
    await asks_for_a_code(provider)
    refusing = FakeGateway(name="first", answers=[Sent(Outcome.REJECTED, reason=Reason.FRAUD_BLOCKED)])
    other = FakeGateway(name="second")
    use(provider, refusing, other)
    assert len(await deliver_all(provider, refusing, other)) == 1
    assert not other.sent
    assert await states(provider) == ["failed"]


async def test_each_country_has_its_own_order(provider: Provider) -> None:
    await provider.add_person("lara", number="+37121234567")
    first, second = FakeGateway(name="first"), FakeGateway(name="second")
    use(provider, first, second, LV=("second",))
    await asks_for_a_code(provider, "alice")
    await asks_for_a_code(provider, "lara")
    await deliver_all(provider, first, second)
    assert {(gateway, region) for gateway, _, region in await attempts(provider)} == {("first", "EE"), ("second", "LV")}
    assert {row[3] for row in await provider.rows(MESSAGES)} == {"EE", "LV"}


async def test_a_gateway_that_a_country_does_not_name_is_never_used_for_it(provider: Provider) -> None:
    await asks_for_a_code(provider)
    stranger = FakeGateway(name="stranger")
    provider.idp.settings = provider.idp.settings.model_copy(update={"sms_gateways": ByRegion(("somebody",))})
    (delivered,) = await deliver_all(provider, stranger)
    assert delivered.state == "failed"
    assert not stranger.sent


class Recording(FakeGateway):
    """Looks at the table of tries at the moment it is called."""

    provider: Provider
    seen: list[tuple[Any, ...]]

    async def send(self, message: Message) -> Sent:
        if not self.sent:
            self.seen = await attempts(self.provider)
        return await super().send(message)


async def test_the_try_is_written_down_before_the_provider_is_called(provider: Provider) -> None:
    await asks_for_a_code(provider)
    gateway = Recording()
    gateway.provider = provider
    await deliver_all(provider, gateway)
    assert gateway.seen == [("fake", None, "EE")]


class Raising(FakeGateway):
    async def send(self, message: Message) -> Sent:
        await super().send(message)
        raise RuntimeError(message.to)


async def test_a_gateway_that_breaks_its_contract_may_have_sent_it(provider: Provider) -> None:
    await asks_for_a_code(provider)
    broken, other = Raising(name="broken"), FakeGateway(name="other")
    use(provider, broken, other)
    delivered = await deliver_all(provider, broken, other)
    assert [each.broke for each in delivered] == ["RuntimeError", None]
    assert [(gateway, outcome) for gateway, outcome, _ in await attempts(provider)] == [
        ("broken", "ambiguous"),
        ("other", "accepted"),
    ]


async def test_nothing_is_sent_in_the_last_half_minute_of_a_code(provider: Provider) -> None:
    browser = await asks_for_a_code(provider)
    provider.clock.move(provider.idp.policy.challenge.ttl - MARGIN)
    assert await provider.deliver() == []
    assert "has not reached your phone" in await page_of(browser)
    await forget_limits(provider)
    browser = await asks_for_a_code(provider)
    provider.clock.move(provider.idp.policy.challenge.ttl - MARGIN - timedelta(seconds=1))
    assert len(await provider.deliver()) == 1


async def test_a_message_claimed_in_time_is_not_begun_too_late(provider: Provider) -> None:
    await asks_for_a_code(provider)
    provider.clock.move(provider.idp.policy.challenge.ttl - MARGIN - timedelta(seconds=1))
    claimed = await deliver.claim(provider.idp, (provider.gateway,))
    assert claimed is not None
    provider.clock.move(timedelta(seconds=1))
    assert (await deliver.send(provider.idp, (provider.gateway,), claimed)).state == "gone"
    assert not provider.gateway.sent


async def test_what_was_sent_is_in_the_audit_trail_with_the_providers_name_for_it(provider: Provider) -> None:
    await asks_for_a_code(provider)
    await provider.deliver()
    ((_, fields),) = [row for row in await provider.rows(AUDIT) if row[0] == "message.sent"]
    assert fields["provider_id"] == str(provider.gateway.sent[0].attempt_id)
    assert fields["to"] == "+372•••••045"
    assert fields["gateway"] == "fake"


@pytest.mark.parametrize("reason", [Reason.INVALID_NUMBER, Reason.OPTED_OUT])
async def test_a_number_that_is_refused_for_good_gets_nothing_any_more(provider: Provider, reason: Reason) -> None:
    await asks_for_a_code(provider)
    provider.gateway.answers = [Sent(Outcome.REJECTED, reason=reason)]
    await provider.deliver()
    provider.clock.move(timedelta(hours=1))
    browser = await asks_for_a_code(provider)
    (denied,) = await deliver_all(provider, provider.gateway)
    assert (denied.state, denied.gateway) == ("denied", None)
    assert len(provider.gateway.sent) == 1
    assert [row[2] for row in await provider.rows(MESSAGES)] == [None, "suppression"]
    assert "has not reached your phone" in await page_of(browser)
    ((hashed, why),) = await provider.rows(HASHES)
    assert why == reason
    assert ALICE_PHONE.encode() not in hashed
    # the neighbour's is not
    await asks_for_a_code(provider, "bob")
    await provider.deliver()
    assert len(provider.gateway.sent) == 2


async def test_a_suppressed_number_stays_so_when_the_secret_keys_change(provider: Provider) -> None:
    from idp.crypto import KeyChain, SecretKey, random_bytes
    from idp.flows.delivery.suppressions import suppress

    person = await accounts.by_username(provider.idp.db, username="alice")
    assert person is not None
    for _ in range(2):
        await suppress(provider.idp, ALICE_PHONE, reason="opted_out", gateway="fake", account_id=person[0].id)
    assert len([row for row in await provider.rows(AUDIT) if row[0] == "number.suppressed"]) == 1
    old = provider.idp.secrets
    fresh = SecretKey("t2", random_bytes(32))
    provider.idp.secrets = KeyChain([fresh, *(SecretKey(name, value) for name, value in old._keys.items())])
    assert await why_suppressed(provider, ALICE_PHONE) == "opted_out"
    assert await why_suppressed(provider, "+37256789046") is None
    provider.idp.secrets = KeyChain([fresh])
    assert await why_suppressed(provider, ALICE_PHONE) is None


async def test_a_notice_goes_to_every_phone_and_to_the_e_mail_address_where_mail_can_be_sent(
    provider: Provider,
) -> None:
    text = FakeGateway(name="text")
    mail = FakeGateway(name="smtp", channels=frozenset({Channel.EMAIL}))
    found = [await accounts.by_username(provider.idp.db, username=name) for name in ("alice", "bob")]
    people = [each[0] for each in found if each is not None]
    now = provider.clock.now()
    use(provider, text)
    assert await notices.tell(provider.idp, provider.idp.db, people[0], Notice.PASSWORD_CHANGED, now=now) == 1
    can_mail(provider)
    assert await notices.tell(provider.idp, provider.idp.db, people[0], Notice.PASSWORD_CHANGED, now=now) == 2
    # bob has no address
    assert await notices.tell(provider.idp, provider.idp.db, people[1], Notice.PASSWORD_CHANGED, now=now) == 1
    await deliver_all(provider, text, mail)
    assert [each.to for each in mail.sent] == ["alice@example.com"]
    assert mail.sent[0].channel is Channel.EMAIL
    assert mail.sent[0].code is None
    assert "password" in mail.sent[0].text
    assert mail.sent[0].subject == "The password of your Acme ID account was changed"
    assert {each.subject for each in text.sent} == {None}
    assert len(text.sent) == 3
    assert all(each.channel is Channel.SMS for each in text.sent)
    assert ("email", None, None, None) in [tuple(row) for row in await provider.rows(MESSAGES)]
    to = {fields["to"] for name, fields in await provider.rows(AUDIT) if name == "message.sent"}
    assert "a•••@example.com" in to


async def test_mail_waits_for_a_gateway_that_carries_it(provider: Provider) -> None:
    text = FakeGateway(name="text")
    mail = FakeGateway(name="smtp", channels=frozenset({Channel.EMAIL}))
    use(provider, text)
    can_mail(provider)
    person = await accounts.by_username(provider.idp.db, username="alice")
    assert person is not None
    await notices.tell(provider.idp, provider.idp.db, person[0], Notice.TOTP_ADDED, now=provider.clock.now())
    await deliver_all(provider, text)
    assert sorted(await states(provider)) == ["sent", "waiting"]
    await deliver_all(provider, mail)
    assert sorted(await states(provider)) == ["sent", "sent"]


async def test_the_waiting_page_tells_how_far_the_message_got_and_sends_nothing(provider: Provider) -> None:
    browser = await asks_for_a_code(provider)
    provider.gateway.answers = [Sent(Outcome.NOT_SENT)] * 3
    assert "We are sending a 6-digit code" in await page_of(browser)
    assert "See whether it was sent" in await page_of(browser)
    for _ in range(3):
        await provider.deliver()
        provider.clock.move(timedelta(seconds=10))
    told = await page_of(browser)
    assert "has not reached your phone" in told
    assert "What works now" in told
    assert "You can ask for another code in" in told
    assert "Use your authenticator app" in told
    assert "Use a recovery code" in told
    await forget_limits(provider)
    await browser.get(str(browser.page.url) if browser.page else "")
    await browser.submit("/sms/send")
    await provider.deliver()
    assert "We sent a 6-digit code" in await page_of(browser)
    for _ in range(5):
        await page_of(browser)
    assert len(await states(provider)) == 2
    assert len(set(provider.gateway.codes())) == 1
    assert "http-equiv" not in (browser.page.text if browser.page else "")
