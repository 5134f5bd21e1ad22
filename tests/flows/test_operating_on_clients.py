"""An operator's operations on clients, the policy, keys and sending, as every face calls them."""

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any
from uuid import uuid4

import asyncpg
import pytest

from idp.errors import NotThere, Outdated
from idp.flows.operate import policies
from idp.flows.operate.client_changes import edit_client, version_of
from idp.flows.operate.clients import remove_client, set_client_disabled
from idp.flows.operate.finding import client_page, find_client
from idp.flows.operate.keys import list_keys, rotate_keys
from idp.flows.operate.people import NotAcceptable
from idp.flows.operate.permitting import NotPermitted
from idp.flows.operate.policies import policy_text, try_policy
from idp.flows.operate.sending import closed_blocks, deliveries_page, open_block, sending_now
from idp.flows.operate.trail import Search, audit_page
from idp.flows.operate.trying import Asked, try_sign_in
from idp.flows.rules import policy_here
from idp.model import NOBODY, OPERATOR, Operator, Role
from idp.policy import Policy, load_policy
from idp.settings import Settings
from tests.world.parallel import at_once
from tests.world.policies import OURS
from tests.world.provider import Provider, claims
from tests.world.spenders import ask, estonian, person, use
from tests.world.stage import lasting, userinfo
from tests.world.waiting import NEVER


@pytest.fixture
async def raw(database_url: str) -> AsyncIterator["asyncpg.Connection[Any]"]:
    connection = await asyncpg.connect(database_url)
    yield connection
    await connection.close()


@contextmanager
def working_as(operator: Operator) -> Iterator[None]:
    before = OPERATOR.set(operator)
    try:
        yield
    finally:
        OPERATOR.reset(before)


async def test_clients_come_page_by_page_each_once(bare: Provider) -> None:
    for name in ("beta", "Alpha", "alpha", "gamma", "Delta"):
        await bare.add_client(f"c-{name}", f"https://{name}.example/callback", name=name)
    seen, after = [], None
    while True:
        page = await client_page(bare.idp, limit=2, after=after)
        assert page.count == 5
        seen += [client.name for client in page.clients]
        if page.after is None:
            break
        after = page.after
    assert seen == ["Alpha", "alpha", "beta", "Delta", "gamma"]
    assert [one.name for one in (await client_page(bare.idp, containing="C-DEL")).clients] == ["Delta"]


async def test_of_two_who_saw_the_same_client_one_changes_it(provider: Provider) -> None:
    for number in range(10):
        seen = version_of(await find_client(provider.idp, "bank"))

        async def change(each: int, number: int = number, seen: str = seen) -> str:
            try:
                done = await edit_client(provider.idp, "bank", {"name": f"Bank {number} {each}"}, expected=seen)
            except Outdated:
                return "outdated"
            return done.after.name

        ends = await at_once(4, change)
        assert sorted(ends)[1:] == ["outdated"] * 3
        assert (await find_client(provider.idp, "bank")).name == min(ends)


async def test_a_dry_run_says_what_follows_and_changes_nothing(provider: Provider) -> None:
    before = await find_client(provider.idp, "bank")
    said = await edit_client(provider.idp, "bank", {"scopes": ("openid",), "auth_method": "none"}, dry_run=True)
    assert "It is a public client from now on: it shows nothing but its client id, and PKCE." in said.consequences
    assert set(said.changed) == {"scopes", "auth_method"}
    assert await find_client(provider.idp, "bank") == before
    public = await edit_client(provider.idp, "bank", {"public": True})
    back = await edit_client(provider.idp, "bank", {"auth_method": "client_secret_basic"}, dry_run=True)
    assert back.secret is None
    assert "It gets a secret, which is shown once." in back.consequences
    assert await find_client(provider.idp, "bank") == public.after


async def test_the_policy_is_shown_as_it_is_written(provider: Provider) -> None:
    shown = await policy_text(provider.idp)
    assert (shown.text, shown.where, shown.problems, shown.in_use) == (OURS, None, (), True)
    provider.idp.policy = load_policy(OURS.replace("attempts = 3", "attempts = 2", 1))
    assert not (await policy_text(provider.idp)).in_use


async def test_a_policy_is_tried_and_every_mistake_told(provider: Provider) -> None:
    tried = await try_policy(provider.idp, OURS.replace('two_factor = "urn', 'too_factor = "urn', 1))
    assert tried.problems
    assert not tried.rows
    assert (await try_policy(provider.idp, OURS)).consequences == ()
    row = '"transfers:write"      = { level = "strong"'
    weaker = OURS.replace(row, row.replace("strong", "two_factor"), 1)
    assert weaker != OURS
    tried = await try_policy(provider.idp, weaker)
    assert ("scopes.transfers:write.level", "strong", "two_factor") in tried.rows
    assert any(said.startswith("transfers:write, for somebody with a phone: never -> ") for said in tried.consequences)


async def test_of_policies_whose_askers_were_cut_off_one_is_read_at_a_time_and_none_is_compared(
    provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    began, go_on, reading, compared = threading.Event(), threading.Event(), [0, 0], 0

    def slowly(text: str, settings: Settings) -> Policy:
        reading[0] += 1
        reading[1] = max(reading)
        began.set()
        go_on.wait(NEVER)
        reading[0] -= 1
        return policy_here(text, settings)

    def differences(before: Policy, after: Policy) -> list[tuple[str, str, str]]:
        nonlocal compared
        compared += 1
        return []

    monkeypatch.setattr(policies, "policy_here", slowly)
    monkeypatch.setattr(policies, "differences", differences)
    for _ in range(4):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await try_policy(provider.idp, OURS)
    assert await asyncio.to_thread(began.wait, NEVER)
    last = asyncio.create_task(try_policy(provider.idp, OURS))
    await asyncio.sleep(0)
    go_on.set()
    assert (await last).problems == ()
    assert (reading[1], compared) == (1, 1)


async def test_a_sign_in_is_tried_for_a_person_and_a_client(provider: Provider) -> None:
    strong = await try_sign_in(provider.idp, Asked("alice", "bank", ("openid", "transfers:write")))
    assert strong.walked.granted
    assert [step.answered for step in strong.walked.steps] == ["gives the password", "gives the code: totp"]
    unable = await try_sign_in(provider.idp, Asked("bob", "bank", ("openid", "transfers:write")))
    assert not unable.walked.granted
    assert (await try_sign_in(provider.idp, Asked("bob", "bank", ("openid", "nothing")))).left_out == {
        "nothing": "the policy has no such scope"
    }
    for wrong in (Asked(signed_in_with="magic"), Asked(details="not JSON")):
        with pytest.raises(NotAcceptable):
            await try_sign_in(provider.idp, wrong)
    with pytest.raises(NotThere):
        await try_sign_in(provider.idp, Asked("nobody"))


async def test_keys_are_listed_and_rotated(provider: Provider) -> None:
    before = {(key.alg, key.state): key.kid for key in await list_keys(provider.idp)}
    assert set(await rotate_keys(provider.idp, early=True)) == {
        kid for (_, state), kid in before.items() if state == "next"
    }


async def test_what_was_sent_is_seen_page_by_page_and_never_a_number(provider: Provider) -> None:
    browser = provider.browser()
    await provider.sign_in(browser)
    await provider.sign_in(provider.browser(), "bob")
    first = await deliveries_page(provider.idp, limit=1)
    assert first.after is not None
    rest = await deliveries_page(provider.idp, after=first.after)
    assert rest.after is None
    lines = [*first.lines, *rest.lines]
    assert len({line.message.id for _, line in lines}) == len(lines)
    assert all("•" in to or "*" in to for to, _ in lines), [to for to, _ in lines]
    assert {line.gateway for _, line in lines} == {provider.gateway.name}
    assert not (await deliveries_page(provider.idp, after=uuid4())).lines
    assert not (await deliveries_page(provider.idp, state="denied")).lines
    with pytest.raises(NotAcceptable):
        await deliveries_page(provider.idp, state="lost")
    now = await sending_now(provider.idp)
    assert sum(each.accepted for each in now.tries) == len(lines)
    assert sum(each.sent for each in now.hours) == len(lines)
    assert now.waiting == 0


async def test_a_closed_block_is_seen_and_opened_again_once(bare: Provider, raw: "asyncpg.Connection[Any]") -> None:
    use(bare)
    crowd = [await person(bare, estonian(1, number)) for number in range(1, 6)]
    for each in crowd:
        await ask(bare, each)
    (block,) = await closed_blocks(bare.idp)
    assert block.region == "EE"
    assert block.closed_until > bare.clock.now()

    async def opened(_: int) -> str | None:
        try:
            return await open_block(bare.idp, block.key)
        except NotThere:
            return None

    assert sorted(await at_once(4, opened), key=str) == ["EE", None, None, None]
    assert not await closed_blocks(bare.idp)
    told = await raw.fetch("SELECT fields ->> 'region' AS region FROM audit_event WHERE name = 'sms.block_opened'")
    assert [row["region"] for row in told] == ["EE"]


async def test_an_auditor_looks_and_changes_nothing(provider: Provider) -> None:
    scopes = frozenset(name for name in provider.idp.policy.scopes if name.startswith("stile:"))
    with working_as(Operator("person:olga", Role.AUDITOR, uuid4(), "console", scopes)):
        await client_page(provider.idp)
        await policy_text(provider.idp)
        await sending_now(provider.idp)
        for change in (
            edit_client(provider.idp, "bank", {"name": "Mine"}, dry_run=True),
            rotate_keys(provider.idp, early=True),
            open_block(provider.idp, b"x"),
        ):
            with pytest.raises(NotPermitted):
                await change
    with working_as(NOBODY), pytest.raises(NotPermitted):
        await client_page(provider.idp)


async def test_what_is_tried_is_what_is_told(provider: Provider) -> None:
    asked = "openid email phone offline_access"
    told = (await try_sign_in(provider.idp, Asked("alice", "bank", tuple(asked.split())))).told
    assert told is not None
    assert told.userinfo is not None
    issued = await lasting(provider, scope=asked)
    # She was asked for the app there, and texted here.
    once = {"jti", "sid", "nonce", "at_hash", "iat", "exp", "auth_time", "amr", "acr"}
    for mine, token in ((told.access_token, "access_token"), (told.id_token, "id_token")):
        assert mine is not None
        real = claims(issued[token])
        assert {name: mine[name] for name in mine.keys() - once} == {name: real[name] for name in real.keys() - once}
    real = (await userinfo(provider, issued["access_token"])).json()
    number = real.pop("phone_number")
    assert told.userinfo["phone_number"] != number
    assert number[4:9] not in str(told)
    assert {name: value for name, value in told.userinfo.items() if name != "phone_number"} == real
    assert tuple(told.refreshed) == tuple(issued["scope"].split())


async def _set(provider: Provider, disabled: bool, _: int) -> None:
    await set_client_disabled(provider.idp, "leaving", disabled=disabled)


async def test_a_client_is_removed_by_one_and_disabled_once(provider: Provider) -> None:
    for number in range(8):
        await provider.add_client("leaving", "https://leaving.example/callback")
        for disabled in (True, False):
            await at_once(4, partial(_set, provider, disabled))

        async def remove(_: int) -> bool:
            try:
                return (await remove_client(provider.idp, "leaving")).done
            except NotThere:
                return False

        assert sorted(await at_once(4, remove)) == [False, False, False, True]
        told = (await audit_page(provider.idp, Search(client_id="leaving", event="client.changed"))).entries
        assert [one.fields["change"] for one in told] == ["removed", "enabled", "disabled"] * (number + 1)


async def test_a_removal_counts_who_is_touched_and_is_not_of_what_others_changed(provider: Provider) -> None:
    await lasting(provider, scope="openid offline_access")
    seen = version_of(await find_client(provider.idp, "bank"))
    told = await remove_client(provider.idp, "bank", dry_run=True)
    assert "What it holds for 1 person ends; access tokens that are out last to their end." in told.consequences
    await edit_client(provider.idp, "bank", {"name": "Corner Bank"})
    with pytest.raises(Outdated):
        await remove_client(provider.idp, "bank", expected=seen)
    assert (await remove_client(provider.idp, "bank")).done
