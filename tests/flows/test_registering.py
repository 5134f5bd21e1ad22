"""Accounts that people make by themselves, where the policy lets them: a mailbox, then a phone, then an account."""

import re
from dataclasses import replace
from datetime import timedelta

import httpx
import pytest

from idp.sms import Channel
from idp.store import sweep
from idp.store.people import accounts
from idp.store.sql import Sql
from tests.world.account_pages import is_signed_in
from tests.world.mailing import POLICY, can_mail, mails, newest_link
from tests.world.provider import ISSUER, Browser, Provider

NEW = "seven green lanterns above the quay"
PHONE = "+37256789081"
LINK = re.compile(rf"{ISSUER}(/link/[a-z]+/[A-Za-z0-9_-]{{43}})")
PEOPLE = Sql("SELECT count(*) FROM account")
VERIFY = Sql("UPDATE account SET email_verified = true WHERE username = 'alice'")


@pytest.fixture(autouse=True)
def _open(provider: Provider) -> None:
    can_mail(provider)
    provider.gateway.channels = frozenset(Channel)
    policy = provider.idp.policy
    provider.idp.policy = replace(policy, registration=replace(policy.registration, open=True))


async def ask(browser: Browser, email: str = "nina@example.com", name: str = "Nina") -> httpx.Response:
    await browser.get("/register")
    return await browser.submit("/register", email=email, name=name)


async def link(provider: Provider, browser: Browser, email: str = "nina@example.com") -> str:
    await ask(browser, email)
    await provider.deliver()
    return newest_link(provider, LINK)


async def begun(provider: Provider, browser: Browser) -> httpx.Response:
    path = await link(provider, browser)
    await browser.get(path)
    return await browser.submit(path)


async def choose(browser: Browser, username: str = "nina") -> httpx.Response:
    await browser.get("/welcome/password")
    return await browser.submit("/welcome/password", username=username, password=NEW, repeat=NEW)


async def test_a_mailbox_a_name_and_a_phone_make_an_account(provider: Provider) -> None:
    browser = provider.browser()
    page = await begun(provider, browser)
    assert page.url.path == "/welcome"
    assert "~" not in page.text
    assert not [each for each in await provider.deliver() if each], "no text before the person asks for one"
    page = await choose(browser)
    assert "nina" in page.text
    assert "/welcome/finish" not in page.text
    await browser.get("/account/phones/new")
    await browser.submit("/account/phones/new", number=PHONE)
    await browser.submit("/account/phones/confirm", code=(await provider.deliver())[-1], label="")
    page = await browser.get("/welcome")
    page = await browser.submit("/welcome/finish")
    assert "Your account is ready" in page.text
    assert not await is_signed_in(browser)
    person = await accounts.by_username(provider.idp.db, username="nina")
    assert person is not None
    assert (person[0].mailbox, person[0].name, person[0].provisional_until) == ("nina@example.com", "Nina", None)
    provider.clock.move(timedelta(minutes=2))
    await browser.get("/account")
    await browser.submit("/password", username="nina", password=NEW)
    page = await browser.submit("/sms", code=await provider.texted(browser))
    assert page.url.path == "/account"


async def test_who_has_an_account_is_led_to_it_and_nobody_else_learns_of_it(provider: Provider) -> None:
    await provider.idp.db.one(VERIFY)
    faces = set()
    for n, email in enumerate(("alice@example.com", "Alice@Example.com", "nina@example.com")):
        page = await ask(provider.browser(address=f"192.0.2.{n}"), email)
        faces.add((page.status_code, page.url.path, re.sub(r'name="csrf" value="[0-9a-f]+"', "", page.text)))
    assert len(faces) == 1
    await provider.deliver()
    kinds = sorted((mail.to, "/link/reset/" in mail.text) for mail in mails(provider))
    assert kinds == [("alice@example.com", True), ("alice@example.com", True), ("nina@example.com", False)]


async def test_asking_is_two_statements_whosever_address_it_is(provider: Provider) -> None:
    await provider.idp.db.one(VERIFY)
    for email in ("alice@example.com", "nina@example.com"):
        browser = provider.browser()
        await browser.get("/register")
        provider.count()
        await browser.submit("/register", email=email, name="", follow=False)
        assert len(provider.statements) == 2, provider.statements


async def test_a_name_that_somebody_has_is_not_given_twice(provider: Provider) -> None:
    browser = provider.browser()
    await begun(provider, browser)
    page = await choose(browser, "ALICE")
    assert page.status_code == 400
    assert "Somebody has this username" in page.text
    page = await choose(browser, "two words")
    assert "without spaces" in page.text
    assert (await choose(browser, "Nina")).url.path == "/welcome"


async def test_without_a_phone_nobody_signs_in_and_the_account_goes(provider: Provider) -> None:
    # also where a code by e-mail could be the second factor
    provider.idp.policy = replace(POLICY, registration=provider.idp.policy.registration)
    browser = provider.browser()
    await begun(provider, browser)
    await choose(browser)
    before = await provider.idp.db.value(PEOPLE)
    stranger = provider.browser(address="192.0.2.9")
    await stranger.get("/account")
    page = await stranger.submit("/password", username="nina", password=NEW)
    assert "The username or the password is not right" in page.text
    idp = provider.idp
    provider.clock.move(timedelta(hours=26))
    await sweep.sweep_all(idp.db, idle=idp.policy.sessions.idle, now=provider.clock.now())
    assert await idp.db.value(PEOPLE) == before - 1


async def test_of_two_links_to_one_address_one_makes_an_account(provider: Provider) -> None:
    first, second = provider.browser(), provider.browser(address="192.0.2.8")
    paths = [await link(provider, first), await link(provider, second)]
    await first.get(paths[0])
    assert (await first.submit(paths[0])).url.path == "/welcome"
    await second.get(paths[1])
    assert (await second.submit(paths[1])).status_code == 400


async def test_links_are_few_for_each_mailbox_and_address(provider: Provider) -> None:
    for n in range(3):
        assert (await ask(provider.browser(address=f"192.0.2.{n}"))).status_code == 200
    assert (await ask(provider.browser(address="192.0.2.9"))).status_code == 429
    for n in range(5):
        assert (await ask(provider.browser(address="192.0.2.50"), f"n{n}@example.com")).status_code == 200
    assert (await ask(provider.browser(address="192.0.2.50"), "more@example.com")).status_code == 429


@pytest.mark.parametrize("email", ["", "nina", "a@b@c", "nina@example.com\r\nBcc: x@example.com", "é@example.com"])
async def test_what_is_no_address_is_told_so(provider: Provider, email: str) -> None:
    page = await ask(provider.browser(), email)
    assert page.status_code == 400
    assert not await provider.idp.db.value(Sql("SELECT count(*) FROM message"))


async def test_where_the_policy_does_not_let_people_there_is_no_such_page(provider: Provider) -> None:
    policy = provider.idp.policy
    assert "Create an account" in (await provider.browser().get("/account")).text
    provider.idp.policy = replace(policy, registration=replace(policy.registration, open=False))
    assert (await provider.browser().get("/register")).status_code == 404
    assert "Create an account" not in (await provider.browser().get("/account")).text
