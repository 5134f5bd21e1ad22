"""What both applications do alike: sessions, forms, headers, odd requests; and Acme Notes."""

import asyncio
from datetime import timedelta
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette

from idp.demo.bank import bank
from idp.demo.notes import notes
from idp.demo.sessions import ABSOLUTE, IDLE
from tests.world.stub_provider import (
    BANK,
    ISSUER,
    NOTES,
    TWO,
    Browser,
    Claims,
    Stub,
    World,
    path_of,
    prepare_transfer,
    sign_in,
)

APPS = [pytest.param(BANK, id="bank"), pytest.param(NOTES, id="notes")]


def _cookie(browser: Browser, name: str) -> str | None:
    return browser.http.cookies.get(name)


async def test_one_cookie_for_each_application_so_that_their_sessions_are_separate(browser: Browser) -> None:
    await sign_in(browser)
    assert [cookie.name for cookie in browser.http.cookies.jar] == ["acme_bank"]
    await browser.open(f"{NOTES}/")
    assert "How you signed in" not in browser.text
    await sign_in(browser, NOTES)
    assert {cookie.name for cookie in browser.http.cookies.jar} == {"acme_bank", "acme_notes"}
    browser.http.cookies.set("acme_notes", _cookie(browser, "acme_bank") or "", domain="localhost.local", path="/")
    await browser.open(f"{NOTES}/")
    assert "How you signed in" not in browser.text


async def test_the_cookie_is_opaque_lax_and_not_for_scripts(browser: Browser) -> None:
    await browser.open(f"{BANK}/login", stop_before=ISSUER)
    cookie = browser.page.headers["set-cookie"]
    assert cookie.startswith("acme_bank=")
    assert {part.strip().lower() for part in cookie.split(";")[1:]} == {"httponly", "path=/", "samesite=lax"}
    assert len(_cookie(browser, "acme_bank") or "") == 43


@pytest.mark.parametrize(("make", "client_id", "name"), [(bank, "bank", "acme_bank"), (notes, "notes", "acme_notes")])
async def test_on_https_the_cookie_has_the_host_prefix(world: World, make: Any, client_id: str, name: str) -> None:
    app: Starlette = make(world.config(client_id, "https://app.example.com"))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="https://app.example.com") as http:
        answer = await http.get("/login")
    assert answer.headers["set-cookie"].startswith(f"__Host-{name}=")
    assert "; Secure" in answer.headers["set-cookie"]
    assert answer.headers["strict-transport-security"] == "max-age=31536000; includeSubDomains"


async def test_signing_in_changes_the_cookie_and_the_old_one_is_worth_nothing(world: World, browser: Browser) -> None:
    await browser.open(f"{BANK}/login", stop_before=ISSUER)
    before = _cookie(browser, "acme_bank")
    await browser.open(str(browser.target))
    assert "How you signed in" in browser.text
    assert _cookie(browser, "acme_bank") != before
    other = world.browser()
    other.http.cookies.set("acme_bank", before or "")
    await other.open(f"{BANK}/")
    assert "How you signed in" not in other.text


@pytest.mark.parametrize("app", APPS)
async def test_signing_out_ends_this_session_and_goes_to_the_provider(world: World, browser: Browser, app: str) -> None:
    await sign_in(browser, app)
    kept = world.browser()
    kept.http.cookies.update(browser.http.cookies)
    await browser.press("/logout", stop_before=ISSUER)
    asked = browser.target.params
    assert browser.page.status_code == 303
    assert str(browser.target).startswith(f"{ISSUER}/logout?")
    assert asked["post_logout_redirect_uri"] == f"{app}/signed-out"
    assert asked["id_token_hint"].count(".") == 2
    await browser.open(str(browser.target))
    assert "You are signed out" in browser.text
    await kept.open(f"{app}/")
    assert "How you signed in" not in kept.text


@pytest.mark.parametrize("app", APPS)
async def test_signing_out_works_when_the_provider_is_down(browser: Browser, stub: Stub, app: str) -> None:
    await sign_in(browser, app)
    stub.clock.move(timedelta(minutes=20))
    stub.down = True
    stub.metadata = {"end_session_endpoint": None}
    await browser.open(f"{app}/")
    await browser.press("/logout", stop_before=ISSUER)
    browser.http.cookies.clear()
    await browser.open(f"{app}/signed-out")
    assert "You are signed out" in browser.text


async def test_a_session_ends_by_itself(browser: Browser, stub: Stub) -> None:
    await sign_in(browser)
    stub.clock.move(IDLE + timedelta(seconds=1))
    await browser.open(f"{BANK}/")
    assert "How you signed in" not in browser.text
    await sign_in(browser)
    for _ in range(ABSOLUTE // IDLE):
        stub.clock.move(IDLE)
        await browser.open(f"{BANK}/")
        assert "How you signed in" in browser.text
    stub.clock.move(timedelta(seconds=1))
    await browser.open(f"{BANK}/")
    assert "How you signed in" not in browser.text


@pytest.mark.parametrize(
    ("data", "headers", "status"),
    [
        pytest.param({}, {}, 403, id="no-token"),
        pytest.param({"csrf": "guessed"}, {}, 403, id="wrong-token"),
        pytest.param({"csrf": "é\ud7ff"}, {}, 403, id="odd-token"),
        pytest.param(None, {"sec-fetch-site": "cross-site"}, 403, id="another-site"),
        pytest.param(None, {"sec-fetch-site": "same-site"}, 403, id="another-port-of-this-machine"),
    ],
)
@pytest.mark.parametrize("path", ["/transfers", "/logout"])
async def test_a_form_of_somebody_else_changes_nothing(
    browser: Browser, path: str, data: dict[str, str] | None, headers: dict[str, str], status: int
) -> None:
    await sign_in(browser)
    token = browser.text.split('name="csrf" value="')[1].split('"')[0]
    sent = {"payee": "Jana", "amount": "1"} | ({"csrf": token} if data is None else data)
    answer = await browser.http.post(f"{BANK}{path}", data=sent, headers=headers)
    assert answer.status_code == status
    await browser.open(f"{BANK}/")
    assert "How you signed in" in browser.text


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"csrf=a&csrf=b", 400),
        (b"\xff\xfe", 400),
        (b"csrf=%ff", 400),
        (b"&".join(b"a%d=1" % n for n in range(30)), 400),
        (b"x" * 17_000, 413),
        (b'{"json":1}', 403),
        (b"", 403),
    ],
)
async def test_odd_bodies_are_refused_politely(browser: Browser, body: bytes, status: int) -> None:
    await sign_in(browser)
    for path in ("/transfers", "/logout"):
        answer = await browser.http.post(f"{BANK}{path}", content=body)
        assert answer.status_code == status


@pytest.mark.parametrize("app", APPS)
@pytest.mark.parametrize(
    "path",
    [
        *("/callback", "/callback?state=a&state=b", "/callback?error=access_denied", "/callback?state=%ff%00"),
        *("/callback?iss", "/nothing", "/transfers/x", "/transfers/%00", "/transfers/new", "/static/../rp.py"),
        *("/static/%2e%2e/rp.py", "/static/nothing", "/signed-out", "/", "/%ff", "/api/transfers", "/transfers"),
        *("/logout", "/renew", "/notes"),
    ],
)
async def test_nothing_a_browser_sends_breaks_it(browser: Browser, app: str, path: str) -> None:
    for method in ("GET", "HEAD", "POST", "PUT", "OPTIONS"):
        for cookie in ("", "acme_bank=x; acme_notes=\xff", "\x01;;="):
            answer = await browser.http.request(method, f"{app}{path}", headers=[(b"cookie", cookie.encode("latin-1"))])
            assert answer.status_code < 500
            assert "default-src 'none'" in answer.headers["content-security-policy"]
            assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
            assert answer.headers["x-content-type-options"] == "nosniff"
            assert answer.headers["referrer-policy"] == "no-referrer"
            assert "import" not in answer.text


@pytest.mark.parametrize("app", APPS)
async def test_pages_carry_no_script_and_let_forms_reach_the_provider(browser: Browser, app: str) -> None:
    await sign_in(browser, app)
    assert "<script" not in browser.text
    assert "style=" not in browser.text
    assert "form-action 'self' http:;" in browser.page.headers["content-security-policy"]
    assert browser.page.headers["cache-control"] == "no-store"


# Notes


async def test_a_note_is_kept_for_its_writer_and_shown_as_text(world: World, browser: Browser, stub: Stub) -> None:
    await sign_in(browser, NOTES)
    await browser.press("/notes", text="<b>milk</b>\r\n& 'bread'")
    assert "&lt;b&gt;milk&lt;/b&gt;\n&amp; &#39;bread&#39;" in browser.text
    stub.subject = "sub-bob"
    other = await sign_in(world.browser(), NOTES)
    assert "milk" not in other.text


@pytest.mark.parametrize("text", ["", "  \n ", "x" * 501, "a\x00b", "</textarea><script>" + "x" * 500])
async def test_a_note_that_cannot_be_kept_is_given_back(browser: Browser, text: str) -> None:
    await sign_in(browser, NOTES)
    await browser.press("/notes", text=text)
    assert browser.page.status_code == 400
    assert "Write something of at most 500 characters" in browser.text
    assert "<script" not in browser.text


async def test_tokens_about_to_end_are_renewed_on_the_way(browser: Browser, stub: Stub) -> None:
    await sign_in(browser, NOTES)
    assert "12:05:00 UTC" in browser.text
    stub.clock.move(timedelta(minutes=4, seconds=29))
    await browser.open(f"{NOTES}/")
    assert len(stub.redeemed) == 1
    stub.clock.move(timedelta(seconds=1))
    await browser.open(f"{NOTES}/")
    assert "Renewed at 12:04:30 UTC" in browser.text
    assert "12:09:30 UTC" in browser.text
    assert TWO in browser.text


async def test_renewal_on_request_and_without_a_new_id_token(browser: Browser, stub: Stub) -> None:
    stub.rotate_id_token = False
    await sign_in(browser, NOTES)
    for _ in range(2):
        stub.clock.move(timedelta(minutes=1))
        await browser.press("/renew")
    assert "Renewed at 12:02:00 UTC" in browser.text


async def test_a_refresh_token_is_used_once_even_by_two_tabs(browser: Browser, stub: Stub) -> None:
    await sign_in(browser, NOTES)
    stub.clock.move(timedelta(minutes=5))
    pages = await asyncio.gather(*(browser.http.get(f"{NOTES}/") for _ in range(5)))
    assert all("Renewed at" in page.text for page in pages)
    assert [form["grant_type"] for form in stub.redeemed] == ["authorization_code", "refresh_token"]


async def test_a_dead_refresh_token_is_tried_once_even_by_five_tabs(browser: Browser, stub: Stub) -> None:
    await sign_in(browser, NOTES)
    stub.refresh_tokens.clear()
    stub.clock.move(timedelta(minutes=5))
    pages = await asyncio.gather(*(browser.http.get(f"{NOTES}/") for _ in range(5)))
    assert all("Your sign-in has ended" in page.text for page in pages)
    assert len(stub.redeemed) == 2


async def test_a_login_the_provider_ended_is_over(browser: Browser, stub: Stub) -> None:
    await sign_in(browser, NOTES)
    stub.refresh_tokens.clear()
    await browser.press("/renew")
    assert "Your sign-in has ended" in browser.text
    await browser.open(f"{NOTES}/")
    assert "How you signed in" not in browser.text


async def test_notes_stay_readable_while_the_provider_is_down(browser: Browser, stub: Stub) -> None:
    await sign_in(browser, NOTES)
    await browser.press("/notes", text="milk")
    stub.down = True
    stub.clock.move(timedelta(minutes=5))
    await browser.open(f"{NOTES}/")
    assert "milk" in browser.text
    assert "does not answer at the moment" in browser.text
    stub.down = False
    await browser.open(f"{NOTES}/")
    assert "Renewed at" in browser.text


@pytest.mark.parametrize(
    "changed",
    [{"sub": "sub-bob"}, {"auth_time": 1}, {"nonce": "another"}, {"iss": "https://evil.example"}, {"aud": "bank"}],
)
async def test_a_refreshed_id_token_about_another_login_is_refused(
    browser: Browser, stub: Stub, changed: Claims
) -> None:
    await sign_in(browser, NOTES)
    stub.id_claims = changed
    await browser.press("/renew")
    assert browser.page.status_code == 400


async def test_without_offline_access_renewal_can_be_allowed_with_consent(browser: Browser, stub: Stub) -> None:
    stub.offline = False
    await sign_in(browser, NOTES)
    assert stub.asked[-1]["scope"] == "openid profile offline_access"
    assert "prompt" not in stub.asked[-1]
    stub.offline = True
    await browser.press("/allow-renewal")
    assert stub.asked[-1]["prompt"] == "consent"
    assert "Renew now" in browser.text


async def test_notes_cannot_move_money(browser: Browser) -> None:
    await sign_in(browser)
    await sign_in(browser, NOTES)
    await browser.press("/try-transfer")
    assert "The bank said no" in browser.text
    assert "this access token is for somebody else" in browser.text
    await browser.open(f"{BANK}/")
    assert "€4,280.50" in browser.text


async def test_a_stale_transfer_form_after_signing_out_changes_nothing(browser: Browser) -> None:
    await sign_in(browser)
    account = browser.page
    await browser.open(f"{BANK}/transfers/new")
    form = browser.page
    browser.page = account
    await browser.press("/logout")
    browser.page = form
    await browser.press("/transfers", payee="Jana", amount="1")
    assert browser.page.status_code == 403
    await browser.open(f"{BANK}/transfers/new")
    assert browser.at == f"{BANK}/"


async def test_a_flood_of_prepared_transfers_is_kept_small(browser: Browser) -> None:
    await sign_in(browser)
    await prepare_transfer(browser)
    first = browser.at
    for _ in range(20):
        await prepare_transfer(browser)
    await browser.open(first)
    assert browser.page.status_code == 404


@pytest.mark.parametrize("app", APPS)
async def test_the_visitors_language_is_passed_on_each_time(browser: Browser, stub: Stub, app: str) -> None:
    await browser.open(f"{app}/login", stop_before=ISSUER)
    assert "ui_locales" not in str(browser.target)
    await browser.open(f"{app}/login?ui_locales=es-MX+../x+en")
    assert stub.asked[-1]["ui_locales"] == "es-MX en"
    await browser.open(f"{app}/login")
    assert stub.asked[-1]["ui_locales"] == "es-MX en"


async def test_a_transfer_and_signing_out_are_asked_for_in_the_same_language(browser: Browser, stub: Stub) -> None:
    await browser.open(f"{BANK}/login?ui_locales=es")
    await prepare_transfer(browser)
    await browser.press(f"{path_of(browser)}/confirm")
    assert stub.asked[-1]["ui_locales"] == "es"
    assert "authorization_details" in stub.asked[-1]
    await browser.open(f"{BANK}/")
    await browser.press("/logout", stop_before=ISSUER)
    assert "ui_locales=es" in str(browser.target)
