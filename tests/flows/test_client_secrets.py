"""Another secret for a client: the one before works until the time that was set, and it is seen who still has it."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import asyncpg
import pytest

from idp.errors import NotThere
from idp.flows.opening import read_clients
from idp.flows.operate.client_changes import edit_client
from idp.flows.operate.finding import find_client
from idp.flows.operate.people import NotAcceptable
from idp.flows.operate.secrets import LONGEST_KEPT, end_old_secret, new_client_secret
from tests.world.parallel import at_once
from tests.world.provider import Provider

WEEK = timedelta(days=7)
SECOND = timedelta(seconds=1)


@pytest.fixture
async def raw(database_url: str) -> AsyncIterator["asyncpg.Connection[Any]"]:
    connection = await asyncpg.connect(database_url)
    yield connection
    await connection.close()


async def authenticates(provider: Provider, secret: str, *, method: str = "basic") -> bool:
    """Whether the bank is known by this secret; what it asks for is refused in any case."""
    form = {"grant_type": "authorization_code", "code": "x", "redirect_uri": "https://x.example", "code_verifier": "x"}
    async with provider.browser().http as http:
        if method == "basic":
            answer = await http.post("/token", data=form, auth=("bank", secret))
        else:
            answer = await http.post("/token", data=form | {"client_id": "bank", "client_secret": secret})
    assert answer.json()["error"] in {"invalid_grant", "invalid_client"}
    return bool(answer.json()["error"] == "invalid_grant")


async def renewed(provider: Provider, keep_old: timedelta | None = WEEK) -> str:
    """The new secret, of which this process has heard."""
    registered = await new_client_secret(provider.idp, "bank", keep_old=keep_old)
    await read_clients(provider.idp)
    assert registered.secret is not None
    return registered.secret


async def test_both_secrets_work_until_the_time_that_was_set(provider: Provider) -> None:
    old = provider.secrets["bank"]
    new = await renewed(provider)
    assert await authenticates(provider, new)
    assert await authenticates(provider, old)
    provider.clock.move(WEEK - SECOND)
    assert await authenticates(provider, old)
    provider.clock.move(SECOND)
    assert not await authenticates(provider, old)
    assert await authenticates(provider, new)


async def test_without_a_time_the_old_one_stops_at_once(provider: Provider) -> None:
    old = provider.secrets["bank"]
    new = await renewed(provider, None)
    assert not await authenticates(provider, old)
    assert await authenticates(provider, new)


async def test_of_three_secrets_the_first_works_no_more(provider: Provider) -> None:
    first = provider.secrets["bank"]
    second = await renewed(provider)
    third = await renewed(provider)
    assert [await authenticates(provider, each) for each in (first, second, third)] == [False, True, True]
    fourth = await renewed(provider, None)
    known = [await authenticates(provider, each) for each in (first, second, third, fourth)]
    assert known == [False, False, False, True]


async def test_the_old_one_is_ended_by_exactly_one(provider: Provider) -> None:
    old = provider.secrets["bank"]
    for _ in range(5):
        new = await renewed(provider)

        async def ended(_: int) -> bool:
            try:
                await end_old_secret(provider.idp, "bank")
            except NotThere:
                return False
            return True

        assert sum(await at_once(4, ended)) == 1
        await read_clients(provider.idp)
        assert not await authenticates(provider, old)
        assert await authenticates(provider, new)
        old = new


async def test_the_old_one_works_by_the_same_method_only_and_not_for_a_disabled_client(provider: Provider) -> None:
    old = provider.secrets["bank"]
    await renewed(provider)
    assert not await authenticates(provider, old, method="post")
    await edit_client(provider.idp, "bank", {"auth_method": "client_secret_post"})
    await read_clients(provider.idp)
    assert await authenticates(provider, old, method="post")
    await edit_client(provider.idp, "bank", {"public": True})
    await edit_client(provider.idp, "bank", {"auth_method": "client_secret_post"})
    await read_clients(provider.idp)
    assert not await authenticates(provider, old, method="post")


async def test_a_change_of_the_registration_leaves_both_secrets(provider: Provider) -> None:
    old = provider.secrets["bank"]
    new = await renewed(provider)
    await edit_client(provider.idp, "bank", {"name": "Corner Bank"})
    await read_clients(provider.idp)
    assert await authenticates(provider, old)
    assert await authenticates(provider, new)


async def test_who_has_the_new_one_costs_nothing_and_who_has_the_old_one_is_seen_once_a_minute(
    provider: Provider,
) -> None:
    old = provider.secrets["bank"]
    await authenticates(provider, old)
    provider.count()
    await authenticates(provider, old)
    usual = len(provider.statements)
    new = await renewed(provider)
    assert (await find_client(provider.idp, "bank")).old_secret_used_at is None
    costs = []
    for secret in (new, old, old, old):
        provider.statements.clear()
        await authenticates(provider, secret)
        costs.append(len(provider.statements) - usual)
    assert costs == [0, 1, 0, 0]
    assert (await find_client(provider.idp, "bank")).old_secret_used_at == pytest.approx(
        provider.clock.now(), abs=SECOND
    )
    provider.clock.move(timedelta(minutes=2))
    assert await authenticates(provider, old)
    seen = (await find_client(provider.idp, "bank")).old_secret_used_at
    assert seen is not None
    assert provider.clock.now() - seen < SECOND


@pytest.mark.parametrize("wrong", [timedelta(0), -SECOND, LONGEST_KEPT + SECOND])
async def test_a_time_that_is_none_is_refused(provider: Provider, wrong: timedelta) -> None:
    with pytest.raises(NotAcceptable, match="30 days at most"):
        await new_client_secret(provider.idp, "bank", keep_old=wrong)
    assert await authenticates(provider, provider.secrets["bank"])


async def test_the_audit_says_until_when_and_no_secret(provider: Provider, raw: "asyncpg.Connection[Any]") -> None:
    new = await renewed(provider)
    await end_old_secret(provider.idp, "bank")
    rows = await raw.fetch("SELECT fields::text AS fields FROM audit_event WHERE name = 'client.changed' ORDER BY id")
    told = [row["fields"] for row in rows]
    assert "new secret, the old one until " in told[0]
    assert "old secret ended" in told[1]
    assert not any(new in each for each in told)
