"""Whoever calls the API too often waits, and nobody else does; who sends slowly is looked up when all is here."""

import asyncio
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from types import FrameType
from typing import Any

import pytest

from idp.limits import Limit, Window
from idp.oidc import tokens
from idp.oidc.tokens import AccessToken
from idp.store.sql import Sql
from tests.world.api import add_operator, calling, kind_of, machine_token, person_token, with_roles
from tests.world.policies import OURS
from tests.world.provider import Provider

_REVOKED = Sql("UPDATE grant_ SET revoked_at = now() WHERE account_id IS NOT NULL RETURNING id")
_GROUPS = Sql("UPDATE account SET groups = :groups WHERE username = :username")


@pytest.fixture
async def narrow(provider: Provider) -> Provider:
    """Three requests a minute."""
    with_roles(provider)
    policy = provider.idp.policy
    row = Limit("api_calls", None, (Window(3, timedelta(minutes=1)),))
    provider.idp.policy = replace(policy, limits=replace(policy.limits, api_calls=row))
    return provider


async def test_one_caller_waits_and_no_other(narrow: Provider) -> None:
    await add_operator(narrow, "ada", "admins")
    async with calling(narrow, await machine_token(narrow)) as http:
        for _ in range(3):
            assert (await http.get("clients")).status_code == 200
        narrow.count()
        refused = await http.get("clients")
        assert kind_of(refused) == (429, "too_many")
        assert 0 < int(refused.headers["retry-after"]) <= 60
        assert narrow.statements == []
        async with calling(narrow, await machine_token(narrow, client_id="other")) as theirs:
            assert (await theirs.get("clients")).status_code == 200
        # Another token is no other caller.
        async with calling(narrow, await machine_token(narrow)) as again:
            assert kind_of(await again.get("clients")) == (429, "too_many")
        async with calling(narrow, await person_token(narrow, "ada")) as hers:
            assert (await hers.get("clients")).status_code == 200
        narrow.clock.move(timedelta(seconds=int(refused.headers["retry-after"])))
        assert (await http.get("clients")).status_code == 200


async def test_who_waits_is_not_looked_at_again_and_others_are(
    narrow: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked = 0
    read = tokens.read_access_token

    def counted(*args: Any, **named: Any) -> AccessToken:
        nonlocal looked
        looked += 1
        return read(*args, **named)

    monkeypatch.setattr(tokens, "read_access_token", counted)
    token, another = await machine_token(narrow), await machine_token(narrow)
    async with calling(narrow, token) as http:
        statuses = [(await http.get("clients")).status_code for _ in range(30)]
        assert statuses == [200] * 3 + [429] * 27
        assert looked == 4
        first = int((await http.get("clients")).headers["retry-after"])
        async with calling(narrow, another) as again:
            assert [(await again.get("clients")).status_code for _ in range(2)] == [429, 429]
        assert looked == 5
        async with calling(narrow, token[:-4] + "AAAA") as forged:
            assert (await forged.get("clients")).status_code == 401
        narrow.clock.move(timedelta(seconds=first))
        assert (await http.get("clients")).status_code == 200


async def test_what_is_refused_does_not_make_the_wait_longer(narrow: Provider) -> None:
    async with calling(narrow, await machine_token(narrow)) as http:
        answers = [await http.get("clients") for _ in range(40)]
        assert [each.status_code for each in answers] == [200] * 3 + [429] * 37
        narrow.clock.move(timedelta(minutes=1))
        assert (await http.get("clients")).status_code == 200


async def test_a_token_that_is_worth_nothing_slows_down_nobody_but_itself(narrow: Provider) -> None:
    await add_operator(narrow, "ada", "admins")
    stolen = await person_token(narrow, "ada")
    await narrow.idp.db.one(_REVOKED)
    narrow.clock.move(timedelta(minutes=1))  # and so her app shows another code
    async with calling(narrow, stolen) as theirs, calling(narrow, await person_token(narrow, "ada")) as hers:
        answers = [await theirs.get("clients") for _ in range(6)]
        assert [each.status_code for each in answers] == [401] * 3 + [429] * 3
        assert [(await hers.get("clients")).status_code for _ in range(4)] == [200] * 3 + [429]


async def test_the_pace_costs_no_statement_and_who_stopped_is_forgotten(
    provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_roles(provider)
    monkeypatch.setattr("idp.flows.tokens.operators._CALLERS", 2)
    for number in range(4):
        async with calling(provider, await machine_token(provider, client_id=f"c{number}")) as http:
            provider.count()
            assert (await http.get("policy")).status_code == 200
            assert len(provider.statements) == 1
        provider.clock.move(timedelta(minutes=2))
    assert len(provider.idp.api_calls) <= 2


async def test_of_those_who_wait_no_more_are_remembered_than_of_those_who_call(
    narrow: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("idp.flows.tokens.operators._CALLERS", 2)
    for _ in range(5):
        async with calling(narrow, await machine_token(narrow)) as http:
            answers = [(await http.get("clients")).status_code for _ in range(4)]
        assert answers[-1] == 429
        assert 0 < len(narrow.idp.api_waits) <= 2


async def test_who_loses_the_role_while_the_body_is_on_its_way_does_nothing(provider: Provider) -> None:
    with_roles(provider)
    await add_operator(provider, "ada", "admins")
    token = await person_token(provider, "ada")

    async def slowly() -> AsyncIterator[bytes]:
        yield b'{"username": "mole", '
        await provider.rows(_GROUPS, groups=[], username="ada")
        yield b'"password": "glubber-fozzle-17-x"}'

    async with calling(provider, token) as http:
        answer = await http.post("people", content=slowly(), headers={"Content-Type": "application/json"})
    assert kind_of(answer) == (403, "not_permitted")


async def test_a_head_says_what_a_get_does_without_its_body(provider: Provider) -> None:
    with_roles(provider)
    async with calling(provider, await machine_token(provider)) as http:
        one = (await http.get("people", params={"username": "bob"})).json()["users"][0]["id"]
        for path in ("people", f"people/{one}", "clients/bank", "policy", "keys", "audit", "sending", "openapi.json"):
            got, head = await http.get(path), await http.head(path)
            assert (head.status_code, head.content) == (200, b"")
            for name in ("etag", "content-type", "cache-control"):
                assert head.headers.get(name) == got.headers.get(name)
        assert (await http.head("clients/nobody")).status_code == 404
        assert (await http.head("people/invitations")).status_code in {404, 405}
        assert (await http.head("invitations")).status_code == 405


async def test_of_many_who_try_a_policy_one_is_served_at_a_time(provider: Provider) -> None:
    with_roles(provider)
    rows = "".join(f'"s{number}" = {{ level = "strong" }}\n' for number in range(400))
    text, most, over = OURS.replace("[scopes]\n", f"[scopes]\n{rows}", 1), 0, False

    def working() -> int:
        """The threads that read or compare a policy at this moment."""
        names = 0
        for frame in list(sys._current_frames().values()):
            step: FrameType | None = frame
            while step is not None and step.f_code.co_name not in {"policy_here", "_compared"}:
                step = step.f_back
            names += step is not None
        return names

    async def look() -> None:
        nonlocal most
        while not over:
            most = max(most, working())
            await asyncio.sleep(0.002)

    looking = asyncio.create_task(look())
    async with calling(provider, await machine_token(provider)) as http:
        answers = await asyncio.gather(*(http.post("policy/try", json={"policy": text}) for _ in range(8)))
    over = True
    await looking
    assert {answer.status_code for answer in answers} == {200}
    assert most == 1
