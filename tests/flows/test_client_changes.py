"""A client changed while it is served: every process hears of it, and two operators do not undo each other's work."""

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette

from idp import app as composition
from idp.crypto import KeyChain, digest
from idp.flows.idp import Idp
from idp.flows.opening import read_clients
from idp.flows.operate.client_changes import edit_client
from idp.flows.operate.clients import set_client_disabled
from idp.flows.operate.finding import find_client, list_clients
from idp.flows.operate.keeping import client_kept
from idp.flows.operate.people import NotAcceptable
from idp.model import AssuranceLevel, Registration
from idp.policy import load_policy
from tests.world.parallel import at_once
from tests.world.policies import OURS
from tests.world.provider import Provider, claims, parameters
from tests.world.running import settings_for
from tests.world.stage import lasting, refresh
from tests.world.waiting import NEVER


@pytest.fixture
async def elsewhere(
    provider: Provider, database_url: str, key_chain: KeyChain, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Starlette]:
    """The same provider in another process, with its ear for changes: nobody reads the clients again without one."""
    monkeypatch.setattr(composition, "REREAD", timedelta(seconds=2 * NEVER))
    app = composition.create_app(settings_for(tmp_path), url=database_url, secrets=key_chain, gateways=())
    async with app.router.lifespan_context(app):
        yield app


async def until(provider: Provider, true: Callable[[], bool]) -> None:
    """Until it is so: sooner than anybody reads the clients again without having heard of a change."""
    async with asyncio.timeout(NEVER):
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


async def test_a_client_of_a_higher_level_refreshes_nothing_that_was_proved_for_less(provider: Provider) -> None:
    issued = await lasting(provider, scope="openid offline_access")
    done = await edit_client(provider.idp, "bank", {"level": "strong"})
    assert done.changed == {"level": (AssuranceLevel.TWO_FACTOR, AssuranceLevel.STRONG)}
    assert done.consequences == (
        "Whoever signs in to it proves strong; refresh tokens of those who proved less are refused.",
    )
    await read_clients(provider.idp)
    answer = await refresh(provider, issued["refresh_token"])
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant")
    browser = provider.browser()
    page = await provider.half_way(browser)
    assert "/totp" in page.text
    assert "/sms" not in page.text
    answer = await browser.submit("/totp", code=provider.totp())
    issued = (await provider.redeem(parameters(answer)["code"])).json()
    assert claims(issued["id_token"])["acr"] == "urn:stile:2fa-strong"


async def test_every_mistake_of_a_registration_is_told_at_once(provider: Provider) -> None:
    wrong = {
        "name": " ",
        "redirect_uris": ("http://a.example/x", "nowhere"),
        "scopes": ("openid", "unheard-of", "password:write"),
        "signing_alg": "none",
        "groups": ("nobody", "nowhere"),
        "origins": ("what",),
        "audience": ("a b",),
        "level": "three",
        "id_token_claims": ("shoe_size",),
        "details_types": ("loan",),
        "grant_types": ("password",),
    }
    with pytest.raises(NotAcceptable) as raised:
        await edit_client(provider.idp, "bank", wrong)
    told = raised.value.problems
    assert len(told) == len(set(told)) >= 13
    for word in (
        "name",
        "'http://a.example/x'",
        "'nowhere'",
        "unheard-of",
        "'none'",
        "'nobody'",
        "'what'",
        "'a b'",
        "'three'",
        "shoe_size",
        "loan",
        "'password'",
    ):
        assert any(word in sentence for sentence in told), word


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"level": "one_factor"}, "'one_factor' is no level of the policy: there are two_factor, strong"),
        ({"level": "none"}, "'none' is no level"),
        ({"level": "\x00"}, "is no level"),
        ({"level": "phishing_resistant"}, "Nobody could sign in: no factor of the policy gives phishing_resistant."),
        (
            {"level": "strong", "grant_types": ("client_credentials",), "scopes": ()},
            "this client signs nobody in",
        ),
    ],
)
async def test_a_level_that_nobody_could_prove_is_refused(
    provider: Provider, changes: dict[str, Any], sentence: str
) -> None:
    provider.idp.policy = load_policy(OURS.replace("\npasskey ", "\n# passkey "))
    with pytest.raises(NotAcceptable, match=sentence):
        await edit_client(provider.idp, "bank", changes)


async def test_an_address_with_a_star_is_refused_and_one_from_before_is_in_nobodys_way(provider: Provider) -> None:
    with pytest.raises(NotAcceptable, match=r"it has a \*, and addresses are compared as they are"):
        await edit_client(provider.idp, "bank", {"redirect_uris": ("https://bank.example/*",)})
    await provider.add_client("old", "https://old.example/*")
    done = await edit_client(provider.idp, "old", {"name": "Older"})
    assert (done.after.name, done.after.redirect_uris) == ("Older", ("https://old.example/*",))
    kept, lost = client_kept(Registration(done.after, provider.clock.now()), provider.idp.policy)
    assert (kept.client.redirect_uris, lost) == (("https://old.example/*",), [])
