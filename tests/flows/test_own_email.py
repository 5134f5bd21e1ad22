"""One's own e-mail address: it counts once a link that went there was opened; the one before hears of what follows."""

import re
from datetime import timedelta
from functools import partial
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select

from idp.flows.operate.editing import set_email
from idp.flows.operate.leaving import end_sessions, forget_devices
from idp.flows.operate.looking import list_devices, list_sessions
from idp.sms import Channel
from idp.store.people import accounts
from idp.store.schema.people import account, link
from idp.store.schema.records import audit_event
from idp.web.door import csrf
from tests.world.account_pages import come_in, enrol, forged, is_signed_in, prove_app
from tests.world.asking import forget_limits
from tests.world.composed import Statement
from tests.world.mailing import can_mail, mails
from tests.world.parallel import at_once
from tests.world.provider import ISSUER, Browser, Provider

ROOM = "/account/email"
OLD, NEW = "bob@example.com", "bob@example.org"
LINK = re.compile(rf"^{ISSUER}(/link/verify_email/[A-Za-z0-9_-]+)$", re.MULTILINE)
FREEZE = re.compile(rf"^{ISSUER}(/link/freeze/[A-Za-z0-9_-]+)$", re.MULTILINE)
DAY, MINUTE = timedelta(hours=24), timedelta(minutes=1)
PEOPLE = Statement(select(account.c.username, account.c.email, account.c.email_verified))
EVENTS = Statement(
    select(audit_event.c.fields).where(audit_event.c.name == "account.changed").order_by(audit_event.c.id)
)
LINKS = Statement(select(link.c.hash).where(link.c.purpose == "verify_email", link.c.used_at.is_(None)))


@pytest.fixture(autouse=True)
async def _mail(provider: Provider) -> None:
    can_mail(provider)
    provider.gateway.channels = frozenset(Channel)
    await give(provider, OLD)


async def give(provider: Provider, email: str | None, username: str = "bob", *, verified: bool = True) -> UUID:
    found = await accounts.by_username(provider.idp.db, username=username)
    assert found is not None
    await accounts.set_email(
        provider.idp.db, account_id=found[0].id, email=email, verified=verified, now=provider.clock.now()
    )
    return found[0].id


async def theirs(provider: Provider, username: str = "bob") -> tuple[str | None, bool]:
    return next((email, verified) for name, email, verified in await provider.rows(PEOPLE) if name == username)


async def ask(provider: Provider, browser: Browser, address: str = NEW) -> Any:
    page = await browser.get(ROOM)
    assert str(page.url).endswith(ROOM), page.url
    return await browser.submit(ROOM, email=address)


async def link_in(provider: Provider, address: str = NEW) -> str:
    """The path of the link in the newest mail to this address."""
    await provider.deliver()
    sent = [message.text for message in mails(provider) if message.to == address and LINK.search(message.text)]
    found = LINK.search(sent[-1])
    assert found is not None
    return found[1]


async def in_room(provider: Provider, username: str = "bob") -> Browser:
    browser = provider.browser()
    await come_in(provider, browser, username)
    return browser


async def told(provider: Provider, words: str) -> list[str]:
    """Where mails that say this went, and texts."""
    await provider.deliver()
    return sorted(message.to for message in provider.gateway.sent if words in message.text)


async def changed(provider: Provider) -> Browser:
    """Bob, whose address has just been changed."""
    browser = await in_room(provider)
    await ask(provider, browser)
    await browser.get(await link_in(provider))
    await browser.submit(str(browser.page.url.path) if browser.page else "")
    assert await theirs(provider) == (NEW, True)
    return browser


async def test_an_address_counts_once_its_link_was_opened_in_whatever_browser(provider: Provider) -> None:
    browser = await in_room(provider)
    page = await ask(provider, browser)
    assert "We sent a link to" in page.text
    assert await theirs(provider) == (OLD, True)
    path, elsewhere = await link_in(provider), provider.browser()
    for _ in range(3):
        page = await elsewhere.get(path)
        assert "Is this your email address?" in page.text, "looking spends nothing"
    assert page.headers["referrer-policy"] == "no-referrer"
    page = await elsewhere.submit(path)
    assert "Your email address is verified" in page.text
    assert not await is_signed_in(elsewhere), "it signs nobody in"
    assert await theirs(provider) == (NEW, True)
    assert "Your email address is verified" in (await elsewhere.get(path)).text, "a reload says how things stand"
    again = await forged_press(provider, elsewhere, path)
    assert again.status_code == 303
    assert [fields["change"] for (fields,) in await provider.rows(EVENTS)] == ["email asked", "email"]


async def forged_press(provider: Provider, browser: Browser, path: str) -> Any:
    return await browser.post(path, {"csrf": csrf(provider.idp, None, path)}, follow=False)


async def test_the_old_address_and_the_phone_are_told_and_the_old_one_of_all_that_follows(provider: Provider) -> None:
    browser = await changed(provider)
    assert await told(provider, "email address of your") == sorted([OLD, NEW, "+37256789046"])
    await enrol(provider, browser)
    assert [each for each in await told(provider, "authenticator app was added") if "@" in each] == [OLD, NEW]
    freezes = {found for each in mails(provider) if "app was added" in each.text for found in FREEZE.findall(each.text)}
    assert len(freezes) == 1
    page = await provider.browser().get(freezes.pop())
    assert "Was this not you?" in page.text, "whoever lost the mailbox can stop it from the one before"


async def test_two_changes_in_a_row_do_not_silence_the_first_address(provider: Provider) -> None:
    browser = await changed(provider)
    await forget_limits(provider)
    await ask(provider, browser, "bob@example.net")
    await browser.get(await link_in(provider, "bob@example.net"))
    await browser.submit(str(browser.page.url.path) if browser.page else "")
    provider.gateway.sent.clear()
    await enrol(provider, browser)
    assert OLD in await told(provider, "authenticator app was added")


async def test_after_the_longer_hold_the_old_address_is_left_alone(provider: Provider) -> None:
    await changed(provider)
    provider.clock.move(2 * DAY + MINUTE)
    browser = await in_room(provider)
    await enrol(provider, browser)
    assert [each for each in await told(provider, "authenticator app was added") if "@" in each] == [NEW]


async def test_a_link_works_once_for_one_of_any_number(provider: Provider) -> None:
    for number in range(3):
        browser, address = await in_room(provider), f"bob{number}@example.org"
        await ask(provider, browser, address)
        path = await link_in(provider, address)
        answers = await at_once(20, partial(press, provider, path))
        assert {answer.status_code for answer in answers} == {303}
        assert await theirs(provider) == (address, True)
        await forget_limits(provider)
        provider.clock.move(6 * MINUTE)
    assert [fields["change"] for (fields,) in await provider.rows(EVENTS)].count("email") == 3


async def press(provider: Provider, path: str, _: int) -> Any:
    return await forged_press(provider, provider.browser(), path)


@pytest.mark.parametrize("who", ["person", "person-device", "operator", "operator-device"])
async def test_who_is_signed_out_from_elsewhere_changes_no_address_afterwards(provider: Provider, who: str) -> None:
    """Whoever asked for it in that browser may have been the very reason."""
    thief = await in_room(provider)
    await ask(provider, thief)
    path = await link_in(provider)
    (session,) = await list_sessions(provider.idp, "bob")
    (device,) = await list_devices(provider.idp, "bob")
    provider.clock.move(6 * MINUTE)
    match who:
        case "operator":
            await end_sessions(provider.idp, "bob", session.session_id)
        case "operator-device":
            await forget_devices(provider.idp, "bob", device.key)
        case _:
            browser = await in_room(provider)
            where = "/account/sessions/end" if who == "person" else f"/account/devices/{device.key.hex()}/forget"
            done = await forged(provider, browser, where, {"session": str(session.session_id)})
            assert done.status_code == 303, done.text
    assert not await is_signed_in(thief)
    assert (await forged_press(provider, provider.browser(), path)).status_code == 404
    assert await theirs(provider) == (OLD, True)


async def test_who_signs_out_themselves_still_opens_their_link(provider: Provider) -> None:
    browser = await in_room(provider)
    await ask(provider, browser)
    path = await link_in(provider)
    await browser.get("/account")
    await browser.submit("/account/sign-out")
    assert (await forged_press(provider, provider.browser(), path)).status_code == 303
    assert await theirs(provider) == (NEW, True)


async def test_an_old_link_a_newer_one_and_a_made_up_one_change_nothing(provider: Provider) -> None:
    browser = await in_room(provider)
    await ask(provider, browser)
    first = await link_in(provider)
    provider.clock.move(2 * MINUTE)
    await ask(provider, browser)
    second = await link_in(provider)
    assert first != second
    made_up = "/link/verify_email/" + "A" * 43
    for path in (first, made_up, "/link/verify_email/x", "/link/verify_email/" + "%00", "/link/reset/" + second[-43:]):
        assert (await forged_press(provider, provider.browser(), path)).status_code < 500
        assert (await provider.browser().get(path)).status_code in {400, 404}
    assert await theirs(provider) == (OLD, True)
    provider.clock.move(DAY)
    assert (await provider.browser().get(second)).status_code == 404
    assert (await forged_press(provider, provider.browser(), second)).status_code == 404
    assert await theirs(provider) == (OLD, True)


async def test_a_frozen_account_gets_no_other_address(provider: Provider) -> None:
    browser = await in_room(provider)
    await ask(provider, browser)
    path = await link_in(provider)
    bob = await give(provider, OLD)
    async with provider.idp.db.transaction() as conn:
        await accounts.freeze(conn, account_id=bob, now=provider.clock.now())
    assert (await forged_press(provider, provider.browser(), path)).status_code == 404
    assert await theirs(provider) == (OLD, True)


@pytest.mark.parametrize(
    "typed", ["", "bob", "bob@", "@example.org", "a b@example.org", "bob@example.org\r\nBcc: x@y.z", "x" * 5000]
)
async def test_what_is_no_address_is_told_and_nothing_is_sent(provider: Provider, typed: str) -> None:
    browser = await in_room(provider)
    page = await ask(provider, browser, typed)
    assert page.status_code == 400
    assert 'aria-invalid="true"' in page.text
    await provider.deliver()
    assert mails(provider) == []


async def test_who_presses_twice_sends_one_link_and_addresses_have_budgets(provider: Provider) -> None:
    browser = await in_room(provider)
    await browser.get(ROOM)
    for _ in range(2):
        assert (await browser.submit(ROOM, follow=False, email=NEW)).headers["location"] == ROOM
        await browser.get(ROOM)
    await provider.deliver()
    assert len(mails(provider)) == 1
    provider.clock.move(timedelta(seconds=40))
    page = await ask(provider, browser)
    assert page.status_code == 429
    assert page.headers["retry-after"]
    assert f'value="{NEW}"' in page.text, "nothing typed is lost"


async def test_the_same_address_needs_no_link(provider: Provider) -> None:
    browser = await in_room(provider)
    assert "your address already" in (await ask(provider, browser, OLD)).text
    await give(provider, OLD, verified=False)
    page = await browser.get(ROOM)
    assert "is not verified yet" in page.text
    assert f'value="{OLD}"' in page.text
    await browser.submit(ROOM)
    await browser.get(await link_in(provider, OLD))
    await browser.submit(str(browser.page.url.path) if browser.page else "")
    assert await theirs(provider) == (OLD, True)


async def test_hole_8_a_text_message_changes_no_address_of_who_has_an_app(provider: Provider) -> None:
    await give(provider, "alice@example.com", "alice")
    browser = await in_room(provider, "alice")
    for path, form in ((ROOM, {"email": NEW}), (f"{ROOM}/remove", {})):
        refused = await forged(provider, browser, path, form)
        assert refused.headers["location"].startswith("/i/"), path
    assert await provider.rows(LINKS) == []
    await prove_app(provider, browser, ROOM)
    await browser.submit(ROOM, email=NEW)
    assert len(await provider.rows(LINKS)) == 1


async def test_an_address_is_removed_and_told_of_it(provider: Provider) -> None:
    browser = await in_room(provider)
    await ask(provider, browser)
    page = await browser.get(ROOM)
    page = await browser.submit("/remove")
    assert "was removed" in page.text
    assert await theirs(provider) == (None, False)
    assert [each for each in await told(provider, "email address of your") if "@" in each] == [OLD]
    assert (await forged_press(provider, provider.browser(), await link_in(provider))).status_code == 404
    assert "We have no email address of yours" in (await browser.get(ROOM)).text


async def test_without_mail_the_page_says_whom_to_ask(provider: Provider) -> None:
    provider.idp.settings = provider.idp.settings.model_copy(update={"smtp_url": None})
    browser = await in_room(provider)
    page = await browser.get(ROOM)
    assert "ask the people who run this service" in page.text
    refused = await forged(provider, browser, ROOM, {"email": NEW})
    assert refused.status_code == 400


async def test_pages_take_two_statements(provider: Provider) -> None:
    browser = await in_room(provider)
    await ask(provider, browser)
    path = await link_in(provider)
    for where, most in ((ROOM, 2), (path, 1)):
        provider.count()
        assert (await browser.get(where, follow=False)).status_code == 200
        assert len(provider.statements) <= most, where


async def test_an_operators_change_is_told_to_the_old_address_too(provider: Provider) -> None:
    await set_email(provider.idp, "bob", NEW, verified=True)
    assert [each for each in await told(provider, "email address of your") if "@" in each] == [OLD, NEW]
