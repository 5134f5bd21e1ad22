"""Invitations: an account that nobody used yet, set up by who has the link, trusted as an operator's ticket is."""

import json
import re
from datetime import timedelta
from typing import Any

import httpx
import pytest

from idp.errors import AlreadyThere
from idp.flows.operate.invitations import invite
from idp.flows.operate.people import NotAcceptable
from idp.sms import Channel
from idp.store.people import accounts
from tests.world.account_pages import code_for, codes_on, forged, having, is_signed_in, key_on
from tests.world.authenticator import Key, options_in
from tests.world.mailing import can_mail, mails
from tests.world.parallel import at_once
from tests.world.provider import ISSUER, Browser, Provider, parameters

NEW = "seven green lanterns above the quay"
PHONE = "+37256789061"


async def invited(provider: Provider, username: str = "ida", **given: Any) -> str:
    made = await invite(provider.idp, username=username, mail=False, **given)
    assert made.address is not None
    assert made.address not in repr(made)
    return made.address.removeprefix(ISSUER)


async def press(browser: Browser, path: str) -> httpx.Response:
    page = await browser.get(path)
    assert page.status_code == 200, page.text[:1000]
    return await browser.submit(path)


async def choose(browser: Browser) -> httpx.Response:
    await browser.get("/welcome/password")
    return await browser.submit("/welcome/password", password=NEW, repeat=NEW)


async def add_phone(provider: Provider, browser: Browser, number: str = PHONE) -> httpx.Response:
    await browser.get("/account/phones/new")
    await browser.submit("/account/phones/new", number=number)
    return await browser.submit("/account/phones/confirm", code=(await provider.deliver())[-1], label="")


async def add_app(provider: Provider, browser: Browser) -> httpx.Response:
    await browser.get("/account/authenticators/new")
    page = await browser.submit("/account/authenticators/new")
    key = key_on(page)
    assert key is not None
    return await browser.submit("/confirm", code=code_for(provider, key), label="Mine")


async def test_everything_is_set_up_and_trusted_at_once_and_nobody_is_signed_in(provider: Provider) -> None:
    browser = provider.browser()
    page = await press(browser, await invited(provider))
    assert page.url.path == "/welcome"
    assert "ida" in page.text
    assert "/welcome/finish" not in page.text
    page = await choose(browser)
    assert page.url.path == "/welcome"
    page = await add_phone(provider, browser)
    assert page.url.path == "/welcome"
    page = await add_app(provider, browser)
    assert len(codes_on(page)) == 10
    page = await browser.submit("/saved", saved="1")
    assert page.url.path == "/welcome"
    page = await browser.submit("/welcome/finish")
    assert "Your account is ready" in page.text
    assert not await is_signed_in(browser)
    for each in await having(provider, "ida"):
        assert each["trusted_at"] is not None
        assert each["trusted_at"] <= provider.clock.now()
    again = provider.browser(address="192.0.2.9")
    await again.get("/account")
    page = await again.submit("/password", username="ida", password=NEW)
    assert "/i/" in str(page.url)


async def test_it_may_start_with_a_passkey(provider: Provider) -> None:
    key, browser, other = Key(), provider.browser(), provider.browser()
    await press(browser, await invited(provider))
    await choose(browser)
    page = await browser.get("/account/passkeys/new")
    page = await browser.submit("/passkeys/new", code=json.dumps(key.made(options_in(page.text))), label="Laptop")
    assert page.status_code == 200, page.text
    await browser.get("/welcome")
    await browser.submit("/finish")
    page = await other.get(provider.authorize_url(scope="openid transfers:write"))
    await other.submit("/with-passkey", code=json.dumps(key.answer(options_in(page.text))))
    assert other.page is not None
    answered = other.page if other.page.status_code == 303 else await other.submit("/consent", decision="allow")
    assert "code" in parameters(answered)


async def test_a_password_alone_or_a_phone_alone_does_not_finish(provider: Provider) -> None:
    browser = provider.browser()
    await press(browser, await invited(provider))
    assert (await forged(provider, browser, "/welcome/finish")).headers["location"] == "/welcome"
    await add_phone(provider, browser)
    assert (await forged(provider, browser, "/welcome/finish")).headers["location"] == "/welcome"
    await choose(browser)
    page = await forged(provider, browser, "/welcome/finish")
    assert page.headers["location"] == "/welcome/done"


async def test_such_a_session_opens_nothing_else(provider: Provider) -> None:
    browser = provider.browser()
    await press(browser, await invited(provider))
    await choose(browser)
    await add_phone(provider, browser)
    page = await browser.get(provider.authorize_url())
    assert "Sign in" in page.text
    silent = await browser.get(provider.authorize_url(prompt="none"), follow=False)
    assert "login_required" in silent.headers["location"]
    (phone,) = await having(provider, "ida")
    for path in (f"/account/phones/{phone['id']}", f"/account/phones/{phone['id']}/number", "/account/password"):
        assert (await browser.get(path)).status_code == 403, path
    assert (await browser.get("/account")).url.path == "/welcome"


async def test_who_was_given_a_phone_proves_it_first(provider: Provider) -> None:
    browser = provider.browser()
    page = await press(browser, await invited(provider, phone=PHONE))
    assert page.url.path.startswith("/i/")
    assert not await provider.deliver(), "nothing leaves before somebody asks"
    for path in ("/welcome", "/welcome/password", "/account/phones/new", "/account/authenticators/new"):
        assert (await browser.get(path)).url.path.startswith("/i/"), path
    answer = await forged(provider, browser, "/welcome/password", password=NEW, repeat=NEW)
    assert answer.headers["location"].startswith("/i/")
    await browser.get("/welcome")
    page = await browser.submit("/sms", code=await provider.texted(browser))
    assert page.url.path == "/welcome"
    await choose(browser)
    assert "Your account is ready" in (await browser.submit("/welcome/finish")).text


async def test_the_link_works_once_in_one_browser_which_may_come_back(provider: Provider) -> None:
    path = await invited(provider)
    browser, other = provider.browser(), provider.browser(address="192.0.2.8")
    await other.get(path)
    await browser.get(path)
    form = {each.name: each.value for each in browser.form(path).fields}
    cookie = {"Cookie": f"stile={browser.token}"}
    answers = [await browser.http.post(path, data=form, headers=cookie) for _ in range(2)]
    assert [answer.headers["location"] for answer in answers] == ["/welcome", "/welcome"]
    assert (await other.submit(path)).status_code == 400
    assert (await browser.get(path)).url.path == "/welcome"
    assert (await provider.browser().get(path)).status_code == 400


async def test_a_mailed_link_proves_the_mailbox(provider: Provider) -> None:
    can_mail(provider)
    provider.gateway.channels = frozenset(Channel)
    made = await invite(provider.idp, username="ida", email="ida@example.com", mail=True)
    assert made.address is None
    await provider.deliver()
    (mail,) = mails(provider)
    assert mail.to == "ida@example.com"
    assert "“ida”" in mail.text
    found = re.search(rf"{ISSUER}(/link/invite/\S+)", mail.text)
    assert found is not None
    await press(provider.browser(), found[1])
    person = await accounts.by_username(provider.idp.db, username="ida")
    assert person is not None
    assert person[0].email_verified


async def test_a_printed_link_proves_no_mailbox(provider: Provider) -> None:
    await press(provider.browser(), await invited(provider, email="ida@example.com"))
    person = await accounts.by_username(provider.idp.db, username="ida")
    assert person is not None
    assert not person[0].email_verified


async def test_inviting_again_makes_another_link_until_there_is_a_password(provider: Provider) -> None:
    first, second = await invited(provider), await invited(provider)
    assert (await provider.browser().get(first)).status_code == 400
    browser = provider.browser()
    await press(browser, second)
    await choose(browser)
    with pytest.raises(AlreadyThere, match="idp user reset ida"):
        await invited(provider)
    with pytest.raises(AlreadyThere):
        await invited(provider, "bob")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"mail": True}, "IDP_SMTP_URL"),
        ({"email": "none"}, "e-mail"),
        ({"phone": "+3726123456"}, "not a mobile number"),
        ({"groups": ["nowhere"]}, "no row in the policy"),
        ({"username": "a b"}, "no spaces"),
    ],
)
async def test_what_cannot_be_is_refused(provider: Provider, given: dict[str, object], said: str) -> None:
    with pytest.raises(NotAcceptable, match=said):
        await invite(provider.idp, **{"username": "ida", "mail": False, **given})  # type: ignore[arg-type]  # a table


async def test_an_invitation_expires(provider: Provider) -> None:
    path = await invited(provider)
    provider.clock.move(timedelta(days=3))
    assert (await provider.browser().get(path)).status_code == 400


async def test_of_twenty_who_press_at_once_one_sets_it_up(provider: Provider) -> None:
    path = await invited(provider)
    browsers = [provider.browser(address=f"192.0.2.{n}") for n in range(20)]
    for browser in browsers:
        await browser.get(path)

    async def pressed(n: int) -> bool:
        return (await browsers[n].submit(path, follow=False)).status_code == 303

    assert sum(await at_once(20, pressed)) == 1


async def test_nobody_signs_in_to_an_account_that_is_not_set_up(provider: Provider) -> None:
    await invited(provider, phone=PHONE)
    browser = provider.browser()
    await browser.get("/account")
    page = await browser.submit("/password", username="ida", password=NEW)
    assert "The username or the password is not right" in page.text


async def test_without_an_invitation_there_is_nothing_to_set_up(provider: Provider) -> None:
    page = await provider.browser().get("/welcome")
    assert page.url.path == "/account/sign-in"
    assert (await provider.browser().get("/link/invite/" + "A" * 43)).status_code == 400
