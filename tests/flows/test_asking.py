"""What the pages that ask for a code say of sending: never that something was sent when nothing was, in any state."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import func, select

from idp import limits
from idp.limits import LimitState
from idp.policy import default_policy, limits_of
from idp.sms import Outcome, Reason, Sent
from idp.store.schema.records import message
from tests.world.composed import Statement
from tests.world.mailing import allow_mail
from tests.world.provider import PASSWORD, Browser, Provider, parameters
from tests.world.sending import page_of

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
CLAIMS = ("We sent", "We are sending", "has received", "another code", "Send the code again", "Check your phone")
QUEUED = Statement(select(func.count()).select_from(message).where(message.c.kind == "code"))


async def queued(provider: Provider) -> int:
    return int((await provider.rows(QUEUED))[0][0])


async def asked(provider: Provider, username: str = "bob", **options: Any) -> Browser:
    browser = provider.browser(**options)
    await browser.get(provider.authorize_url())
    await browser.submit("/password", username=username, password=PASSWORD)
    return browser


async def use_up(provider: Provider, *, most: int = 20) -> Browser:
    """Sign in to the code page again and again, waiting as the page says, until no code is sent any more."""
    for _ in range(most):
        before = await queued(provider)
        browser = await asked(provider)
        if await queued(provider) == before:
            return browser
        await provider.deliver()
        provider.clock.move(MINUTE / 2)
    raise AssertionError("there is an end")


async def test_after_a_limit_the_page_claims_nothing_that_did_not_happen(provider: Provider) -> None:
    browser = await use_up(provider)
    said = await page_of(browser)
    assert "We have not sent a code to your phone ending 46 , because codes were asked for recently." in said
    assert "You can ask for a code in" in said
    assert not [claim for claim in CLAIMS if claim in said]


async def test_the_limit_of_an_address_is_told_like_that_of_a_number(provider: Provider) -> None:
    """Five people behind one address: the sixth is sent nothing, and is told so."""
    for number in range(6):
        await provider.add_person(f"person{number}", number=f"+3725678910{number}")
    for number in range(5):
        await asked(provider, f"person{number}")
    before = await queued(provider)
    browser = await asked(provider, "person5")
    assert await queued(provider) == before
    said = await page_of(browser)
    assert "We have not sent a code to your phone" in said
    assert not [claim for claim in CLAIMS if claim in said]


async def test_a_code_by_email_is_told_alike(provider: Provider) -> None:
    allow_mail(provider)
    await provider.add_person("dora", email="dora@example.com", email_verified=True)
    await asked(provider, "dora")
    before = await queued(provider)
    browser = await asked(provider, "dora")
    assert await queued(provider) == before
    said = await page_of(browser)
    assert "We have not sent a code to d•••@example.com , because codes were asked for recently." in said
    assert not [claim for claim in CLAIMS if claim in said]


async def test_before_the_last_code_for_now_the_page_says_that_it_is_the_last(provider: Provider) -> None:
    """And the wait it names is the one that then comes."""
    browser = await asked(provider)
    warned: list[str] = []
    for _ in range(10):
        provider.clock.move(MINUTE)
        said = await page_of(browser)
        if "You can ask for another code in" in said or "Send" not in said:
            continue
        before = await queued(provider)
        page = await browser.submit("/sms/send")
        assert page.status_code == 200
        assert await queued(provider) == before + 1
        after = await page_of(browser)
        if "You can ask for one more code now." in said:
            warned.append(said)
            wait = said.partition("the next one is possible in ")[2].partition(".")[0]
            assert f"You can ask for another code in {wait}" in after
            break
        assert minutes(after) <= 5
    assert warned


def minutes(said: str) -> int:
    """The wait that the page names."""
    number, unit = said.partition("code in ")[2].partition(".")[0].split()
    return int(number) if unit.startswith("minute") else 1 if unit.startswith("second") else 60 * int(number)


async def test_what_a_provider_did_not_take_was_not_sent(provider: Provider) -> None:
    provider.gateway.answers = [Sent(Outcome.REJECTED, reason=Reason.INVALID_NUMBER)]
    browser = await asked(provider)
    await provider.deliver()
    said = await page_of(browser)
    assert "has not reached your phone" in said
    assert "We sent" not in said


async def test_a_page_that_could_send_says_when_it_does(provider: Provider) -> None:
    browser = await asked(provider)
    provider.clock.move(6 * MINUTE)
    said = await page_of(browser)
    assert "We send a 6-digit code to your phone ending 46 when you press the button." in said
    assert "Check your phone" not in said


async def test_the_pages_of_a_code_look_at_the_limits_once(provider: Provider) -> None:
    browser = await asked(provider)
    assert browser.page is not None
    provider.count()
    await browser.get(str(browser.page.url))
    assert sum("rate_limit" in sql for sql in provider.statements) == 1


@pytest.mark.parametrize("limit", limits_of(default_policy().limits).values(), ids=lambda limit: str(limit.name))
def test_the_wait_that_is_foretold_is_the_wait_that_comes(limit: limits.Limit) -> None:
    """For every limit and every state it can reach by being charged whenever that is possible."""
    now = datetime(2026, 11, 28, tzinfo=UTC)
    state: LimitState | None = None
    for _ in range(12):
        left = limits.wait(limit, state, now=now)
        if left is None:
            assert limits.wait_after(limit, state, now=now) == limits.FOR_EVER
            break
        now += left
        foretold = limits.wait_after(limit, state, now=now)
        charged = limits.charge(limit, state, now=now)
        assert isinstance(charged, limits.Charged)
        state = charged.state
        assert foretold == (limits.wait(limit, state, now=now) or limits.NOTHING)
        # asked too early, it says what is left
        if foretold:
            assert limits.wait_after(limit, state, now=now) == foretold


async def test_a_message_is_one_press_away_for_who_has_an_app(provider: Provider) -> None:
    browser = provider.browser()
    await browser.get(provider.authorize_url())
    page = await browser.submit("/password", username="alice", password=PASSWORD)
    assert "/totp" in page.text
    assert await provider.deliver() == []
    page = await browser.submit("/sms/send")
    assert browser.form("/sms").action.endswith("/sms")
    (code,) = await provider.deliver()
    here = str(page.url.path).removesuffix("/sms")
    app = await browser.get(f"{here}/totp")
    assert f'href="{here}/sms"' in app.text, "what was sent is a link away, and nothing has to be sent"
    assert "/sms/send" not in app.text
    await browser.get(f"{here}/sms")
    assert "code" in parameters(await browser.submit("/sms", code=code))
    assert len(provider.gateway.codes()) == 1
