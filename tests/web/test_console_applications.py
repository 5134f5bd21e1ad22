"""Applications in the console: who changes what, what follows, and forms sent twice, too late, or by nobody of ours."""

from datetime import timedelta

import pytest

from idp.errors import NotThere
from idp.flows.operate.client_changes import edit_client
from idp.flows.operate.editing import edit_person
from idp.flows.operate.finding import ClientId, find_client
from idp.flows.operate.trail import Search, audit_page
from tests.world.api import add_operator, with_roles
from tests.world.console import opened, signed_in
from tests.world.provider import Browser, Provider
from tests.world.stage import lasting

BANK = "/admin/applications/bank"


@pytest.fixture
async def browser(provider: Provider) -> Browser:
    """Ada's, signed in at the console: an administrator."""
    with_roles(provider)
    return await signed_in(provider)


async def test_an_application_is_kept_out_and_let_in_again(provider: Provider, browser: Browser) -> None:
    assert f'href="{BANK}/disable"' in (await browser.get(BANK)).text
    await opened(provider, browser, f"{BANK}/disable")
    page = await browser.submit("/disable")
    assert page.url.path == BANK
    assert "The application is disabled" in page.text
    assert f'href="{BANK}/enable"' in page.text
    assert (await find_client(provider.idp, ClientId("bank"))).disabled
    await opened(provider, browser, f"{BANK}/enable")
    await browser.submit("/enable")
    assert not (await find_client(provider.idp, ClientId("bank"))).disabled


async def test_what_a_removal_ends_is_said_before_and_a_second_press_leads_to_the_list(
    provider: Provider, browser: Browser
) -> None:
    await lasting(provider, scope="openid offline_access")
    await opened(provider, browser, f"{BANK}/remove")
    page = browser.page
    assert page is not None
    assert "What it holds for 1 person ends" in page.text
    first = await browser.submit("/remove")
    assert first.url.path == "/admin/applications"
    assert "The application is removed." in first.text
    browser.page = page
    second = await browser.submit("/remove")
    assert (second.status_code, second.url.path) == (200, "/admin/applications")
    with pytest.raises(NotThere):
        await find_client(provider.idp, ClientId("bank"))
    assert (await browser.get(f"{BANK}/remove")).status_code == 404


async def test_the_trail_says_who_changed_an_application(provider: Provider, browser: Browser) -> None:
    await opened(provider, browser, f"{BANK}/disable")
    await browser.submit("/disable")
    newest = (await audit_page(provider.idp, Search(client_id="bank", event="client.changed"))).entries[0]
    assert (newest.fields["change"], newest.fields["operator"]) == ("disabled", "person:ada")


async def test_who_removes_what_somebody_else_changed_meanwhile_is_told(provider: Provider, browser: Browser) -> None:
    await opened(provider, browser, f"{BANK}/remove")
    await edit_client(provider.idp, "bank", {"name": "Corner Bank"})
    page = await browser.submit("/remove")
    assert page.status_code == 409
    assert "meanwhile" in page.text
    assert "Corner Bank" in page.text
    await browser.submit("/remove")
    with pytest.raises(NotThere):
        await find_client(provider.idp, ClientId("bank"))


@pytest.mark.parametrize("role", ["audit", "desk"])
@pytest.mark.parametrize("change", ["enable", "disable", "remove"])
async def test_what_a_role_may_not_do_is_neither_offered_nor_done(provider: Provider, role: str, change: str) -> None:
    with_roles(provider)
    browser = await signed_in(provider, role)
    assert f"{BANK}/" not in (await browser.get(BANK)).text
    provider.clock.move(timedelta(seconds=31))
    assert (await opened(provider, browser, f"{BANK}/{change}")).status_code == 403


async def test_who_lost_their_role_meanwhile_changes_nothing(provider: Provider, browser: Browser) -> None:
    await add_operator(provider, "eve", "admins")
    await opened(provider, browser, f"{BANK}/remove")
    form = browser.page
    for groups, status in ((["audit"], 403), ([], 404)):
        await edit_person(provider.idp, "ada", {"groups": groups})
        browser.page = form
        assert (await browser.submit("/remove")).status_code == status
    await find_client(provider.idp, ClientId("bank"))


@pytest.mark.parametrize("change", ["enable", "disable", "remove"])
async def test_a_form_of_somebody_else_is_not_obeyed(provider: Provider, browser: Browser, change: str) -> None:
    await opened(provider, browser, f"{BANK}/{change}")
    before = await find_client(provider.idp, ClientId("bank"))
    for token in ({"version": ""}, {"csrf": "0" * 64}, {"csrf": "x"}):
        assert (await browser.post(f"{BANK}/{change}", token)).status_code == 403
    assert await find_client(provider.idp, ClientId("bank")) == before


@pytest.mark.parametrize("which", ["nobody", "%00", "a" * 65, "%2e%2e", "Acme%20Bank", "%F0%9F%98%80", "-", "'"])
@pytest.mark.parametrize("change", ["", "/disable", "/remove", "/nothing", "/%00", "/DISABLE"])
async def test_an_application_that_is_not_there_has_no_pages(
    provider: Provider, browser: Browser, which: str, change: str
) -> None:
    assert (await opened(provider, browser, f"/admin/applications/{which}{change}")).status_code in {404, 405}
    assert (await browser.post(f"/admin/applications/{which}{change}", {"csrf": "x"})).status_code in {403, 404, 405}
