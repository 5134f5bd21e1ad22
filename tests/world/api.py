"""Programs that call the API: a machine with a secret, and an application by which a person with a role comes."""

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any
from uuid import UUID

import httpx

from idp.policy import OPERATING, load_policy
from tests.world.policies import OURS
from tests.world.provider import NOTES_URI, Provider, parameters

EVERY = tuple(sorted(OPERATING))
_GROUPS = """[groups]
admins = { level = "strong", role = "admin" }
desk = { level = "strong", role = "helpdesk" }
audit = { level = "strong", role = "auditor" }
treasury = { level = "strong" }
"""


def with_roles(provider: Provider, *, machines: Iterable[str] = EVERY) -> None:
    """A policy with a group for each role, whose rows give machines these scopes."""
    policy = load_policy(OURS.replace("[groups]\n", _GROUPS, 1))
    given = {scope: replace(policy.scopes[scope], machines=True) for scope in machines}
    provider.idp.policy = replace(policy, scopes={**policy.scopes, **given})


async def machine_token(provider: Provider, *scopes: str, client_id: str = "reports") -> str:
    """An access token that a client has for itself."""
    if client_id not in provider.idp.clients:
        kinds = frozenset({"client_credentials"})
        await provider.add_client(client_id, NOTES_URI, grant_types=kinds, redirect_uris=(), scopes=OPERATING)
    answer = await provider.token(client_id, grant_type="client_credentials", scope=" ".join(scopes or EVERY))
    assert answer.status_code == 200, answer.text
    token: str = answer.json()["access_token"]
    return token


async def add_operator(provider: Provider, username: str, *groups: str) -> UUID:
    """A person with an app and a role."""
    return await provider.add_person(username, app=True, groups=frozenset(groups), email=f"{username}@example.com")


async def person_token(provider: Provider, username: str, *scopes: str) -> str:
    """An access token of somebody who just proved password and app."""
    if "tools" not in provider.idp.clients:
        await provider.add_client("tools", NOTES_URI, scopes=OPERATING | {"openid"})
    browser = provider.browser()
    wanted = " ".join(("openid", *(scopes or EVERY)))
    await provider.half_way(browser, username, client_id="tools", scope=wanted)
    code = parameters(await browser.submit("/totp", code=provider.totp(username)))["code"]
    answer = await provider.redeem(code, "tools")
    assert answer.status_code == 200, answer.text
    token: str = answer.json()["access_token"]
    return token


@asynccontextmanager
async def calling(provider: Provider, token: str) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the API."""
    headers = {"Authorization": f"Bearer {token}"}
    async with provider.browser(headers=headers).http as http:
        http.base_url = http.base_url.join("/api/v1/")
        yield http


def kind_of(answer: httpx.Response) -> tuple[int, str]:
    """What a refusal says to programs."""
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    body: dict[str, Any] = answer.json()
    assert body["status"] == answer.status_code
    assert body["detail"]
    return answer.status_code, body["type"].removeprefix("urn:stile:problem:")
