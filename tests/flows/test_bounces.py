"""A mailbox that takes no mail is closed, by a refusal, a report or a complaint, and opens when it is verified anew."""

from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select

from idp.flows.delivery import bounces, notices
from idp.flows.operate.editing import set_email
from idp.model import Notice
from idp.sms import Channel, Outcome, Reason, Sent
from idp.sms.bounces import read
from idp.store.people import accounts
from idp.store.schema.people import account
from idp.store.schema.records import audit_event, message, message_attempt
from tests.world.account_pages import come_in
from tests.world.composed import Statement
from tests.world.mailing import allow_mail, can_mail, mails
from tests.world.parallel import at_once
from tests.world.provider import Provider
from tests.world.returned import complaint, report

REFUSED = Statement(select(account.c.email_refused_at).where(account.c.username == "alice"))
ATTEMPTS = Statement(
    select(message_attempt.c.id, message_attempt.c.provider_id)
    .join(message)
    .where(message.c.channel == "email")
    .order_by(message_attempt.c.started_at.desc())
)
TOLD = Statement(select(message.c.channel).where(message.c.kind == "password_changed").order_by(message.c.channel))
TRAIL = Statement(select(audit_event.c.fields).where(audit_event.c.name == "mailbox.refused"))


@pytest.fixture(autouse=True)
async def _mail(provider: Provider) -> None:
    allow_mail(provider)
    can_mail(provider)
    await set_email(provider.idp, "alice", "alice@example.com", verified=True)


async def tell(provider: Provider) -> None:
    found = await accounts.by_username(provider.idp.db, username="alice")
    assert found is not None
    await notices.tell(provider.idp, provider.idp.db, found[0], Notice.PASSWORD_CHANGED, now=provider.clock.now())


async def sent(provider: Provider) -> dict[str, Any]:
    """Mail alice a notice; what a report repeats of it."""
    await tell(provider)
    await provider.deliver()
    attempt_id, provider_id = (await provider.rows(ATTEMPTS))[0]
    await provider.idp.db.one(
        Statement(message_attempt.update().values(gateway="smtp", provider_id=f"{attempt_id}@login.example.com"))
    )
    assert provider_id
    return {"message_id": f"<{attempt_id}@login.example.com>", "to": "Alice@Example.com"}


async def closed(provider: Provider) -> bool:
    return (await provider.rows(REFUSED))[0][0] is not None


async def take(provider: Provider, raw: bytes) -> bounces.Taken | None:
    returned = read(raw)
    return None if returned is None else await bounces.take(provider.idp, returned)


async def test_a_refusal_for_good_closes_the_mailbox_and_notices_go_to_the_phone(provider: Provider) -> None:
    provider.gateway.answers = [Sent(Outcome.REJECTED, reason=Reason.INVALID_NUMBER)] * 2
    provider.gateway.channels = frozenset({Channel.EMAIL})
    await tell(provider)
    await provider.deliver()
    assert await closed(provider)
    assert [row[0] for row in await provider.rows(TRAIL)] == [
        {"email": "a•••@example.com", "reason": "invalid_number", "gateway": "fake"}
    ]
    provider.gateway.channels = frozenset(Channel)
    await tell(provider)
    assert [row[0] for row in await provider.rows(TOLD)] == ["email", "sms", "sms"]


@pytest.mark.parametrize("reason", [Reason.BLOCKED, Reason.UNREACHABLE, Reason.CONTENT_REJECTED])
async def test_a_policy_against_us_and_a_full_mailbox_close_nothing(provider: Provider, reason: Reason) -> None:
    provider.gateway.answers = [Sent(Outcome.REJECTED, reason=reason)] * 2
    await tell(provider)
    await provider.deliver()
    assert not await closed(provider)


async def test_a_report_closes_it_once_and_the_page_says_so(provider: Provider) -> None:
    raw = report(**await sent(provider))
    assert await take(provider, raw) == bounces.Taken("A•••@Example.com", "invalid_number", closed=True)
    assert await closed(provider)
    assert await take(provider, raw) is None
    page = await come_in(provider, provider.browser(), "alice")
    assert "No mail of ours arrives at" in page.text
    assert "a•••@example.com" in page.text
    assert "No mail arrives" in page.text
    assert len(await provider.rows(TRAIL)) == 1


async def test_a_complaint_closes_it(provider: Provider) -> None:
    taken = await take(provider, complaint("abuse", **await sent(provider)))
    assert taken is not None
    assert taken.closed


async def test_a_report_of_a_full_mailbox_is_noted_alone(provider: Provider) -> None:
    taken = await take(provider, report(status="5.2.2", **await sent(provider)))
    assert taken is not None
    assert not taken.closed
    assert not await closed(provider)


async def test_a_report_about_nobodys_mail_or_an_earlier_address_closes_nothing(provider: Provider) -> None:
    invented = report(message_id=f"<{UUID(int=7)}@login.example.com>", to="alice@example.com")
    assert await take(provider, invented) is None
    about = await sent(provider)
    await set_email(provider.idp, "alice", "new@example.com", verified=True)
    taken = await take(provider, report(**about))
    assert taken is not None
    assert not taken.closed
    assert not await closed(provider)


async def test_no_code_goes_to_a_closed_mailbox_and_verified_anew_it_is_open(provider: Provider) -> None:
    await take(provider, report(**await sent(provider)))
    browser = provider.browser()
    page = await provider.half_way(browser)
    before = len(mails(provider))
    assert "by email" not in page.text
    await set_email(provider.idp, "alice", "alice@example.com", verified=True)
    assert not await closed(provider)
    page = await provider.half_way(provider.browser())
    assert "email" in page.text
    assert len(mails(provider)) == before


async def test_a_code_on_its_way_dies_with_the_mailbox(provider: Provider) -> None:
    about = await sent(provider)
    browser = provider.browser()
    page = await provider.half_way(browser)
    path = page.url.path.split("/")[2]
    await browser.get(f"/i/{path}/email")
    await browser.submit("/email/send")
    code = (await provider.deliver())[-1]
    await take(provider, report(**about))
    page = await browser.submit("/email", code=code)
    assert "code" not in page.headers.get("location", "")


async def test_many_reports_at_once_are_one(provider: Provider) -> None:
    raw = report(**await sent(provider))

    async def work(_: int) -> bounces.Taken | None:
        return await take(provider, raw)

    taken = await at_once(12, work)
    assert sum(each is not None and each.closed for each in taken) == 1
    assert len(await provider.rows(TRAIL)) == 1
