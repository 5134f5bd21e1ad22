"""The administrators' console: who comes in, what they see and do, and what nobody gets."""

import re
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import httpx
import pytest

from idp.flows.operate.editing import edit_person
from idp.flows.operate.finding import find_user
from idp.model import AssuranceLevel, Role
from tests.world.provider import PASSWORD, Browser, Provider

ROLES = {"admins": Role.ADMIN, "desk": Role.HELPDESK, "audit": Role.AUDITOR}


async def give(provider: Provider, group: str | None, username: str = "alice") -> None:
    """Alice has this role from here on."""
    policy = provider.idp.policy
    provider.idp.policy = replace(
        policy,
        groups=MappingProxyType({**policy.groups, **dict.fromkeys(ROLES, AssuranceLevel.STRONG)}),
        roles=MappingProxyType(ROLES),
    )
    await edit_person(provider.idp, username, {"groups": [] if group is None else [group]})


async def come_in(provider: Provider, browser: Browser, path: str = "/admin/people") -> httpx.Response:
    """Sign in at the console with password and app."""
    await browser.get(path)
    await browser.submit("/password", username="alice", password=PASSWORD)
    return await browser.submit("/totp", code=provider.totp("alice"))


async def change(provider: Provider, browser: Browser, path: str, **typed: Any) -> httpx.Response:
    """Open the form of a change, with a new proof where it asks for one, and send it."""
    page = await browser.get(path)
    if "/i/" in str(page.url):
        page = await browser.submit("/totp", code=provider.totp("alice"))
    return await browser.submit(path, **typed)


async def of(provider: Provider, username: str) -> str:
    return f"/admin/people/{(await find_user(provider.idp, username)).account.id}"


async def test_an_administrator_signs_in_finds_somebody_and_keeps_them_out(provider: Provider) -> None:
    await give(provider, "admins")
    browser = provider.browser()
    page = await come_in(provider, browser)
    assert page.status_code == 200
    assert "alice" in page.text
    assert "bob" in page.text
    page = await browser.get("/admin/people?q=BO")
    assert page.text.count("/admin/people/") < 6
    bob = await of(provider, "bob")
    page = await browser.get(bob)
    assert f"{bob}/disable" in page.text
    page = await change(provider, browser, f"{bob}/disable")
    assert "disabled" in page.text
    assert (await find_user(provider.idp, "bob")).account.disabled
    await change(provider, browser, f"{bob}/enable")
    assert not (await find_user(provider.idp, "bob")).account.disabled


async def test_without_a_role_there_is_no_such_page(provider: Provider) -> None:
    await give(provider, None)
    browser = provider.browser()
    page = await come_in(provider, browser)
    assert page.status_code == 404
    strange = await browser.get("/admin/there/is/no/such/page")
    assert (page.status_code, _title(page)) == (strange.status_code, _title(strange))


def _title(page: httpx.Response) -> str:
    return str(re.findall("<h1>(.*?)</h1>", page.text)[0])


@pytest.mark.parametrize(
    ("path", "most"),
    [
        ("/admin", 5),
        ("/admin/people", 2),
        ("/admin/applications", 2),
        ("/admin/applications/bank", 2),
        ("/admin/policy", 2),
        ("/admin/messages", 2),
        ("/admin/audit", 2),
    ],
)
async def test_a_page_costs_no_more_than_this_beside_its_room(provider: Provider, path: str, most: int) -> None:
    await give(provider, "admins")
    browser = provider.browser()
    await come_in(provider, browser, path)
    provider.count()
    page = await browser.get(path)
    assert page.status_code == 200, page.text[:3000]
    assert len(provider.statements) <= most + 1, provider.statements
