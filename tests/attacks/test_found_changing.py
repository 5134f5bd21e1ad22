"""Found by an attacker among links, invitations and changes: what somebody else began may not outlive what ended it."""

import re
from dataclasses import replace
from datetime import timedelta

import httpx
import pytest

from idp.flows.operate.editing import set_email
from idp.flows.operate.invitations import invite
from idp.policy import load_policy
from idp.policy.victims import STARTS, victims
from idp.policy.weakest import search
from idp.sms import Channel
from idp.store.people import accounts
from idp.store.signin import sessions
from idp.store.sql import Sql
from tests.world.account_pages import come_in, enrol, having
from tests.world.mailing import can_mail, mails
from tests.world.policies import OURS
from tests.world.provider import ISSUER, Browser, Provider

VERIFY = Sql("UPDATE account SET email_verified = true, email = username || '@example.com' WHERE username = :name")
ABOUT = Sql("SELECT about FROM link WHERE account_id = :account_id AND purpose = 'verify_email' AND used_at IS NULL")
FROZEN = Sql("SELECT frozen_at FROM account WHERE username = :name")
EMAIL = Sql("SELECT email FROM account WHERE username = :name")
VERIFIED = Sql("SELECT email_verified FROM account WHERE username = :name")
THEIRS = "mallory@example.net"
NEW = "seven green lanterns above the quay"
MINUTE = timedelta(minutes=1)


def links(provider: Provider, purpose: str, *, to: str) -> list[str]:
    """The paths of these links in mails to this address, oldest first."""
    link = re.compile(rf"{ISSUER}(/link/{purpose}/[\w-]+)")
    return [found[1] for each in mails(provider) if each.to == to and (found := link.search(each.text))]


async def press(browser: Browser, path: str) -> httpx.Response:
    """Open a link and press its button, if it has one."""
    page = await browser.get(path)
    return await browser.submit(path) if page.status_code == 200 else page


async def forgot(provider: Provider, typed: str, *, to: str) -> str:
    """A link for a forgotten password."""
    browser = provider.browser(address="192.0.2.67")
    await browser.get("/forgot")
    await browser.submit("/forgot", username=typed)
    await provider.deliver()
    return links(provider, "reset", to=to)[-1]


async def register(provider: Provider, browser: Browser) -> str:
    """A link for a new account."""
    await browser.get("/register")
    await browser.submit("/register", email="nina@example.com", name="Nina")
    await provider.deliver()
    return links(provider, "register", to="nina@example.com")[-1]


async def invited(provider: Provider) -> str:
    """A link that an operator prints."""
    made = await invite(provider.idp, username="ida", mail=False)
    assert made.address is not None
    return made.address.removeprefix(ISSUER)


@pytest.fixture(autouse=True)
async def _mail(provider: Provider) -> None:
    can_mail(provider)
    provider.gateway.channels = frozenset(Channel)
    for name in ("alice", "bob"):
        await provider.idp.db.one(VERIFY, name=name)


async def test_whoever_has_an_account_makes_no_second_one_by_pressing_twice(provider: Provider) -> None:
    policy = provider.idp.policy
    provider.idp.policy = replace(policy, registration=replace(policy.registration, open=True))
    first, second = provider.browser(), provider.browser(address="192.0.2.8")
    paths = [await register(provider, first), await register(provider, second)]
    await first.get(paths[0])
    await first.submit(paths[0])
    await second.get(paths[1])
    assert (await second.submit(paths[1])).status_code == 400
    assert (await second.get(paths[1])).status_code == 400
    assert (await second.get("/welcome")).url.path != "/welcome"


async def test_who_opened_the_link_before_is_put_out_by_the_next_one(provider: Provider) -> None:
    thief, ida = provider.browser(address="192.0.2.66"), provider.browser()
    await press(thief, await invited(provider))
    await enrol(provider, thief)
    await press(ida, await invited(provider))
    assert ida.page is not None
    assert ida.page.url.path == "/welcome", "nothing of the thief's is asked for"
    assert (await thief.get("/welcome")).url.path != "/welcome"
    assert [each["factor"] for each in await having(provider, "ida") if each["closed_at"] is None] == []


async def test_an_address_that_was_corrected_is_not_proved_by_the_link_that_went_elsewhere(provider: Provider) -> None:
    await invite(provider.idp, username="ivy", mail=True, email=THEIRS)
    await provider.deliver()
    await set_email(provider.idp, "ivy", "ivy@example.com", verified=False)
    await press(provider.browser(), links(provider, "invite", to=THEIRS)[-1])
    assert not await provider.idp.db.value(VERIFIED, name="ivy")


async def test_a_reset_link_that_went_to_the_address_before_is_over(provider: Provider) -> None:
    path = await forgot(provider, "bob", to="bob@example.com")
    await set_email(provider.idp, "bob", "bob@example.org", verified=True)
    assert (await provider.browser().get(path)).status_code == 400


async def begun_by_a_thief(provider: Provider, username: str) -> str:
    """The link that goes to the thief's mailbox, asked for in a session of the person."""
    thief = provider.browser()
    await come_in(provider, thief, username)
    page = await thief.get("/account/email")
    if username == "alice":
        page = await thief.submit("/totp", code=provider.totp())
        provider.clock.move(MINUTE)
    assert page.url.path == "/account/email"
    await thief.submit("/account/email", email=THEIRS)
    await provider.deliver()
    return links(provider, "verify_email", to=THEIRS)[-1]


async def test_a_reset_ends_a_change_of_address_that_was_begun_before(provider: Provider) -> None:
    path = await begun_by_a_thief(provider, "alice")
    alice = provider.browser(address="192.0.2.7")
    await press(alice, await forgot(provider, "alice", to="alice@example.com"))
    await alice.submit("/totp", code=provider.totp())
    page = await alice.submit("/reset", password=NEW, repeat=NEW)
    assert "Your new password is set" in page.text
    await press(provider.browser(), path)
    assert await provider.idp.db.value(EMAIL, name="alice") == "alice@example.com"


async def test_a_change_of_address_goes_on_where_its_own_session_ended_the_others(provider: Provider) -> None:
    other, path = provider.browser(), await begun_by_a_thief(provider, "bob")
    await come_in(provider, other, "bob")
    found = await accounts.by_username(provider.idp.db, username="bob")
    assert found is not None
    keep = await provider.idp.db.value(ABOUT, account_id=found[0].id)
    now = provider.clock.now()
    async with provider.idp.db.transaction() as conn:
        await sessions.end_others(conn, account_id=found[0].id, keep=keep, now=now)
    await press(provider.browser(), path)
    assert await provider.idp.db.value(EMAIL, name="bob") == THEIRS


async def test_an_address_that_was_frozen_with_the_account_recovers_nothing(provider: Provider) -> None:
    thief = provider.browser(address="192.0.2.66")
    await press(thief, await begun_by_a_thief(provider, "bob"))
    await provider.deliver()
    await press(provider.browser(), links(provider, "freeze", to="bob@example.com")[-1])
    assert await provider.idp.db.value(FROZEN, name="bob") is not None
    for wait in (5 * MINUTE, timedelta(days=3)):  # in the hold, and long after it
        provider.clock.move(wait)
        page = await press(thief, await forgot(provider, "bob", to=THEIRS))
        assert page.status_code == 403
    assert await provider.idp.db.value(FROZEN, name="bob") is not None


@pytest.mark.parametrize("start", ["password and phone", "live cookie and phone"])
def test_the_audit_knows_that_a_thief_may_add_a_passkey(start: str) -> None:
    policy = load_policy(OURS.replace("[scopes]\n", '[scopes]\n"vault:open" = { level = "phishing_resistant" }\n'))
    victim = next(each for each in victims(policy) if each.said == "phone")
    found = search(policy, victim, next(each for each in STARTS if each.said == start))
    assert ("vault:open" in found.scopes) == ("transfers:write" in found.scopes)
