"""Wrong codes after a right password are told, and rarely enough; and the trail says where each request came from."""

import re
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from idp.addresses import ORIGIN, Origin
from idp.audit import PasswordChanged
from idp.flows.operate.editing import edit_person
from idp.flows.operate.passwords import set_password
from idp.model import Notice
from idp.policy import load_policy
from idp.sms import Channel
from idp.store import audits
from idp.store.schema.records import audit_event, message
from tests.world.account_pages import come_in, notices
from tests.world.composed import Statement
from tests.world.mailing import can_mail, mails
from tests.world.parallel import at_once
from tests.world.policies import OURS
from tests.world.provider import ALICE_PHONE, PASSWORD, Browser, Provider

DAY = timedelta(days=1)
TOLD = Statement(select(message.c.channel).where(message.c.kind == Notice.CODES_WRONG.value))
ROWS = Statement(select(audit_event.c.name, audit_event.c.fields).order_by(audit_event.c.id))
CHROME = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36"


async def at_the_code(provider: Provider, **options: Any) -> Browser:
    """Somebody who gave alice's right password, and is asked for a code of her app."""
    browser = provider.browser(**options)
    await browser.get(provider.authorize_url())
    page = await browser.submit("/password", username="alice", password=PASSWORD)
    await browser.get(f"/i/{page.url.path.split('/')[2]}/totp")
    return browser


async def wrong(browser: Browser, times: int = 1) -> None:
    for _ in range(times):
        await browser.submit("/totp", code="000000")


async def told(provider: Provider) -> int:
    return len(await provider.rows(TOLD))


async def test_the_third_wrong_code_in_a_row_is_told_and_once_a_day(provider: Provider) -> None:
    browser = await at_the_code(provider)
    await wrong(browser, 2)
    assert await told(provider) == 0
    await wrong(browser)
    assert await notices(provider, Notice.CODES_WRONG) == [ALICE_PHONE]
    for _ in range(3):
        provider.clock.move(timedelta(hours=7))
        await wrong(await at_the_code(provider), 3)
    assert await told(provider) == 1
    provider.clock.move(timedelta(hours=4))
    await wrong(await at_the_code(provider), 1)
    assert await told(provider) == 2


async def test_who_mistypes_twice_and_then_gets_it_right_is_not_told(provider: Provider) -> None:
    for _ in range(3):
        browser = await at_the_code(provider)
        await wrong(browser, 2)
        answer = await browser.submit("/totp", code=provider.totp())
        assert answer.status_code == 303
        provider.clock.move(timedelta(minutes=2))
    assert await told(provider) == 0


async def test_a_wrong_password_is_told_to_nobody(provider: Provider) -> None:
    browser = provider.browser()
    await browser.get(provider.authorize_url())
    for _ in range(4):
        await browser.submit("/password", username="alice", password="wrong")
    assert await told(provider) == 0


async def test_many_wrong_codes_at_once_tell_once(provider: Provider) -> None:
    browsers = [await at_the_code(provider, address=f"192.0.2.{number}") for number in range(1, 6)]

    async def guess(number: int) -> None:
        await wrong(browsers[number % 5], 1)

    await at_once(15, guess)
    assert await told(provider) == 1


async def test_a_wrong_code_costs_no_more_statements_than_before(provider: Provider) -> None:
    browser = await at_the_code(provider)
    for _ in range(3):
        form = browser.form("/totp")
        data = {each.name: each.value for each in form.fields} | {"code": "000000"}
        provider.count()
        answer = await browser.http.request("POST", form.action, data=data)
        assert len(provider.statements) == 3
        await browser.get(answer.headers["location"])


async def test_the_trail_says_from_where(provider: Provider) -> None:
    browser = provider.browser(address="203.0.113.7", headers={"user-agent": CHROME})
    await come_in(provider, browser)
    rows = dict(await provider.rows(ROWS))
    verified, sent = rows["factor.verified"], rows["code.sent"]
    assert (verified["address"], verified["browser"]) == ("203.0.113.7", CHROME)
    assert sent["address"] == "203.0.113.7"
    # a sender works for nobody in particular
    assert "address" not in rows["message.sent"]
    page = await browser.get("/account")
    assert "Chrome, Linux" in page.text.partition('id="activity"')[2]


async def test_a_machine_leaves_its_address(provider: Provider) -> None:
    code = await provider.code(provider.browser())
    await provider.redeem(code)
    rows = dict(await provider.rows(ROWS))
    assert rows["tokens.issued"]["address"]
    assert "browser" not in rows["tokens.issued"]


@pytest.mark.parametrize("said", ["x" * 5000, "\x7f\t<script>", ""], ids=["long", "strange", "nothing"])
async def test_what_a_browser_says_of_itself_is_cut_and_cannot_break_anything(provider: Provider, said: str) -> None:
    browser = provider.browser(headers={"user-agent": said})
    page = await come_in(provider, browser)
    assert page.status_code == 200
    rows = dict(await provider.rows(ROWS))
    kept = rows["factor.verified"].get("browser", "")
    assert len(kept) <= 200
    assert kept.isprintable()
    assert "<script>" not in page.text


async def test_what_comes_after_a_request_is_not_its_doing(provider: Provider) -> None:
    await come_in(provider, provider.browser())
    assert ORIGIN.get() is None
    await audits.add(provider.idp.db, PasswordChanged(by="operator"), now=provider.clock.now())
    ORIGIN.set(Origin("198.51.100.1"))
    await audits.add(provider.idp.db, PasswordChanged(by="operator"), now=provider.clock.now())
    ORIGIN.set(None)
    changed = [fields for name, fields in await provider.rows(ROWS) if name == "password.changed"]
    assert changed == [{"by": "operator"}, {"by": "operator", "address": "198.51.100.1"}]


async def test_a_freeze_link_that_waits_goes_to_the_address_it_was_for(provider: Provider) -> None:
    can_mail(provider)
    provider.gateway.channels = frozenset(Channel)
    await edit_person(provider.idp, "bob", {"email": "bob@example.com", "email_verified": True})
    await edit_person(provider.idp, "bob", {"email": "victim@example.com"})
    await provider.deliver()
    linked = {mail.to for mail in mails(provider) if "/link/freeze/" in mail.text}
    assert linked == {"bob@example.com"}
    plain = [mail for mail in mails(provider) if mail.to == "victim@example.com"]
    assert len(plain) == 1, "what is told to an address that nobody proved has no link"


async def test_an_address_that_nobody_proved_keeps_no_text_from_a_phone(provider: Provider) -> None:
    can_mail(provider)
    provider.gateway.channels = frozenset(Channel)
    provider.idp.policy = load_policy(re.sub(r"texts +=.*", "texts = []", OURS, count=1))
    await edit_person(provider.idp, "bob", {"email": "desk@example.com"})
    await provider.deliver()
    before = len(provider.gateway.sent) - len(mails(provider))
    await set_password(provider.idp, "bob", "seven green lanterns above the quay")
    await provider.deliver()
    assert len(provider.gateway.sent) - len(mails(provider)) == before + 1
    await edit_person(provider.idp, "bob", {"email_verified": True})
    await provider.deliver()
    texted = len(provider.gateway.sent) - len(mails(provider))
    await set_password(provider.idp, "bob", "eight green lanterns above the quay")
    await provider.deliver()
    assert len(provider.gateway.sent) - len(mails(provider)) == texted, "where mail goes, the policy saves the text"
