"""A new secret beside the old one: for a form that is sent twice, and for two operators at once."""

import asyncio
from datetime import timedelta

import pytest

from idp.crypto import digest, random_token
from idp.errors import Outdated
from idp.flows.opening import read_clients
from idp.flows.operate.finding import ClientId, find_client
from idp.flows.operate.secrets import end_old_secret, new_client_secret, secret_consequences, secrets_version
from idp.flows.operate.trail import Search, audit_page
from idp.model import Client
from tests.world.provider import Provider

BANK = ClientId("bank")
WEEK = timedelta(days=7)


async def bank(provider: Provider) -> Client:
    return await find_client(provider.idp, BANK)


async def changes(provider: Provider) -> int:
    return len((await audit_page(provider.idp, Search(client_id="bank", event="client.changed"))).entries)


async def test_one_that_was_made_before_is_given_once_however_often_it_is_asked_for(provider: Provider) -> None:
    before, secret = await bank(provider), random_token()
    seen = secrets_version(before)
    for _ in range(3):
        given = await new_client_secret(provider.idp, BANK, keep_old=WEEK, secret=secret, expected=seen)
        assert given.secret == secret
        now = await bank(provider)
        assert (now.secret_hash, now.old_secret_hash) == (digest(secret), before.secret_hash)
    assert await changes(provider) == 1


async def test_of_many_presses_at_once_one_makes_it_and_all_are_told(provider: Provider) -> None:
    for _ in range(8):
        before, secret = await bank(provider), random_token()
        asked = [
            new_client_secret(provider.idp, BANK, keep_old=WEEK, secret=secret, expected=secrets_version(before))
            for _ in range(6)
        ]
        given = await asyncio.gather(*asked)
        assert {one.secret for one in given} == {secret}
        assert (await bank(provider)).old_secret_hash == before.secret_hash
    assert await changes(provider) == 8


async def test_of_two_operators_at_once_one_makes_a_secret_and_the_other_hears_of_it(provider: Provider) -> None:
    for round_ in range(1, 9):
        before = await bank(provider)
        seen = secrets_version(before)
        asked = [
            new_client_secret(provider.idp, BANK, keep_old=WEEK, secret=random_token(), expected=seen) for _ in "12"
        ]
        given = await asyncio.gather(*asked, return_exceptions=True)
        assert sorted(type(one).__name__ for one in given) == ["Outdated", "Registered"]
        assert (await bank(provider)).old_secret_hash == before.secret_hash, "the one before still works"
        assert await changes(provider) == round_


async def test_whoever_saw_the_old_secret_end_makes_a_new_one_only_after_another_look(provider: Provider) -> None:
    await new_client_secret(provider.idp, BANK, keep_old=WEEK)
    seen = secrets_version(await bank(provider))
    await end_old_secret(provider.idp, BANK)
    with pytest.raises(Outdated):
        await new_client_secret(provider.idp, BANK, secret=random_token(), expected=seen)


async def test_what_ends_is_said_before(provider: Provider) -> None:
    assert await secret_consequences(provider.idp, BANK) == ()
    await new_client_secret(provider.idp, BANK, keep_old=WEEK)
    ends, used = await secret_consequences(provider.idp, BANK)
    until = provider.clock.now() + WEEK
    assert f"which works until {until:%Y-%m-%d %H:%M} UTC, stops working" in ends
    assert used == "Nobody has used it since the present one was made."
    provider.clock.move(timedelta(minutes=2))
    await read_clients(provider.idp)
    code = await provider.code(provider.browser(), "alice")
    assert (await provider.redeem(code)).status_code == 200
    _, used = await secret_consequences(provider.idp, BANK)
    assert used.startswith("It was last used 2026-")
    provider.clock.move(WEEK)
    assert await secret_consequences(provider.idp, BANK) == ()
