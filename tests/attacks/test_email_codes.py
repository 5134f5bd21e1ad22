"""Codes by e-mail under attack: where the app is due, where they are not allowed, and in place of another code."""

from collections.abc import AsyncIterator
from datetime import timedelta

import httpx
import pytest

from idp.flows.operate.editing import set_email
from idp.policy import default_policy
from tests.world.asking import wrong
from tests.world.mailing import allow_mail, mails
from tests.world.provider import PASSWORD, Browser, Provider, claims, parameters
from tests.world.stage import STRONG, TWO_FACTOR, elevate, next_day, own_token

TRANSFER = "openid transfers:write"
ADDRESS = "dora@example.com"


@pytest.fixture(scope="module")
async def mailing(stage: Provider) -> Provider:
    """Dora has everything; mia a verified address alone; una one that nobody verified, beside a phone."""
    allow_mail(stage)
    await stage.add_person("dora", number="+37256789050", app=True, codes=True, email=ADDRESS, email_verified=True)
    await stage.add_person("mia", email="mia@example.com", email_verified=True)
    await stage.add_person("una", number="+37256789051", email="una@example.com")
    return stage


@pytest.fixture
async def provider(mailing: Provider, database_url: str) -> AsyncIterator[Provider]:
    await next_day(mailing, database_url)
    allow_mail(mailing)
    yield mailing
    await set_email(mailing.idp, "dora", ADDRESS, verified=True)


async def asks(provider: Provider, username: str = "dora", **changes: str) -> tuple[Browser, str]:
    """Somebody whose password was right, and the path of what is asked next."""
    browser = provider.browser()
    await browser.get(provider.authorize_url(**changes))
    page = await browser.submit("/password", username=username, password=PASSWORD)
    assert page.status_code == 200, page.text[:2000]
    return browser, page.url.path


async def by_mail(provider: Provider, browser: Browser, here: str) -> str:
    """Ask for a code by e-mail; the code."""
    await browser.get(f"{here}/email")
    await browser.submit("/email/send")
    await provider.deliver()
    code = mails(provider)[-1].code
    assert code is not None
    return code


async def forced(provider: Provider, browser: Browser, path: str, **form: str) -> httpx.Response:
    return await browser.http.post(path, data={**own_token(provider, browser, path), **form})


async def test_a_code_by_email_signs_in_and_is_told_from_a_text_message(provider: Provider) -> None:
    browser, here = await asks(provider)
    page = await browser.get(here)
    assert "d•••@example.com" in page.text
    assert ADDRESS not in page.text
    answer = await browser.submit("/email", code=await by_mail(provider, browser, here))
    issued = (await provider.redeem(parameters(answer)["code"])).json()
    for name in ("id_token", "access_token"):
        told = claims(issued[name])
        assert (told["acr"], told["amr"]) == (TWO_FACTOR, ["pwd", "email", "mfa"])


async def test_somebody_with_an_address_alone_gets_the_code_with_the_password(provider: Provider) -> None:
    browser, _ = await asks(provider, "mia")
    code = (await provider.deliver())[-1]
    (mail,) = mails(provider)
    assert (mail.to, mail.code) == ("mia@example.com", code)
    assert "code" in parameters(await browser.submit("/email", code=code))


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"acr_values": TWO_FACTOR},
        {"acr_values": "email"},
        {"prompt": "login"},
        {"acr_values": f"{TWO_FACTOR} {STRONG}"},
    ],
)
async def test_a_transfer_asks_for_the_app_and_looks_at_no_mail(provider: Provider, changes: dict[str, str]) -> None:
    browser, here = await asks(provider, scope=TRANSFER, **changes)
    page = await browser.get(here)
    assert browser.form("/totp").action
    assert "/email" not in page.text
    shown = await browser.get(f"{here}/email")
    assert browser.form("/totp").action
    for leads in ("action", "href"):
        assert f'{leads}="{here}/email' not in shown.text
    provider.count()
    for path in (f"{here}/email", f"{here}/email/send"):
        assert (await forced(provider, browser, path, code="123456")).status_code == 400
    looking = "UPDATE session SET previous_hash"  # each look at a session takes note that its token is used
    assert not [sql for sql in provider.statements if "INSERT" in sql or "UPDATE" in sql.replace(looking, "")]
    smuggled = await forced(provider, browser, f"{here}/totp", code="123456", method="email", factor="email")
    assert smuggled.status_code == 400
    assert await provider.deliver() == []


async def test_who_signed_in_by_mail_is_asked_for_the_app_and_only_that_raises_them(provider: Provider) -> None:
    browser, here = await asks(provider)
    code = await by_mail(provider, browser, here)
    assert "code" in parameters(await browser.submit("/email", code=code))
    page = await browser.get(provider.authorize_url(scope=TRANSFER, acr_values=TWO_FACTOR))
    assert browser.form("/totp").action
    assert (await forced(provider, browser, f"{page.url.path}/email", code=code)).status_code == 400
    await browser.get(page.url.path)
    answer = parameters(await browser.submit("/totp", code=provider.totp("dora")))
    issued = (await provider.redeem(answer["code"])).json()
    assert claims(issued["access_token"])["acr"] == STRONG


async def test_the_account_pages_let_nobody_change_anything_by_mail(provider: Provider) -> None:
    browser, here = await asks(provider)
    assert "code" in parameters(await browser.submit("/email", code=await by_mail(provider, browser, here)))
    for path in ("/account/authenticators/new", "/account/recovery-codes", "/account/password"):
        page = await browser.get(path)
        assert page.url.path.startswith("/i/"), path
        assert "/email" not in page.text
        for ending in ("email", "email/send"):
            answer = await forced(provider, browser, f"{page.url.path}/{ending}", code="123456")
            assert answer.status_code == 400, (path, ending)


async def test_without_the_row_there_is_no_mail(provider: Provider) -> None:
    provider.idp.policy = default_policy()
    browser, here = await asks(provider)
    assert "/email" not in (await browser.get(here)).text
    for path in (f"{here}/email", f"{here}/email/send"):
        assert (await forced(provider, browser, path, code="123456")).status_code == 400
    await provider.deliver()
    assert mails(provider) == []
    stranger = provider.browser()
    await stranger.get(provider.authorize_url())
    refused = await stranger.submit("/password", username="mia", password=PASSWORD)
    assert refused.status_code == 400  # as for a wrong password: nothing could ever be proved


async def test_a_row_that_goes_takes_its_sessions_and_its_codes_with_it(provider: Provider) -> None:
    browser, here = await asks(provider)
    assert "code" in parameters(await browser.submit("/email", code=await by_mail(provider, browser, here)))
    late, there = await asks(provider)
    code = await by_mail(provider, late, there)
    provider.idp.policy = default_policy()
    page = await browser.get(provider.authorize_url())
    assert page.url.path.startswith("/i/")
    assert (await forced(provider, late, f"{there}/email", code=code)).status_code == 400


async def test_an_address_that_nobody_verified_gets_no_code(provider: Provider) -> None:
    browser, here = await asks(provider, "una")
    assert "/email" not in (await browser.get(here)).text
    for path in (f"{here}/email", f"{here}/email/send"):
        assert (await forced(provider, browser, path, code="123456")).status_code == 400
    await provider.deliver()
    assert mails(provider) == []


async def test_a_code_of_one_channel_is_wrong_for_the_other(provider: Provider) -> None:  # OTP-09
    browser, here = await asks(provider)
    texted = await provider.texted(browser)
    mailed = await by_mail(provider, browser, here)
    assert texted != mailed
    for factor, code in (("email", texted), ("sms", mailed)):
        answer = await forced(provider, browser, f"{here}/{factor}", code=code)
        assert answer.status_code == 400
        assert "not right" in answer.text
    assert (await forced(provider, browser, f"{here}/email", code=mailed)).status_code == 303


async def test_a_code_is_for_one_person_and_one_request(provider: Provider) -> None:  # OTP-09
    browser, here = await asks(provider)
    code = await by_mail(provider, browser, here)
    other, there = await asks(provider)
    await by_mail_again(provider, other, there)
    mia, hers = await asks(provider, "mia")
    for one, path in ((other, there), (mia, hers)):
        assert (await forced(provider, one, f"{path}/email", code=code)).status_code == 400
    assert (await forced(provider, browser, f"{here}/email", code=code)).status_code == 303


async def by_mail_again(provider: Provider, browser: Browser, here: str) -> None:
    provider.clock.move(timedelta(seconds=61))
    await by_mail(provider, browser, here)


async def test_three_tries_are_three_and_a_new_code_has_to_be_asked_for(provider: Provider) -> None:
    browser, here = await asks(provider)
    code = await by_mail(provider, browser, here)
    for _ in range(3):
        assert (await forced(provider, browser, f"{here}/email", code=wrong(code))).status_code == 400
    page = await forced(provider, browser, f"{here}/email", code=code)
    assert page.status_code == 400
    assert "no longer works" in page.text
    again = await forced(provider, browser, f"{here}/email/send")
    assert again.status_code == 429
    assert 0 < int(again.headers["retry-after"]) <= 60


@pytest.mark.parametrize(("late", "status"), [(298, 303), (302, 400)])
async def test_a_code_lives_five_minutes(provider: Provider, late: int, status: int) -> None:  # OTP-07
    browser, here = await asks(provider)
    code = await by_mail(provider, browser, here)
    provider.clock.move(timedelta(seconds=late))
    assert (await forced(provider, browser, f"{here}/email", code=code)).status_code == status


@pytest.mark.parametrize(
    "typed", ["\u2460\u2461\u2462\u2463\u2464\u2465", "123456\n", "+123456", "12345", "1234567", ""]
)
async def test_what_is_no_code_costs_no_try(provider: Provider, typed: str) -> None:  # OTP-11
    browser, here = await asks(provider)
    code = await by_mail(provider, browser, here)
    for _ in range(4):
        assert (await forced(provider, browser, f"{here}/email", code=typed)).status_code == 400
    assert (await forced(provider, browser, f"{here}/email", code=code)).status_code == 303


async def test_a_resend_carries_the_same_code(provider: Provider) -> None:  # OTP-13
    browser, here = await asks(provider)
    code = await by_mail(provider, browser, here)
    assert (await forced(provider, browser, f"{here}/email/send")).status_code == 429
    provider.clock.move(timedelta(seconds=61))
    assert await by_mail(provider, browser, here) == code
    assert len(mails(provider)) == 2


async def test_one_mailbox_is_not_flooded_from_many_addresses(provider: Provider) -> None:
    sent = 0
    for number in range(20):
        browser = provider.browser(address=f"198.51.100.{number + 1}")
        page = await browser.get(provider.authorize_url())
        await browser.submit("/password", username="mia", password=PASSWORD)
        await forced(provider, browser, f"{page.url.path}/email/send")
        await provider.deliver()
        sent = len(mails(provider))
        provider.clock.move(timedelta(minutes=3))
    assert sent == 4  # one is kept for browsers used before


async def test_codes_by_mail_and_by_text_share_the_budget_of_an_address(provider: Provider) -> None:
    for username in ("dora", "bob", "una", "alice"):
        browser, _ = await asks(provider, username)
        await browser.ask_for_text()
    await asks(provider, "mia")
    browser, here = await asks(provider)
    answer = await forced(provider, browser, f"{here}/email/send")
    assert answer.status_code == 429
    assert int(answer.headers["retry-after"]) > 60


@pytest.mark.parametrize(
    ("email", "verified"), [("dora@example.org", True), (ADDRESS, False), (None, False), ("dora@example.org", False)]
)
async def test_another_address_kills_the_codes_that_went_to_the_old_one(
    provider: Provider, email: str | None, verified: bool
) -> None:
    browser, here = await asks(provider)
    code = await by_mail(provider, browser, here)
    await set_email(provider.idp, "dora", email, verified=verified)
    assert (await forced(provider, browser, f"{here}/email", code=code)).status_code == 400
    # Nor does it come back to life with the address.
    await set_email(provider.idp, "dora", ADDRESS, verified=True)
    assert "no longer works" in (await forced(provider, browser, f"{here}/email", code=code)).text


async def test_a_code_that_waits_goes_neither_to_the_old_address_nor_to_the_new_one(provider: Provider) -> None:
    browser, here = await asks(provider)
    await browser.get(f"{here}/email")
    await browser.submit("/email/send")
    await set_email(provider.idp, "dora", "dora@example.org", verified=True)
    await provider.deliver()
    assert mails(provider) == []


async def test_nothing_changed_kills_nothing(provider: Provider) -> None:
    browser, here = await asks(provider)
    code = await by_mail(provider, browser, here)
    await set_email(provider.idp, "dora", ADDRESS, verified=True)
    assert (await forced(provider, browser, f"{here}/email", code=code)).status_code == 303


async def test_the_mail_starts_with_the_code_and_holds_no_link(provider: Provider) -> None:
    browser, here = await asks(provider)
    code = await by_mail(provider, browser, here)
    (mail,) = mails(provider)
    assert mail.text.startswith(f"{code} is your Acme ID code.")
    assert "Not you?" in mail.text
    for mark in ("://", "www", "@", "#", "localhost"):
        assert mark not in mail.text
    assert mail.subject == "Your Acme ID code"
    assert mail.to == ADDRESS


async def test_an_app_elevates_beside_mail_as_ever(provider: Provider) -> None:
    browser = provider.browser()
    await provider.sign_in(browser)
    assert "code" in await elevate(provider, browser)
