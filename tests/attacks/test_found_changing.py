"""Found by an attacker among links, invitations and changes: what somebody else began may not outlive what ended it."""

import re
from dataclasses import replace
from datetime import timedelta

import pytest

from idp.flows.operate.invitations import invite
from idp.flows.operate.people import set_email
from idp.policy import load_policy
from idp.policy.victims import STARTS, victims
from idp.policy.weakest import search
from idp.sms import Channel
from idp.store.sql import Sql
from tests.flows import test_invitations as invitations
from tests.flows import test_own_email as own_email
from tests.flows import test_registering as registering
from tests.flows import test_reset as resetting
from tests.world.account_pages import having
from tests.world.mailing import can_mail, mails
from tests.world.policies import OURS
from tests.world.provider import ISSUER, Provider

VERIFY = Sql("UPDATE account SET email_verified = true, email = username || '@example.com' WHERE username = :name")
FROZEN = Sql("SELECT frozen_at FROM account WHERE username = :name")
EMAIL = Sql("SELECT email FROM account WHERE username = :name")
VERIFIED = Sql("SELECT email_verified FROM account WHERE username = :name")
THEIRS = "mallory@example.net"


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
    paths = [await registering.link(provider, first), await registering.link(provider, second)]
    await first.get(paths[0])
    await first.submit(paths[0])
    await second.get(paths[1])
    assert (await second.submit(paths[1])).status_code == 400
    assert (await second.get(paths[1])).status_code == 400
    assert (await second.get("/welcome")).url.path != "/welcome"


async def test_who_opened_the_link_before_is_put_out_by_the_next_one(provider: Provider) -> None:
    thief, ida = provider.browser(address="192.0.2.66"), provider.browser()
    await invitations.press(thief, await invitations.invited(provider))
    await invitations.add_app(provider, thief)
    await invitations.press(ida, await invitations.invited(provider))
    assert ida.page is not None
    assert ida.page.url.path == "/welcome", "nothing of the thief's is asked for"
    assert (await thief.get("/welcome")).url.path != "/welcome"
    assert [each["factor"] for each in await having(provider, "ida") if each["closed_at"] is None] == []


async def test_an_address_that_was_corrected_is_not_proved_by_the_link_that_went_elsewhere(provider: Provider) -> None:
    await invite(provider.idp, username="ivy", mail=True, email=THEIRS)
    await provider.deliver()
    found = re.search(rf"{ISSUER}(/link/invite/[\w-]+)", mails(provider)[-1].text)
    assert found is not None
    await set_email(provider.idp, "ivy", "ivy@example.com", verified=False)
    browser = provider.browser()
    await browser.get(found[1])
    if browser.page is not None and browser.page.status_code == 200:
        await browser.submit(found[1])
    assert not await provider.idp.db.value(VERIFIED, name="ivy")


async def test_a_reset_link_that_went_to_the_address_before_is_over(provider: Provider) -> None:
    path = await resetting.link(provider, "bob")
    await set_email(provider.idp, "bob", "bob@example.org", verified=True)
    assert (await provider.browser().get(path)).status_code == 400


async def begun_by_a_thief(provider: Provider, username: str = "bob") -> str:
    """The link that goes to the thief's mailbox, asked for in a session of the person."""
    thief = await own_email.in_room(provider, username)
    if username == "alice":
        await thief.get("/account/email")
        await thief.submit("/totp", code=provider.totp(username))
        provider.clock.move(timedelta(minutes=1))
    await own_email.ask(provider, thief, THEIRS)
    return await own_email.link_in(provider, THEIRS)


async def test_a_reset_ends_a_change_of_address_that_was_begun_before(provider: Provider) -> None:
    path = await begun_by_a_thief(provider, "alice")
    browser = provider.browser(address="192.0.2.7")
    await resetting.proved(provider, browser, "alice")
    await resetting.choose(browser)
    page = await browser.get(path)
    if page.status_code == 200:
        await browser.submit(path)
    assert await provider.idp.db.value(EMAIL, name="alice") == "alice@example.com"


async def test_an_address_that_was_frozen_with_the_account_recovers_nothing(provider: Provider) -> None:
    path = await begun_by_a_thief(provider)
    thief = provider.browser(address="192.0.2.66")
    await thief.get(path)
    await thief.submit(path)
    await provider.deliver()
    told = [each.text for each in mails(provider) if each.to == "bob@example.com"]
    freeze = [found[1] for text in told if (found := re.search(rf"{ISSUER}(/link/freeze/[\w-]+)", text))][-1]
    bob = provider.browser()
    await bob.get(freeze)
    await bob.submit(freeze)
    assert await provider.idp.db.value(FROZEN, name="bob") is not None
    provider.clock.move(timedelta(minutes=5))
    asking = provider.browser(address="192.0.2.67")
    await resetting.ask(asking, "bob")
    await provider.deliver()
    links = [found[1] for each in mails(provider) if each.to == THEIRS and (found := resetting.LINK.search(each.text))]
    assert links
    for each in links:
        assert (await resetting.press(thief, each)).status_code == 403
    assert await provider.idp.db.value(FROZEN, name="bob") is not None


@pytest.mark.parametrize("start", ["password and phone", "live cookie and phone"])
def test_the_audit_knows_that_a_thief_may_add_a_passkey(start: str) -> None:
    policy = load_policy(OURS.replace("[scopes]\n", '[scopes]\n"vault:open" = { level = "phishing_resistant" }\n'))
    victim = next(each for each in victims(policy) if each.said == "phone")
    found = search(policy, victim, next(each for each in STARTS if each.said == start))
    assert ("vault:open" in found.scopes) == ("transfers:write" in found.scopes)
