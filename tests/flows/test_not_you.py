"""Whoever is half signed in sees as whom, and leaves with one press; no page is a dead end."""

import httpx
import pytest
from sqlalchemy import select

from idp.store.schema.people import challenge
from tests.world.account_pages import come_in, is_signed_in
from tests.world.composed import Statement
from tests.world.provider import ISSUER, PASSWORD, Browser, Provider, parameters

ASKED = Statement(select(challenge.c.factor))


def as_whom(page: httpx.Response) -> str | None:
    """Whom the page names beside its way out."""
    _, found, rest = page.text.partition("Your account: <strong><bdi>")
    return rest.partition("<")[0] if found and "Not you?" in rest else None


async def half_way(provider: Provider, browser: Browser, **changes: str) -> httpx.Response:
    await browser.get(provider.authorize_url(**changes))
    return await browser.submit("/password", username="alice", password=PASSWORD)


@pytest.mark.parametrize("factor", ["sms", "totp"])
async def test_every_later_page_says_whose_it_is(provider: Provider, factor: str) -> None:
    browser = provider.browser()
    page = await half_way(provider, browser, prompt="consent")
    page = await browser.get(f"{page.url}/{factor}")
    assert as_whom(page) == "alice"
    if factor == "sms":
        await browser.ask_for_text()
    page = await browser.submit(f"/{factor}", code="12")
    assert (page.status_code, as_whom(page)) == (400, "alice")
    answer = provider.totp() if factor == "totp" else (await provider.deliver())[-1]
    page = await browser.submit(f"/{factor}", code=answer)
    assert "asks to" in page.text
    assert as_whom(page) == "alice"


async def test_not_you_begins_the_same_request_as_nobody(provider: Provider) -> None:
    browser = provider.browser()
    first = await half_way(provider, browser, state="kept")
    old = browser.token
    page = await browser.submit("/account")
    assert page.status_code == 200
    assert "Password" in page.text
    assert "alice" not in page.text
    assert as_whom(page) is None
    # alice's password counts for nobody any more, in either session
    thief = provider.browser()
    thief.http.cookies.set("stile", old or "")
    assert as_whom(await thief.get(str(first.url))) is None
    await browser.submit("/password", username="bob", password=PASSWORD)
    assert as_whom(browser.page or first) == "bob"
    answer = parameters(await browser.submit("/sms", code=await provider.texted(browser)))
    assert answer["state"] == "kept"
    assert "signed in as <strong><bdi>bob" in (await browser.get("/account")).text


async def test_what_was_asked_of_the_first_person_goes_with_them(provider: Provider) -> None:
    """Their question, with its tries and its code, is nobody's once somebody else is about to sign in."""
    browser = provider.browser()
    await half_way(provider, browser)
    await browser.get(f"{browser.page.url}/sms" if browser.page else "")
    await browser.ask_for_text()
    assert await provider.rows(ASKED)
    await browser.submit("/account")
    assert not await provider.rows(ASKED)


async def test_not_you_at_consent_signs_the_other_one_out(provider: Provider) -> None:
    browser = provider.browser()
    await provider.sign_in(browser)
    page = await browser.get(provider.authorize_url(prompt="consent"))
    assert as_whom(page) == "alice"
    page = await browser.submit("/account")
    assert as_whom(page) is None
    assert not await is_signed_in(browser)


async def test_the_front_door_leads_to_the_account(provider: Provider) -> None:
    browser = provider.browser()
    page = await browser.get("/")
    assert "to see and change how you sign in" in page.text
    await come_in(provider, browser, "alice", path="/")
    assert str((await browser.get("/")).url) == f"{ISSUER}/account"


async def test_every_error_page_leads_somewhere(provider: Provider) -> None:
    browser = provider.browser()
    page = await half_way(provider, browser)
    interaction = str(page.url).removeprefix(ISSUER)
    pages = {
        "nowhere": await browser.http.get("/nowhere"),
        "method": await browser.http.delete("/account"),
        "client": await browser.http.get(provider.authorize_url(client_id="nobody")),
        "uri": await browser.http.get(provider.authorize_url(redirect_uri="https://evil.example/")),
        "interaction": await browser.http.get("/i/nothing"),
        "form": await browser.http.post(f"{interaction}/consent", data={"csrf": "x"}),
        "unreadable": await browser.http.post(f"{interaction}/sms", content=b"\xff"),
        "large": await browser.http.post("/account/password", content=b"x" * 100_000),
    }
    for name, page in pages.items():
        assert 400 <= page.status_code < 500, name
        assert 'href="/account">Go to your account' in page.text, name
    # back to the application, where it is known, and never to what was asked
    assert 'href="http://localhost:8001/"><span>Back to <bdi>Acme Bank' in pages["uri"].text
    assert "Back to" not in pages["client"].text
    assert 'href="https://evil' not in pages["uri"].text
    # and from a form on to the page it was on
    for name in ("form", "unreadable"):
        assert f'href="{interaction}">Start again' in pages[name].text
    assert as_whom(await browser.get(interaction)) == "alice"
