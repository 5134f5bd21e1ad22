"""Known browsers: limits of their own and the right question first; named, forgotten; and they never prove anything."""

import re
from dataclasses import replace
from datetime import timedelta

import httpx
from sqlalchemy import func, select

from idp.audit import AccountChanged, DeviceForgotten
from idp.flows.idp import Visitor, device_key
from idp.flows.operate.editing import edit_person
from idp.flows.operate.people import freeze_user
from idp.model import AssuranceLevel, Factor
from idp.store.schema.people import device
from idp.store.schema.records import audit_event
from tests.world.account_pages import come_in, forged, is_signed_in
from tests.world.asking import forget_limits
from tests.world.composed import Statement
from tests.world.parallel import at_once
from tests.world.provider import PASSWORD, Browser, Provider

DEVICES = Statement(select(device.c.key, device.c.label, device.c.factor, device.c.address).order_by(device.c.seen_at))
TRAIL = Statement(select(audit_event.c.name, func.count()).group_by(audit_event.c.name))


async def known(provider: Provider) -> list[bytes]:
    return [row[0] for row in await provider.rows(DEVICES)]


def path_of(provider: Provider, browser: Browser) -> str:
    key = device_key(provider.idp, Visitor("", device=browser.http.cookies["stile-device"]))
    assert key is not None
    return f"/account/devices/{key.hex()}"


async def happened(provider: Provider, name: str) -> int:
    found: dict[str, int] = {each[0]: each[1] for each in await provider.rows(TRAIL)}
    return found.get(name, 0)


async def test_a_second_factor_makes_a_browser_known_and_a_password_does_not(provider: Provider) -> None:
    browser = provider.browser(address="198.51.100.7")
    await browser.get("/account")
    await browser.submit("/password", username="bob", password=PASSWORD)
    assert not await known(provider)
    await browser.submit("/sms", code=await provider.texted(browser))
    ((_, label, factor, address),) = await provider.rows(DEVICES)
    assert (label, factor, address) == ("", "sms", "198.51.100.7")


async def test_promise_1_a_known_browser_is_asked_for_everything_all_the_same(provider: Provider) -> None:
    browser = provider.browser()
    await come_in(provider, browser)
    await browser.get("/account")
    await browser.submit("/account/sign-out")
    assert await known(provider)
    page = await browser.get("/account")
    assert page.url.path == "/account/sign-in"
    page = await browser.submit("/password", username="bob", password=PASSWORD)
    assert "Check your phone" in page.text
    for path in ("/account", path_of(provider, browser)):
        answer = await browser.get(path, follow=False)
        assert answer.status_code == 303
        assert "/i/" in answer.headers["location"]


async def test_signing_in_again_makes_no_other_of_it(provider: Provider) -> None:
    browser = provider.browser()
    for _ in range(3):
        await provider.sign_in(browser, "bob", prompt="login")
        provider.clock.move(timedelta(minutes=2))
    assert len(await known(provider)) == 1


async def test_forgotten_its_cookie_counts_for_nothing_from_that_moment(provider: Provider) -> None:
    lost, own = provider.browser(address="198.51.100.7"), provider.browser()
    await come_in(provider, lost)
    provider.clock.move(timedelta(minutes=2))
    await come_in(provider, own)
    await forget_limits(provider)
    path = path_of(provider, lost)
    await own.get(path)
    page = await own.submit("/forget")
    assert "The device is forgotten, and signed out." in page.text
    assert not await is_signed_in(lost)
    assert await is_signed_in(own)
    # In a browser that is known five wrong passwords are its own; here they are those of an address.
    for address in ("198.51.100.7", "198.51.100.8"):
        browser = provider.browser(address=address)
        browser.http.cookies.set("stile-device", lost.http.cookies["stile-device"])
        for _ in range(5):
            await browser.get(provider.authorize_url())
            page = await browser.submit("/password", username="bob", password="wrong")
            assert page.status_code == 400
    assert await happened(provider, DeviceForgotten.name) == 1
    assert (await own.get(path)).status_code == 404


async def test_it_is_forgotten_once_however_often_that_is_pressed(provider: Provider) -> None:
    lost, own = provider.browser(address="198.51.100.7"), provider.browser()
    for _ in range(4):
        await forget_limits(provider)
        provider.clock.move(timedelta(minutes=2))
        await come_in(provider, lost)
        await come_in(provider, own)
        before = await happened(provider, DeviceForgotten.name)
        path = path_of(provider, lost)

        async def press(_: int, path: str = path) -> int:
            return (await forged(provider, own, f"{path}/forget")).status_code

        assert set(await at_once(6, press)) == {303}
        assert await happened(provider, DeviceForgotten.name) == before + 1
        for browser in (lost, own):
            await browser.get("/account")
            if "/account/sign-out" in (browser.page.text if browser.page else ""):
                await browser.submit("/account/sign-out")


async def test_the_browser_in_use_is_forgotten_and_stays_signed_in(provider: Provider) -> None:
    browser = provider.browser()
    await come_in(provider, browser)
    await browser.get(path_of(provider, browser))
    await browser.submit("/forget")
    assert await is_signed_in(browser)
    assert not await known(provider)


async def test_a_name_of_ones_own_is_shown_and_taken_back(provider: Provider) -> None:
    browser = provider.browser()
    await come_in(provider, browser)
    path = path_of(provider, browser)
    await browser.get(path)
    page = await browser.submit("/rename", label="  Laptop <b> at   home ")
    assert "Laptop &lt;b&gt; at home" in page.text
    assert "The device has a new name." in page.text
    await browser.get(path)
    page = await browser.submit("/rename", label="x" * 61)
    assert page.status_code == 400
    assert "Use a name of at most 60 characters" in page.text
    page = await browser.submit("/rename", label="")
    assert "Laptop" not in page.text
    assert await happened(provider, AccountChanged.name) == 2


async def test_nobody_sees_or_changes_a_browser_of_somebody_else(provider: Provider) -> None:
    theirs, own = provider.browser(address="198.51.100.7"), provider.browser()
    await come_in(provider, theirs, "alice")
    await come_in(provider, own, "bob")
    path = path_of(provider, theirs)
    assert (await own.get(path)).status_code == 404
    assert (await forged(provider, own, f"{path}/rename", label="mine")).status_code == 404
    assert (await forged(provider, own, f"{path}/forget")).status_code == 303  # as for what is forgotten already
    assert len(await known(provider)) == 2
    assert await is_signed_in(theirs)
    for bad in ("0" * 63, "g" * 64, "0" * 65, "%00", "0" * 64):
        assert (await own.get(f"/account/devices/{bad}")).status_code == 404


async def test_two_people_share_a_browser_and_each_has_their_own_of_it(provider: Provider) -> None:
    browser = provider.browser()
    for name in ("alice", "bob"):
        await provider.sign_in(browser, name, prompt="login")
        provider.clock.move(timedelta(minutes=2))
    assert len(set(await known(provider))) == 1
    assert len(await known(provider)) == 2
    await browser.get(path_of(provider, browser))
    await browser.submit("/forget")
    assert len(await known(provider)) == 1


async def test_it_is_forgotten_by_itself_when_nobody_signed_in_with_it_for_long(provider: Provider) -> None:
    browser = provider.browser()
    await come_in(provider, browser)
    provider.clock.move(provider.idp.policy.sessions.known)
    page = await come_in(provider, browser)
    assert len(re.findall("/account/devices/", page.text)) == 1
    assert await known(provider)


async def test_a_wrong_code_on_ones_own_browser_is_ones_own(provider: Provider) -> None:
    browser = provider.browser()
    await come_in(provider, browser)
    provider.clock.move(timedelta(minutes=2))
    await browser.get(provider.authorize_url(prompt="login"))
    await browser.submit("/password", username="bob", password="not this")
    await browser.submit("/password", username="bob", password=PASSWORD)
    code = await provider.texted(browser)
    await browser.submit("/sms", code="000000" if code != "000000" else "000001")
    text = " ".join(re.sub(r"<[^>]*>", " ", (await stranger(provider)).text).split())
    assert "Somebody typed a wrong code" in text  # it was not right yet, and may be anybody's
    await browser.submit("/sms", code=code)
    text = " ".join(re.sub(r"<[^>]*>", " ", (await browser.get("/account")).text).split())
    assert "You typed a wrong code" in text
    assert "You typed a wrong password" in text
    assert "Somebody typed" not in text


async def stranger(provider: Provider) -> httpx.Response:
    """The account page in another browser of the same person."""
    other = provider.browser(address="192.0.2.50")
    await other.get("/account")
    await other.submit("/password", username="bob", password=PASSWORD)
    return await other.submit("/sms", code=await provider.texted(other))


async def sign_in_page(provider: Provider, browser: Browser) -> str:
    """What alice is asked for after her password."""
    await browser.get(provider.authorize_url(prompt="login"))
    page = await browser.submit("/password", username="alice", password=PASSWORD)
    return page.text


async def test_what_was_used_last_in_this_browser_is_asked_first_and_sends_nothing_by_itself(
    provider: Provider,
) -> None:
    phone, app = provider.browser(), provider.browser(address="198.51.100.7")
    assert "Confirm with your authenticator app" in await sign_in_page(provider, phone)
    await phone.ask_for_text()
    await phone.submit("/sms", code=await provider.texted(phone))
    provider.clock.move(timedelta(minutes=2))
    assert "Confirm with your authenticator app" in await sign_in_page(provider, app)
    await app.submit("/totp", code=provider.totp())
    provider.clock.move(timedelta(minutes=2))
    sent = len(await provider.deliver())
    assert "Get a code by text message" in await sign_in_page(provider, phone)
    assert "Confirm with your authenticator app" in await sign_in_page(provider, app)
    assert len(await provider.deliver()) == sent


async def test_what_a_person_prefers_is_asked_first_in_every_browser(provider: Provider) -> None:
    browser = provider.browser()
    await come_in(provider, browser, "alice")
    for factor, asked in (("sms", "Get a code by text message"), ("totp", "Confirm with your authenticator app")):
        await browser.get("/account")
        page = await browser.submit("/account/first", factor=factor)
        assert "It is saved what we ask you for first." in page.text
        assert f'value="{factor}" selected' in page.text
        assert asked in await sign_in_page(provider, provider.browser(address="198.51.100.9"))
    await browser.get("/account")
    page = await browser.submit("/account/first", factor="")
    assert "selected" not in page.text.partition('id="factor"')[2].partition("</select>")[0]
    assert await happened(provider, AccountChanged.name) == 3


async def test_nobody_prefers_what_they_do_not_have(provider: Provider) -> None:
    browser = provider.browser()
    await come_in(provider, browser, "bob")
    assert 'id="factor"' not in (await browser.get("/account")).text
    for factor, status in (("totp", 303), ("recovery", 303), ("password", 400), ("x", 400), ("\u0661", 400)):
        assert (await forged(provider, browser, "/account/first", factor=factor)).status_code == status
    assert await happened(provider, AccountChanged.name) == 0


async def test_whoever_has_nothing_that_counts_for_their_group_is_told_so(provider: Provider) -> None:
    only = {"treasury": frozenset({Factor.TOTP})}
    provider.idp.policy = replace(provider.idp.policy, groups={"treasury": AssuranceLevel.TWO_FACTOR}, only=only)
    await edit_person(provider.idp, "alice", {"groups": ["treasury"]})
    await edit_person(provider.idp, "bob", {"groups": ["treasury"]})
    browser = provider.browser()
    await browser.get("/account")
    page = await browser.submit("/password", username="bob", password=PASSWORD)
    assert page.status_code == 403
    assert "Your group asks for more" in page.text
    own = provider.browser()
    await own.get("/account")
    page = await own.submit("/password", username="alice", password=PASSWORD)
    assert "text message" not in page.text
    assert (await forged(provider, own, f"{page.url.path}/sms/send")).status_code == 400
    page = await own.submit("/totp", code=provider.totp())
    assert "Does not count for your group" in page.text
    assert not provider.gateway.sent


async def test_a_freeze_forgets_every_browser_for_some_were_not_the_persons(provider: Provider) -> None:
    browser = provider.browser()
    await come_in(provider, browser)
    await freeze_user(provider.idp, "bob")
    assert not await known(provider)
