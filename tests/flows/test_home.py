"""The account page as a person's home: what it costs, which applications it opens, what it says happened."""

import re
from dataclasses import replace
from datetime import timedelta

import httpx
import pytest

from idp.store.people import accounts
from tests.world.account_pages import come_in, prove_app
from tests.world.provider import NOTES_URI, PASSWORD, Browser, Provider, parameters

HOME = "https://forum.example/start"


def section(page: httpx.Response, heading: str) -> str:
    found = re.search(rf'<section[^>]* aria-labelledby="{heading}">(.*?)</section>', page.text, re.DOTALL)
    assert found is not None, page.text[:2000]
    return " ".join(re.sub(r"<[^>]*>", " ", found[1]).split())


async def activity(browser: Browser) -> str:
    return section(await browser.get("/account"), "activity")


@pytest.mark.parametrize("later", [timedelta(0), timedelta(minutes=2)], ids=["at once", "after a while"])
@pytest.mark.parametrize("username", ["alice", "bob"])
async def test_the_account_page_is_two_statements(provider: Provider, username: str, later: timedelta) -> None:
    browser = provider.browser()
    await come_in(provider, browser, username)
    provider.clock.move(later)
    provider.count()
    page = await browser.get("/account")
    assert page.status_code == 200
    assert len(provider.statements) == 2, provider.statements


async def test_looking_at_it_keeps_the_browser_signed_in(provider: Provider) -> None:
    browser = provider.browser()
    await come_in(provider, browser)
    for _ in range(4):
        provider.clock.move(timedelta(minutes=50))  # 60 without use end it
        assert (await browser.get("/account", follow=False)).status_code == 200


async def test_an_application_of_the_house_is_listed_while_it_holds_something(provider: Provider) -> None:
    browser = provider.browser()
    await come_in(provider, browser, "alice")
    assert "You use no application" in section(await browser.get("/account"), "apps")
    await provider.redeem(parameters(await browser.get(provider.authorize_url(scope="openid profile")))["code"])
    shown = section(await browser.get("/account"), "apps")
    assert "Acme Bank It may: See your name and profile" in shown
    assert "Open" not in shown  # nobody knows where it begins
    page = await browser.submit("/withdraw")
    assert "You use no application" in section(page, "apps")


async def test_an_application_with_a_home_is_there_to_open_for_whom_it_is_for(provider: Provider) -> None:
    await provider.add_client("forum", NOTES_URI, first_party=False, home_uri=HOME)
    await provider.add_client("vault", NOTES_URI, home_uri="https://vault.example/", groups=frozenset({"treasury"}))
    browser = provider.browser()
    page = await come_in(provider, browser)
    shown = section(page, "apps")
    assert "Acme Forum Not used so far Open" in shown
    assert "Vault" not in shown
    assert f'href="{HOME}"' in page.text
    assert "/apps/withdraw" not in page.text  # it holds nothing


async def test_a_zone_is_what_times_are_written_in(provider: Provider) -> None:
    browser = provider.browser()
    await come_in(provider, browser, "bob")
    assert ", 12:00 UTC" in await activity(browser)
    found = await accounts.by_username(provider.idp.db, username="bob")
    assert found is not None
    for zone, written in (
        ("Europe/Tallinn", ", 14:00 EET"),
        ("Asia/Dhaka", ", 18:00 UTC+06"),
        ("Mars/Olympus", ", 12:00 UTC"),
        ("../etc", ", 12:00 UTC"),
        ("Europe", ", 12:00 UTC"),
    ):
        now = provider.clock.now()
        await accounts.set_claims(provider.idp.db, account_id=found[0].id, claims={"zoneinfo": zone}, now=now)
        assert written in await activity(browser), zone


async def test_signing_in_says_how_and_a_step_up_is_none(provider: Provider) -> None:
    browser = provider.browser()
    await browser.get(provider.authorize_url())
    await browser.submit("/password", username="alice", password=PASSWORD)
    await browser.submit("/totp", code=provider.totp())
    assert "Signed in with the authenticator app · Acme Bank" in await activity(browser)
    provider.clock.move(timedelta(minutes=10))
    await prove_app(provider, browser, "/account/password")
    assert "Confirmed that it was you with the authenticator app" in await activity(browser)


async def test_what_a_stranger_typed_is_somebodys_and_counted(provider: Provider) -> None:
    browser = provider.browser(address="198.51.100.7")
    await browser.get("/account")
    for wrong in ("one wrong", "another"):
        await browser.submit("/password", username="bob", password=wrong)
    await browser.submit("/password", username="bob", password=PASSWORD)
    code = await provider.texted(browser)
    wrong = "000000" if code != "000000" else "000001"
    await browser.submit("/sms", code=wrong)
    await browser.submit("/sms", code=code)
    shown = await activity(browser)
    assert "Somebody typed a wrong code " in shown
    assert "wrong codes" not in shown
    assert "Somebody typed a wrong password , 2 times" in shown
    assert "from 198.51.100.7" in shown


async def test_a_scope_of_the_operators_own_is_said_in_their_words(provider: Provider) -> None:
    rule = replace(provider.idp.policy.scopes["email"], text="Release salaries")
    provider.idp.policy = replace(provider.idp.policy, scopes={**provider.idp.policy.scopes, "payroll:write": rule})
    scopes = frozenset({"openid", "payroll:write"})
    await provider.add_client("forum", NOTES_URI, first_party=False, scopes=scopes)
    browser = provider.browser()
    page = await provider.sign_in(browser, client_id="forum", scope="openid payroll:write")
    assert "Release salaries" in page.text
    assert ">payroll:write" not in page.text
    answer = parameters(await browser.submit("/consent", decision="allow", scope="payroll:write"))
    await provider.redeem(answer["code"], "forum")
    assert "Release salaries" in section(await browser.get("/account"), "apps")
