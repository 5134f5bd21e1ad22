"""A change that is asked for again with its key: done once, told again without a secret, in doubt never done."""

import asyncio
from datetime import timedelta
from threading import BoundedSemaphore
from typing import Any
from uuid import uuid4

import httpx
import pytest

from idp.errors import Unavailable
from idp.flows import repeats
from idp.model import Operator, Role
from idp.store import sweep
from idp.store.sql import Sql
from tests.world.api import calling, kind_of, machine_token, with_roles
from tests.world.provider import Provider

_CLIENTS = Sql("SELECT name FROM client WHERE name LIKE 'Shop%' ORDER BY name")
_SECRETS = Sql("SELECT 1 FROM audit_event WHERE name = 'client.changed' AND fields->>'change' = 'new secret'")
_KEPT = Sql("SELECT api_request::text FROM api_request")
SHOP: dict[str, Any] = {"name": "Shop", "redirect_uris": ["https://shop.example/cb"]}


@pytest.fixture
async def token(provider: Provider) -> str:
    with_roles(provider)
    return await machine_token(provider)


async def add(http: httpx.AsyncClient, key: str, **changes: Any) -> httpx.Response:
    return await http.post("clients", json=SHOP | changes, headers={"Idempotency-Key": key})


async def test_a_key_is_used_once_and_the_secret_is_told_once(provider: Provider, token: str) -> None:
    async with calling(provider, token) as http:
        first, again = await add(http, "k1"), await add(http, "k1")
    secret = first.json()["client_secret"]
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.headers["idempotent-replayed"] == "true"
    assert again.headers["location"] == first.headers["location"]
    assert again.headers["etag"] == first.headers["etag"]
    assert secret
    assert again.json() == first.json() | {"client_secret": None, "given_once": ["client_secret"]}
    assert await provider.rows(_CLIENTS) == [("Shop",)]
    kept = repr(await provider.rows(_KEPT))
    assert secret not in kept
    assert "Shop" not in kept


async def test_a_key_is_for_one_request_of_one_operator(provider: Provider, token: str) -> None:
    other = await machine_token(provider, client_id="other")
    async with calling(provider, token) as http, calling(provider, other) as theirs:
        await add(http, "k1")
        assert kind_of(await add(http, "k1", name="Shop 2")) == (422, "key_reused")
        elsewhere = await http.post("clients/bank/secret", headers={"Idempotency-Key": "k1"})
        assert kind_of(elsewhere) == (422, "key_reused")
        assert (await add(theirs, "k1", name="Shop 3")).status_code == 201


async def test_a_refusal_leaves_the_key_free(provider: Provider, token: str) -> None:
    async with calling(provider, token) as http:
        taken = await add(http, "k1", name="Acme Bank")
        assert kind_of(taken) == (409, "already_there")
        assert (await add(http, "k1")).status_code == 201


async def test_who_finds_the_queue_of_passwords_full_tries_again_with_the_same_key(
    provider: Provider, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with calling(provider, token) as http:
        sent: dict[str, Any] = {
            "json": {"username": "ada", "password": "tulip gravel 77 ocean"},
            "headers": {"Idempotency-Key": "k1"},
        }
        with monkeypatch.context() as patch:
            patch.setattr(provider.idp.passwords, "_places", BoundedSemaphore(0))
            assert kind_of(await http.post("people", **sent)) == (503, "unavailable")
        assert (await http.post("people", **sent)).status_code == 201


async def test_of_many_at_once_one_does_it(provider: Provider, token: str) -> None:
    for round_ in range(10):
        barrier = asyncio.Barrier(8)
        async with calling(provider, token) as http:

            async def one(key: str, barrier: asyncio.Barrier = barrier, http: httpx.AsyncClient = http) -> Any:
                await barrier.wait()
                return await http.post("clients/bank/secret", headers={"Idempotency-Key": key})

            answers = await asyncio.gather(*(one(f"k{round_}") for _ in range(8)))
        assert {each.status_code for each in answers} <= {200, 409}
        told = [each.json()["client_secret"] for each in answers if each.status_code == 200]
        assert len([secret for secret in told if secret is not None]) == 1
        assert len(await provider.rows(_SECRETS)) == round_ + 1


async def test_what_was_cut_off_in_the_middle_is_not_done_again(
    provider: Provider, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def gone(*_: object, **__: object) -> None:
        raise Unavailable("gone")

    async with calling(provider, token) as http:
        with monkeypatch.context() as patch:
            patch.setattr(repeats, "answered", gone)
            assert kind_of(await add(http, "k1")) == (503, "unavailable")
        at_work = await add(http, "k1")
        assert kind_of(at_work) == (409, "at_work")
        assert at_work.headers["retry-after"] == "1"
        provider.clock.move(repeats.AT_WORK + timedelta(seconds=1))
        assert kind_of(await add(http, "k1")) == (409, "outcome_unknown")
    assert await provider.rows(_CLIENTS) == [("Shop",)]


async def test_a_key_is_swept_after_a_day(provider: Provider, token: str) -> None:
    async with calling(provider, token) as http:
        await add(http, "k1")
    idle = provider.idp.policy.sessions.idle
    await sweep.sweep(provider.idp.db, idle=idle, now=provider.clock.now() + timedelta(hours=23))
    assert len(await provider.rows(_KEPT)) == 1
    await sweep.sweep(provider.idp.db, idle=idle, now=provider.clock.now() + timedelta(hours=25))
    assert await provider.rows(_KEPT) == []


@pytest.mark.parametrize("key", ["", "two words", "x" * 256, "\xff"])
async def test_a_key_that_cannot_be_one_is_refused(provider: Provider, token: str, key: str) -> None:
    async with calling(provider, token) as http:
        sent = {"Idempotency-Key": key.encode("latin-1")}
        answer = await http.post("clients", json=SHOP, headers=sent)  # type: ignore[arg-type] # bytes are not in its types
    assert kind_of(answer) == (400, "unreadable")
    assert await provider.rows(_CLIENTS) == []


async def test_who_has_the_name_of_somebody_now_is_not_told_what_they_did(provider: Provider) -> None:
    before, now = (Operator("person:ada", Role.ADMIN, uuid4(), "tools", frozenset()) for _ in range(2))
    first = await repeats.begin(provider.idp, before, "k1", b"asked")
    assert isinstance(first, repeats.First)
    await repeats.answered(provider.idp, first, status=201, text=b"{}")
    assert isinstance(await repeats.begin(provider.idp, before, "k1", b"asked"), repeats.Again)
    assert isinstance(await repeats.begin(provider.idp, now, "k1", b"asked"), repeats.First)
