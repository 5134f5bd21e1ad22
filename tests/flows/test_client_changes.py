"""A client changed while it is served: every process hears of it, and two operators do not undo each other's work."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from starlette.applications import Starlette

from idp import app as composition
from idp.crypto import KeyChain, digest
from idp.flows.idp import Idp
from idp.flows.opening import read_clients
from idp.flows.operate.client_changes import edit_client
from idp.flows.operate.clients import set_client_disabled
from idp.flows.operate.finding import find_client, list_clients
from tests.world.parallel import at_once
from tests.world.provider import Provider, claims
from tests.world.running import settings_for
from tests.world.stage import lasting, refresh


@pytest.fixture
async def elsewhere(
    provider: Provider, database_url: str, key_chain: KeyChain, tmp_path: Path
) -> AsyncIterator[Starlette]:
    """The same provider in another process, with its ear for changes."""
    app = composition.create_app(settings_for(tmp_path), url=database_url, secrets=key_chain, gateways=())
    async with app.router.lifespan_context(app):
        yield app


async def until(provider: Provider, true: Callable[[], bool]) -> None:
    """Until it is so: sooner than anybody reads the clients again without having heard of a change."""
    async with asyncio.timeout(composition.REREAD.total_seconds() / 2):
        while not true():
            await list_clients(provider.idp)


async def test_running_processes_hear_of_a_change(provider: Provider, elsewhere: Starlette) -> None:
    there: Idp = elsewhere.state.idp
    await until(provider, lambda: "bank" in there.clients)
    done = await edit_client(provider.idp, "bank", {"first_party": False, "redirect_uris": ("https://b.example/",)})
    assert set(done.changed) == {"first_party", "redirect_uris"}
    await until(provider, lambda: there.clients["bank"] == done.after)
    await edit_client(provider.idp, "bank", {"name": "Corner Bank"})
    await until(provider, lambda: there.clients["bank"].name == "Corner Bank")


async def test_two_operators_at_once_both_get_what_they_wanted(provider: Provider) -> None:
    wishes = ({"audience": ("api",)}, {"rotate_refresh": False}, {"first_party": False}, {"signing_alg": "RS256"})
    for number in range(5):
        await edit_client(
            provider.idp, "bank", {"audience": (), "rotate_refresh": True, "first_party": True, "signing_alg": "ES256"}
        )
        await at_once(len(wishes), lambda each: edit_client(provider.idp, "bank", wishes[each]))
        now = await find_client(provider.idp, "bank")
        assert (now.audience, now.rotate_refresh, now.first_party, now.signing_alg) == (
            ("api",),
            False,
            False,
            "RS256",
        ), number


async def test_the_secret_stays_and_a_disabled_client_stays_disabled(provider: Provider) -> None:
    secret = provider.secrets["bank"]
    await set_client_disabled(provider.idp, "bank", disabled=True)
    done = await edit_client(provider.idp, "bank", {"name": "Corner Bank", "auth_method": "client_secret_post"})
    assert done.secret is None
    now = await find_client(provider.idp, "bank")
    assert now.secret_hash == digest(secret)
    assert now.disabled


async def test_a_scope_taken_from_a_client_is_gone_at_the_next_refresh(provider: Provider) -> None:
    issued = await lasting(provider, scope="openid email offline_access")
    await edit_client(provider.idp, "bank", {"scopes": ("openid", "offline_access")})
    await read_clients(provider.idp)
    again = (await refresh(provider, issued["refresh_token"])).json()
    assert again["scope"] == "openid offline_access"
    assert claims(again["access_token"])["scope"] == "openid offline_access"
