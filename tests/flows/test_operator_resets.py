"""An operator's help with a forgotten password: a link that asks as the mailed one, or a password for once."""

from datetime import timedelta

import httpx
import pytest

from idp.flows.operate.passwords import set_password
from idp.flows.operate.people import NotAcceptable, set_user_disabled
from idp.flows.operate.resets import give_link
from idp.model import Notice
from idp.sms import Channel
from idp.store.sql import Sql
from tests.world.account_pages import is_signed_in, notices, refresh_token
from tests.world.mailing import can_mail, mails
from tests.world.provider import ISSUER, Browser, Provider, parameters

GIVEN = "a password for this once only"
NEW = "seven green lanterns above the quay"
VERIFY = Sql("UPDATE account SET email_verified = true WHERE username = 'alice'")


async def given(provider: Provider, *, mail: bool = False) -> str:
    link = await give_link(provider.idp, "alice", mail=mail)
    assert link.address is not None
    assert link.address not in repr(link)
    return link.address.removeprefix(ISSUER)


async def sign_in(provider: Provider, browser: Browser, username: str = "bob", password: str = GIVEN) -> httpx.Response:
    await browser.get(provider.authorize_url())
    await browser.submit("/password", username=username, password=password)
    return await browser.submit("/sms", code=await provider.texted(browser))


async def test_a_link_of_an_operator_asks_for_the_strongest_factor_too(provider: Provider) -> None:
    browser = provider.browser()
    path = await given(provider)
    await browser.get(path)
    page = await browser.submit(path)
    assert page.url.path.startswith("/i/")
    assert "/sms" not in page.text
    await browser.submit("/totp", code=provider.totp())
    page = await browser.submit("/reset", password=NEW, repeat=NEW)
    assert "Your new password is set" in page.text


async def test_a_second_link_takes_the_place_of_the_first(provider: Provider) -> None:
    first, second = await given(provider), await given(provider)
    assert (await provider.browser().get(first)).status_code == 400
    assert (await provider.browser().get(second)).status_code == 200
    provider.clock.move(timedelta(hours=24))
    assert (await provider.browser().get(second)).status_code == 400


async def test_a_link_can_be_mailed_to_a_verified_address_alone(provider: Provider) -> None:
    with pytest.raises(NotAcceptable, match="IDP_SMTP_URL"):
        await give_link(provider.idp, "alice", mail=True)
    can_mail(provider)
    provider.gateway.channels = frozenset(Channel)
    with pytest.raises(NotAcceptable, match="verified"):
        await give_link(provider.idp, "alice", mail=True)
    await provider.idp.db.one(VERIFY)
    assert (await give_link(provider.idp, "alice", mail=True)).address is None
    await provider.deliver()
    assert "/link/reset/" in mails(provider)[-1].text


async def test_who_is_kept_out_gets_no_link(provider: Provider) -> None:
    await set_user_disabled(provider.idp, "alice", disabled=True)
    with pytest.raises(NotAcceptable, match="idp user enable"):
        await give_link(provider.idp, "alice", mail=False)


async def test_a_temporary_password_is_changed_before_anything_opens(provider: Provider) -> None:
    old = provider.browser()
    refreshing = await refresh_token(provider, old, "bob")
    await set_password(provider.idp, "bob", GIVEN, temporary=True)
    assert not await is_signed_in(old)
    refused = await provider.token(grant_type="refresh_token", refresh_token=refreshing)
    assert refused.json()["error"] == "invalid_grant"
    provider.clock.move(timedelta(minutes=2))
    browser = provider.browser(address="192.0.2.7")
    page = await sign_in(provider, browser)
    assert "Choose a new password" in page.text
    here = page.url.path
    for path in ("/account", provider.authorize_url("notes")):
        assert "Choose a new password" in (await browser.get(path)).text, path
    assert (await browser.get("/account/authenticators/new")).url.path.startswith("/i/")
    silent = await browser.get(provider.authorize_url(prompt="none"), follow=False)
    assert parameters(silent)["error"] == "interaction_required"
    await browser.get(here)
    answer = await browser.submit("/new-password", password=NEW, repeat=NEW)
    assert "code" in parameters(answer)
    assert (await browser.get("/account")).status_code == 200
    assert await notices(provider, Notice.PASSWORD_CHANGED)


async def test_choosing_twice_leads_where_the_first_press_led(provider: Provider) -> None:
    await set_password(provider.idp, "bob", GIVEN, temporary=True)
    browser = provider.browser()
    await come_in_with_given(provider, browser)
    form = {each.name: each.value for each in browser.form("/new-password").fields}
    action = browser.form("/new-password").action
    typed = {**form, "password": NEW, "repeat": NEW}
    pages = [await browser.post(action, typed) for _ in range(2)]
    assert [page.url.path for page in pages] == ["/account", "/account"]


async def come_in_with_given(provider: Provider, browser: Browser) -> httpx.Response:
    await browser.get("/account")
    await browser.submit("/password", username="bob", password=GIVEN)
    return await browser.submit("/sms", code=await provider.texted(browser))


@pytest.mark.parametrize(
    ("password", "repeat", "said"),
    [
        ("", "", "Enter a new password"),
        (NEW, "other", "The two passwords are not the same"),
        ("password", "password", "easy to guess"),
        (GIVEN, GIVEN, "Choose a password that differs"),
    ],
)
async def test_what_will_not_do_is_said_to_be_so(provider: Provider, password: str, repeat: str, said: str) -> None:
    await set_password(provider.idp, "bob", GIVEN, temporary=True)
    browser = provider.browser()
    await come_in_with_given(provider, browser)
    page = await browser.submit("/new-password", password=password, repeat=repeat)
    assert page.status_code == 400
    assert said in page.text


async def test_a_temporary_password_that_nobody_used_in_time_is_wrong(provider: Provider) -> None:
    await set_password(provider.idp, "bob", GIVEN, temporary=True)
    provider.clock.move(timedelta(hours=24))
    browser = provider.browser()
    await browser.get("/account")
    page = await browser.submit("/password", username="bob", password=GIVEN)
    assert "The username or the password is not right" in page.text


async def test_a_password_alone_does_not_change_it(provider: Provider) -> None:
    await set_password(provider.idp, "bob", GIVEN, temporary=True)
    browser = provider.browser()
    await browser.get("/account")
    page = await browser.submit("/password", username="bob", password=GIVEN)
    action = f"{str(page.url.path).removesuffix('/sms')}/new-password"
    form = {each.name: each.value for each in browser.form("/sms").fields}
    assert (await browser.post(action, {**form, "password": NEW, "repeat": NEW})).status_code == 403
    again = provider.browser(address="192.0.2.8")
    await again.get("/account")
    assert "/i/" in str((await again.submit("/password", username="bob", password=GIVEN)).url)


async def test_a_password_for_good_asks_for_nothing(provider: Provider) -> None:
    await set_password(provider.idp, "bob", NEW, temporary=True)
    await set_password(provider.idp, "bob", GIVEN)
    page = await come_in_with_given(provider, provider.browser())
    assert page.url.path == "/account"
