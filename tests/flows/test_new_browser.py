"""A sign-in from a browser that a person never used is told, with what is known of it; any other is not."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from idp.flows.delivery import notices
from idp.flows.people.rooms import SIGN_IN_PATH
from idp.model import Notice
from idp.sms import Channel
from idp.store.people import accounts
from idp.store.schema.records import message
from idp.store.sql import Sql
from idp.testing import FakeGateway
from tests.world.account_pages import come_in, is_signed_in
from tests.world.composed import Statement
from tests.world.mailing import can_mail
from tests.world.parallel import at_once
from tests.world.policies import rule
from tests.world.provider import ALICE_PHONE, PASSWORD, Browser, Provider
from tests.world.sending import deliver_all

PROVED = Sql("UPDATE account SET email_verified = true WHERE username = 'alice'")
TOLD = Statement(
    select(message.c.channel, message.c.kind, message.c.fields)
    .where(message.c.kind != "code")
    .order_by(message.c.created_at, message.c.channel)
)
CHROME = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36"


async def told(provider: Provider) -> list[tuple[str, str]]:
    return [(kind, channel) for channel, kind, _ in await provider.rows(TOLD)]


async def signed_in(provider: Provider, username: str = "alice", **options: Any) -> Browser:
    browser = provider.browser(**options)
    await come_in(provider, browser, username)
    assert await is_signed_in(browser)
    provider.clock.move(timedelta(minutes=5))
    return browser


async def test_the_first_sign_in_ever_is_no_news_and_the_next_browser_is(provider: Provider) -> None:
    await signed_in(provider)
    assert await told(provider) == []
    await signed_in(provider, address="203.0.113.7", headers={"user-agent": CHROME})
    assert await told(provider) == [("new_browser", "sms")]
    [[_, _, fields]] = await provider.rows(TOLD)
    assert fields == {"device": "Chrome, Linux", "address": "203.0.113.7"}
    await provider.deliver()
    assert provider.gateway.sent[-1].to == ALICE_PHONE
    assert provider.gateway.sent[-1].text == (
        "New sign-in to your Acme ID account: Chrome, Linux. "
        "Not you? Change your password at localhost:8000/account and tell us."
    )


async def test_a_browser_that_was_used_before_is_no_news(provider: Provider) -> None:
    await signed_in(provider)
    browser = await signed_in(provider)
    assert len(await told(provider)) == 1
    await browser.submit("/account/sign-out")
    for _ in range(2):
        provider.clock.move(timedelta(days=2))
        await come_in(provider, browser, "alice")
    assert len(await told(provider)) == 1


async def test_a_second_factor_in_a_session_that_had_one_is_no_sign_in(provider: Provider) -> None:
    await signed_in(provider)
    browser = await signed_in(provider)
    browser.http.cookies.delete("stile-device")
    await browser.get("/account/authenticators/new")
    await browser.submit("/totp", code=provider.totp())
    assert len(await told(provider)) == 1


async def test_a_browser_of_somebody_else_is_new_to_this_person(provider: Provider) -> None:
    await signed_in(provider, "alice")
    await signed_in(provider, "bob")
    theirs = await signed_in(provider, "alice")
    await theirs.get("/account")
    await theirs.submit("/account/sign-out")
    await come_in(provider, theirs, "bob")
    assert [kind for kind, _ in await told(provider)] == ["new_browser", "new_browser"]


async def test_a_recovery_code_in_a_new_browser_tells_of_the_code_alone(provider: Provider) -> None:
    await signed_in(provider)
    browser = provider.browser()
    await provider.half_way(browser)
    await browser.get(f"/i/{browser.page.url.path.split('/')[2] if browser.page else ''}/recovery")
    await browser.submit("/recovery", code=provider.saved["alice"][0])
    assert [kind for kind, _ in await told(provider)] == ["recovery_used"]


async def test_where_mail_reaches_nobody_pays_for_a_text_message(provider: Provider) -> None:
    can_mail(provider)
    await provider.idp.db.one(PROVED)
    await signed_in(provider)
    await signed_in(provider)
    assert await told(provider) == [("new_browser", "email")]
    # bob has no address
    await signed_in(provider, "bob")
    await signed_in(provider, "bob")
    assert await told(provider) == [("new_browser", "email"), ("new_browser", "sms")]


@pytest.mark.parametrize(
    ("rows", "channels"),
    [
        pytest.param('texts = ["new_browser"]', ["email", "sms"], id="to-every-phone"),
        pytest.param('no_texts = ["new_browser"]', ["email"], id="to-no-phone"),
    ],
)
async def test_the_policy_says_which_notices_cost_text_messages(
    provider: Provider, rows: str, channels: list[str]
) -> None:
    rule(provider, f"[notices]\n{rows}")
    can_mail(provider)
    await signed_in(provider)
    await signed_in(provider)
    assert [channel for _, channel in await told(provider)] == channels


async def test_a_change_of_how_somebody_signs_in_is_texted_whatever_the_policy_says(provider: Provider) -> None:
    rule(provider, "[notices]\ntexts = []")
    can_mail(provider)
    await provider.idp.db.one(PROVED)
    found = await accounts.by_username(provider.idp.db, username="alice")
    assert found is not None
    for notice in (Notice.TOTP_ADDED, Notice.PASSWORD_CHANGED):
        await notices.tell(provider.idp, provider.idp.db, found[0], notice, now=provider.clock.now())
        provider.clock.move(timedelta(seconds=1))
    assert await told(provider) == [("totp_added", "email"), ("totp_added", "sms"), ("password_changed", "email")]


async def test_who_uses_a_fresh_browser_each_time_is_told_of_five_a_day(provider: Provider) -> None:
    for _ in range(8):
        provider.clock.move(timedelta(hours=1))
        await signed_in(provider)
    assert len(await told(provider)) == 5
    provider.clock.move(timedelta(days=1))
    await signed_in(provider)
    assert len(await told(provider)) == 6


async def test_of_many_answers_at_once_one_tells(provider: Provider) -> None:
    await signed_in(provider)
    for _ in range(4):
        before = len(await told(provider))
        browser = provider.browser()
        await browser.get(f"{SIGN_IN_PATH}?to=/account")
        await browser.submit("/password", username="alice", password=PASSWORD)
        code = await provider.texted(browser)
        form = browser.form("/sms")
        data = {each.name: each.value for each in form.fields} | {"code": code}

        async def press(_: int, browser: Browser = browser, form: Any = form, data: Any = data) -> None:
            await browser.http.request("POST", form.action, data=data)

        await at_once(8, press)
        assert len(await told(provider)) == before + 1
        provider.clock.move(timedelta(hours=1))


async def test_telling_of_a_new_browser_costs_no_statement(provider: Provider) -> None:
    counts = []
    for _ in range(2):
        browser = provider.browser()
        await browser.get(f"{SIGN_IN_PATH}?to=/account")
        await browser.submit("/password", username="alice", password=PASSWORD)
        code = await provider.texted(browser)
        provider.count()
        await browser.submit("/sms", code=code, follow=False)
        counts.append(len(provider.statements))
        provider.clock.move(timedelta(minutes=5))
    assert counts[0] == counts[1] == 2
    assert len(await told(provider)) == 1


async def test_an_email_says_when_where_and_what_to_do(provider: Provider) -> None:
    mail = FakeGateway(name="smtp", channels=frozenset({Channel.EMAIL}))
    can_mail(provider)
    await signed_in(provider)
    await signed_in(provider, address="2001:db8:1:2:3:4:5:6", headers={"user-agent": CHROME})
    await deliver_all(provider, mail)
    [sent] = mail.sent
    assert sent.subject == "A new browser signed in to your Acme ID account"
    happened, when, *_, account, never = sent.text.split("\n\n")
    assert happened == "A new browser signed in to your Acme ID account."
    assert when.endswith(" UTC\nBrowser: Chrome, Linux\nNetwork address: 2001:db8:1:2::/64")
    assert account == "Your account is at http://localhost:8000/account"
    assert never.startswith("Acme ID will not call")


@pytest.mark.parametrize("said", ["Call +1 900 555 0100 now/1.0", "http://evil.example Chrome", "{place}", ""])
async def test_what_a_browser_says_of_itself_is_not_repeated(provider: Provider, said: str) -> None:
    await signed_in(provider)
    await signed_in(provider, headers={"user-agent": said})
    await provider.deliver()
    text = provider.gateway.sent[-1].text
    assert "sign" in text
    assert not said or said not in text
    assert "evil" not in text
