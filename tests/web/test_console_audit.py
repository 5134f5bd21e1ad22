"""One row of the audit trail in the console: a page of its own, in words."""

import re
from dataclasses import fields
from typing import Any

import pytest

from idp.audit.event import Event
from idp.flows.operate.client_changes import edit_client
from idp.flows.operate.clients import remove_client, set_client_disabled
from idp.flows.operate.editing import edit_person
from idp.flows.operate.leaving import remove_person
from idp.flows.operate.trail import Search, audit_page
from idp.web.console.words import EVENTS, FIELDS
from tests.world.api import add_operator, with_roles
from tests.world.provider import PASSWORD, Browser, Provider


def _kinds(of: type[Event]) -> list[type[Event]]:
    return [each for kind in of.__subclasses__() for each in (kind, *_kinds(kind))]


def test_every_event_and_each_of_its_fields_has_words() -> None:
    kinds = _kinds(Event)
    assert len(kinds) > 30
    assert {kind.name for kind in kinds} == EVENTS.keys()
    # A slotted dataclass is made twice; both have the same fields.
    assert {each.name for kind in kinds for each in fields(kind)} == FIELDS.keys()


@pytest.fixture
async def browser(provider: Provider) -> Browser:
    """Ada's, who reads the trail and changes nothing."""
    with_roles(provider)
    await add_operator(provider, "ada", "audit")
    browser = provider.browser()
    await browser.get("/admin/audit")
    await browser.submit("/password", username="ada", password=PASSWORD)
    await browser.submit("/totp", code=provider.totp("ada"))
    return browser


async def _row(provider: Provider, **search: Any) -> str:
    entry = (await audit_page(provider.idp, Search(**search), limit=1)).entries[0]
    return f"/admin/audit/{entry.id}"


async def test_the_page_of_a_row_says_what_happened_to_whom_and_who_did_it(
    provider: Provider, browser: Browser
) -> None:
    changed = await edit_person(provider.idp, "bob", {"name": "Bob B."})
    path = await _row(provider, event="account.changed", person="bob")
    assert f'href="{path}"' in (await browser.get("/admin/audit")).text
    provider.count()
    page = await browser.get(path)
    assert page.status_code == 200
    assert len(provider.statements) <= 2, provider.statements
    assert "<h1>An account was changed</h1>" in page.text
    assert f'href="/admin/people/{changed.after.id}"' in page.text
    for term in ("When", "Event", "Person", "Done by", "What was changed"):
        assert f"<dt>{term}</dt>" in page.text
    everything = re.findall(r'href="(/admin/audit\?[^"]+)"', page.text)
    assert everything
    for address in everything:
        assert f'href="{path}"' in (await browser.get(address.replace("&amp;", "&"))).text


async def test_the_row_of_an_application_leads_to_it(provider: Provider, browser: Browser) -> None:
    await set_client_disabled(provider.idp, "notes", disabled=True)
    path = await _row(provider, event="client.changed")
    assert 'href="/admin/applications/notes"' in (await browser.get(path)).text
    await remove_client(provider.idp, "notes")
    page = await browser.get(path)
    assert (page.status_code, "/admin/applications/notes" in page.text) == (200, False)


async def test_the_row_of_somebody_who_was_removed_names_no_one_and_leads_nowhere(
    provider: Provider, browser: Browser
) -> None:
    gone = await remove_person(provider.idp, "bob")
    page = await browser.get(await _row(provider, event="account.removed"))
    assert page.status_code == 200
    assert "bob" not in page.text
    assert f"/admin/people/{gone.account.id}" not in page.text


@pytest.mark.parametrize("path", ["0", "999999999999999999", "9" * 19, "9" * 400, "-1", "x", "1/2", "%00", "1.5"])
async def test_there_is_no_row_of_that_number(browser: Browser, path: str) -> None:
    assert (await browser.get(f"/admin/audit/{path}")).status_code == 404


async def test_a_line_of_the_list_is_one_line(provider: Provider, browser: Browser) -> None:
    changed = {"name": "B", "home_uri": "https://b.example/", "scopes": ["openid"], "groups": ["treasury"]}
    await edit_client(provider.idp, "notes", {**changed, "redirect_uris": ["https://b.example/cb"]})
    page = await browser.get("/admin/audit")
    details = re.findall(r'data-label="Details">\s*<bdi>([^<]*)', page.text)
    assert details
    assert max(map(len, details)) == 32
    assert "Mozilla" not in page.text
