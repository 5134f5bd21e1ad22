"""Holes that attacks on the console found, and that were mended: none of them opens again."""

import re
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from idp.flows.operate.finding import ClientId, find_client
from idp.typed import username_of
from tests.world.console import opened, page_of, signed_in
from tests.world.provider import Provider

SECRET = '<p class="secret"><code>(.*?)</code>'
CHOSEN = {"id": "", "secret": "chosen", "codes": "1 2 3", "seed": "00", "password": "Chosen-by-me-1234"}
MAKING = ("people/add", "people/invite", "bob/app", "bob/phone", "bob/codes", "bob/password", "applications/bank/secret")
LOOKS_THE_SAME = ("\u034f", "\u115f", "\u2800", "\u3164", "\ufe0f", "\uffa0", "\U000e0100")


def note_of(page: httpx.Response) -> str:
    (note,) = parse_qs(urlsplit(str(page.url)).query)["note"]
    return note


@pytest.mark.parametrize("path", MAKING)
async def test_what_a_page_was_told_is_not_taken_for_what_a_form_made(provider: Provider, path: str) -> None:
    """Both were sealed alike, so an operator chose a secret of an application by themselves; others broke the page."""
    browser = await signed_in(provider)
    address = f"/admin/{path}".replace("/admin/bob", await page_of(provider, "bob"))
    assert (await opened(provider, browser, address)).status_code == 200
    before = await find_client(provider.idp, ClientId("bank"))
    typed = {"username": "carol", "phone": "+37256789012"}
    told = await browser.submit(address, made="", **typed)
    page = await browser.submit(address, **typed, **CHOSEN | {"made": note_of(told)})
    assert page.status_code == 422
    assert re.findall(SECRET, page.text) == []
    assert await find_client(provider.idp, ClientId("bank")) == before


@pytest.mark.parametrize("unseen", LOOKS_THE_SAME)
async def test_nobody_and_nothing_is_named_so_that_it_looks_like_another(provider: Provider, unseen: str) -> None:
    """A sign that is printable and not seen made a second alice, and a second Acme Bank, beside the first."""
    browser = await signed_in(provider)
    for name in (f"alice{unseen}", f"{unseen}alice", f"al{unseen}ice"):
        await opened(provider, browser, "/admin/people/add")
        page = await browser.submit("/add", username=name)
        assert page.status_code == 422, name
        assert username_of(name) is None, "nor by who comes by themselves"
    await opened(provider, browser, "/admin/applications/-new?kind=web")
    page = await browser.submit("/-new", name=f"Acme Bank{unseen}", redirect_uris="https://shop.example/cb")
    assert page.status_code == 422
    assert 'href="#name"' in page.text


async def test_a_symbol_may_be_in_two_colours(provider: Provider) -> None:
    browser = await signed_in(provider)
    await opened(provider, browser, "/admin/applications/-new?kind=web")
    page = await browser.submit("/-new", name="\u2764\ufe0f Club", redirect_uris="https://club.example/cb")
    assert (page.status_code, "The application is registered." in page.text) == (200, True)
    page = await opened(provider, browser, "/admin/applications/-new?kind=web")
    page = await browser.submit("/-new", name="\u2764\ufe0f\ufe0f Club", redirect_uris="https://club.example/cb")
    assert page.status_code == 422
