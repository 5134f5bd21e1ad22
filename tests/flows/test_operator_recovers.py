"""An operator's ticket for who lost everything: what it closes, whom it tells, and who has to agree."""

import base64
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from datetime import timedelta

import pytest

from idp.errors import NotThere
from idp.flows.idp import CONSOLE, Idp
from idp.flows.operate.editing import edit_person
from idp.flows.operate.finding import find_user
from idp.flows.operate.leaving import remove_person
from idp.flows.operate.people import NotAcceptable, freeze_user, set_user_disabled
from idp.flows.operate.recovering import Recovered, Waits, confirm, recover, waiting
from idp.flows.people.freezing import freeze
from idp.model import OPERATOR, SHELL, Notice, Operator, Role
from idp.policy import OPERATING, Vouched
from idp.store.sql import Sql
from tests.world.account_pages import code_for, having, is_signed_in, key_on, notices, refresh_token
from tests.world.api import add_operator, with_roles
from tests.world.parallel import at_once
from tests.world.provider import ALICE_PHONE, ISSUER, PASSWORD, Browser, Provider, parameters

NEW = "seven green lanterns above the quay"
WHY = "lost phone and codes; seen in person"
NEW_PHONE = "+37256789071"
FREEZE = Sql("UPDATE account SET frozen_at = :at WHERE username = 'alice'")
CLOSED = Sql("SELECT frozen_at, strong_from FROM account WHERE username = 'alice'")
TRAIL = Sql("SELECT fields FROM audit_event WHERE name = 'account.recovered'")


async def ticket(provider: Provider) -> str:
    made = await recover(provider.idp, "alice", reason=WHY, by="olga")
    assert isinstance(made, Recovered)
    assert made.address is not None
    assert made.address not in repr(made)
    return made.address.removeprefix(ISSUER)


def two_operators(provider: Provider) -> None:
    policy = provider.idp.policy
    provider.idp.policy = replace(policy, recovery=replace(policy.recovery, second_operator=True))


async def set_up(provider: Provider, browser: Browser, path: str) -> None:
    await browser.get(path)
    page = await browser.submit(path)
    assert page.url.path == "/welcome"
    await browser.get("/welcome/password")
    await browser.submit("/welcome/password", password=NEW, repeat=NEW)
    await browser.get("/account/authenticators/new")
    page = await browser.submit("/account/authenticators/new")
    key = key_on(page)
    assert key is not None
    await browser.submit("/confirm", code=code_for(provider, key), label="New")
    provider.seeds["alice"] = base64.b32decode(key)


async def test_all_that_there_was_is_closed_and_every_channel_is_told(provider: Provider) -> None:
    old = provider.browser()
    refreshing = await refresh_token(provider, old)
    await ticket(provider)
    assert not await is_signed_in(old)
    refused = await provider.token(grant_type="refresh_token", refresh_token=refreshing)
    assert refused.json()["error"] == "invalid_grant"
    assert all(each["closed_at"] is not None for each in await having(provider, "alice"))
    assert await notices(provider, Notice.RECOVERED) == [ALICE_PHONE]
    browser = provider.browser(address="192.0.2.9")
    await browser.get("/account")
    page = await browser.submit("/password", username="alice", password=PASSWORD)
    assert "The username or the password is not right" in page.text
    ((fields,),) = await provider.rows(TRAIL)
    assert fields["reason"] == WHY
    assert fields["by"] == "olga"


async def test_it_ends_a_freeze_and_opens_what_is_strong_after_the_hold(provider: Provider) -> None:
    await provider.idp.db.one(FREEZE, at=provider.clock.now())
    browser = provider.browser()
    await set_up(provider, browser, await ticket(provider))
    ((frozen, strong_from),) = await provider.rows(CLOSED)
    assert frozen is None
    assert strong_from - provider.clock.now() > timedelta(hours=23)

    async def transfer() -> dict[str, str]:
        fresh = provider.browser(address="192.0.2.9")
        await fresh.get(provider.authorize_url(scope="openid transfers:write"))
        page = await fresh.submit("/password", username="alice", password=NEW)
        if page.status_code == 200:
            page = await fresh.submit("/totp", code=provider.totp())
        if page.status_code == 200:
            page = await fresh.submit("/consent", decision="allow")
        return parameters(page)

    assert (await transfer())["error"] == "unmet_authentication_requirements"
    provider.clock.move(timedelta(hours=24))
    assert "code" in await transfer()


async def test_a_second_operator_has_to_agree_where_the_policy_says_so(provider: Provider) -> None:
    two_operators(provider)
    waits = await recover(provider.idp, "alice", reason=WHY, by="olga")
    assert isinstance(waits, Waits)
    assert all(each["closed_at"] is None for each in await having(provider, "alice"))
    assert not await notices(provider, Notice.RECOVERED)
    with pytest.raises(NotAcceptable, match="somebody else"):
        await confirm(provider.idp, "alice", by="olga")
    done = await confirm(provider.idp, "alice", by="pavel")
    assert done.address is not None
    ((fields,),) = await provider.rows(TRAIL)
    assert (fields["by"], fields["confirmed_by"]) == ("olga", "pavel")
    with pytest.raises(NotThere, match="Nobody asked"):
        await confirm(provider.idp, "alice", by="pavel")


async def test_what_was_asked_for_too_long_ago_is_confirmed_by_nobody(provider: Provider) -> None:
    two_operators(provider)
    await recover(provider.idp, "alice", reason=WHY, by="olga")
    provider.clock.move(timedelta(hours=24))
    with pytest.raises(NotThere):
        await confirm(provider.idp, "alice", by="pavel")


async def _freezes_themselves(idp: Idp, username: str) -> None:
    """As by the link of a notice."""
    account = (await find_user(idp, username)).account
    async with idp.db.transaction() as conn:
        await freeze(conn, idp, account, by="link", vouched=Vouched.MAILBOX, now=idp.clock.now())


LEAVING: Mapping[str, Callable[[Idp], Awaitable[object]]] = {
    "demoted": lambda idp: edit_person(idp, "hal", {"groups": []}),
    "lowered": lambda idp: edit_person(idp, "hal", {"groups": ["audit"]}),
    "disabled": lambda idp: set_user_disabled(idp, "hal", disabled=True),
    "frozen": lambda idp: freeze_user(idp, "hal"),
    "frozen by themselves": lambda idp: _freezes_themselves(idp, "hal"),
    "removed": lambda idp: remove_person(idp, "hal"),
    "recovered": lambda idp: recover(idp, "hal", reason=WHY, by="shell:root"),
}


@pytest.mark.parametrize("left", LEAVING)
async def test_what_somebody_asked_for_who_is_no_operator_any_more_is_confirmed_by_nobody(
    provider: Provider, left: str
) -> None:
    with_roles(provider)
    two_operators(provider)
    hal = await add_operator(provider, "hal", "desk")
    OPERATOR.set(Operator("person:hal", Role.HELPDESK, hal, CONSOLE, OPERATING))
    await recover(provider.idp, "alice", reason=WHY)
    OPERATOR.set(SHELL)
    assert (await waiting(provider.idp, "alice")).by == "person:hal"
    if left == "recovered":
        policy = provider.idp.policy
        provider.idp.policy = replace(policy, recovery=replace(policy.recovery, second_operator=False))
    await LEAVING[left](provider.idp)
    with pytest.raises(NotThere, match="Nobody asked"):
        await confirm(provider.idp, "alice", by="shell:ada")
    assert all(each["closed_at"] is None for each in await having(provider, "alice"))


async def test_of_many_who_confirm_at_once_one_recovers(provider: Provider) -> None:
    two_operators(provider)
    await recover(provider.idp, "alice", reason=WHY, by="olga")

    async def agrees(n: int) -> bool:
        try:
            await confirm(provider.idp, "alice", by=f"operator {n}")
        except NotThere:
            return False
        return True

    assert sum(await at_once(10, agrees)) == 1


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"reason": " "}, "reason"),
        ({"reason": "x" * 201}, "reason"),
        ({"reason": "\x1b[31m"}, "printable"),
        ({"by": ""}, "name"),
        ({"mail": True}, "No mail can go to"),
    ],
)
async def test_what_cannot_be_is_refused(provider: Provider, given: dict[str, object], said: str) -> None:
    asked: dict[str, object] = {"reason": WHY, "by": "olga", **given}
    with pytest.raises(NotAcceptable, match=said):
        await recover(provider.idp, "alice", **asked)  # type: ignore[arg-type]  # a table of what an operator gives
    await set_user_disabled(provider.idp, "alice", disabled=True)
    with pytest.raises(NotAcceptable, match="idp user enable"):
        await recover(provider.idp, "alice", reason=WHY, by="olga")
