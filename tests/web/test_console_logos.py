"""The logo of an application in the console: chosen, shown, taken away; forms with files that nobody of ours sent."""

from datetime import timedelta
from typing import Any

import httpx
import pytest

from idp.flows.opening import read_clients
from idp.flows.operate.editing import edit_person
from idp.flows.operate.finding import ClientId, find_client
from idp.flows.operate.pictures import LARGEST
from idp.flows.operate.trail import Search, audit_page
from tests.world.api import add_operator, with_roles
from tests.world.console import opened, signed_in
from tests.world.pictures import REAL, png
from tests.world.provider import Browser, Provider

BANK = "/admin/applications/bank"
LOGO = f"{BANK}/logo"


@pytest.fixture
async def browser(provider: Provider) -> Browser:
    """Ada's, signed in at the console: an administrator."""
    with_roles(provider)
    return await signed_in(provider)


async def send(browser: Browser, content: bytes | None, **typed: str) -> httpx.Response:
    """The form of the current page, with a file as a browser sends it: as no bytes where nobody chose one."""
    form = browser.form("/logo")
    assert browser.page is not None
    assert 'enctype="multipart/form-data"' in browser.page.text
    fields = {each.name: each.value for each in form.fields if each.name and each.kind != "file"} | typed
    files = [*((name, (None, value)) for name, value in fields.items())]
    sent: list[Any] = [*files, ("logo", ("shop.png" if content else "", content or b""))]
    return await browser._follow(await browser.http.post(form.action, files=sent))


async def logo(provider: Provider) -> str | None:
    return (await find_client(provider.idp, ClientId("bank"))).logo


async def changes(provider: Provider) -> list[tuple[object, object]]:
    found = (await audit_page(provider.idp, Search(client_id="bank", event="client.changed"))).entries
    return [(one.fields["change"], one.fields["operator"]) for one in found]


@pytest.mark.parametrize("kind", REAL)
async def test_a_picture_is_shown_and_taken_away(provider: Provider, browser: Browser, kind: str) -> None:
    assert f'href="{LOGO}"' in (await browser.get(BANK)).text
    await opened(provider, browser, LOGO)
    page = await send(browser, REAL[kind])
    assert (page.status_code, page.url.path) == (200, BANK)
    name = await logo(provider)
    assert f'src="/logo/{name}"' in page.text
    await read_clients(provider.idp)
    assert (await browser.http.get(f"/logo/{name}")).content == REAL[kind]
    await opened(provider, browser, f"{BANK}/no-logo")
    page = await browser.submit("/no-logo")
    assert "/logo/" not in page.text.replace(LOGO, "")
    assert await logo(provider) is None
    assert await changes(provider) == [("logo removed", "person:ada"), ("logo", "person:ada")]


async def test_a_form_sent_twice_changes_once(provider: Provider, browser: Browser) -> None:
    await opened(provider, browser, LOGO)
    form = browser.page
    for _ in range(2):
        browser.page = form
        page = await send(browser, png())
        assert (page.status_code, "The logo is shown" in page.text) == (200, True)
    assert await changes(provider) == [("logo", "person:ada")]
    for _ in range(2):
        await opened(provider, browser, f"{BANK}/no-logo")
        page = await browser.submit("/no-logo")
        assert page.status_code == 200
    assert len(await changes(provider)) == 2


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "Choose a picture first."),
        (b"<svg onload='alert(1)'/>", "The logo is no PNG, JPEG or WebP picture, or not a whole one."),
        (png()[:33] + b"<script>alert(1)</script>" + png()[-12:], "The logo is no PNG"),
        (png(8, 8), "The logo is 8 x 8 pixels"),
        (png() + bytes(LARGEST), "The logo has more than 100 kB."),
        (png() + bytes(700_000), "The logo has more than 100 kB."),
        (b"\r\n--x\r\n\r\n", "The logo is no PNG"),
    ],
)
async def test_what_is_no_picture_is_refused_and_said(
    provider: Provider, browser: Browser, content: bytes | None, said: str
) -> None:
    await opened(provider, browser, LOGO)
    page = await send(browser, content)
    assert page.status_code == 422
    assert said in page.text
    assert await logo(provider) is None


async def test_a_picture_that_comes_too_late_is_chosen_again(provider: Provider, browser: Browser) -> None:
    await opened(provider, browser, LOGO)
    provider.clock.move(timedelta(minutes=6))
    page = await send(browser, png())
    assert "/i/" in page.url.path
    page = await browser.submit("/totp", code=provider.totp("ada"))
    assert "nothing was done yet" in page.text
    assert await logo(provider) is None
    await send(browser, png())
    assert await logo(provider) is not None


@pytest.mark.parametrize("role", ["audit", "desk"])
async def test_others_are_not_offered_it_and_do_not_get_it(provider: Provider, role: str) -> None:
    with_roles(provider)
    browser = await signed_in(provider, role)
    assert LOGO not in (await browser.get(BANK)).text
    for path in (LOGO, f"{BANK}/no-logo", f"{BANK}/old-secret"):
        provider.clock.move(timedelta(seconds=31))
        assert (await opened(provider, browser, path)).status_code == 403


async def test_who_lost_their_role_meanwhile_changes_nothing(provider: Provider, browser: Browser) -> None:
    await add_operator(provider, "eve", "admins")
    await opened(provider, browser, LOGO)
    form = browser.page
    for groups, status in ((["audit"], 403), ([], 404)):
        await edit_person(provider.idp, "ada", {"groups": groups})
        browser.page = form
        assert (await send(browser, png())).status_code == status
    assert await logo(provider) is None


async def test_a_picture_of_somebody_else_is_not_taken(provider: Provider, browser: Browser) -> None:
    await opened(provider, browser, LOGO)
    form = browser.page
    for token in ("", "0" * 64, "x", "é"):
        browser.page = form
        assert (await send(browser, png(), csrf=token)).status_code == 403
    other = await browser.http.post(LOGO, files=[("logo", ("a.png", png()))], headers={"Sec-Fetch-Site": "cross-site"})
    assert other.status_code == 403
    assert await logo(provider) is None


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("multipart/form-data", b"x"),
        ("multipart/form-data; boundary=", b"x"),
        ("multipart/form-data; boundary=b", b""),
        ("multipart/form-data; boundary=b", b"--b\r\n\r\n--b--"),
        (
            "multipart/form-data; boundary=b",
            b'--b\r\nContent-Disposition: form-data; name="csrf"\r\n\r\n\x00\r\n--b--\r\n',
        ),
        ("multipart/form-data; boundary=b", b"\xff" * 5000),
        ("multipart/mixed; boundary=b", b"--b--"),
        ("application/json", b"{}"),
        ("text/plain", b"csrf=x"),
        ("", b""),
        ("multipart/form-data; boundary=b", bytes(2_000_000)),
        ("application/x-www-form-urlencoded", b"csrf=x&logo=y"),
        ("application/x-www-form-urlencoded", b"a" * 70_000),
    ],
)
async def test_whatever_is_sent_instead_is_refused(browser: Browser, kind: str, body: bytes) -> None:
    answer = await browser.http.post(LOGO, content=body, headers={"Content-Type": kind})
    assert 400 <= answer.status_code < 500
    assert (answer.status_code == 413) is (len(body) > 66_000)


async def test_other_forms_take_no_files(provider: Provider, browser: Browser) -> None:
    await opened(provider, browser, f"{BANK}/disable")
    form = browser.form("/disable")
    fields: list[Any] = [(each.name, (None, each.value)) for each in form.fields if each.name]
    answer = await browser.http.post(form.action, files=fields)
    assert answer.status_code == 400
    assert not (await find_client(provider.idp, ClientId("bank"))).disabled
